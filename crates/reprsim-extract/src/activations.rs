//! Runs a model over a probe and keeps every layer.

use burn::tensor::Tensor;
use reprsim_models::{Network, Pooling};
use reprsim_train::Supply;

use crate::error::ExtractError;

/// One layer of one model on a probe.
#[derive(Clone, Debug)]
pub struct LayerActivation {
    /// The layer's name.
    pub name: String,
    /// `[n, d]`, on the device.
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

/// Runs `network` (in inference mode) over `samples`, `batch` at a time, and
/// keeps every layer, pooled, on the device.
///
/// # Errors
/// [`ExtractError::Model`] if the samples are of another kind than the model takes in.
pub fn extract(
    network: &Network,
    samples: &Supply,
    ids_sha256: &str,
    pooling: Pooling,
    batch: usize,
) -> Result<ProbeActivations, ExtractError> {
    let mut parts: Vec<(String, Vec<Tensor<2>>)> = Vec::new();
    for start in (0..samples.len()).step_by(batch.max(1)) {
        let end = (start + batch.max(1)).min(samples.len());
        let activations = network.activations(samples.slice(start..end))?;
        for (i, (name, feature)) in activations.layers.into_iter().enumerate() {
            if start == 0 {
                parts.push((name, Vec::new()));
            }
            parts[i].1.push(feature.pooled(pooling));
        }
    }
    Ok(ProbeActivations {
        ids_sha256: ids_sha256.to_string(),
        pooling,
        layers: parts
            .into_iter()
            .map(|(name, parts)| LayerActivation {
                name,
                values: Tensor::cat(parts, 0),
            })
            .collect(),
    })
}
