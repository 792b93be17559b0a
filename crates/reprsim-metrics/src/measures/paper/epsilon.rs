//! The published ratio.

use crate::{Undefined, Value};

/// `cross / (sqrt(a b) + 1e-6)`. Where a layer's own estimate is negative the
/// published program gives NaN; here it has no value.
pub(crate) fn ratio_with_epsilon(cross: f64, a: f64, b: f64) -> Value {
    if a < 0.0 || b < 0.0 {
        return Err(Undefined::NoVariance);
    }
    Ok(cross / (a.sqrt() * b.sqrt() + 1e-6))
}
