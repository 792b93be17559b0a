//! A named layer of a model: activations that can be read as often as needed.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use burn::tensor::Tensor;

use crate::source::{Matrix, Source, Subset};
use crate::{MetricError, Undefined};

/// Activations of one layer, a row a sample, with a name.
#[derive(Clone)]
pub struct Layer {
    /// The layer's name.
    pub name: String,
    pub(crate) source: Arc<dyn Source>,
    /// See [`Layer::exponent`].
    exponent: Arc<OnceLock<i32>>,
}

/// Values between two to the power of minus and of plus this are taken as they are.
const PLAIN: i32 = 90;

/// Rows looked through at once, in bytes.
const LOOKED_THROUGH: usize = 16 << 20;

impl Layer {
    /// A layer whose activations come from `source`.
    pub fn new(name: impl Into<String>, source: impl Source + 'static) -> Self {
        Self {
            name: name.into(),
            source: Arc::new(source),
            exponent: Arc::default(),
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
            // As the whole, so that parts are measured as the whole is.
            exponent: self.exponent.clone(),
        }
    }

    /// The power of two nearest to the largest value, where it is beyond what f32 can square; else
    /// 0. Measures see no scale, so that values are read divided by it: those of f64 neither
    /// overflow nor vanish when they are multiplied.
    pub(crate) fn exponent(&self) -> Result<i32, MetricError> {
        // Of the types that activations have only f64 has such values.
        if self.source.epsilon() > f64::EPSILON {
            return Ok(0);
        }
        if let Some(found) = self.exponent.get() {
            return Ok(*found);
        }
        let [n, d] = self.source.shape();
        let step = (LOOKED_THROUGH / (8 * d).max(1)).max(1);
        let mut values = vec![0.0; step.min(n) * d];
        let mut largest = 0.0f64;
        for start in (0..n).step_by(step) {
            let rows = start..(start + step).min(n);
            let values = &mut values[..rows.len() * d];
            self.read_as_stored(rows, values)?;
            let finite = values.iter().filter(|v| v.is_finite());
            largest = finite.fold(largest, |most, v| most.max(v.abs()));
        }
        let exponent = match largest {
            0.0 => 0,
            // Two to the power of one more must be a number.
            _ => (largest.log2().floor() as i32).clamp(-1020, 1020),
        };
        let exponent = if exponent.abs() > PLAIN { exponent } else { 0 };
        Ok(*self.exponent.get_or_init(|| exponent))
    }

    /// Reads rows as measures see them: divided by two to the power of [`Layer::exponent`].
    pub(crate) fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), MetricError> {
        let exponent = self.exponent()?;
        self.read_as_stored(rows, out)?;
        if exponent != 0 {
            let factor = 2f64.powi(-exponent);
            out.iter_mut().for_each(|v| *v *= factor);
        }
        Ok(())
    }

    fn read_as_stored(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), MetricError> {
        let named = |source| MetricError::Source {
            layer: self.name.clone(),
            source,
        };
        self.source.read(rows, out).map_err(named)
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
