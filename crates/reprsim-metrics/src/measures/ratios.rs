//! Ratios of the form `cross / sqrt(a b)` that have a value only where both of
//! the layers vary.

use faer::MatRef;

use crate::linalg::nuclear_norm;
use crate::pair::{KernelPair, KernelSums};
use crate::{Undefined, Value};

/// An estimate that is this small beside the sums whose difference it is, is
/// rounding.
const ROUNDING: f64 = 1e-6;

/// `cross / sqrt(a b)`.
pub(crate) fn ratio(cross: f64, a: f64, b: f64) -> Value {
    if a > 0.0 && b > 0.0 {
        Ok(cross / (a.sqrt() * b.sqrt()))
    } else {
        Err(Undefined::NoVariance)
    }
}

/// The ratio where a layer's own term is what is left of a difference: of each,
/// the term and the sum it is what is left of.
pub(crate) fn ratio_of_differences(cross: f64, own: [(f64, f64); 2]) -> Value {
    if own.iter().any(|(left, of)| *left <= ROUNDING * of.abs()) {
        return Err(Undefined::NoVariance);
    }
    ratio(cross, own[0].0, own[1].0)
}

/// The ratio of what `of` makes of the sums of a pair: of HSIC_1, say, where a
/// layer's own is zero only if all samples are equally far apart, which leaves
/// nothing to compare.
pub(crate) fn ratio_of(pair: &KernelPair, of: impl Fn(&KernelSums) -> f64) -> Value {
    let own = [&pair.a, &pair.b].map(|sums| (of(sums), sums.size));
    ratio_of_differences(of(&pair.cross), own)
}

/// The mean singular value of a matrix; one without any direction has none.
pub(crate) fn mean_singular_value(matrix: MatRef<'_, f64>) -> Value {
    match matrix.nrows().min(matrix.ncols()) {
        0 => Err(Undefined::NoVariance),
        count => Ok(nuclear_norm(matrix)? / count as f64),
    }
}
