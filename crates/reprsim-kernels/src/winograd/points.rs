//! Transformed arrays: for each point of the transform a matrix.

use faer::{MatMut, MatRef};

use super::transforms::IN;

/// Points of the transform of a tile: a matrix product each.
pub(super) const POINTS: usize = IN * IN;

/// Columns are so many, or a multiple: whole vectors on every processor.
pub(super) const LANES: usize = 16;

/// Values between the matrices of two points. Without them the same element of all points would
/// often lie a power of two apart, where a cache has room for few.
const GAP: usize = 3 * LANES;

/// A matrix `[rows, columns]` for each point.
#[derive(Default)]
pub(super) struct Points {
    values: Vec<f32>,
    rows: usize,
    columns: usize,
    /// Values of a row in memory.
    length: usize,
}

impl Points {
    /// Makes room for matrices of this shape, whose values are anything.
    pub fn reshape(&mut self, rows: usize, columns: usize) {
        (self.rows, self.columns) = (rows, columns);
        self.length = columns.next_multiple_of(LANES);
        self.values.resize(POINTS * self.stride(), 0.0);
    }

    fn stride(&self) -> usize {
        self.rows * self.length + GAP
    }

    /// The matrix of a point.
    pub fn matrix(&self, point: usize) -> MatRef<'_, f32> {
        let values = &self.values[point * self.stride()..][..self.rows * self.length];
        MatRef::from_row_major_slice(values, self.rows, self.length).subcols(0, self.columns)
    }

    /// The matrices of all points.
    pub fn matrices(&mut self) -> Vec<MatMut<'_, f32>> {
        let (stride, rows, columns, length) = (self.stride(), self.rows, self.columns, self.length);
        let points = self.values.chunks_exact_mut(stride);
        points
            .map(|point| &mut point[..rows * length])
            .map(|point| MatMut::from_row_major_slice_mut(point, rows, length))
            .map(|matrix| matrix.subcols_mut(0, columns))
            .collect()
    }

    /// One row of every point, filled up to whole vectors.
    pub fn row(&self, row: usize) -> [&[f32]; POINTS] {
        std::array::from_fn(|point| {
            &self.values[point * self.stride() + row * self.length..][..self.length]
        })
    }

    /// The same of every row, to be written.
    pub fn rows(&mut self) -> Vec<[&mut [f32]; POINTS]> {
        let (stride, rows, length) = (self.stride(), self.rows, self.length.max(1));
        let mut points: Vec<_> = (self.values.chunks_exact_mut(stride))
            .map(|point| point.chunks_exact_mut(length))
            .collect();
        (0..rows)
            .map(|_| std::array::from_fn(|point| points[point].next().unwrap_or_default()))
            .collect()
    }
}
