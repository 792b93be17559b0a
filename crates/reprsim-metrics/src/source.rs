//! Where activations come from: memory or a file, read a block of rows at a
//! time, so that what does not fit in memory can still be measured.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use crate::error::{Cause, MetricError};

/// A matrix `[n, d]` of activations, a row a sample.
pub trait Source: Send + Sync {
    /// Samples and dimensions.
    fn shape(&self) -> [usize; 2];

    /// Reads rows into `out`, row-major, `rows.len() * d` values.
    ///
    /// # Errors
    /// What is wrong; [`MetricError::Source`] names the layer and keeps it.
    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Cause>;

    /// How far a number is from the next one that can be stored, as a share of it: what is smaller
    /// than rounding is not looked at.
    fn epsilon(&self) -> f64 {
        f64::EPSILON
    }
}

/// Activations in memory, of any type that f64 holds exactly.
#[derive(Clone, Debug)]
pub struct Matrix<T = f32> {
    values: Vec<T>,
    shape: [usize; 2],
}

impl<T> Matrix<T> {
    /// A matrix of `n` rows and `d` columns from its values, row-major.
    ///
    /// # Errors
    /// [`MetricError::Shape`] if there are not `n * d` values.
    pub fn new(values: Vec<T>, n: usize, d: usize) -> Result<Self, MetricError> {
        if n.checked_mul(d) != Some(values.len()) {
            return Err(MetricError::Shape {
                values: values.len(),
                n,
                d,
            });
        }
        Ok(Self {
            values,
            shape: [n, d],
        })
    }
}

impl Matrix {
    /// Copies a matrix from the device.
    ///
    /// # Errors
    /// [`MetricError::Device`].
    pub fn from_tensor(tensor: Tensor<2>) -> Result<Self, MetricError> {
        let [n, d] = tensor.dims();
        Self::new(HostValues::of(tensor)?.to_vec(), n, d)
    }
}

impl<T: Copy + Into<f64> + Send + Sync> Source for Matrix<T> {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn epsilon(&self) -> f64 {
        match size_of::<T>() {
            // 16-bit floats.
            0..=2 => 2f64.powi(-10),
            3..=4 => f32::EPSILON.into(),
            _ => f64::EPSILON,
        }
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Cause> {
        let [n, d] = self.shape;
        let at = |row: usize| row.checked_mul(d);
        let values = (at(rows.start).zip(at(rows.end)))
            .and_then(|(start, end)| self.values.get(start..end))
            .filter(|values| values.len() == out.len());
        let Some(values) = values else {
            return Err(Box::new(MetricError::Rows {
                start: rows.start,
                end: rows.end,
                n,
                d,
                room: out.len(),
            }));
        };
        for (to, from) in out.iter_mut().zip(values) {
            *to = (*from).into();
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

    fn epsilon(&self) -> f64 {
        self.inner.epsilon()
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Cause> {
        let [n, d] = self.shape();
        let Some(wanted) = self.rows.get(rows.clone()) else {
            return Err(Box::new(MetricError::Rows {
                start: rows.start,
                end: rows.end,
                n,
                d,
                room: out.len(),
            }));
        };
        // A file is asked once for rows that follow each other.
        let mut out = out;
        for run in wanted.chunk_by(|row, next| row.checked_add(1) == Some(*next)) {
            let (part, rest) = out.split_at_mut(run.len() * d);
            let start = run[0] as usize;
            self.inner.read(start..start + run.len(), part)?;
            out = rest;
        }
        Ok(())
    }
}

/// A tensor's values on the host.
pub(crate) struct HostValues(TensorData);

impl HostValues {
    /// Reads them from the device.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Result<Self, MetricError> {
        let data = (tensor.try_into_data()).map_err(|e| MetricError::Device(e.into()))?;
        match data.as_slice::<f32>() {
            Ok(_) => Ok(Self(data)),
            Err(e) => Err(MetricError::Device(format!("{e:?}").into())),
        }
    }
}

impl From<Vec<f32>> for HostValues {
    fn from(values: Vec<f32>) -> Self {
        let count = values.len();
        Self(TensorData::new(values, [count]))
    }
}

impl std::ops::Deref for HostValues {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_slice().unwrap_or_default()
    }
}
