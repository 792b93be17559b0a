//! Losses and metrics since the last report, summed on the device.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::task::{Loss, Reduction};

/// Sums over samples; read from the device only when they are reported or kept.
pub(crate) struct Sums {
    loss: Tensor<1>,
    metrics: Vec<(String, Tensor<1>)>,
    /// Samples so far.
    pub seen: usize,
    device: Device,
}

/// The same as numbers, for a snapshot: what a device holds in f32 fits exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub loss: f64,
    pub metrics: Vec<(String, f64)>,
    pub seen: usize,
}

/// Means over samples.
pub(crate) struct Means {
    pub loss: f64,
    pub metrics: BTreeMap<String, f64>,
}

impl Sums {
    /// Goes on from what was kept.
    pub fn from_kept(kept: &Kept, device: &Device) -> Self {
        let tensor = |value: f64| Tensor::from_data([value as f32], device);
        Self {
            loss: tensor(kept.loss),
            metrics: (kept.metrics.iter())
                .map(|(name, value)| (name.clone(), tensor(*value)))
                .collect(),
            seen: kept.seen,
            device: device.clone(),
        }
    }

    /// Begins again.
    pub fn clear(&mut self) {
        *self = Self::from_kept(&Kept::default(), &self.device);
    }

    /// Takes in what `samples` samples cost.
    pub fn add(&mut self, loss: &Loss, samples: usize) {
        let value = match loss.value.device().is_autodiff() {
            true => loss.value.clone().inner(),
            false => loss.value.clone(),
        };
        self.loss = self.loss.clone()
            + match loss.reduction {
                Reduction::Mean => value.mul_scalar(samples as f64),
                Reduction::Sum => value,
            };
        for (name, value) in &loss.metrics {
            match self.metrics.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum = sum.clone() + value.clone(),
                None => self.metrics.push(((*name).to_string(), value.clone())),
            }
        }
        self.seen += samples;
    }

    /// Reads the sums from the device.
    pub fn keep(&self) -> Result<Kept, TrainError> {
        let mut metrics = Vec::with_capacity(self.metrics.len());
        for (name, value) in &self.metrics {
            metrics.push((name.clone(), read_f64(value.clone())?));
        }
        Ok(Kept {
            loss: read_f64(self.loss.clone())?,
            metrics,
            seen: self.seen,
        })
    }
}

impl Kept {
    /// The means so far.
    pub fn means(self) -> Means {
        let seen = self.seen.max(1) as f64;
        Means {
            loss: self.loss / seen,
            metrics: (self.metrics.into_iter())
                .map(|(name, sum)| (name, sum / seen))
                .collect(),
        }
    }
}

/// Reads one number from the device.
///
/// # Errors
/// [`TrainError::Device`].
pub(crate) fn read_f64(scalar: Tensor<1>) -> Result<f64, TrainError> {
    let data = scalar.try_into_data().map_err(TrainError::device)?;
    data.iter::<f64>()
        .next()
        .ok_or_else(|| TrainError::device("an empty scalar"))
}
