//! One less the Levenshtein distance between a sample's two ordered lists of k
//! nearest neighbours as a share of k, averaged over samples, after the published preprocessing.
//!
//! The published column is too large by about a factor of four in the distance, an
//! error of its program; these are the right distances.

use crate::Value;
use crate::measure::{Bound, Formula, Invariances, Measure, Mode, Properties};
use crate::measures::neighbor_lists::{edit_distance, mean_of};
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
#[derive(Debug)]
pub struct PaperEditDistanceKnn;

static PROPERTIES: Properties = Properties {
    name: "edit_distance_knn",
    alias: None,
    title: "edit similarity of neighbours",
    mode: Mode::Paper,
    estimator: "plain",
    range: (Bound::Number(0.0), Bound::Number(1.0)),
    symmetric: true,
    invariances: Invariances::SCALE,
    chance: "about 1 / n",
    samples: 2,
    uses_k: true,
    reference: "Li et al. 2025, arXiv 2505.13899; Huh et al. 2024, arXiv 2405.07987",
};

impl Measure for PaperEditDistanceKnn {
    fn properties(&self) -> &'static Properties {
        &PROPERTIES
    }

    fn formula(&self) -> Formula {
        Formula::Neighbors(Space::ClampedCosine, false, value)
    }
}

fn value(pair: &NeighborPair) -> Value {
    Ok(1.0 - mean_of(pair, edit_distance) / pair.k as f64)
}
