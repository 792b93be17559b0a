//! Products of the units of two layers, for measures that match them.

use crate::pair::CovariancePair;
use crate::transport::MOST_UNITS;
use crate::{Undefined, Value};

/// What `best` makes of the inner products of all pairs of units, row-major.
pub(crate) fn matched(pair: &CovariancePair, best: impl Fn(&[f64], usize, usize) -> f64) -> Value {
    let (d_a, d_b) = pair.covariance.shape();
    if d_a.max(d_b) > MOST_UNITS {
        return Err(Undefined::TooManyDimensions { most: MOST_UNITS });
    }
    let entry = |at: usize| pair.covariance[(at / d_b, at % d_b)];
    let weights: Vec<f64> = (0..d_a * d_b).map(entry).collect();
    Ok(best(&weights, d_a, d_b))
}

/// The same of their correlations, where columns are of standard deviation 1. One that does not vary
/// has none with any.
pub(crate) fn correlations(
    pair: &CovariancePair,
    best: impl Fn(&[f64], usize, usize) -> f64,
) -> Value {
    Ok(matched(pair, best)? / (pair.n as f64 - 1.0))
}
