//! How alike the two models answer on held-out samples.

use reprsim_base::SettingsError;
use reprsim_config::{EvaluationSettings, Experiment};
use reprsim_data::split::{Labelling, PairSplit};
use reprsim_extract::logits;
use reprsim_metrics as metrics;
use reprsim_models::OutputKind;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Pair, PairEvaluation, row, schema_of, settings_of};
use crate::cell::extract_batch;
use crate::error::RunError;
use crate::results::Row;

/// What the scores of both models say of their agreement on the held-out samples of the classes that
/// both know: disagreement, its place between the least and the most that their accuracies allow, the
/// Jensen-Shannon divergence, the difference of accuracies, and CAPA.
#[derive(Clone, Copy, Debug)]
pub struct Outputs;

/// It has no settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// One of the measures.
#[derive(Clone, Debug, Serialize)]
struct Told {
    measure: &'static str,
    value: Option<f64>,
    undefined: Option<String>,
    samples: usize,
    classes: usize,
    accuracy_a: f64,
    accuracy_b: f64,
}

impl EvaluationSettings for Outputs {
    fn name(&self) -> &'static str {
        "outputs"
    }

    fn settings(&self, given: &Value) -> Result<Value, SettingsError> {
        settings_of::<Settings>(given)
    }

    fn schema(&self) -> Schema {
        schema_of::<Settings>()
    }
}

impl PairEvaluation for Outputs {
    fn version(&self) -> u32 {
        1
    }

    fn check(&self, experiment: &Experiment) -> Result<(), RunError> {
        match experiment.task.needs() {
            OutputKind::Logits => Ok(()),
            other => Err(RunError::Usage(format!(
                "[evaluation.outputs]: models must give {}; these give {}",
                OutputKind::Logits.name(),
                other.name()
            ))),
        }
    }

    fn columns(&self) -> &'static [&'static str] {
        &[
            "measure",
            "value",
            "undefined",
            "samples",
            "classes",
            "accuracy_a",
            "accuracy_b",
        ]
    }

    fn rows(&self, pair: &Pair<'_>) -> Result<Vec<Row>, RunError> {
        let shared = shared_classes(pair.split);
        // Of one class there is one answer; of labels that mean other things none in common.
        if !pair.is_trained() || shared.len() < 2 {
            return Ok(vec![]);
        }
        let supply = pair.context.test_supply()?;
        let labels = pair.split.a.labelling.labels(supply.dataset())?;
        let label = |label: &Option<u32>| {
            let label = (*label)? as usize;
            shared.iter().position(|[a, _]| *a == label)
        };
        let labels: Vec<Option<usize>> = labels.iter().map(label).collect();
        let turn = pair.context.pass();
        let scores = logits(pair.networks, supply, extract_batch(supply))?;
        drop(turn);
        let mut of_models = [vec![], vec![]];
        for (model, scores) in scores.into_iter().enumerate() {
            let [_, width] = scores.dims();
            let values = scores.try_into_data().map_err(RunError::read)?;
            let values: Vec<f64> = values.iter::<f64>().collect();
            for (scores, label) in values.chunks(width.max(1)).zip(&labels) {
                if label.is_some() {
                    of_models[model].extend(shared.iter().map(|classes| scores[classes[model]]));
                }
            }
        }
        let labels: Vec<usize> = labels.into_iter().flatten().collect();
        let [a, b] = &of_models;
        let found = metrics::Outputs::new([a, b], &labels, shared.len())
            .map_err(|e| RunError::Usage(format!("[evaluation.outputs]: {e}")))?;
        let Ok(found) = found.agreement() else {
            return Ok(vec![]);
        };
        [
            ("disagreement", Ok(found.disagreement)),
            ("min_max_disagreement", found.min_max_disagreement),
            ("jsd", Ok(found.jsd)),
            ("performance_difference", Ok(found.performance_difference)),
            ("capa", found.capa),
        ]
        .into_iter()
        .map(|(measure, value)| {
            row(Told {
                measure,
                value: value.ok(),
                undefined: value.err().map(|reason| reason.to_string()),
                samples: found.n,
                classes: shared.len(),
                accuracy_a: found.accuracies[0],
                accuracy_b: found.accuracies[1],
            })
        })
        .collect()
    }
}

/// The classes that both models know: the number of each in model a and in model b. None where labels
/// are combinations of other factors.
fn shared_classes(split: &PairSplit) -> Vec<[usize; 2]> {
    match (&split.a.labelling, &split.b.labelling) {
        (Labelling::Classes(a), Labelling::Classes(b)) => (a.iter().enumerate())
            .filter_map(|(i, class)| {
                let j = b.iter().position(|other| other == class)?;
                Some([i, j])
            })
            .collect(),
        (Labelling::Factors(a), Labelling::Factors(b)) if a == b => {
            (0..split.a.classes).map(|class| [class; 2]).collect()
        }
        _ => vec![],
    }
}
