//! How alike the two models were before they were trained, where they did not begin with random
//! weights.

use reprsim_base::SettingsError;
use reprsim_config::{EvaluationSettings, Experiment, Form};
use schemars::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Pair, PairEvaluation, row, schema_of, settings_of};
use super::similarity::{Similarity, Wanted, scores};
use crate::error::RunError;
use crate::model::ModelJob;
use crate::results::{Row, Score};

/// Similarity of each layer of a pair as it began, on every probe, by every measure. Its settings are
/// those of [`Similarity`].
#[derive(Clone, Copy, Debug)]
pub struct Start;

/// Settings of a section of its own: none.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// A layer on a probe, by a measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Before {
    probe: String,
    layer: String,
    measure: String,
    value: Option<f64>,
}

impl EvaluationSettings for Start {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn settings(&self, given: &Value) -> Result<Value, SettingsError> {
        settings_of::<Settings>(given)
    }

    fn schema(&self) -> Schema {
        schema_of::<Settings>()
    }
}

impl PairEvaluation for Start {
    fn version(&self) -> u32 {
        1
    }

    fn is_always(&self) -> bool {
        true
    }

    fn may_be_missing(&self) -> bool {
        true
    }

    /// Pairs that begin with random weights have the untrained pairs beside them.
    fn applies(&self, experiment: &Experiment) -> bool {
        experiment.initial.is_some()
    }

    fn determine(&self, experiment: &Experiment, form: &mut Form) {
        form.add("similarity.version", Similarity.version());
        Similarity.determine(experiment, form);
    }

    fn columns(&self) -> &'static [&'static str] {
        &["probe", "layer", "measure", "value"]
    }

    fn rows(&self, pair: &Pair<'_>) -> Result<Vec<Row>, RunError> {
        if !pair.is_trained() {
            return Ok(vec![]);
        }
        let begun = |number| {
            let (of, place) = ((pair.split, pair.model), (pair.stream, pair.directory));
            ModelJob::of_cell(pair.context, pair.cell, number, of, place).begun()
        };
        let (a, b) = (begun(0)?, begun(1)?);
        let pair = Pair {
            networks: [&a, &b],
            ..pair.clone()
        };
        let same = |score: &Score| score.layer_a == score.layer_b;
        scores(&pair, Wanted::Values)?
            .into_iter()
            .filter(same)
            .map(|score| {
                row(Before {
                    probe: score.probe,
                    layer: score.layer_a,
                    measure: score.measure,
                    value: score.value,
                })
            })
            .collect()
    }
}

impl Start {
    /// Its name among evaluations.
    pub const NAME: &'static str = "start";

    /// The value of a layer in a cell's rows.
    pub fn of(rows: &[Row], probe: &str, layer: &str, measure: &str) -> Option<f64> {
        let is = |row: &Row, key: &str, value: &str| row.get(key).is_some_and(|v| v == value);
        let row = rows.iter().find(|row| {
            is(row, "probe", probe) && is(row, "layer", layer) && is(row, "measure", measure)
        })?;
        row.get("value")?.as_f64()
    }
}
