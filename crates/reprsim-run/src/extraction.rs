//! The activations of one checkpoint on the probes of an experiment.

use std::path::{Path, PathBuf};

use reprsim_extract::{extract, write_activations};
use reprsim_models::ModelShape;
use reprsim_train::load_checkpoint;

use reprsim_config::ExperimentError;
use crate::cell::extract_batch;
use crate::context::{Context, ProbeSamples};
use reprsim_device::Chosen;
use reprsim_config::Experiment;

/// Loads `checkpoint` (a `.safetensors` of ours, or a state dict of torchvision's) as
/// the experiment's model and writes its activations on every fixed probe to
/// `out/PROBE.safetensors`. `classes` is the width of its head; that of the
/// experiment's label where `None`. Returns the files.
///
/// # Errors
/// [`ExperimentError`] if the data cannot be opened, the checkpoint does not fit or a
/// file cannot be written.
pub fn extract_probes(
    experiment: &Experiment,
    checkpoint: &Path,
    classes: Option<usize>,
    chosen: &Chosen,
    cache: &Path,
    out: &Path,
) -> Result<Vec<PathBuf>, ExperimentError> {
    let context = Context::new(experiment, &chosen.device, &chosen.name, cache)?;
    let shape = ModelShape {
        input: context.train_samples.shape(),
        classes: classes.unwrap_or(context.training.classes.len()),
    };
    let network = load_checkpoint(checkpoint, &experiment.model, shape, &chosen.device)?;
    std::fs::create_dir_all(out).map_err(|e| ExperimentError::store(out, e))?;
    let mut files = Vec::new();
    for prepared in &context.probes {
        let Some(ProbeSamples { probe, samples, .. }) = &prepared.fixed else {
            continue;
        };
        let (ids, batch) = (&probe.ids_sha256, extract_batch(samples));
        let activations = extract(&network, samples, ids, experiment.pooling, batch);
        let file = out.join(format!("{}.safetensors", prepared.config.name));
        let info = [
            ("probe", prepared.config.name.as_str()),
            ("architecture", experiment.model.name()),
        ];
        write_activations(&activations, &file, &info)?;
        files.push(file);
    }
    Ok(files)
}
