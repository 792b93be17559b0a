//! The null of any function.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use reprsim_metrics::Calibration;
use reprsim_similarity::{Question, permutations as permutations_of};

use crate::errors::Failed;

/// The permutations that a comparison of `n` samples is tested against, each as native `u32`.
#[pyfunction]
pub(crate) fn permutations(
    py: Python<'_>,
    n: usize,
    count: usize,
    blocks: Vec<u32>,
    seed: u64,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let question = Question {
        permutations: count,
        blocks,
        seed,
        ..Question::new(vec![])
    };
    let permutations = permutations_of(n, &question).map_err(Failed::from)?;
    let bytes = |map: &[u32]| {
        let values: Vec<u8> = map.iter().flat_map(|i| i.to_ne_bytes()).collect();
        PyBytes::new(py, &values)
    };
    Ok(permutations.iter().map(bytes).collect())
}

/// What scores under permutations say of a score: chance level, p, and the score on a scale to the
/// largest.
#[pyfunction]
pub(crate) fn calibration(
    observed: f64,
    permuted: Vec<f64>,
    largest: f64,
) -> Option<(f64, f64, Option<f64>)> {
    let found = Calibration::new(observed, &permuted, largest, None)?;
    Some((found.null_mean, found.p, found.calibrated))
}
