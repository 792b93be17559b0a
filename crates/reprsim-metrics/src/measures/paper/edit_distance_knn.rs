//! One less the Levenshtein distance between a sample's two ordered lists of k
//! nearest neighbours as a share of k, averaged over samples, after the published preprocessing.
//!
//! The published column is too large by about a factor of four in the distance, an
//! error of its program; these are the right distances.

use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::edit_distance_knn::value;
use crate::neighbors::Space;

/// See the module.
pub static PAPER_EDIT_DISTANCE_KNN: Definition = Definition {
    properties: Properties {
        name: "edit_distance_knn",
        alias: None,
        title: "edit similarity of neighbours",
        what: "One less the edit distance between a sample's lists of k nearest \
               neighbours in the two layers, over k, averaged over samples (Huh et al. \
               2024), after the preprocessing of Li et al. (2025): entries clamped, \
               rows of length 1.",
        mode: Mode::Paper,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (lists that agree nowhere) to 1 (every sample has the same \
               neighbours in the same order)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::SCALE,
        chance: "about 1 / n",
        samples: 2,
        uses_k: true,
        reference: "Li et al. 2025, arXiv 2505.13899; Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::ClampedCosine, false, value),
    chance: None,
};
