//! Activation files: safetensors, one f32 tensor `[n, d]` a layer, with the
//! sample-id hash, the pooling and the order of the layers as metadata.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use reprsim_data::write_whole;
use reprsim_models::Pooling;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::activations::{LayerActivation, ProbeActivations};
use crate::error::ExtractError;

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
    let error = |reason: String| ExtractError::File {
        path: path.to_path_buf(),
        reason,
    };
    let mut values: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for layer in &activations.layers {
        let data = layer
            .values
            .clone()
            .try_into_data()
            .map_err(|e| ExtractError::Device(e.to_string()))?;
        let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
        values.push((layer.name.clone(), layer.values.dims().to_vec(), bytes));
    }
    let views = values
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.clone(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| error(e.to_string()))?;
    let order: Vec<&str> = activations.layers.iter().map(|l| l.name.as_str()).collect();
    let mut info: HashMap<String, String> = metadata
        .iter()
        .map(|(k, v)| ((*k).to_string(), (*v).to_string()))
        .collect();
    info.insert("reprsim_schema".into(), SCHEMA.into());
    info.insert("sample_ids_sha256".into(), activations.ids_sha256.clone());
    info.insert("pooling".into(), pooling_name(activations.pooling).into());
    info.insert("layers".into(), order.join(","));
    let bytes = safetensors::serialize(views, Some(info)).map_err(|e| error(e.to_string()))?;
    write_whole(path, &bytes).map_err(|e| error(e.to_string()))
}

/// Reads an activation file that [`write_activations`] wrote.
///
/// # Errors
/// [`ExtractError::File`] if the file is damaged, of another schema, or holds
/// anything but f32 matrices.
pub fn read_activations(path: &Path, device: &Device) -> Result<ProbeActivations, ExtractError> {
    let error = |reason: String| ExtractError::File {
        path: path.to_path_buf(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(|e| error(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| error(e.to_string()))?;
    let info = header.metadata().clone().unwrap_or_default();
    let get = |key: &str| {
        info.get(key)
            .cloned()
            .ok_or_else(|| error(format!("its metadata lacks '{key}'")))
    };
    if get("reprsim_schema")? != SCHEMA {
        return Err(error(format!(
            "schema version {}; this program reads {SCHEMA}",
            get("reprsim_schema")?
        )));
    }
    let pooling = match get("pooling")?.as_str() {
        "mean" => Pooling::Mean,
        "flatten" => Pooling::Flatten,
        other => return Err(error(format!("unknown pooling '{other}'"))),
    };
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| error(e.to_string()))?;
    let mut layers = Vec::new();
    for name in get("layers")?.split(',').filter(|n| !n.is_empty()) {
        let view = tensors.tensor(name).map_err(|e| error(e.to_string()))?;
        let (Dtype::F32, &[n, d]) = (view.dtype(), view.shape()) else {
            return Err(error(format!("'{name}' is not a matrix of f32")));
        };
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        layers.push(LayerActivation {
            name: name.to_string(),
            values: Tensor::from_data(TensorData::new(values, [n, d]), device),
        });
    }
    Ok(ProbeActivations {
        ids_sha256: get("sample_ids_sha256")?,
        pooling,
        layers,
    })
}

fn pooling_name(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Mean => "mean",
        Pooling::Flatten => "flatten",
    }
}
