//! How much the lengths of the two layers' mean activations differ (Wang et al. 2020), with its sign
//! turned.

use crate::descriptors::Samples;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::differences::negative_difference;
use crate::{MetricError, Undefined};

/// See the module.
pub static MAGNITUDE_DIFFERENCE: Definition = Definition {
    properties: Properties {
        name: "magnitude_difference",
        alias: None,
        title: "magnitude difference, negative",
        what: "The difference between the lengths of the two layers' mean activations, with its \
               sign turned (Wang et al. 2020).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::None, Bound::Number(0.0)),
        range_in_words: "from negative numbers without a lowest (means of other lengths) to 0 (means \
               of one length)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances {
            translation: false,
            scale: false,
            orthogonal: true,
            linear: false,
        },
        chance: "none: no sample is compared with its like",
        samples: 2,
        uses_k: false,
        reference: "Wang et al. 2020, doi 10.1609/aaai.v34i04.6118; Klabunde et al. 2025, arXiv 2305.06329",
    },
    formula: Formula::Descriptors(describe, |a, b| Ok(negative_difference(a, b))),
    chance: None,
};

fn describe(samples: &Samples<'_>) -> Result<Result<Vec<f64>, Undefined>, MetricError> {
    let mean = mean(&samples.stored()?, samples.width());
    Ok(Ok(vec![length(&mean)]))
}

/// The mean of some rows.
pub(super) fn mean(rows: &[f64], width: usize) -> Vec<f64> {
    let count = (rows.len() / width) as f64;
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        (mean.iter_mut().zip(row)).for_each(|(mean, value)| *mean += value / count);
    }
    mean
}

/// The length of a vector, also where no number holds its square.
pub(super) fn length(vector: &[f64]) -> f64 {
    let largest = vector
        .iter()
        .fold(0.0, |largest: f64, v| largest.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let squares = vector.iter().map(|v| (v / largest).powi(2));
    largest * squares.sum::<f64>().sqrt()
}
