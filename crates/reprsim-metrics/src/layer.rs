//! A named layer of a model: activations that can be read as often as needed.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::source::{Matrix, Source, Subset};
use crate::{MetricError, Undefined};

/// Activations of one layer, a row a sample, with a name.
#[derive(Clone)]
pub struct Layer {
    /// The layer's name.
    pub name: String,
    pub(crate) source: Arc<dyn Source>,
}

impl Layer {
    /// A layer whose activations come from `source`.
    pub fn new(name: impl Into<String>, source: impl Source + 'static) -> Self {
        Self {
            name: name.into(),
            source: Arc::new(source),
        }
    }

    /// A layer of activations on the device, `[n, d]`.
    ///
    /// They are copied to the host, where they are centred in f64.
    ///
    /// # Errors
    /// [`MetricError::Device`].
    pub fn from_tensor(name: impl Into<String>, tensor: Tensor<2>) -> Result<Self, MetricError> {
        Ok(Self::new(name, Matrix::from_tensor(tensor)?))
    }

    /// Number of samples.
    pub fn rows(&self) -> usize {
        self.source.shape()[0]
    }

    /// Number of dimensions.
    pub fn width(&self) -> usize {
        self.source.shape()[1]
    }

    /// The layer on some of its samples, in the order given.
    pub(crate) fn subset(&self, rows: Arc<[u32]>) -> Self {
        Self {
            name: self.name.clone(),
            source: Arc::new(Subset {
                inner: self.source.clone(),
                rows,
            }),
        }
    }

    /// Why nothing can be said of the layer, from its shape alone.
    pub(crate) fn empty(&self) -> Option<Undefined> {
        match self.source.shape() {
            [_, 0] => Some(Undefined::NoDimensions),
            [0, _] => Some(Undefined::TooFewSamples { needed: 1 }),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [n, d] = self.source.shape();
        write!(f, "Layer({} [{n}, {d}])", self.name)
    }
}
