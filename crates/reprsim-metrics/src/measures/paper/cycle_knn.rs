//! The share of samples that are among the first layer's k nearest neighbours of
//! any of their k nearest neighbours in the second layer, after the published preprocessing. Not symmetric.

use crate::measure::{Bound, Definition, Formula, Invariances, Mode, Properties};
use crate::measures::cycle_knn::value;
use crate::neighbors::Space;

/// See the module.
pub static PAPER_CYCLE_KNN: Definition = Definition {
    properties: Properties {
        name: "cycle_knn",
        alias: None,
        title: "cycle over k nearest neighbours",
        mode: Mode::Paper,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        symmetric: false,
        invariances: Invariances::SCALE,
        chance: "about 1 - exp(-k^2 / n)",
        samples: 2,
        uses_k: true,
        reference: "Li et al. 2025, arXiv 2505.13899; Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::ClampedCosine, false, value),
    chance: None,
};
