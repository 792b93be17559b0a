//! Checkpoints: all parameters in one safetensors file, laid out and named as
//! PyTorch would.

use std::path::Path;

use burn::tensor::Device;
use burn_store::{
    BurnToPyTorchAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter, PytorchStore,
    SafetensorsStore,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use reprsim_base::write_whole;
use reprsim_models::{ModelConfig, ModelShape, Network};

use crate::error::TrainError;

/// Version of the checkpoint layout, kept in each file's metadata.
const SCHEMA: &str = "1";

/// Writes `network` to `path`, whole or not at all, with `metadata` pairs.
///
/// # Errors
/// [`TrainError::Checkpoint`] with the file and the reason.
pub fn save_checkpoint(
    network: &Network,
    path: &Path,
    metadata: &[(&str, &str)],
) -> Result<(), TrainError> {
    let error = |reason: String| TrainError::Checkpoint {
        path: path.to_path_buf(),
        reason,
    };
    let mut store = SafetensorsStore::from_bytes(None)
        .with_to_adapter(BurnToPyTorchAdapter)
        .skip_enum_variants(true)
        .clear_metadata()
        .metadata("reprsim_schema", SCHEMA);
    for (key, value) in metadata {
        store = store.metadata(*key, *value);
    }
    store
        .collect_from(network)
        .map_err(|e| error(e.to_string()))?;
    let bytes = store.get_bytes().map_err(|e| error(e.to_string()))?;
    write_whole(path, &bytes).map_err(|e| error(e.to_string()))
}

/// Reads a checkpoint (`.safetensors`, or `.pth` and `.pt` as PyTorch saves a state
/// dict) into a model of the given architecture on `device`: ready for inference,
/// or for training on a device with automatic differentiation.
///
/// # Errors
/// [`TrainError::Checkpoint`] if the file cannot be read or does not fit the
/// architecture.
pub fn load_checkpoint(
    path: &Path,
    model: &ModelConfig,
    shape: ModelShape,
    device: &Device,
) -> Result<Network, TrainError> {
    let error = |reason: String| TrainError::Checkpoint {
        path: path.to_path_buf(),
        reason,
    };
    // The initial weights are all replaced; any stream will do.
    let mut network = Network::new(model, shape, &mut ChaCha8Rng::seed_from_u64(0), device)?;
    // A file of PyTorch's own (`torch.save(model.state_dict())`) is known by its
    // extension, everything else is safetensors.
    let extension = path.extension().and_then(|e| e.to_str());
    let result = if matches!(extension, Some("pth" | "pt")) {
        let mut store = PytorchStore::from_file(path).allow_partial(false);
        network.load_from(&mut store).map_err(|e| e.to_string())
    } else {
        let store = || {
            SafetensorsStore::from_file(path)
                .with_from_adapter(PyTorchToBurnAdapter)
                .skip_enum_variants(true)
                .allow_partial(false)
        };
        let result = network.load_from(&mut store());
        // Of tied weights, `safetensors.torch.save_model` keeps one name: nanoGPT's head.
        let tied = |e| match model {
            ModelConfig::Gpt { .. } => {
                let store = store();
                let embedding = "transformer.wte.weight";
                let mut store = store.with_key_remapping(r"^lm_head\.weight$", embedding);
                network.load_from(&mut store).map_err(|_| e)
            }
            _ => Err(e),
        };
        result.or_else(tied).map_err(|e| e.to_string())
    }
    .map_err(error)?;
    if let Some(missing) = result.missing.first() {
        return Err(error(format!("it lacks the tensor '{}'", missing.0)));
    }
    // burn leaves alone what it has no place for; a model with biases is another model.
    let bias = |name: &&String| name.ends_with(".bias") && !name.ends_with("attn.bias");
    if let (ModelConfig::Gpt { .. }, Some(name)) = (model, result.unused.iter().find(bias)) {
        return Err(error(format!(
            "it has the tensor '{name}', and a gpt here has no biases"
        )));
    }
    Ok(network)
}
