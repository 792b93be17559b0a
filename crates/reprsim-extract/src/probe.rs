//! A model's layers on a probe.

use burn::tensor::Tensor;
use reprsim_base::ask_memory;
use reprsim_models::{Input, Network, Pooling};

use crate::error::ExtractError;

/// What is kept of a batch: named arrays, a row or several for each sample.
pub(crate) type Keep<'a> =
    dyn Fn(&Network, Input) -> Result<Vec<(String, Tensor<2>)>, ExtractError> + 'a;

/// One layer of one model on a probe.
#[derive(Clone, Debug)]
pub struct LayerActivation {
    /// The layer's name.
    pub name: String,
    /// `[n, d]`, on the device, or in the host's memory where a recorded pass brought it there.
    pub values: Tensor<2>,
}

/// All layers of one model on a probe.
#[derive(Clone, Debug)]
pub struct ProbeActivations {
    /// SHA-256 over the ids of the samples, in row order.
    pub ids_sha256: String,
    /// How spatial layers were pooled.
    pub pooling: Pooling,
    /// The layers, input side first.
    pub layers: Vec<LayerActivation>,
}

/// Asks for the memory of all layers of so many samples.
pub(crate) fn ask_to_keep(samples: usize, values: usize) -> Result<(), ExtractError> {
    let what = format!("keeping activations, {values} values for each of {samples} samples,");
    let bytes = size_of::<f32>() as u128 * samples as u128 * values as u128;
    Ok(ask_memory(bytes, what)?)
}

impl ProbeActivations {
    /// Checks that row i is the same sample here and there.
    ///
    /// # Errors
    /// [`ExtractError::DifferentSamples`] if the sample-id hashes differ.
    pub fn check_same_samples(&self, other: &Self) -> Result<(), ExtractError> {
        if self.ids_sha256 == other.ids_sha256 {
            return Ok(());
        }
        Err(ExtractError::DifferentSamples {
            a: self.ids_sha256.clone(),
            b: other.ids_sha256.clone(),
        })
    }
}
