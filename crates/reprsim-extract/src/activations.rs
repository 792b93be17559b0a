//! Runs a model over a probe and keeps every layer.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use reprsim_graph::Profile;
use reprsim_models::{Feature, Input, Network, Output, Pass, Pooling};
use reprsim_train::Supply;

use crate::error::ExtractError;
use crate::probe::{Keep, LayerActivation, ProbeActivations, ask_to_keep};
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
    let pooled = |network: &Network, input: Input| layers_of(network, input, pooling);
    let mut layers = together(&networks, samples, batch, &pooled)?.into_iter();
    Ok(networks.map(|_| ProbeActivations {
        ids_sha256: ids_sha256.to_string(),
        pooling,
        layers: layers.next().unwrap_or_default(),
    }))
}

/// The scores that several classifiers give each class, `[n, classes]`; on a GPU those of equal
/// shapes run side by side.
///
/// # Errors
/// [`ExtractError::Model`] if a model is no classifier or the samples are of another kind than it
/// takes in, [`ExtractError::Graph`] if the device fails.
pub fn logits<const N: usize>(
    networks: [&Network; N],
    samples: &Supply,
    batch: usize,
) -> Result<[Tensor<2>; N], ExtractError> {
    let scores = |network: &Network, input: Input| {
        let output = network.output(input, &mut Pass::inference())?;
        match output {
            Output::Logits(logits) => Ok(vec![("logits".to_string(), logits)]),
            other => Err(ExtractError::NoClassifier(other.kind().name())),
        }
    };
    let found = together(&networks, samples, batch, &scores)?;
    let mut found = found.into_iter().flatten().map(|layer| layer.values);
    let none = || Tensor::zeros([0, 0], &Device::flex());
    Ok(networks.map(|_| found.next().unwrap_or_else(none)))
}

fn layers_of(
    network: &Network,
    input: Input,
    pooling: Pooling,
) -> Result<Vec<(String, Tensor<2>)>, ExtractError> {
    let layers = network.activations(input)?.layers.into_iter();
    let pooled = |(name, feature): (String, Feature)| (name, feature.pooled(pooling));
    Ok(layers.map(pooled).collect())
}

fn together(
    networks: &[&Network],
    samples: &Supply,
    batch: usize,
    keep: &Keep<'_>,
) -> Result<Vec<Vec<LayerActivation>>, ExtractError> {
    #[cfg(feature = "wgpu")]
    if let Some(recorded) = Recorded::new(networks, samples, batch, keep)? {
        return recorded.run();
    }
    if let [network] = networks {
        return Ok(vec![eager(network, samples, batch, keep)?]);
    }
    let alone = |network: &&Network| together(&[*network], samples, batch, keep);
    let found: Result<Vec<_>, _> = networks.iter().map(alone).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// burn computes each operation: the CPU, and whatever cannot be recorded.
fn eager(
    network: &Network,
    samples: &Supply,
    batch: usize,
    keep: &Keep<'_>,
) -> Result<Vec<LayerActivation>, ExtractError> {
    // Models are kept in the host's memory.
    let moved = match *samples.device() == Device::flex() {
        true => None,
        false => Some(network.valid().to_device(samples.device())),
    };
    let network = moved.as_ref().unwrap_or(network);
    // One sample tells how large all will be, before a whole batch is there.
    if !samples.is_empty() {
        let first = keep(network, samples.slice(0..1))?;
        let values = first
            .iter()
            .map(|(_, values)| values.shape().num_elements());
        ask_to_keep(samples.len(), values.sum())?;
    }
    let mut parts: Vec<(String, Vec<Tensor<2>>)> = Vec::new();
    for start in (0..samples.len()).step_by(batch.max(1)) {
        let end = (start + batch.max(1)).min(samples.len());
        let kept = keep(network, samples.slice(start..end))?;
        for (i, (name, values)) in kept.into_iter().enumerate() {
            if start == 0 {
                parts.push((name, Vec::new()));
            }
            parts[i].1.push(values);
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
    let pooled = |network: &Network, input: Input| layers_of(network, input, pooling);
    #[cfg(feature = "wgpu")]
    if let Some(recorded) = Recorded::new(&[network], samples, batch, &pooled)? {
        return recorded.profile().map(Some);
    }
    Ok(None)
}
