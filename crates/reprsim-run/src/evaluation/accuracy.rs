//! How often each model is right on held-out samples.

use burn::tensor::{Int, Tensor};
use reprsim_base::SettingsError;
use reprsim_config::{EvaluationSettings, Experiment};
use reprsim_data::split::ModelSamples;
use reprsim_extract::logits;
use reprsim_models::{Output, OutputKind};
use schemars::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Pair, PairEvaluation, row, schema_of, settings_of};
use crate::cell::extract_batch;
use crate::error::RunError;
use crate::results::Row;

/// The accuracy of each model on held-out samples of the classes that it knows, in its own
/// labels.
#[derive(Clone, Copy, Debug)]
pub struct Accuracy;

/// Accuracy has no settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// One model's.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OfModel {
    model: char,
    accuracy: Option<f64>,
}

impl EvaluationSettings for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn settings(&self, given: &Value) -> Result<Value, SettingsError> {
        settings_of::<Settings>(given)
    }

    fn schema(&self) -> Schema {
        schema_of::<Settings>()
    }
}

impl PairEvaluation for Accuracy {
    fn version(&self) -> u32 {
        1
    }

    fn is_always(&self) -> bool {
        true
    }

    fn applies(&self, experiment: &Experiment) -> bool {
        experiment.task.needs() == OutputKind::Logits
    }

    fn columns(&self) -> &'static [&'static str] {
        &["model", "accuracy"]
    }

    fn rows(&self, pair: &Pair<'_>) -> Result<Vec<Row>, RunError> {
        if !pair.is_trained() {
            return Self::rows_of([None, None]);
        }
        let supply = pair.context.test_supply()?;
        let turn = pair.context.pass();
        let answers = logits(pair.networks, supply, extract_batch(supply))?;
        drop(turn);
        let mut of_models = [None; 2];
        for ((of_model, answers), samples) in of_models.iter_mut().zip(answers).zip(pair.samples())
        {
            *of_model = accuracy(pair, answers, samples)?;
        }
        Self::rows_of(of_models)
    }
}

impl Accuracy {
    /// The rows of both models' accuracies.
    pub(crate) fn rows_of(accuracy: [Option<f64>; 2]) -> Result<Vec<Row>, RunError> {
        let models = ['a', 'b'].into_iter().zip(accuracy);
        models
            .map(|(model, accuracy)| row(OfModel { model, accuracy }))
            .collect()
    }

    /// The accuracies of both models in a cell's rows.
    pub(crate) fn of(rows: &[Row]) -> [Option<f64>; 2] {
        ["a", "b"].map(|model| {
            let row = rows
                .iter()
                .find(|row| row.get("model").is_some_and(|m| m == model))?;
            row.get("accuracy")?.as_f64()
        })
    }
}

/// `None` if there is no sample of a class that it knows.
fn accuracy(
    pair: &Pair<'_>,
    logits: Tensor<2>,
    samples: &ModelSamples,
) -> Result<Option<f64>, RunError> {
    let supply = pair.context.test_supply()?;
    let labels = samples.labelling.labels(supply.dataset())?;
    let answers = pair.experiment().task.answers(&Output::Logits(logits));
    match answers {
        Some(answers) => hit_rate(answers, &labels),
        None => Ok(None),
    }
}

/// The share of right answers among samples that have a label; `None` if none has.
pub(crate) fn hit_rate(
    predicted: Tensor<1, Int>,
    labels: &[Option<u32>],
) -> Result<Option<f64>, RunError> {
    if labels.is_empty() {
        return Ok(None);
    }
    let predicted = predicted.try_into_data().map_err(RunError::read)?;
    let (mut known, mut right) = (0usize, 0usize);
    for (label, prediction) in labels.iter().zip(predicted.iter::<i64>()) {
        if let Some(label) = label {
            known += 1;
            right += usize::from(i64::from(*label) == prediction);
        }
    }
    Ok((known > 0).then(|| right as f64 / known as f64))
}
