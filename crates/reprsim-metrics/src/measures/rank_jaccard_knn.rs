//! The product of a sample's Jaccard index and its rank similarity (Wang et al. 2020), averaged over
//! samples: whether it has the same neighbours, and in the same order.

use super::rank_knn::expected_of;
use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::{expected, jaccard, mean_of_shares, rank_similarity};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static RANK_JACCARD_KNN: Definition = Definition {
    properties: Properties {
        name: "rank_jaccard_knn_cosine",
        alias: None,
        title: "joint rank and Jaccard similarity",
        what: "Whether a sample has the same k nearest neighbours by cosine in both layers, and in \
               the same order: its Jaccard index times its rank similarity, averaged over samples \
               (Wang et al. 2020).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no neighbour in common) to 1 (the same neighbours in the same order)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "below k / 2n",
        samples: 2,
        uses_k: true,
        reference: "Wang et al. 2020, doi 10.1609/aaai.v34i04.6118; Klabunde et al. 2025, arXiv 2305.06329",
    },
    formula: Formula::Neighbors(Space::Cosine, false, value),
    chance: Some(chance),
};

fn chance(n: usize, k: usize) -> Option<f64> {
    expected(n, k, |common| {
        expected_of(k, common) * common as f64 / (2 * k - common) as f64
    })
}

fn value(pair: &NeighborPair) -> Value {
    Ok(mean_of_shares(pair, |pair, i| {
        jaccard(pair, i) * rank_similarity(pair, i)
    }))
}
