//! The representation topology divergence (Barannikov et al. 2022), with its sign turned: how long loops
//! last that are there in one layer and not yet filled by the other.
//!
//! Distances of each layer are divided by their 0.9 quantile. With V and W those of the layers, and all
//! samples of a first copy at one place, loops are followed (persistent homology in dimension one) through
//! the growing distances `[0 V; V min(V, W)]`, of which from a first copy to a second those above the
//! diagonal suffice; the divergence is the sum of how long each lasts, the mean of both orders of the
//! layers.

use crate::homology::loops;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::differences::negative;
use crate::pair::DistancePair;
use crate::{Undefined, Value};

/// See the module.
pub static RTD: Definition = Definition {
    properties: Properties {
        name: "rtd",
        alias: None,
        title: "representation topology divergence, negative",
        what: "How long clusters and loops of samples that one layer has and the other has not last \
               while distances grow, with its sign turned (Barannikov et al. 2022). Of up to 128 \
               samples, or the mean over up to four parts of so many.",
        mode: Mode::Exact,
        estimator: "plain, or the mean over parts",
        range: (Bound::None, Bound::Number(0.0)),
        range_in_words: "from negative numbers without a lowest (clusters and loops of one layer \
               are none of the other) to 0 (the same at all scales)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::SIMILARITY,
        chance: "negative, and grows in size with the samples of a part",
        samples: 4,
        uses_k: false,
        reference: "Barannikov et al. 2022, arXiv 2201.00058",
    },
    formula: Formula::Distances(value),
    chance: None,
};

/// Of all distances, as published.
const QUANTILE: f64 = 0.9;

fn value(pair: &DistancePair) -> Value {
    let (a, b) = (scaled(pair.a)?, scaled(pair.b)?);
    let sum = divergence(pair.n, &a, &b) + divergence(pair.n, &b, &a);
    Ok(negative(sum / 2.0))
}

/// Distances over their quantile, as numpy interpolates it.
fn scaled(distances: &[f64]) -> Result<Vec<f64>, Undefined> {
    let mut sorted = distances.to_vec();
    let at = QUANTILE * (sorted.len() - 1) as f64;
    let (_, low, above) = sorted.select_nth_unstable_by(at.floor() as usize, f64::total_cmp);
    let next = above.iter().copied().fold(f64::INFINITY, f64::min);
    let low = *low;
    let unit = match at.fract() {
        0.0 => low,
        share => low + share * (next - low),
    };
    match unit > 0.0 {
        true => Ok(distances.iter().map(|distance| distance / unit).collect()),
        false => Err(Undefined::ZeroMedianDistance),
    }
}

/// How long loops last in `[0 V; V min(V, W)]`, added up, with the first V above its diagonal alone.
fn divergence(n: usize, v: &[f64], w: &[f64]) -> f64 {
    let distance = |i: usize, j: usize| match (i < n, j < n) {
        (true, true) => 0.0,
        (false, false) => {
            let at = (i - n) * n + j - n;
            v[at].min(w[at])
        }
        _ => match (i.min(j), i.max(j) - n) {
            (first, second) if first <= second => v[first * n + second],
            _ => f64::INFINITY,
        },
    };
    (loops(2 * n, distance).iter())
        .map(|(birth, death)| death - birth)
        .sum()
}
