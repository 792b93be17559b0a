//! A named layer of a model: activations that can be read as often as needed.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use burn::tensor::Tensor;

use crate::magnitude::Magnitude;
use crate::precision::{Longest, Witnesses};
use crate::source::{Matrix, Source, Subset};
use crate::{MetricError, Undefined};

/// Activations of one layer, a row a sample, with a name.
#[derive(Clone)]
pub struct Layer {
    /// The layer's name.
    pub name: String,
    pub(crate) source: Arc<dyn Source>,
    /// See [`Layer::magnitude`].
    magnitude: Arc<OnceLock<Magnitude>>,
    /// See [`Layer::epsilon`].
    epsilon: Arc<OnceLock<f64>>,
    /// Of some of a layer's samples that layer: parts are measured as the whole is.
    whole: Option<Box<Layer>>,
}

/// Rows looked through at once, in bytes.
const LOOKED_THROUGH: usize = 16 << 20;

impl Layer {
    /// A layer whose activations come from `source`.
    pub fn new(name: impl Into<String>, source: impl Source + 'static) -> Self {
        Self {
            name: name.into(),
            source: Arc::new(source),
            magnitude: Arc::default(),
            epsilon: Arc::default(),
            whole: None,
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

    /// A layer of some of its samples alone, in the order given: as a file of these would be. Rows that
    /// there are not are left out.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let known = rows.iter().filter(|row| (**row as usize) < self.rows());
        let rows = known.copied().collect();
        let inner = self.source.clone();
        Self::new(self.name.clone(), Subset { inner, rows })
    }

    /// The layer on some of its samples, in the order given.
    pub(crate) fn subset(&self, rows: Arc<[u32]>) -> Self {
        Self {
            name: self.name.clone(),
            source: Arc::new(Subset {
                inner: self.source.clone(),
                rows,
            }),
            magnitude: Arc::default(),
            epsilon: Arc::default(),
            whole: Some(Box::new(self.clone())),
        }
    }

    /// How samples are brought to where their products are numbers: measures see no scale.
    pub(crate) fn magnitude(&self) -> Result<&Magnitude, MetricError> {
        if let Some(whole) = &self.whole {
            return whole.magnitude();
        }
        if let Some(found) = self.magnitude.get() {
            return Ok(found);
        }
        // Of the types that activations have only f64 has values whose products are none.
        let found = match self.type_epsilon() > f64::EPSILON {
            true => Magnitude::AsStored,
            false => {
                let d = self.width();
                let mut exponents = Vec::with_capacity(self.rows());
                self.for_rows(|rows| {
                    exponents.extend(rows.chunks_exact(d.max(1)).filter_map(Magnitude::of_row));
                    true
                })?;
                Magnitude::of(exponents)
            }
        };
        Ok(self.magnitude.get_or_init(|| found))
    }

    /// How far a number is from the next one of the type in which activations are stored, as a share
    /// of it.
    pub(crate) fn type_epsilon(&self) -> f64 {
        self.source.epsilon()
    }

    /// How far a number is from the next one that it could have been rounded to, as a share of it:
    /// by the type, or coarser where the values say so ([`crate::precision`]).
    pub(crate) fn epsilon(&self) -> Result<f64, MetricError> {
        if let Some(whole) = &self.whole {
            return whole.epsilon();
        }
        if let Some(found) = self.epsilon.get() {
            return Ok(*found);
        }
        let of_type = self.type_epsilon();
        let bits_of_type = (1.0 - of_type.log2()).round() as u32;
        let mut longest = Longest::default();
        // Where values fill their type, the first few say so.
        self.for_rows(|rows| {
            rows.chunks(1024).all(|values| {
                longest.add(values);
                longest.bits < bits_of_type
            })
        })?;
        let mut found = None;
        if longest.bits < bits_of_type && longest.may_be_rounded() {
            let mut witnesses = Witnesses::new(longest, self.width());
            self.for_rows(|rows| {
                witnesses.add(rows);
                true
            })?;
            found = witnesses.epsilon();
        }
        Ok(*self.epsilon.get_or_init(|| found.unwrap_or(of_type)))
    }

    /// Calls `work` with all rows as they are stored, some at a time, until it says that it has seen
    /// enough.
    pub(crate) fn for_rows(&self, mut work: impl FnMut(&[f64]) -> bool) -> Result<(), MetricError> {
        let [n, d] = self.source.shape();
        if d == 0 {
            return Ok(());
        }
        let step = (LOOKED_THROUGH / (8 * d)).max(1);
        let mut values = vec![0.0; step.min(n) * d];
        for start in (0..n).step_by(step) {
            let rows = start..(start + step).min(n);
            let values = &mut values[..rows.len() * d];
            self.read_as_stored(rows, values)?;
            if !work(values) {
                break;
            }
        }
        Ok(())
    }

    /// Reads rows as measures of whole activations see them: at the place of [`Layer::magnitude`].
    pub(crate) fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), MetricError> {
        self.read_as_stored(rows, out)?;
        let magnitude = self.magnitude()?;
        magnitude.place(out, self.width());
        Ok(())
    }

    /// Reads rows as they are stored.
    pub(crate) fn read_as_stored(
        &self,
        rows: Range<usize>,
        out: &mut [f64],
    ) -> Result<(), MetricError> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// What is left out has no influence, and runs of rows are read at once.
    #[test]
    fn selected_rows_are_a_layer_of_their_own() {
        let values: Vec<f64> = (0..30).map(|at| (at as f64 * 1.7).sin()).collect();
        let mut all = values.clone();
        all[0] = 1e300;
        let layer = Layer::new("layer", Matrix::new(all, 10, 3).unwrap());
        let rows = [7, 8, 9, 2, 2, 3, 40];
        let part = layer.select(&rows);
        assert_eq!((part.rows(), part.width()), (6, 3));
        let mut read = vec![0.0; 15];
        part.read(1..6, &mut read).unwrap();
        let wanted: Vec<f64> = [8, 9, 2, 2, 3]
            .iter()
            .flat_map(|row| values[3 * row..3 * row + 3].to_vec())
            .collect();
        assert_eq!(read, wanted);
    }

    /// Whoever is asked first, a part or the whole: the far sample is not in the part.
    #[test]
    fn parts_are_measured_as_the_whole_is() {
        let value = |at: usize| match at {
            0..3 => 1e300,
            _ => (at % 7) as f64 + 0.1,
        };
        let layer = || {
            let values: Vec<f64> = (0..60).map(value).collect();
            Layer::new("layer", Matrix::new(values, 20, 3).unwrap())
        };
        let read = |layer: &Layer| {
            let mut out = vec![0.0; 30];
            layer.read(0..10, &mut out).unwrap();
            out
        };
        let rows: Arc<[u32]> = (0..10).map(|i| 19 - i).collect();
        let (first, last) = (layer(), layer());
        let part_first = read(&first.subset(rows.clone()));
        last.magnitude().unwrap();
        assert_eq!(part_first, read(&last.subset(rows)));
        assert_eq!(first.magnitude().unwrap(), last.magnitude().unwrap());
        assert_eq!(first.epsilon().unwrap(), last.epsilon().unwrap());
    }
}
