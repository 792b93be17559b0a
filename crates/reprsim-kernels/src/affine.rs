//! Products with matrices of weights, biases and rectifiers, on slices.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::sums::sum;

/// Multiplications below which a product is not worth dividing among threads.
const SMALL: usize = 1 << 20;
/// Parts of a larger one, whatever the number of threads.
const PARTS: usize = 4;
/// Columns of a part are a multiple of this: what the product's kernels take at a time.
const GRAIN: usize = 96;

/// Values as a matrix of rows of `columns`.
pub(crate) fn rows(values: &[f32], columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, values.len() / columns.max(1), columns)
}

/// `a b`, row after row.
pub(crate) fn multiply(a: MatRef<'_, f32>, b: MatRef<'_, f32>) -> Vec<f32> {
    let (rows, columns) = (a.nrows(), b.ncols());
    let mut product = vec![0.0; rows * columns];
    let whole = MatMut::from_row_major_slice_mut(&mut product, rows, columns);
    if rows * columns * a.ncols() < SMALL {
        matmul(whole, Accum::Replace, a, b, 1.0, Par::Seq);
        return product;
    }
    // By the longer side, and whole blocks of it.
    if columns >= rows {
        let part = columns.div_ceil(PARTS).next_multiple_of(GRAIN);
        let parts = whole.par_col_chunks_mut(part).zip(b.par_col_chunks(part));
        parts.for_each(|(part, b)| matmul(part, Accum::Replace, a, b, 1.0, Par::Seq));
    } else {
        let part = rows.div_ceil(PARTS).next_multiple_of(GRAIN);
        let parts = whole.par_row_chunks_mut(part).zip(a.par_row_chunks(part));
        parts.for_each(|(part, a)| matmul(part, Accum::Replace, a, b, 1.0, Par::Seq));
    }
    product
}

/// What becomes of each output of a convolution.
#[derive(Clone, Copy)]
pub(crate) struct Then<'a> {
    /// Added to each channel.
    pub bias: Option<&'a [f32]>,
    /// What is less becomes this.
    pub least: f32,
}

impl Then<'_> {
    /// Nothing.
    pub const NOTHING: Self = Self {
        bias: None,
        least: f32::NEG_INFINITY,
    };

    /// Channel-major values with this done to them.
    pub fn applied(self, mut values: Vec<f32>) -> Vec<f32> {
        let Some(bias) = self.bias else {
            return values;
        };
        let length = (values.len() / bias.len().max(1)).max(1);
        let channels = values.par_chunks_exact_mut(length).zip(bias);
        channels.for_each(|(channel, bias)| {
            Arch::new().dispatch(ShiftAll {
                values: channel,
                bias: *bias,
                least: self.least,
            });
        });
        values
    }
}

/// Adds `bias` to each row of as many values; what is then less than `least` becomes that.
pub(crate) fn shift(values: &mut [f32], bias: Option<&[f32]>, least: f32) {
    Arch::new().dispatch(Shift {
        values,
        bias,
        least,
    });
}

/// Makes gradients zero where the rectifier was shut: where its output is not above zero.
pub(crate) fn shut(gradient: &mut [f32], output: &[f32]) {
    Arch::new().dispatch(Shut { gradient, output });
}

/// The sum of each of `columns` columns.
pub(crate) fn column_sums(values: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0; columns];
    Arch::new().dispatch(ColumnSums {
        values,
        sums: &mut sums,
    });
    sums
}

/// The sum of each of so many rows.
pub(crate) fn row_sums(values: &[f32], rows: usize) -> Vec<f32> {
    let length = (values.len() / rows.max(1)).max(1);
    let rows = values.par_chunks_exact(length);
    rows.map(|row| Arch::new().dispatch(Sum(row))).collect()
}

// Types, so that the compiler puts them inside the function that has the processor's
// vector instructions.

struct Shift<'a> {
    values: &'a mut [f32],
    bias: Option<&'a [f32]>,
    least: f32,
}

impl WithSimd for Shift<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.bias {
            Some(bias) => {
                for row in self.values.chunks_exact_mut(bias.len().max(1)) {
                    for (value, bias) in row.iter_mut().zip(bias) {
                        let shifted = *value + *bias;
                        // Not max(): a NaN must stay one.
                        *value = if shifted < self.least {
                            self.least
                        } else {
                            shifted
                        };
                    }
                }
            }
            None => {
                for value in self.values {
                    *value = if *value < self.least {
                        self.least
                    } else {
                        *value
                    };
                }
            }
        }
    }
}

struct ShiftAll<'a> {
    values: &'a mut [f32],
    bias: f32,
    least: f32,
}

impl WithSimd for ShiftAll<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.values {
            let shifted = *value + self.bias;
            // Not max(): a NaN must stay one.
            *value = if shifted < self.least {
                self.least
            } else {
                shifted
            };
        }
    }
}

struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        sum(self.0, |value| value)
    }
}

struct Shut<'a> {
    gradient: &'a mut [f32],
    output: &'a [f32],
}

impl WithSimd for Shut<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (d, y) in self.gradient.iter_mut().zip(self.output) {
            let (kept, y) = (*d, *y);
            // A NaN is passed on.
            *d = if y <= 0.0 { 0.0 } else { kept };
        }
    }
}

struct ColumnSums<'a> {
    values: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.values.chunks_exact(self.sums.len().max(1)) {
            for (sum, value) in self.sums.iter_mut().zip(row) {
                *sum += *value;
            }
        }
    }
}
