//! How much the two layers differ in how near their samples are to the mean by cosine (Wang et al.
//! 2020), with its sign turned.

use super::magnitude_difference::{length, mean};
use crate::descriptors::Samples;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::differences::negative_difference;
use crate::{MetricError, Undefined};

/// See the module.
pub static CONCENTRICITY_DIFFERENCE: Definition = Definition {
    properties: Properties {
        name: "concentricity_difference",
        alias: None,
        title: "concentricity difference, negative",
        what: "The difference between the layers' mean cosines of their samples with the mean \
               activation, with its sign turned (Wang et al. 2020).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-2.0), Bound::Number(0.0)),
        range_in_words: "from -2 (negative: all samples along the mean in one layer alone, which real layers \
               are far from) to 0 (samples as near to the mean)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "none: no sample is compared with its like",
        samples: 2,
        uses_k: false,
        reference: "Wang et al. 2020, doi 10.1609/aaai.v34i04.6118; Klabunde et al. 2025, arXiv 2305.06329",
    },
    formula: Formula::Descriptors(describe, |a, b| Ok(negative_difference(a, b))),
    chance: None,
};

fn describe(samples: &Samples<'_>) -> Result<Result<Vec<f64>, Undefined>, MetricError> {
    let (rows, d) = (samples.stored()?, samples.width());
    let mean = unit(&mean(&rows, d));
    let cosine = |row: &[f64]| -> f64 { unit(row).iter().zip(&mean).map(|(x, m)| x * m).sum() };
    let sum: f64 = rows.chunks_exact(d).map(cosine).sum();
    Ok(Ok(vec![sum / samples.count() as f64]))
}

/// A vector divided by its length; one of zeros stays.
fn unit(vector: &[f64]) -> Vec<f64> {
    match length(vector) {
        0.0 => vector.to_vec(),
        length => vector.iter().map(|v| v / length).collect(),
    }
}
