//! Matrices of which rows are read.

use std::borrow::Cow;
use std::ops::Range;

use crate::MetricError;

/// A matrix of f32 that products are taken of, by its rows.
pub(crate) trait Rows: Sync {
    /// How many rows there are.
    fn count(&self) -> usize;

    /// How many columns.
    fn width(&self) -> usize;

    /// Some rows, row-major.
    fn near(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>, MetricError>;
}

/// Rows in memory.
pub(crate) struct Dense {
    pub values: Vec<f32>,
    pub count: usize,
    pub width: usize,
}

impl Rows for Dense {
    fn count(&self) -> usize {
        self.count
    }

    fn width(&self) -> usize {
        self.width
    }

    fn near(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>, MetricError> {
        let d = self.width;
        Ok(Cow::Borrowed(&self.values[rows.start * d..rows.end * d]))
    }
}
