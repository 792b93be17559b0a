//! The share of its k nearest neighbours by cosine that a sample has in common
//! between the two layers, averaged over samples, after the published preprocessing.

use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::mutual_knn::{chance, value};
use crate::neighbors::Space;

/// See the module.
pub static PAPER_MUTUAL_KNN: Definition = Definition {
    properties: Properties {
        name: "mutual_knn",
        alias: None,
        title: "mutual k nearest neighbours",
        what: "The share of its k nearest neighbours that a sample has in common \
               between the two layers, averaged over samples (Huh et al. 2024), after \
               the preprocessing of Li et al. (2025): entries clamped, rows of length \
               1.",
        mode: Mode::Paper,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no neighbour in common; chance gives k / (n - 1)) to 1 (every \
               sample has the same neighbours)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::SCALE,
        chance: "k / (n - 1)",
        samples: 2,
        uses_k: true,
        reference: "Li et al. 2025, arXiv 2505.13899; Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::ClampedCosine, false, value),
    chance: Some(chance),
};
