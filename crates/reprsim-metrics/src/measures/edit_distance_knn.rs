//! One less the Levenshtein distance between a sample's two ordered lists of k
//! nearest neighbours as a share of k, averaged over samples.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::{edit_distance, mean_of};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static EDIT_DISTANCE_KNN: Definition = Definition {
    properties: Properties {
        name: "edit_distance_knn_cosine",
        alias: Some("edit_distance_knn"),
        title: "edit similarity of neighbours",
        what: "One less the edit distance between a sample's lists of k nearest \
               neighbours by cosine in the two layers, over k, averaged over samples \
               (Huh et al. 2024).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (lists that agree nowhere) to 1 (every sample has the same \
               neighbours in the same order)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "about 1 / n",
        samples: 2,
        uses_k: true,
        reference: "Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::Cosine, false, value),
    chance: None,
};

pub(super) fn value(pair: &NeighborPair) -> Value {
    Ok(1.0 - mean_of(pair, edit_distance) / pair.k as f64)
}
