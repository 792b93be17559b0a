//! Products with matrices of weights, biases and rectifiers, on slices.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::after::After;
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
    /// What is less becomes the first, what is more the second.
    pub bounds: [f32; 2],
}

impl Then<'_> {
    /// Nothing.
    pub const NOTHING: Self = Self {
        bias: None,
        bounds: After::Nothing.bounds(),
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
                bounds: self.bounds,
            });
        });
        values
    }
}

/// Adds `bias` to each row of as many values; what is then beyond one of the bounds becomes that.
pub(crate) fn shift(values: &mut [f32], bias: Option<&[f32]>, bounds: [f32; 2]) {
    Arch::new().dispatch(Shift {
        values,
        bias,
        bounds,
    });
}

/// Makes gradients zero where the rectifier was shut: where its output is not between its bounds.
pub(crate) fn shut(gradient: &mut [f32], output: &[f32], bounds: [f32; 2]) {
    Arch::new().dispatch(Shut {
        gradient,
        output,
        bounds,
    });
}

/// `value`, or the bound that it is beyond. (Not min() and max(): a NaN must stay one.)
#[inline(always)]
pub(crate) fn within(value: f32, [least, most]: [f32; 2]) -> f32 {
    let value = if value < least { least } else { value };
    if value > most { most } else { value }
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
    bounds: [f32; 2],
}

impl WithSimd for Shift<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.bias {
            Some(bias) => {
                for row in self.values.chunks_exact_mut(bias.len().max(1)) {
                    for (value, bias) in row.iter_mut().zip(bias) {
                        *value = within(*value + *bias, self.bounds);
                    }
                }
            }
            None => {
                for value in self.values {
                    *value = within(*value, self.bounds);
                }
            }
        }
    }
}

struct ShiftAll<'a> {
    values: &'a mut [f32],
    bias: f32,
    bounds: [f32; 2],
}

impl WithSimd for ShiftAll<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.values {
            *value = within(*value + self.bias, self.bounds);
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
    bounds: [f32; 2],
}

impl WithSimd for Shut<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [least, most] = self.bounds;
        for (d, y) in self.gradient.iter_mut().zip(self.output) {
            let (kept, y) = (*d, *y);
            // A NaN is passed on.
            *d = if (y <= least) | (y >= most) {
                0.0
            } else {
                kept
            };
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
