//! What stands in a file of `reprsim pretrain`: the sections of an experiment that are about one model.

use reprsim_data::Resampling;
use reprsim_models::ModelConfig;
use reprsim_train::{InitialStates, TaskConfig, TrainingConfig};
use schemars::JsonSchema;
use serde::Deserialize;

use super::sections::DatasetSection;

/// A pretraining: one model, or one for each of several seeds, on all of a training part.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PretrainFile {
    /// Its name; also the name of its directory.
    pub name: String,
    /// One line on what it is for.
    #[serde(default)]
    pub description: String,
    /// The root of all random streams.
    #[serde(default)]
    pub root_seed: u64,
    /// Models, which differ in everything random.
    #[serde(default = "one")]
    pub seeds: usize,
    /// Where to compute, as in an experiment file.
    #[serde(default)]
    pub device: Option<String>,
    /// The data.
    pub dataset: DatasetSection,
    /// How images become those that it sees, as in an experiment file.
    #[serde(default)]
    pub input: Option<Resampling>,
    /// The architecture.
    pub model: ModelConfig,
    /// How it begins, if not with random weights.
    #[serde(default)]
    pub initial: Option<InitialStates>,
    /// What it learns; by default what the architecture is for.
    #[serde(default)]
    pub task: Option<TaskConfig>,
    /// How it is trained.
    pub training: TrainingConfig,
}

fn one() -> usize {
    1
}
