//! Ratios of the form `cross / sqrt(a b)` that have a value only where both of
//! the layers vary.

use crate::pair::KernelPair;
use crate::{Undefined, Value};

/// `cross / sqrt(a b)`.
pub(crate) fn ratio(cross: f64, a: f64, b: f64) -> Value {
    if a > 0.0 && b > 0.0 {
        Ok(cross / (a.sqrt() * b.sqrt()))
    } else {
        Err(Undefined::NoVariance)
    }
}

/// The ratio of HSIC_1. A layer's own is the squared norm of its U-centred kernel
/// matrix: zero, but for rounding, only if all samples are equally far apart,
/// which leaves nothing to compare.
pub(crate) fn debiased_ratio(pair: &KernelPair) -> Value {
    let own = [&pair.a, &pair.b].map(|sums| (sums.hsic1(), sums.product.abs()));
    if own.iter().any(|(hsic, product)| *hsic <= 1e-9 * product) {
        return Err(Undefined::NoVariance);
    }
    ratio(pair.cross.hsic1(), own[0].0, own[1].0)
}

/// The mean; a layer without any direction has none.
pub(crate) fn mean(values: &[f64]) -> Value {
    match values.len() {
        0 => Err(Undefined::NoVariance),
        count => Ok(values.iter().sum::<f64>() / count as f64),
    }
}
