//! The multi-scale intrinsic distance (Tsitsulin et al. 2020), with its sign turned: how differently
//! heat flows on graphs of the two layers' nearest neighbours.
//!
//! Each sample is joined to its five nearest by Euclidean distance, whichever of the two is the
//! other's. With the eigenvalues l of the graph's normalised Laplacian the heat that is left at time t is
//! `h(t) = mean exp(-t l)`; the distance is the largest `1e6 exp(-2 (t + 1/t)) |h_a(t) - h_b(t)|` over
//! 256 times from 0.1 to 10. As published h is estimated by random vectors; here all eigenvalues are
//! taken, for which there may be so many samples.

use faer::Mat;
use rayon::prelude::*;

use crate::descriptors::Samples;
use crate::lanes::{dot, square_sum};
use crate::linalg::eigenvalues;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::differences::negative;
use crate::{MetricError, Undefined, Value};

/// Nearest samples that one is joined to, as published.
const NEIGHBORS: usize = 5;

/// Times at which heat is looked at, as published.
const TIMES: usize = 256;

/// What distances are multiplied by, as published.
const UNIT: f64 = 1e6;

/// Samples of which the eigenvalues are taken in seconds.
const MOST: usize = 2000;

/// See the module.
pub static IMD: Definition = Definition {
    properties: Properties {
        name: "imd",
        alias: None,
        title: "multi-scale intrinsic distance, negative",
        what: "How differently heat spreads over the graphs of the two layers' nearest neighbours, \
               at the time at which it differs most, with its sign turned (Tsitsulin et al. 2020). \
               Of 2000 samples at most.",
        mode: Mode::Exact,
        estimator: "all eigenvalues",
        range: (Bound::None, Bound::Number(0.0)),
        range_in_words: "from negative numbers of some thousands (graphs of other shapes) to 0 \
               (heat spreads alike at all scales)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::SIMILARITY,
        chance: "none: no sample is compared with its like",
        samples: NEIGHBORS + 1,
        uses_k: false,
        reference: "Tsitsulin et al. 2020, arXiv 1905.11141",
    },
    formula: Formula::Descriptors(heat, value),
    chance: None,
};

fn times() -> impl Iterator<Item = f64> {
    (0..TIMES).map(|at| 10f64.powf(2.0 * at as f64 / (TIMES - 1) as f64 - 1.0))
}

/// The heat that is left at each time.
fn heat(samples: &Samples<'_>) -> Result<Result<Vec<f64>, Undefined>, MetricError> {
    let n = samples.count();
    if n > MOST {
        return Ok(Err(Undefined::TooManySamples { most: MOST }));
    }
    let laplacian = laplacian(&neighbors(&samples.located()?, n));
    let Ok(eigenvalues) = eigenvalues(laplacian.as_ref()) else {
        return Ok(Err(Undefined::NoConvergence));
    };
    let at = |t: f64| eigenvalues.iter().map(|l| (-t * l).exp()).sum::<f64>() / n as f64;
    Ok(Ok(times().map(at).collect()))
}

/// The nearest samples of each by Euclidean distance; of equally near ones the first.
fn neighbors(rows: &[f64], n: usize) -> Vec<Vec<usize>> {
    let d = rows.len() / n;
    let row = |i: usize| &rows[i * d..][..d];
    let squares: Vec<f64> = rows.chunks_exact(d).map(square_sum).collect();
    let of = |i: usize| {
        // What all have in common is left out: where a sample is far away nothing else had digits.
        let mut others: Vec<(f64, usize)> = (0..n)
            .filter(|j| *j != i)
            .map(|j| (squares[j] - 2.0 * dot(row(i), row(j)), j))
            .collect();
        let order = |x: &(f64, usize), y: &(f64, usize)| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1));
        others.select_nth_unstable_by(NEIGHBORS - 1, order);
        others[..NEIGHBORS].iter().map(|(_, j)| *j).collect()
    };
    (0..n).into_par_iter().map(of).collect()
}

/// `I - D^-1/2 A D^-1/2` of the graph in which samples are joined of which one is near to the other, on
/// and below its diagonal.
fn laplacian(neighbors: &[Vec<usize>]) -> Mat<f64> {
    let n = neighbors.len();
    let mut joined = Mat::<f64>::zeros(n, n);
    for (i, near) in neighbors.iter().enumerate() {
        for j in near {
            (joined[(i, *j)], joined[(*j, i)]) = (1.0, 1.0);
        }
    }
    let roots: Vec<f64> = (joined.col_iter())
        .map(|column| column.iter().sum::<f64>().sqrt())
        .collect();
    Mat::from_fn(n, n, |i, j| match i == j {
        true => 1.0,
        false => -joined[(i, j)] / (roots[i] * roots[j]),
    })
}

fn value(a: &[f64], b: &[f64]) -> Value {
    let apart = |((a, b), t): ((&f64, &f64), f64)| (-2.0 * (t + 1.0 / t)).exp() * (a - b).abs();
    let largest = a.iter().zip(b).zip(times()).map(apart).fold(0.0, f64::max);
    Ok(negative(UNIT * largest))
}
