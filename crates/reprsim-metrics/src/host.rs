//! Products of rows on the processor, in f32, added up in f64.
//!
//! Every product is cut into the same blocks whatever the number of threads, each on one thread,
//! and what blocks give is added up in their order: results are the same on any number of threads.

use std::borrow::Cow;
use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::traits::ComplexField;
use faer::traits::math_utils::one;
use faer::{Accum, Mat, MatMut, MatRef, Par, unzip, zip};
use rayon::prelude::*;

use crate::MetricError;
use crate::rows::Rows;
use crate::view::View;

/// Rows of a block of X'Y.
const ROWS: usize = 1024;

/// Rows whose products are added up in f32 before the sum goes on in f64.
const ROWS_IN_SINGLE: usize = 8 * ROWS;

/// Rows of some matrices beside each other.
fn joined<'a, R: Rows>(
    parts: &[&'a R],
    rows: &Range<usize>,
) -> Result<Cow<'a, [f32]>, MetricError> {
    if let [part] = parts {
        return part.near(rows.clone());
    }
    let read = (parts.iter())
        .map(|part| part.near(rows.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut out = Vec::with_capacity(rows.len() * width(parts));
    for row in 0..rows.len() {
        for (part, values) in parts.iter().zip(&read) {
            out.extend_from_slice(&values[row * part.width()..][..part.width()]);
        }
    }
    Ok(out.into())
}

/// The same, in the order of `indices`, in place of what is in `out`.
fn joined_each<R: Rows>(
    parts: &[&R],
    indices: &[u32],
    out: &mut Vec<f32>,
) -> Result<(), MetricError> {
    out.clear();
    for i in indices {
        let i = *i as usize;
        for part in parts {
            out.extend_from_slice(&part.near(i..i + 1)?);
        }
    }
    Ok(())
}

fn width<R: Rows>(parts: &[&R]) -> usize {
    parts.iter().map(|part| part.width()).sum()
}

/// X'Y of as many rows, row-major, into `out`.
fn product<T: ComplexField + Copy>(
    out: &mut [T],
    accum: Accum,
    [x, y]: [&[T]; 2],
    widths: [usize; 2],
) {
    // Without columns rows are not to be counted.
    if out.is_empty() {
        return;
    }
    let rows = x.len() / widths[0].max(1);
    matmul(
        MatMut::from_row_major_slice_mut(out, widths[0], widths[1]),
        accum,
        MatRef::from_row_major_slice(x, rows, widths[0]).transpose(),
        MatRef::from_row_major_slice(y, rows, widths[1]),
        one(),
        Par::Seq,
    );
}

/// The half of X'X of rows of `d` values that is below the diagonal or on it, into `out`; what is above
/// stays.
fn own_product<T: ComplexField + Copy>(out: &mut [T], x: &[T], d: usize) {
    let x = MatRef::from_row_major_slice(x, x.len() / d.max(1), d);
    triangular::matmul(
        MatMut::from_row_major_slice_mut(out, d, d),
        BlockStructure::TriangularLower,
        Accum::Replace,
        x.transpose(),
        BlockStructure::Rectangular,
        x,
        BlockStructure::Rectangular,
        one(),
        Par::Seq,
    );
}

/// What one block of rows is worked on in, for one block after the other.
struct Work<T> {
    out: Vec<T>,
    x: Vec<f64>,
    y: Vec<f64>,
}

/// What `block` leaves in `out` for each block of `n` rows, `size` values, added up.
fn over_blocks<T: Copy + Default + Into<f64> + Send + Sync>(
    n: usize,
    size: usize,
    block: impl Fn(Range<usize>, &mut Work<T>) -> Result<(), MetricError> + Sync,
) -> Result<Vec<f64>, MetricError> {
    const VALUES_A_TASK: usize = 1 << 14;
    /// Of all parts that are there at once, of one of which there must be room; of many layers that
    /// run side by side on many threads.
    const PARTS_BYTES: usize = 128 << 20;
    let mut total = vec![0.0f64; size];
    let starts: Vec<usize> = (0..n).step_by(ROWS).collect();
    // A block a thread at a time bounds the memory, which they all use again.
    let room = (PARTS_BYTES / (size * size_of::<T>()).max(1)).max(1);
    let at_once = rayon::current_num_threads().min(room).min(starts.len());
    let mut parts: Vec<Work<T>> = (0..at_once)
        .map(|_| Work {
            out: vec![T::default(); size],
            x: vec![],
            y: vec![],
        })
        .collect();
    for starts in starts.chunks(at_once.max(1)) {
        (starts.par_iter().zip(&mut parts))
            .try_for_each(|(start, part)| block(*start..(start + ROWS).min(n), part))?;
        (total.par_chunks_mut(VALUES_A_TASK).enumerate()).for_each(|(task, total)| {
            for part in &parts[..starts.len()] {
                let part = &part.out[task * VALUES_A_TASK..][..total.len()];
                (total.iter_mut().zip(part)).for_each(|(t, v)| *t += (*v).into());
            }
        });
    }
    Ok(total)
}

/// X'Y of the columns of some matrices beside each other with those of others, row-major.
pub(crate) fn cross<R: Rows>(a: &[&R], b: &[&R]) -> Result<Vec<f64>, MetricError> {
    let widths = [width(a), width(b)];
    let size = widths[0] * widths[1];
    over_blocks(a[0].count(), size, |rows, work: &mut Work<f32>| {
        let (x, y) = (joined(a, &rows)?, joined(b, &rows)?);
        product(&mut work.out, Accum::Replace, [&x, &y], widths);
        Ok(())
    })
}

/// X'X: the half below the diagonal and on it, zeros above, row-major.
pub(crate) fn own(x: &impl Rows) -> Result<Vec<f64>, MetricError> {
    let d = x.width();
    over_blocks(x.count(), d * d, |rows, work: &mut Work<f32>| {
        own_product(&mut work.out, &x.near(rows)?, d);
        Ok(())
    })
}

/// By how much, in the root mean square and over the lengths of the two columns, rounding moves the entries
/// of [`own`] and [`cross`] of `n` rows, whose columns have this mean squared correlation.
///
/// Each of k additions rounds the sum so far by u / 2 or less in the root mean square. That sum grows with
/// the square root of the rows between unrelated columns and with their number between related ones: k / 8
/// and k^2 / 12 times u^2 for k of n rows. Blocks are independent; so is the rounding of values themselves.
pub(crate) fn rounding(n: usize, correlation: f64) -> f64 {
    let unit = f64::from(f32::EPSILON) / 2.0;
    let rows = ROWS.min(n) as f64;
    unit * ((rows / 8.0 + rows * rows / 12.0 * correlation + 1.0) / n as f64).sqrt()
}

/// X'Y of all samples of two views in f64, row-major.
pub(crate) fn cross_in_double(a: &View, b: &View) -> Result<Vec<f64>, MetricError> {
    let widths = [a.width(), b.width()];
    let size = widths[0] * widths[1];
    over_blocks(a.rows(), size, |rows, work: &mut Work<f64>| {
        a.read_into(rows.clone(), &mut work.x)?;
        b.read_into(rows, &mut work.y)?;
        product(&mut work.out, Accum::Replace, [&work.x, &work.y], widths);
        Ok(())
    })
}

/// X'X of all samples of a view in f64, as [`own`] has it.
pub(crate) fn own_in_double(x: &View) -> Result<Vec<f64>, MetricError> {
    let d = x.width();
    over_blocks(x.rows(), d * d, |rows, work: &mut Work<f64>| {
        x.read_into(rows, &mut work.x)?;
        own_product(&mut work.out, &work.x, d);
        Ok(())
    })
}

/// X T of all samples of a view in f64, row-major.
pub(crate) fn turned(x: &View, by: MatRef<'_, f64>) -> Result<Vec<f64>, MetricError> {
    let (n, d, width) = (x.rows(), x.width(), by.ncols());
    let mut out = vec![0.0; n * width];
    (out.par_chunks_mut((ROWS * width).max(1)).enumerate()).try_for_each(|(block, out)| {
        let rows = block * ROWS..block * ROWS + out.len() / width;
        let values = x.read(rows.clone())?;
        matmul(
            MatMut::from_row_major_slice_mut(out, rows.len(), width),
            Accum::Replace,
            MatRef::from_row_major_slice(&values, rows.len(), d),
            by,
            1.0,
            Par::Seq,
        );
        Ok::<_, MetricError>(())
    })?;
    Ok(out)
}

/// X'Y with the samples of Y in the order of each of `maps`: what `of` makes of each, row-major, a
/// map a thread.
pub(crate) fn permuted<R: Rows, T: Send>(
    a: &[&R],
    b: &[&R],
    maps: &[&[u32]],
    of: impl Fn(&[f64]) -> T + Sync,
) -> Result<Vec<T>, MetricError> {
    let widths = [width(a), width(b)];
    let size = widths[0] * widths[1];
    let one = |map: &&[u32]| {
        let mut total = vec![0.0f64; size];
        let mut part = vec![0.0f32; size];
        let mut moved = Vec::with_capacity(ROWS.min(map.len()) * widths[1]);
        for (block, map_rows) in map.chunks(ROWS).enumerate() {
            let start = block * ROWS;
            let rows = start..start + map_rows.len();
            joined_each(b, map_rows, &mut moved)?;
            let accum = match start % ROWS_IN_SINGLE {
                0 => Accum::Replace,
                _ => Accum::Add,
            };
            product(&mut part, accum, [&joined(a, &rows)?, &moved], widths);
            if rows.end == map.len() || rows.end % ROWS_IN_SINGLE == 0 {
                (total.iter_mut().zip(&part)).for_each(|(t, v)| *t += f64::from(*v));
            }
        }
        Ok(of(&total))
    };
    maps.par_iter().map(one).collect()
}

/// X X' of a few long rows in f64.
pub(crate) fn with_each_other(x: &[f64], count: usize) -> Vec<f64> {
    let x = MatRef::from_row_major_slice(x, count, x.len() / count.max(1));
    let mut out = vec![0.0; count * count];
    triangular::matmul(
        MatMut::from_row_major_slice_mut(&mut out, count, count),
        BlockStructure::TriangularLower,
        Accum::Replace,
        x,
        BlockStructure::Rectangular,
        x.transpose(),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
    for i in 0..count {
        for j in 0..i {
            out[j * count + i] = out[i * count + j];
        }
    }
    out
}

/// Columns of X Y' that are multiplied at once.
const COLUMNS: usize = 512;

/// Dimensions whose products are added up in f32 before the sum goes on in f64.
const DIMENSIONS_IN_SINGLE: usize = 2048;

/// The products of some rows with others, X Y', row-major.
pub(crate) fn gram(x: &[f32], y: &[f32], d: usize) -> Vec<f32> {
    let (rows, columns) = (x.len() / d.max(1), y.len() / d.max(1));
    let mut out = vec![0.0; rows * columns];
    let x = MatRef::from_row_major_slice(x, rows, d);
    let y = MatRef::from_row_major_slice(y, columns, d).transpose();
    MatMut::from_row_major_slice_mut(&mut out, rows, columns)
        .par_col_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(block, mut out)| {
            let y = y.subcols(block * COLUMNS, out.ncols());
            if d <= DIMENSIONS_IN_SINGLE {
                matmul(out, Accum::Replace, x, y, 1.0, Par::Seq);
                return;
            }
            let mut total = Mat::<f64>::zeros(rows, out.ncols());
            for start in (0..d).step_by(DIMENSIONS_IN_SINGLE) {
                let depth = DIMENSIONS_IN_SINGLE.min(d - start);
                let (x, y) = (x.subcols(start, depth), y.subrows(start, depth));
                matmul(out.as_mut(), Accum::Replace, x, y, 1.0, Par::Seq);
                zip!(&mut total, &out).for_each(|unzip!(t, v)| *t += f64::from(*v));
            }
            zip!(&mut out, &total).for_each(|unzip!(v, t)| *v = *t as f32);
        });
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::rows::Dense;

    /// Of columns that have nothing, half and nearly all of their variance in common.
    #[test]
    fn rounding_of_products_is_what_is_said() {
        let (n, d) = (4000, 24);
        for common in [0.0f64, 0.5, 0.99] {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let mut values = Vec::new();
            for _ in 0..n {
                let shared = rng.random_range(-1.0..1.0) * common.sqrt();
                let own = (1.0 - common).sqrt();
                values.extend((0..d).map(|_| (shared + own * rng.random_range(-1.0..1.0)) as f32));
            }
            let exact = |i: usize, j: usize| -> f64 {
                let entry = |row: &[f32]| f64::from(row[i]) * f64::from(row[j]);
                values.chunks_exact(d).map(entry).sum()
            };
            let layer = Dense {
                values: values.clone(),
                count: n,
                width: d,
            };
            let found = own(&layer).unwrap();
            let (mut error, mut correlation, mut count) = (0.0, 0.0, 0.0);
            for i in 0..d {
                for j in 0..=i {
                    let size = exact(i, i) * exact(j, j);
                    error += (found[i * d + j] - exact(i, j)).powi(2) / size;
                    correlation += exact(i, j).powi(2) / size;
                    count += 1.0;
                }
            }
            let said = rounding(n, correlation / count);
            let error = f64::sqrt(error / count);
            assert!(
                error <= said && error > said / 30.0,
                "{common}: {error:e}, {said:e}"
            );
        }
    }

    #[test]
    fn products_may_be_empty() {
        for widths in [[0, 2], [3, 0], [0, 0]] {
            let mut out: [f64; 0] = [];
            let [x, y] = widths.map(|width| vec![1.0; 5 * width]);
            product(&mut out, Accum::Replace, [&x, &y], widths);
        }
    }
}
