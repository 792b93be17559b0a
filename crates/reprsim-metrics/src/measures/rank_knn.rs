//! How alike the ranks are of the neighbours that a sample has in both layers (Wang et al. 2020),
//! averaged over samples.
//!
//! With r_j and s_j the ranks of neighbour j in the two lists, `sum_j 2 / ((1 + |r_j - s_j|) (r_j +
//! s_j))` over the neighbours in common, divided by the largest that so many can give, 1 + 1/2 + ... :
//! how many there are does not count, and none is 0.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::{expected, mean_of_shares, rank_similarity, rank_weight};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static RANK_KNN: Definition = Definition {
    properties: Properties {
        name: "rank_knn_cosine",
        alias: None,
        title: "rank similarity of k nearest neighbours",
        what: "How alike the ranks are of those neighbours by cosine that a sample has in both \
               layers, near ones counting more, averaged over samples (Wang et al. 2020).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no neighbour in common) to 1 (the same neighbours in the same order)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "below k^2 / n",
        samples: 2,
        uses_k: true,
        reference: "Wang et al. 2020, doi 10.1609/aaai.v34i04.6118; Klabunde et al. 2025, arXiv 2305.06329",
    },
    formula: Formula::Neighbors(Space::Cosine, false, value),
    chance: Some(chance),
};

fn chance(n: usize, k: usize) -> Option<f64> {
    expected(n, k, |common| expected_of(k, common))
}

/// The mean over all ranks that so many common neighbours may have.
pub(super) fn expected_of(k: usize, common: usize) -> f64 {
    if common == 0 {
        return 0.0;
    }
    let weights = (1..=k).flat_map(|a| (1..=k).map(move |b| rank_weight(a, b)));
    let mean = weights.sum::<f64>() / (k * k) as f64;
    let largest: f64 = (1..=common).map(|rank| 1.0 / rank as f64).sum();
    common as f64 * mean / largest
}

fn value(pair: &NeighborPair) -> Value {
    Ok(mean_of_shares(pair, rank_similarity))
}
