//! The share of its k nearest neighbours by cosine that a sample has in common
//! between the two layers, averaged over samples.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::common;
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static MUTUAL_KNN: Definition = Definition {
    properties: Properties {
        name: "mutual_knn_cosine",
        alias: Some("mutual_knn"),
        title: "mutual k nearest neighbours",
        what: "The share of its k nearest neighbours by cosine that a sample has in \
               common between the two layers, averaged over samples (Huh et al. 2024).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no neighbour in common; chance gives k / (n - 1)) to 1 (every \
               sample has the same neighbours)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "k / (n - 1)",
        samples: 2,
        uses_k: true,
        reference: "Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::Cosine, false, value),
    chance: Some(chance),
};

pub(super) fn chance(n: usize, k: usize) -> Option<f64> {
    (n > 1).then(|| k as f64 / (n as f64 - 1.0))
}

pub(super) fn value(pair: &NeighborPair) -> Value {
    // Every list has k entries, and `a` all of them.
    Ok(common(pair) as f64 / pair.a.len() as f64)
}
