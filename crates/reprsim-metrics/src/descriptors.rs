//! What is told of a layer by itself, without another: numbers that two layers are then compared by,
//! whichever sample is which. No permutation of the samples changes them.

use rayon::prelude::*;

use crate::view::{ColumnMap, RowMap, Transform, View};
use crate::{MetricError, Undefined};

/// What is told of a layer by itself, or why nothing is.
///
/// The outer error is that of activations that cannot be read.
pub type Describe = fn(&Samples<'_>) -> Result<Result<Vec<f64>, Undefined>, MetricError>;

/// The samples of a layer that varies.
pub struct Samples<'a> {
    view: &'a View,
}

impl Samples<'_> {
    /// Number of samples.
    pub fn count(&self) -> usize {
        self.view.rows()
    }

    /// Number of dimensions.
    pub fn width(&self) -> usize {
        self.view.width()
    }

    /// The activations as they are stored, a row a sample.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn stored(&self) -> Result<Vec<f64>, MetricError> {
        let mut rows = vec![0.0; self.count() * self.width()];
        self.view.read_stored(0..self.count(), &mut rows)?;
        Ok(rows)
    }

    /// The same moved to their middle and scaled to a length of about one.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn located(&self) -> Result<Vec<f64>, MetricError> {
        self.view.read(0..self.count())
    }
}

/// How layers that are described are looked through.
pub(crate) fn transform() -> Transform {
    Transform {
        rows: RowMap::AsIs,
        columns: ColumnMap::Located,
    }
}

/// What each of `describe` says of a layer.
pub(crate) type Described = Vec<Result<Vec<f64>, Undefined>>;

/// What each of `describe` says of each of `count` layers, of which `view` gives the views.
pub(crate) fn describe_all(
    count: usize,
    view: impl Fn(usize) -> Result<View, MetricError> + Sync,
    describe: &[Describe],
) -> Result<Vec<Described>, MetricError> {
    let of_layer = |layer: usize| {
        let view = view(layer)?;
        if let Some(reason) = view.degenerate {
            return Ok(vec![Err(reason); describe.len()]);
        }
        let samples = Samples { view: &view };
        describe.iter().map(|of| of(&samples)).collect()
    };
    (0..count).into_par_iter().map(of_layer).collect()
}
