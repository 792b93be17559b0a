//! How much is lost where one model goes on from what the other has computed.

use burn::module::Module;
use reprsim_base::{SettingsError, unknown};
use reprsim_config::{EvaluationSettings, Experiment};
use reprsim_data::split::ModelSamples;
use reprsim_metrics::{accuracy, mean_cross_entropy};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Pair, PairEvaluation, row, schema_of, settings_of};
use crate::cell::extract_batch;
use crate::error::RunError;
use crate::results::Row;
use crate::stitch::{Ends, Labelled};

/// The loss barrier and the accuracy gap of an affine layer between the two models, at each of some
/// layers and in both directions (Bansal et al. 2021, arXiv 2106.07682; Csiszarik et al. 2021, arXiv
/// 2110.14633).
#[derive(Clone, Copy, Debug)]
pub struct Stitching;

/// Model a up to a layer, an affine layer, and model b from that layer on; and the other way round.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The layers; absent: all at which the architecture can be stitched.
    layers: Vec<String>,
    /// Training samples of the receiving model that the affine layer is fitted on, at most.
    samples: usize,
    /// Steps of training after the affine layer was matched in the mean square; 0: none.
    steps: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            layers: vec![],
            samples: 2000,
            steps: 200,
        }
    }
}

/// One stitch on the held-out samples of the receiver's classes.
#[derive(Clone, Debug, Serialize)]
struct Stitched<'a> {
    from: char,
    to: char,
    layer: &'a str,
    /// Matched in the mean square, or trained by the receiver's labels from there.
    stitch: &'static str,
    samples: usize,
    loss: f64,
    receiver_loss: f64,
    loss_barrier: f64,
    accuracy: f64,
    receiver_accuracy: f64,
    accuracy_gap: f64,
}

const NAME: &str = "stitching";

impl EvaluationSettings for Stitching {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self, given: &Value) -> Result<Value, SettingsError> {
        settings_of::<Settings>(given)
    }

    fn schema(&self) -> Schema {
        schema_of::<Settings>()
    }
}

impl PairEvaluation for Stitching {
    fn version(&self) -> u32 {
        1
    }

    fn check(&self, experiment: &Experiment) -> Result<(), RunError> {
        let usage = |reason: String| Err(RunError::Usage(format!("[evaluation.{NAME}]: {reason}")));
        let wanted = settings(experiment)?.layers;
        for model in experiment.models() {
            let joints = model.joints();
            if joints.is_empty() {
                return usage(format!(
                    "a {} cannot go on from a layer; classifiers of images can",
                    model.name()
                ));
            }
            if let Some(layer) = wanted.iter().find(|layer| !joints.contains(layer)) {
                return usage(unknown(
                    "layer",
                    layer,
                    &joints.iter().map(String::as_str).collect::<Vec<_>>(),
                ));
            }
        }
        Ok(())
    }

    fn columns(&self) -> &'static [&'static str] {
        &[
            "from",
            "to",
            "layer",
            "stitch",
            "samples",
            "loss",
            "receiver_loss",
            "loss_barrier",
            "accuracy",
            "receiver_accuracy",
            "accuracy_gap",
        ]
    }

    fn rows(&self, pair: &Pair<'_>) -> Result<Vec<Row>, RunError> {
        if !pair.is_trained() {
            return Ok(vec![]);
        }
        let settings = settings(pair.experiment())?;
        let layers = match settings.layers.is_empty() {
            true => pair.model.joints(),
            false => settings.layers.clone(),
        };
        // Models are kept in the host's memory.
        let device = pair.context.train_supply()?.device();
        let networks = (pair.networks).map(|network| network.valid().to_device(device));
        let [a, b] = [&networks[0], &networks[1]];
        let mut rows = vec![];
        for (number, (from, to)) in [('a', 'b'), ('b', 'a')].into_iter().enumerate() {
            let (sender, receiver) = match number {
                0 => (a, b),
                _ => (b, a),
            };
            let ends = Ends { sender, receiver };
            rows.extend(one_way(pair, &settings, &layers, &ends, (from, to))?);
        }
        Ok(rows)
    }
}

fn settings(experiment: &Experiment) -> Result<Settings, RunError> {
    match experiment.evaluations.get(NAME) {
        Some(given) => reprsim_base::settings(given)
            .map_err(|e| RunError::Usage(format!("[evaluation.{NAME}]: {e}"))),
        None => Ok(Settings::default()),
    }
}

/// The stitches from one model to the other.
fn one_way(
    pair: &Pair<'_>,
    settings: &Settings,
    layers: &[String],
    ends: &Ends<'_>,
    (from, to): (char, char),
) -> Result<Vec<Row>, RunError> {
    let [of_a, of_b] = pair.samples();
    let own = if to == 'a' { of_a } else { of_b };
    let (places, labels) = some_of(own, settings.samples);
    let samples = Labelled {
        supply: pair.context.train_supply()?,
        places: &places,
        labels: &labels,
    };
    let test = pair.context.test_supply()?;
    let batch = extract_batch(test);
    let held_out = own.labelling.labels(test.dataset())?;
    let judge = |scores: &[f64]| -> Option<(usize, f64, f64)> {
        let (scores, labels) = known(scores, &held_out, own.classes);
        let loss = mean_cross_entropy(&scores, &labels)?;
        Some((labels.len(), loss, accuracy(&scores, &labels)?))
    };
    let mut rows = vec![];
    let _turn = pair.context.pass();
    let own_scores = ends.own_scores(test, batch)?;
    let Some((_, receiver_loss, receiver_accuracy)) = judge(&own_scores) else {
        return Ok(rows);
    };
    for layer in layers {
        pair.context.go_on()?;
        let Some(matched) = ends.matched(layer, &samples)? else {
            continue;
        };
        let mut stitches = vec![("matched", matched.clone())];
        if settings.steps > 0 {
            let stream = pair.stream.child(NAME).child(layer).child(to.to_string());
            let trained = ends.trained(layer, &matched, &samples, settings.steps, &stream)?;
            stitches.push(("trained", trained));
        }
        for (stitch, fitted) in stitches {
            let scores = ends.scores(layer, &fitted, test, batch)?;
            let Some((samples, loss, accuracy)) = judge(&scores) else {
                continue;
            };
            rows.push(row(Stitched {
                from,
                to,
                layer,
                stitch,
                samples,
                loss,
                receiver_loss,
                loss_barrier: loss - receiver_loss,
                accuracy,
                receiver_accuracy,
                accuracy_gap: receiver_accuracy - accuracy,
            })?);
        }
    }
    Ok(rows)
}

/// At most so many of a model's training samples, evenly spaced, and their labels.
fn some_of(samples: &ModelSamples, most: usize) -> (Vec<u32>, Vec<u32>) {
    let count = samples.indices.len().min(most);
    let at = |i: usize| i * samples.indices.len() / count.max(1);
    let pick = |of: &[u32]| (0..count).map(|i| of[at(i)]).collect();
    (pick(&samples.indices), pick(&samples.labels))
}

/// The scores and labels of those samples that have one.
fn known(scores: &[f64], labels: &[Option<u32>], classes: usize) -> (Vec<f64>, Vec<usize>) {
    let rows = scores.chunks(classes.max(1)).zip(labels);
    let known = rows.filter_map(|(scores, label)| Some((scores, (*label)? as usize)));
    let (scores, labels): (Vec<&[f64]>, Vec<usize>) = known.unzip();
    (scores.concat(), labels)
}
