//! Reading an experiment file with all evaluations that it may ask for.

use std::path::Path;

use reprsim_config::{ConfigError, Experiment, Plan, Pretraining};
use serde_json::Value;

use crate::context::probe_spec;
use crate::data::Data;
use crate::error::RunError;
use crate::evaluation::sections;

/// Reads and checks an experiment file.
///
/// # Errors
/// [`ConfigError::File`] with file, line and remedy for anything wrong in the file.
pub fn read_experiment(path: &Path) -> Result<Experiment, ConfigError> {
    reprsim_config::read_experiment(path, &sections())
}

/// The same with the text of the file, which is read once: it may be gone, or another, later.
///
/// # Errors
/// As [`read_experiment`].
pub fn read_experiment_and_text(path: &Path) -> Result<(Experiment, String), ConfigError> {
    reprsim_config::read_experiment_and_text(path, &sections())
}

/// The same experiment with what names the samples of its data sets of image files, which are opened
/// for it, so that cells of other samples have other keys. Those of text are named by its reading.
///
/// # Errors
/// [`RunError::Data`] if one of them cannot be opened.
pub fn with_content(experiment: &Experiment, data: &Data) -> Result<Experiment, RunError> {
    let mut named = experiment.clone();
    let own = data.content()?;
    for (probe, named) in experiment.probes.iter().zip(&mut named.probes) {
        let spec = probe_spec(experiment, probe);
        if probe.dataset.as_ref() == Some(&experiment.dataset.name) {
            named.content.clone_from(&own);
        } else if probe.dataset.is_some()
            && let Some(content) = Data::of(spec, data.cache()).content()?
        {
            named.content = Some(content);
        }
    }
    if own.is_some() {
        named.dataset.content = own;
    }
    Ok(named)
}

/// A pretraining with what names the samples of its data set of image files.
///
/// # Errors
/// As [`with_content`].
pub fn named_pretraining(given: Pretraining, data: &Data) -> Result<Pretraining, RunError> {
    Ok(Pretraining {
        experiment: with_content(&given.experiment, data)?,
    })
}

/// The same as far as a run of this experiment knows: what its data held when it was planned. `None` if
/// `root` holds no run of it.
pub fn content_of_run(experiment: &Experiment, root: &Path) -> Option<Experiment> {
    let known = Plan::read(root).ok()?.experiment;
    let mut named = experiment.clone();
    named.dataset.content.clone_from(&known.dataset.content);
    for (named, known) in named.probes.iter_mut().zip(&known.probes) {
        named.content.clone_from(&known.content);
    }
    (named == known).then_some(named)
}

/// The JSON Schema of experiment files.
pub fn schema() -> Value {
    reprsim_config::schema(&sections())
}
