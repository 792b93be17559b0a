//! Sums over values, several at a time and always in the same order, with whatever vector
//! instructions the processor has: a sum of one after the other waits for each addition.

use pulp::{Arch, Simd, WithSimd};

/// Sums that are kept side by side.
const LANES: usize = 32;

/// The sum of what `of` makes of each pair of values.
struct Sum<'a, F> {
    a: &'a [f64],
    b: &'a [f64],
    of: F,
}

impl<F: Fn(f64, f64) -> f64> WithSimd for Sum<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let (a_lanes, b_lanes) = (self.a.chunks_exact(LANES), self.b.chunks_exact(LANES));
        let rest: f64 = (a_lanes.remainder().iter().zip(b_lanes.remainder()))
            .map(|(x, y)| (self.of)(*x, *y))
            .sum();
        for (a, b) in a_lanes.zip(b_lanes) {
            for lane in 0..LANES {
                lanes[lane] += (self.of)(a[lane], b[lane]);
            }
        }
        rest + lanes.iter().sum::<f64>()
    }
}

/// The inner product of two rows.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let of = |x: f64, y: f64| x * y;
    Arch::new().dispatch(Sum { a, b, of })
}

/// The squared length of a row.
pub(crate) fn square_sum(row: &[f64]) -> f64 {
    dot(row, row)
}

/// The squared distance of two rows, from their differences, which leave every digit that rows have.
pub(crate) fn square_apart(a: &[f64], b: &[f64]) -> f64 {
    let of = |x: f64, y: f64| (x - y) * (x - y);
    Arch::new().dispatch(Sum { a, b, of })
}

/// Sums in f32 that are kept side by side: so many that each is of few products.
const SINGLE_LANES: usize = 64;

/// The inner product of two rows of f32, taken in f32 and added up in f64.
pub(crate) fn dot_in_single(a: &[f32], b: &[f32]) -> f64 {
    Arch::new().dispatch(SingleDot { a, b })
}

struct SingleDot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl WithSimd for SingleDot<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut lanes = [0.0f32; SINGLE_LANES];
        let (a, b) = (
            self.a.chunks_exact(SINGLE_LANES),
            self.b.chunks_exact(SINGLE_LANES),
        );
        let rest: f32 = (a.remainder().iter().zip(b.remainder()))
            .map(|(x, y)| x * y)
            .sum();
        for (a, b) in a.zip(b) {
            for lane in 0..SINGLE_LANES {
                lanes[lane] += a[lane] * b[lane];
            }
        }
        f64::from(rest) + lanes.iter().map(|v| f64::from(*v)).sum::<f64>()
    }
}

/// Adds what `of` makes of each value to the sum of its column.
pub(crate) fn add_columns(sums: &mut [f64], rows: &[f64], of: impl Fn(f64) -> f64) {
    Arch::new().dispatch(Columns { sums, rows, of });
}

struct Columns<'a, F> {
    sums: &'a mut [f64],
    rows: &'a [f64],
    of: F,
}

impl<F: Fn(f64) -> f64> WithSimd for Columns<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact(self.sums.len().max(1)) {
            for (sum, v) in self.sums.iter_mut().zip(row) {
                *sum += (self.of)(*v);
            }
        }
    }
}
