//! The Jaccard index of the k nearest neighbours of a sample by cosine in the two layers, averaged over
//! samples.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::{expected, jaccard, mean_of_shares};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static JACCARD_KNN: Definition = Definition {
    properties: Properties {
        name: "jaccard_knn_cosine",
        alias: None,
        title: "Jaccard index of k nearest neighbours",
        what: "The share of those samples that are among the k nearest neighbours of a sample by \
               cosine in either layer that are so in both, averaged over samples (Wang et al. \
               2020; Hryniowski and Wong 2020).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no neighbour in common) to 1 (every sample has the same neighbours)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "about k / 2n",
        samples: 2,
        uses_k: true,
        reference: "Wang et al. 2020, doi 10.1609/aaai.v34i04.6118; Klabunde et al. 2025, arXiv 2305.06329",
    },
    formula: Formula::Neighbors(Space::Cosine, false, value),
    chance: Some(chance),
};

fn chance(n: usize, k: usize) -> Option<f64> {
    expected(n, k, |common| common as f64 / (2 * k - common) as f64)
}

fn value(pair: &NeighborPair) -> Value {
    Ok(mean_of_shares(pair, jaccard))
}
