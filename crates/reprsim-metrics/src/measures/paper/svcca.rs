//! SVCCA as published, made deterministic: after clamping, normalising rows and
//! scaling columns, the mean cosine of the principal angles between the first ten
//! left singular directions of each layer.

use crate::Value;
use crate::basis::Directions;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::mean_singular_value;
use crate::pair::SubspacePair;
use crate::subspace::Columns;

/// See the module.
pub static PAPER_SVCCA: Definition = Definition {
    properties: Properties {
        name: "svcca",
        alias: None,
        title: "singular vector CCA, ten directions",
        what: "The mean cosine of the principal angles between the first ten singular \
               directions of each layer (Raghu et al. 2017), after the preprocessing \
               of Li et al. (2025): entries clamped, rows of length 1, columns of \
               deviation 1.",
        mode: Mode::Paper,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the fewer the \
               samples) to 1 (the same ten leading directions)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::SCALE,
        chance: "grows with 10 / n",
        samples: 2,
        uses_k: false,
        reference: "Li et al. 2025, arXiv 2505.13899; Raghu et al. 2017, arXiv 1706.05806",
    },
    formula: Formula::Subspace(Columns::ClampedScaled, Directions::Leading(kept), value),
    chance: None,
};

/// Directions kept.
const DIRECTIONS: usize = 10;

fn kept(singular: &[f64]) -> usize {
    singular.len().min(DIRECTIONS)
}

fn value(pair: &SubspacePair) -> Value {
    let (a, b) = (kept(pair.singular_a), kept(pair.singular_b));
    mean_singular_value(pair.product.submatrix(0, 0, a, b))
}
