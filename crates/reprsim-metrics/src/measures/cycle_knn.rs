//! The share of samples that are among the first layer's k nearest neighbours of
//! any of their k nearest neighbours in the second layer. Not symmetric.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::{mean_of, returns};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static CYCLE_KNN: Definition = Definition {
    properties: Properties {
        name: "cycle_knn_cosine",
        alias: Some("cycle_knn"),
        title: "cycle over k nearest neighbours",
        what: "The share of samples that are among the first layer's k nearest \
               neighbours of any of their own k nearest neighbours in the second, by \
               cosine (Huh et al. 2024).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no sample is found again) to 1 (every sample is), which a layer \
               compared with itself need not reach",
        symmetric: false,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "about 1 - exp(-k^2 / n)",
        samples: 2,
        uses_k: true,
        reference: "Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::Cosine, false, value),
    chance: None,
};

pub(super) fn value(pair: &NeighborPair) -> Value {
    Ok(mean_of(pair, returns))
}
