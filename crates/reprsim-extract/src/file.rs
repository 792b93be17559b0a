//! Activation files, which `reprsim-activations` reads: safetensors, one f32
//! tensor `[n, d]` a layer, with the sample-id hash, the pooling and the order of
//! the layers as metadata.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use reprsim_base::{seal_safetensors, write_whole};
use reprsim_models::Pooling;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::error::ExtractError;
use crate::probe::ProbeActivations;

const SCHEMA: &str = "1";

/// Writes activations to `path`, whole or not at all; `metadata` pairs (model,
/// probe, ...) go beside the program's own.
///
/// # Errors
/// [`ExtractError::File`], or [`ExtractError::Device`] if reading them from the
/// device fails.
pub fn write_activations(
    activations: &ProbeActivations,
    path: &Path,
    metadata: &[(&str, &str)],
) -> Result<(), ExtractError> {
    let error = |reason: Box<dyn Error + Send + Sync>| ExtractError::File {
        path: path.to_path_buf(),
        reason,
    };
    let mut values: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for layer in &activations.layers {
        let data = layer
            .values
            .clone()
            .try_into_data()
            .map_err(|e| ExtractError::Device(e.into()))?;
        let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
        values.push((layer.name.clone(), layer.values.dims().to_vec(), bytes));
    }
    let views = values
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.clone(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| error(e.into()))?;
    let order: Vec<&str> = activations.layers.iter().map(|l| l.name.as_str()).collect();
    let mut info: HashMap<String, String> = metadata
        .iter()
        .map(|(k, v)| ((*k).to_string(), (*v).to_string()))
        .collect();
    info.insert("reprsim_schema".into(), SCHEMA.into());
    info.insert("sample_ids_sha256".into(), activations.ids_sha256.clone());
    info.insert("pooling".into(), pooling_name(activations.pooling).into());
    info.insert("layers".into(), order.join(","));
    let bytes = safetensors::serialize(views, Some(info)).map_err(|e| error(e.into()))?;
    let bytes = seal_safetensors(&bytes).map_err(|e| error(e.into()))?;
    write_whole(path, &bytes).map_err(|e| error(e.into()))
}

fn pooling_name(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Mean => "mean",
        Pooling::Flatten => "flatten",
        Pooling::Last => "last",
        Pooling::Tokens => "tokens",
    }
}
