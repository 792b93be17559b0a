//! Reading an experiment file with all evaluations that it may ask for.

use std::path::Path;

use reprsim_config::{ConfigError, Experiment};

use serde_json::Value;

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

/// The JSON Schema of experiment files.
pub fn schema() -> Value {
    reprsim_config::schema(&sections())
}
