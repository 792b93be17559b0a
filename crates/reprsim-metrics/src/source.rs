//! Where activations come from: memory or a file, read a block of rows at a
//! time, so that what does not fit in memory can still be measured.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use crate::MetricError;

/// A matrix `[n, d]` of activations, a row a sample.
pub trait Source: Send + Sync {
    /// Samples and dimensions.
    fn shape(&self) -> [usize; 2];

    /// Reads rows into `out`, row-major, `rows.len() * d` values.
    ///
    /// # Errors
    /// What is wrong, as a sentence for the user.
    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), String>;
}

/// Activations in memory.
#[derive(Clone, Debug)]
pub struct Matrix {
    values: Vec<f32>,
    shape: [usize; 2],
}

impl Matrix {
    /// A matrix of `n` rows and `d` columns from its values, row-major.
    ///
    /// # Panics
    /// If there are not `n * d` values.
    pub fn new(values: Vec<f32>, n: usize, d: usize) -> Self {
        assert_eq!(values.len(), n * d, "a matrix of {n} x {d}");
        Self {
            values,
            shape: [n, d],
        }
    }

    /// Copies a matrix from the device.
    ///
    /// # Errors
    /// [`MetricError::Device`].
    pub fn from_tensor(tensor: Tensor<2>) -> Result<Self, MetricError> {
        let [n, d] = tensor.dims();
        Ok(Self::new(HostValues::of(tensor)?.to_vec(), n, d))
    }
}

impl Source for Matrix {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), String> {
        let d = self.shape[1];
        let values = &self.values[rows.start * d..rows.end * d];
        for (to, from) in out.iter_mut().zip(values) {
            *to = f64::from(*from);
        }
        Ok(())
    }
}

/// Some rows of another source, in the order given.
pub(crate) struct Subset {
    pub inner: Arc<dyn Source>,
    pub rows: Arc<[u32]>,
}

impl Source for Subset {
    fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.inner.shape()[1]]
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), String> {
        let d = self.inner.shape()[1];
        for (row, out) in self.rows[rows].iter().zip(out.chunks_exact_mut(d.max(1))) {
            let row = *row as usize;
            self.inner.read(row..row + 1, out)?;
        }
        Ok(())
    }
}

/// A tensor's values on the host.
pub(crate) struct HostValues(TensorData);

impl HostValues {
    /// Reads them from the device.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Result<Self, MetricError> {
        let failed = |e: String| MetricError::Device(e);
        let data = tensor.try_into_data().map_err(|e| failed(e.to_string()))?;
        match data.as_slice::<f32>() {
            Ok(_) => Ok(Self(data)),
            Err(e) => Err(failed(format!("{e:?}"))),
        }
    }
}

impl std::ops::Deref for HostValues {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_slice().unwrap_or_default()
    }
}
