//! The share of samples that are among the first layer's k nearest neighbours of
//! any of their k nearest neighbours in the second layer, after the published preprocessing. Not symmetric.

use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::cycle_knn::value;
use crate::neighbors::Space;

/// See the module.
pub static PAPER_CYCLE_KNN: Definition = Definition {
    properties: Properties {
        name: "cycle_knn",
        alias: None,
        title: "cycle over k nearest neighbours",
        what: "The share of samples that are among the first layer's k nearest \
               neighbours of any of their own k nearest neighbours in the second (Huh \
               et al. 2024), after the preprocessing of Li et al. (2025): entries \
               clamped, rows of length 1.",
        mode: Mode::Paper,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no sample is found again) to 1 (every sample is), which a layer \
               compared with itself need not reach",
        symmetric: false,
        geometry: Geometry::Share,
        invariances: Invariances::SCALE,
        chance: "about 1 - exp(-k^2 / n)",
        samples: 2,
        uses_k: true,
        reference: "Li et al. 2025, arXiv 2505.13899; Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::ClampedCosine, false, value),
    chance: None,
};
