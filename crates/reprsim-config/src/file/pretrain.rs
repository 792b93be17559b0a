//! A file of `reprsim pretrain`: the sections of an experiment that are about one model.

use std::path::Path;

use reprsim_data::Resampling;
use reprsim_models::ModelConfig;
use reprsim_train::{InitialStates, TaskConfig, TrainingConfig};
use schemars::JsonSchema;
use serde::Deserialize;

use super::reader::Reader;
use super::resolve::file_text;
use super::sections::{AnalysisSection, DatasetSection, ExperimentFile, PrimarySection};
use crate::error::ConfigError;
use crate::experiment::{AnalysisConfig, Experiment, Keep, Pairing, Primary};
use crate::key::Form;
use crate::plan::{add_initial, add_revision, add_training, placeless_dataset};

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

/// A pretraining with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Pretraining {
    /// Its data, model and training: an experiment that sweeps, probes and measures nothing.
    pub experiment: Experiment,
}

impl Pretraining {
    /// The key of what determines the model of a seed.
    pub fn key(&self, seed: usize) -> String {
        let experiment = &self.experiment;
        let mut form = Form::new();
        form.add("pretraining", true);
        form.add("root_seed", experiment.root_seed);
        form.add("dataset", placeless_dataset(&experiment.dataset));
        form.add("input", experiment.input);
        form.add("model", &experiment.model);
        add_revision(&mut form, &experiment.model);
        let begun = experiment
            .initial
            .as_ref()
            .map(|states| states.of_pair(seed));
        if let Some([initial, _]) = begun {
            // Alone, it is as if both models of a pair began so.
            add_initial(&mut form, [initial.clone(), initial]);
        }
        form.add("task", experiment.task.of_model(seed, 0).placeless());
        add_training(&mut form, &experiment.training);
        form.add("seed", seed);
        form.key()
    }
}

/// Reads and checks a file of `reprsim pretrain`, and gives its text.
///
/// # Errors
/// [`ConfigError::File`] with file, line and remedy for anything wrong in it.
pub fn read_pretraining(path: &Path) -> Result<(Pretraining, String), ConfigError> {
    let text = file_text(path)?;
    let reader = Reader::new(path, &text)?;
    let file: PretrainFile = reader.sections()?;
    let pretraining = reader.pretraining(file)?;
    Ok((pretraining, text))
}

impl Reader<'_> {
    fn pretraining(&self, file: PretrainFile) -> Result<Pretraining, ConfigError> {
        self.positive("seeds", file.seeds)?;
        if file.dataset.train_per_model.is_some() {
            return Err(self.at(
                "dataset.train_per_model",
                "a model is pretrained on the whole training part: leave it out",
            ));
        }
        if file
            .initial
            .as_ref()
            .is_some_and(|states| !states.sizes.is_empty())
        {
            return Err(self.at(
                "initial.sizes",
                "a pretraining has one architecture, which begins as checkpoint says",
            ));
        }
        let none = String::new;
        let file = ExperimentFile {
            name: file.name,
            description: file.description,
            root_seed: file.root_seed,
            seeds: file.seeds,
            device: file.device,
            pairing: Pairing::Independent,
            dataset: file.dataset,
            input: file.input,
            model: file.model,
            initial: file.initial,
            task: file.task,
            training: file.training,
            axis: vec![],
            grid: vec![],
            probe: vec![],
            analysis: AnalysisSection {
                primary: PrimarySection {
                    measure: none(),
                    probe: none(),
                    layer: none(),
                },
                measures: None,
                k: None,
                permutations: None,
                pooling: Default::default(),
                covariates: vec![],
                leave_out_undertrained: false,
            },
            evaluation: Default::default(),
            keep: Keep::default(),
        };
        let models = self.models(&file)?;
        self.labels(&file.dataset, &models.dataset)?;
        Ok(Pretraining {
            experiment: models.experiment(
                file,
                vec![],
                vec![],
                AnalysisConfig {
                    primary: Primary {
                        measure: none(),
                        probe: none(),
                        layer: none(),
                    },
                    measures: vec![],
                    k: 1,
                    permutations: 0,
                    covariates: vec![],
                    leave_out_undertrained: false,
                },
                Default::default(),
            ),
        })
    }
}
