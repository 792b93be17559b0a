//! Runs a model over a probe and keeps every layer.

use burn::tensor::Tensor;
use reprsim_graph::Profile;
use reprsim_models::{Network, Pooling};
use reprsim_train::Supply;

use crate::error::ExtractError;
use crate::probe::{LayerActivation, ProbeActivations};
#[cfg(feature = "wgpu")]
use crate::recorded::Recorded;

/// Runs `network` (in inference mode) over `samples`, `batch` at a time, and keeps every layer,
/// pooled.
///
/// # Errors
/// [`ExtractError::Model`] if the samples are of another kind than the model takes in,
/// [`ExtractError::Graph`] if the device fails.
pub fn extract(
    network: &Network,
    samples: &Supply,
    ids_sha256: &str,
    pooling: Pooling,
    batch: usize,
) -> Result<ProbeActivations, ExtractError> {
    let [found] = extract_all([network], samples, ids_sha256, pooling, batch)?;
    Ok(found)
}

/// The same of several models, which on a GPU run side by side where their shapes are equal.
///
/// # Errors
/// As [`extract`].
pub fn extract_all<const N: usize>(
    networks: [&Network; N],
    samples: &Supply,
    ids_sha256: &str,
    pooling: Pooling,
    batch: usize,
) -> Result<[ProbeActivations; N], ExtractError> {
    let mut layers = together(&networks, samples, pooling, batch)?.into_iter();
    Ok(networks.map(|_| ProbeActivations {
        ids_sha256: ids_sha256.to_string(),
        pooling,
        layers: layers.next().unwrap_or_default(),
    }))
}

fn together(
    networks: &[&Network],
    samples: &Supply,
    pooling: Pooling,
    batch: usize,
) -> Result<Vec<Vec<LayerActivation>>, ExtractError> {
    #[cfg(feature = "wgpu")]
    if let Some(recorded) = Recorded::new(networks, samples, pooling, batch)? {
        return recorded.run();
    }
    if let [network] = networks {
        return Ok(vec![eager(network, samples, pooling, batch)?]);
    }
    let alone = |network: &&Network| together(&[*network], samples, pooling, batch);
    let found: Result<Vec<_>, _> = networks.iter().map(alone).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// burn computes each operation: the CPU, and whatever cannot be recorded.
fn eager(
    network: &Network,
    samples: &Supply,
    pooling: Pooling,
    batch: usize,
) -> Result<Vec<LayerActivation>, ExtractError> {
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
    let layer = |(name, parts)| LayerActivation {
        name,
        values: Tensor::cat(parts, 0),
    };
    Ok(parts.into_iter().map(layer).collect())
}

/// Where the time of a batch goes, where it is recorded and replayed; `None` where burn computes
/// it operation by operation.
///
/// # Errors
/// Those of [`extract`].
#[cfg_attr(
    not(feature = "wgpu"),
    expect(unused_variables, reason = "no GPU to replay passes")
)]
pub fn profile_extraction(
    network: &Network,
    samples: &Supply,
    pooling: Pooling,
    batch: usize,
) -> Result<Option<Profile>, ExtractError> {
    #[cfg(feature = "wgpu")]
    if let Some(recorded) = Recorded::new(&[network], samples, pooling, batch)? {
        return recorded.profile().map(Some);
    }
    Ok(None)
}
