//! Second-order cosine similarity (Hamilton et al. 2016): whether a sample is as near to its neighbours
//! in one layer as in the other.
//!
//! Of each sample i the cosines to all samples that are among its k nearest in either layer are a vector
//! in each layer; the cosine of the two, averaged over samples.

use rayon::prelude::*;

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::either;
use crate::neighbors::Space;
use crate::pair::CosinePair;

/// See the module.
pub static SECOND_ORDER_COSINE: Definition = Definition {
    properties: Properties {
        name: "second_order_cosine",
        alias: None,
        title: "second-order cosine similarity",
        what: "The cosine between the vectors that a sample's cosines to its k nearest neighbours \
               in either layer make in the two layers, averaged over samples (Hamilton et al. \
               2016).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from -1 (what is near in one layer is opposite in the other) to 1 (all \
               neighbours are as near in both layers)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "grows with the mean cosine of a layer",
        samples: 2,
        uses_k: true,
        reference: "Hamilton et al. 2016, doi 10.18653/v1/D16-1229; Klabunde et al. 2025, arXiv 2305.06329",
    },
    formula: Formula::Cosines(Space::Cosine, value),
    chance: None,
};

fn value(pair: &CosinePair) -> Value {
    let n = pair.lists.a.len() / pair.lists.k;
    // Added up in the order of the samples, whichever thread is done first.
    let cosines: Vec<f64> = (0..n).into_par_iter().map(|i| of(pair, i)).collect();
    Ok(cosines.iter().sum::<f64>() / n as f64)
}

/// Of sample i; 0 if it is at a right angle to all its neighbours in one of the layers.
fn of(pair: &CosinePair, i: usize) -> f64 {
    let (mut cross, mut a, mut b) = (0.0, 0.0, 0.0);
    for j in either(&pair.lists, i) {
        let [x, y] = [&pair.a, &pair.b].map(|cosines| cosines.of(i, j as usize));
        (cross, a, b) = (cross + x * y, a + x * x, b + y * y);
    }
    match a > 0.0 && b > 0.0 {
        true => cross / (a.sqrt() * b.sqrt()),
        false => 0.0,
    }
}
