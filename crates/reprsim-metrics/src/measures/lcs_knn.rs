//! The longest common subsequence of a sample's two ordered lists of k nearest
//! neighbours, as a share of k, averaged over samples.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::{longest_common_subsequence, mean_of};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static LCS_KNN: Definition = Definition {
    properties: Properties {
        name: "lcs_knn_cosine",
        alias: Some("lcs_knn"),
        title: "longest common subsequence of neighbours",
        what: "The longest common subsequence of a sample's lists of k nearest \
               neighbours by cosine in the two layers, over k, averaged over samples \
               (Huh et al. 2024).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no neighbour in common) to 1 (every sample has the same \
               neighbours in the same order)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "about k / n",
        samples: 2,
        uses_k: true,
        reference: "Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::Cosine, false, value),
    chance: None,
};

fn value(pair: &NeighborPair) -> Value {
    Ok(mean_of(pair, longest_common_subsequence) / pair.k as f64)
}
