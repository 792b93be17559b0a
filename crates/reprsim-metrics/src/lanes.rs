//! Sums over values, several at a time and always in the same order, with whatever vector
//! instructions the processor has: a sum of one after the other waits for each addition.

use pulp::{Arch, Simd, WithSimd};
use reprsim_kernels::exp;

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

/// Takes off each column of rows its `shift` and, if there are any, its `rest`, and multiplies it by its
/// `scale`, if there are any.
pub(crate) fn place_columns(rows: &mut [f64], shift: &[f64], rest: &[f64], scale: &[f64]) {
    Arch::new().dispatch(Place {
        rows,
        shift,
        rest,
        scale,
    });
}

struct Place<'a> {
    rows: &'a mut [f64],
    shift: &'a [f64],
    rest: &'a [f64],
    scale: &'a [f64],
}

impl WithSimd for Place<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.shift.len().max(1)) {
            for (v, mean) in row.iter_mut().zip(self.shift) {
                *v -= mean;
            }
            for (v, rest) in row.iter_mut().zip(self.rest) {
                *v -= rest;
            }
            for (v, scale) in row.iter_mut().zip(self.scale) {
                *v *= scale;
            }
        }
    }
}

/// Rounds values to f32.
pub(crate) fn to_single(out: &mut [f32], values: &[f64]) {
    Arch::new().dispatch(Single { out, values });
}

struct Single<'a> {
    out: &'a mut [f32],
    values: &'a [f64],
}

impl WithSimd for Single<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, v) in self.out.iter_mut().zip(self.values) {
            *out = *v as f32;
        }
    }
}

/// Squared distances of a sample of squared length `own` from others of these squared lengths, from their
/// products.
pub(crate) fn distances(out: &mut [f64], products: &[f32], squares: &[f64], own: f64) {
    Arch::new().dispatch(Distances {
        out,
        products,
        squares,
        own,
    });
}

struct Distances<'a> {
    out: &'a mut [f64],
    products: &'a [f32],
    squares: &'a [f64],
    own: f64,
}

impl WithSimd for Distances<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((out, product), square) in self.out.iter_mut().zip(self.products).zip(self.squares) {
            *out = (self.own + square - 2.0 * f64::from(*product)).max(0.0);
        }
    }
}

/// `exp((2 xy - |x|^2 - |y|^2) scale) - shift` of a sample of squared length `own` and others of these
/// squared lengths, in place of their products.
pub(crate) fn gaussian(products: &mut [f32], squares: &[f32], own: f32, scale: f32, shift: f32) {
    Arch::new().dispatch(Gaussian {
        products,
        squares,
        own,
        scale,
        shift,
    });
}

struct Gaussian<'a> {
    products: &'a mut [f32],
    squares: &'a [f32],
    own: f32,
    scale: f32,
    shift: f32,
}

impl WithSimd for Gaussian<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (value, square) in self.products.iter_mut().zip(self.squares) {
            let apart = *value * 2.0 - self.own - square;
            // Not min(): a NaN must stay one.
            let apart = if apart > 0.0 { 0.0 } else { apart };
            *value = exp(apart * self.scale) - self.shift;
        }
    }
}
