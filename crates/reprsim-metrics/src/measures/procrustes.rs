//! Orthogonal Procrustes as a similarity: the nuclear norm of A'B over the product
//! of the Frobenius norms, columns centred. The cosine of the angular shape distance
//! of Williams et al. (2021).

use crate::Value;
use crate::linalg::nuclear_norm;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::pair::CovariancePair;

/// See the module.
pub static PROCRUSTES: Definition = Definition {
    properties: Properties {
        name: "procrustes_similarity",
        alias: Some("procrustes"),
        title: "Procrustes similarity",
        what: "Orthogonal Procrustes as a similarity: how far one layer, centred and \
               of length 1, falls on the other once it is turned as well as it can be; \
               the cosine of the angular shape distance (Ding et al. 2021; Williams et \
               al. 2021).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the same up to rotation, scale and translation)",
        symmetric: true,
        geometry: Geometry::Shape,
        invariances: Invariances::SIMILARITY,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Ding, Denain, Steinhardt 2021, arXiv 2108.01661; Williams et al. 2021, arXiv 2110.14739",
    },
    formula: Formula::Covariance(value),
    chance: None,
};

fn value(pair: &CovariancePair) -> Value {
    Ok(nuclear_norm(pair.covariance)? / (pair.lengths.0 * pair.lengths.1))
}
