//! How much the two layers differ in uniformity (Wang and Isola 2020), with its sign turned.
//!
//! Uniformity is `log mean_ij exp(-2 |x_i - x_j|²)` over all pairs of samples, each with itself too, of
//! activations as they are: 0 if all samples are one, -log n if they are all far apart.

use rayon::prelude::*;

use crate::descriptors::Samples;
use crate::lanes::square_apart;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::differences::negative_difference;
use crate::{MetricError, Undefined};

/// See the module.
pub static UNIFORMITY_DIFFERENCE: Definition = Definition {
    properties: Properties {
        name: "uniformity_difference",
        alias: None,
        title: "uniformity difference, negative",
        what: "The difference between how evenly the samples of the two layers are spread, by the \
               mean of a Gaussian of their distances as they are, with its sign turned (Wang and \
               Isola 2020; Wang and Liu 2021).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::None, Bound::Number(0.0)),
        range_in_words: "from -log n (negative: one layer spread out, the other one point) to 0 \
               (spread as evenly)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances {
            translation: true,
            scale: false,
            orthogonal: true,
            linear: false,
        },
        chance: "none: no sample is compared with its like",
        samples: 2,
        uses_k: false,
        reference: "Wang and Isola 2020, arXiv 2005.10242; Klabunde et al. 2025, arXiv 2305.06329",
    },
    formula: Formula::Descriptors(describe, |a, b| Ok(negative_difference(a, b))),
    chance: None,
};

fn describe(samples: &Samples<'_>) -> Result<Result<Vec<f64>, Undefined>, MetricError> {
    let (rows, n, d) = (samples.stored()?, samples.count(), samples.width());
    let row = |i: usize| &rows[i * d..][..d];
    let before = |i: usize| -> f64 {
        (0..i)
            .map(|j| (-2.0 * square_apart(row(i), row(j))).exp())
            .sum()
    };
    // Added up in the order of the samples, whichever thread is done first.
    let sums: Vec<f64> = (0..n).into_par_iter().map(before).collect();
    let size = n as f64;
    let total = size + 2.0 * sums.iter().sum::<f64>();
    Ok(Ok(vec![total.ln() - 2.0 * size.ln()]))
}
