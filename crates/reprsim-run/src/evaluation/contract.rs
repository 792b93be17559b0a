//! What every evaluation of a pair is.

use std::path::Path;

use reprsim_base::{SettingsError, Stream};
use reprsim_config::{Cell, EvaluationSettings, Experiment, Form};
use reprsim_data::split::{ModelSamples, PairSplit};
use reprsim_models::{ModelConfig, Network};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::Context;
use crate::error::RunError;
use crate::results::Row;

/// A finished pair, ready for inference.
#[derive(Clone)]
pub struct Pair<'a> {
    pub(crate) context: &'a Context,
    /// The cell.
    pub cell: &'a Cell,
    /// The architecture of both models.
    pub model: &'a ModelConfig,
    /// Both models.
    pub networks: [&'a Network; 2],
    /// What they were trained on.
    pub split: &'a PairSplit,
    /// The root of the cell's random streams.
    pub stream: &'a Stream,
    /// The cell's directory, for large files that are kept.
    pub directory: &'a Path,
}

impl<'a> Pair<'a> {
    /// The experiment.
    pub fn experiment(&self) -> &'a Experiment {
        &self.context.experiment
    }

    /// Whether the models were trained, or are an untrained pair.
    pub fn is_trained(&self) -> bool {
        self.cell.point().is_some()
    }

    /// The training samples of model a, then of model b.
    pub fn samples(&self) -> [&'a ModelSamples; 2] {
        [&self.split.a, &self.split.b]
    }

    /// The settings of an evaluation, as the experiment has them.
    ///
    /// # Errors
    /// [`RunError::Usage`] if they are not of this type.
    pub fn settings<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, RunError> {
        match self.experiment().evaluations.get(name) {
            Some(settings) => reprsim_base::settings(settings)
                .map_err(|e| RunError::Usage(format!("[evaluation.{name}]: {e}"))),
            None => Ok(T::default()),
        }
    }
}

/// Something that is computed of a finished pair. Its rows have a file and a key of their own
/// in the cell, so that changing one evaluation, or adding one, computes that one again, from
/// the checkpoints, and moves nothing else.
pub trait PairEvaluation: EvaluationSettings {
    /// Version of what it computes; part of its key.
    fn version(&self) -> u32;

    /// Whether every experiment has it, not only those that ask for it by
    /// `[evaluation.NAME]`.
    fn is_always(&self) -> bool {
        false
    }

    /// Whether a cell that lacks its rows, which earlier programs did not write, is a result all the
    /// same until it is worked on again.
    fn may_be_missing(&self) -> bool {
        false
    }

    /// Whether it has anything to say of an experiment's models.
    fn applies(&self, _experiment: &Experiment) -> bool {
        true
    }

    /// Finds what makes it impossible in an experiment that has it, before anything is trained.
    ///
    /// # Errors
    /// [`RunError::Usage`].
    fn check(&self, _experiment: &Experiment) -> Result<(), RunError> {
        Ok(())
    }

    /// Takes what determines its rows, beside the pair, its version and its settings, into
    /// the form of its key.
    fn determine(&self, _experiment: &Experiment, _form: &mut Form) {}

    /// The names of its rows' fields, in the order of a table.
    fn columns(&self) -> &'static [&'static str];

    /// Its rows for a pair.
    ///
    /// # Errors
    /// Those of data, models and measures.
    fn rows(&self, pair: &Pair<'_>) -> Result<Vec<Row>, RunError>;
}

impl dyn PairEvaluation + '_ {
    /// The key of its rows in an experiment.
    pub fn key(&self, experiment: &Experiment) -> String {
        let mut form = Form::new();
        form.add("evaluation", self.name());
        form.add("version", self.version());
        form.add("settings", experiment.evaluations.get(self.name()));
        self.determine(experiment, &mut form);
        form.key()
    }

    /// Whether an experiment has it.
    pub fn is_asked(&self, experiment: &Experiment) -> bool {
        let asked = self.is_always() || experiment.evaluations.contains_key(self.name());
        asked && self.applies(experiment)
    }
}

/// The evaluations of an experiment.
pub(crate) fn asked(experiment: &Experiment) -> Vec<&'static dyn PairEvaluation> {
    let all = super::EVALUATIONS.iter().copied();
    all.filter(|evaluation| evaluation.is_asked(experiment))
        .collect()
}

/// Settings of an evaluation from a section of an experiment file: those of `T`, checked and
/// with every default filled in.
///
/// # Errors
/// What is wrong, and where.
pub fn settings_of<T: DeserializeOwned + Serialize>(given: &Value) -> Result<Value, SettingsError> {
    let settings: T = reprsim_base::settings(given)?;
    // What was read from JSON is JSON.
    Ok(serde_json::to_value(settings).unwrap_or_default())
}

/// The schema of the settings `T`.
pub fn schema_of<T: JsonSchema>() -> schemars::Schema {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>()
}

/// A value as a row.
///
/// # Errors
/// [`RunError::Usage`] if it is no table of scalars.
pub(crate) fn row(value: impl Serialize) -> Result<Row, RunError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(row)) => Ok(row),
        _ => Err(RunError::Usage("a row that is no table".into())),
    }
}
