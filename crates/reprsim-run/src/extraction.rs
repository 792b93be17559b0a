//! The activations of one checkpoint on the probes of an experiment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use reprsim_extract::{extract, write_activations};
use reprsim_models::ModelShape;
use reprsim_train::load_checkpoint;

use crate::cell::extract_batch;
use crate::context::Context;
use crate::data::Data;
use crate::error::RunError;
use reprsim_config::Experiment;
use reprsim_device::Chosen;

/// Loads `checkpoint` (a `.safetensors` of ours, or a state dict of torchvision's) as
/// the experiment's model and writes its activations on every fixed probe to
/// `out/PROBE.safetensors`. `classes` is the width of its head; that of the
/// experiment's label where `None`. Returns the files.
///
/// # Errors
/// [`RunError`] if the data cannot be opened, the checkpoint does not fit or a
/// file cannot be written.
pub fn extract_probes(
    experiment: &Experiment,
    checkpoint: &Path,
    classes: Option<usize>,
    chosen: &Chosen,
    device_budget: u64,
    cache: &Path,
    out: &Path,
) -> Result<Vec<PathBuf>, RunError> {
    let context = Context::new(
        experiment,
        chosen,
        device_budget,
        &Arc::new(Data::new(experiment, cache)),
    );
    let classes = match classes {
        Some(classes) => classes,
        None => context.classes()?,
    };
    let probes = context.fixed_probes()?;
    let Some(first) = probes.values().next() else {
        return Ok(vec![]);
    };
    let shape = ModelShape {
        input: first.supply.shape(),
        classes,
    };
    let network = load_checkpoint(checkpoint, &experiment.model, shape, &Device::flex());
    // It is the user's own, and not one of this run.
    let network = network.map_err(|error| match error.is_of_system() && checkpoint.exists() {
        true => error.into(),
        false => RunError::Usage(error.to_string()),
    })?;
    std::fs::create_dir_all(out).map_err(|e| RunError::store(out, e))?;
    let mut files = Vec::new();
    for (name, probed) in probes {
        let (ids, batch) = (&probed.probe.ids_sha256, extract_batch(&probed.supply));
        let activations = extract(&network, &probed.supply, ids, experiment.pooling, batch)?;
        let file = out.join(format!("{name}.safetensors"));
        let info = [
            ("probe", name.as_str()),
            ("architecture", experiment.model.name()),
        ];
        write_activations(&activations, &file, &info)?;
        files.push(file);
    }
    Ok(files)
}
