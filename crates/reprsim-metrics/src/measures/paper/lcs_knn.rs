//! The length of the longest common subsequence of a sample's two ordered lists of k
//! nearest neighbours, averaged over samples, after the published preprocessing.
//!
//! Not divided by k, as published. The published column itself is too small by about
//! a factor of four, an error of its program; these are the right lengths.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::{longest_common_subsequence, mean_of};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static PAPER_LCS_KNN: Definition = Definition {
    properties: Properties {
        name: "lcs_knn",
        alias: None,
        title: "longest common subsequence of neighbours",
        what: "The length of the longest common subsequence of a sample's lists of k \
               nearest neighbours in the two layers, averaged over samples (Huh et al. \
               2024), after the preprocessing of Li et al. (2025): entries clamped, \
               rows of length 1.",
        mode: Mode::Paper,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::K),
        range_in_words: "from 0 (no neighbour in common) to k (every sample has the same \
               neighbours in the same order)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::SCALE,
        chance: "about k^2 / n",
        samples: 2,
        uses_k: true,
        reference: "Li et al. 2025, arXiv 2505.13899; Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::ClampedCosine, false, value),
    chance: None,
};

fn value(pair: &NeighborPair) -> Value {
    Ok(mean_of(pair, longest_common_subsequence))
}
