//! Sums over f64 values, several at a time and always in the same order: a sum of one after the
//! other waits for each addition.

/// Sums that are kept side by side.
const LANES: usize = 8;

/// The sum of what `of` makes of each pair of values.
#[inline(always)]
fn sum(a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = (a_lanes.remainder().iter().zip(b_lanes.remainder()))
        .map(|(x, y)| of(*x, *y))
        .sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            lanes[lane] += of(a[lane], b[lane]);
        }
    }
    rest + lanes.iter().sum::<f64>()
}

/// The inner product of two rows.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum(a, b, |x, y| x * y)
}

/// The squared length of a row.
pub(crate) fn square_sum(row: &[f64]) -> f64 {
    sum(row, row, |x, _| x * x)
}

/// The squared distance of two rows, from their differences, which leave every digit that rows have.
pub(crate) fn square_apart(a: &[f64], b: &[f64]) -> f64 {
    sum(a, b, |x, y| (x - y) * (x - y))
}
