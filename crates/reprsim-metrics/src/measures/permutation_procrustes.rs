//! Procrustes with permutations of units alone: the largest inner product of the two layers,
//! centred, over one-to-one matchings of their units, over the product of the Frobenius norms.
//! Units of the wider layer that none is left for meet zeros.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::units::matched;
use crate::pair::CovariancePair;
use crate::subspace::Columns;
use crate::transport::assignment;

/// See the module.
pub static PERMUTATION_PROCRUSTES: Definition = Definition {
    properties: Properties {
        name: "permutation_procrustes_similarity",
        alias: Some("permutation_procrustes"),
        title: "permutation Procrustes similarity",
        what: "Procrustes as a similarity with units matched one to one instead of turned: how \
               far one layer, centred and of length 1, falls on the other once its units are in \
               the best order; the cosine of the angular permutation distance (Williams et al. \
               2021).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from -1 (each unit the negative of its best partner) over 0 (unrelated, \
               which chance exceeds the more, the larger d / n) to 1 (the same units in some \
               order, up to scale and translation of all)",
        symmetric: true,
        geometry: Geometry::Shape,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Williams et al. 2021, arXiv 2110.14739",
    },
    formula: Formula::Units(Columns::Centred, value),
    chance: None,
};

fn value(pair: &CovariancePair) -> Value {
    Ok(matched(pair, assignment)? / (pair.lengths.0 * pair.lengths.1))
}
