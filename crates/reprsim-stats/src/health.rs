//! Models that trained worse than their like.

use serde::{Deserialize, Serialize};

use crate::describe::median;

/// Robust deviations beyond which a value is an outlier (Iglewicz and Hoaglin 1993).
const LIMIT: f64 = 3.5;
/// Makes the median absolute deviation of a normal sample its standard deviation.
const NORMAL: f64 = 1.4826;

/// Which end of a scale is the bad one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadEnd {
    /// Low values, as of an accuracy.
    Low,
    /// High values, as of a loss.
    High,
}

/// Indices of the values of one group that lie far towards the bad end: more than 3.5
/// robust standard deviations (1.4826 times the median absolute deviation) from the
/// median (Iglewicz and Hoaglin 1993) and by more than `least_gap`, in units of the
/// values, so that a group whose values nearly agree does not accuse trifles.
///
/// Values that are not finite are always listed, for a loss that is not a number has
/// diverged; they do not count for the median. Fewer than 3 finite values have no
/// outlier among them.
pub fn outliers(values: &[f64], bad: BadEnd, least_gap: f64) -> Vec<usize> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let middle = median(&finite);
    let deviations: Vec<f64> = finite.iter().map(|v| (v - middle).abs()).collect();
    let spread = NORMAL * median(&deviations);
    let is_bad = |value: f64| {
        let gap = match bad {
            BadEnd::Low => middle - value,
            BadEnd::High => value - middle,
        };
        finite.len() >= 3 && gap > LIMIT * spread && gap > least_gap
    };
    (0..values.len())
        .filter(|&i| !values[i].is_finite() || is_bad(values[i]))
        .collect()
}
