//! What was run, and how, in words.

use reprsim_config::{Cell, Experiment, MeasureName, Pairing, Plan};
use reprsim_report::ValueScale;
use reprsim_run::results::CellResult;
use reprsim_train::Reference;

use crate::analysis::Analysis;

pub(super) fn facts(plan: &Plan, results: &[(Cell, CellResult)]) -> Vec<(String, String)> {
    let e = &plan.experiment;
    let devices = results.iter().flat_map(|(_, r)| &r.devices);
    let mut devices: Vec<&str> = devices.map(String::as_str).collect();
    devices.sort_unstable();
    devices.dedup();
    let samples = results
        .iter()
        .map(|(_, r)| r.pair.train_samples)
        .max()
        .unwrap_or(0);
    let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
    let probes: Vec<String> = e
        .probes
        .iter()
        .map(|p| {
            let n = results
                .iter()
                .flat_map(|(_, r)| &r.scores)
                .filter(|s| s.probe == p.name)
                .map(|s| s.n);
            let (low, high) = (n.clone().min().unwrap_or(0), n.max().unwrap_or(0));
            if low == high {
                format!("{} ({high} samples)", p.name)
            } else {
                format!("{} ({low} to {high} samples)", p.name)
            }
        })
        .collect();
    let fact = |name: &str, value: String| (name.to_string(), value);
    vec![
        fact(
            "cells",
            format!("{} of {}", results.len(), plan.cells.len()),
        ),
        fact("models trained", plan.models_to_train().to_string()),
        fact("seeds", e.seeds.to_string()),
        fact("root seed", e.root_seed.to_string()),
        fact(
            "data set",
            match &e.dataset.text {
                Some(text) => format!(
                    "text: {}; tokens: {}, {} a window, {} chunks a corpus",
                    text.corpora.join(", "),
                    text.tokenizer,
                    text.window,
                    text.chunks
                ),
                None => match e.input {
                    Some(input) => format!(
                        "{}, seen as {1} x {1} ({2})",
                        e.dataset.name,
                        input.size,
                        input.filter.name()
                    ),
                    None => e.dataset.name.clone(),
                },
            },
        ),
        fact(
            "label",
            if e.dataset.label.is_empty() {
                "the data set's own".into()
            } else {
                e.dataset.label.join(" x ")
            },
        ),
        fact("training samples per model", samples.to_string()),
        fact("model", json(serde_json::to_string(&e.model))),
        fact("task", json(serde_json::to_string(&e.task))),
        fact("training", json(serde_json::to_string(&e.training))),
        fact("probes", probes.join(", ")),
        fact("device", devices.join("; ")),
        fact("program", format!("reprsim {}", plan.version)),
    ]
}

pub(super) fn methods(experiment: &Experiment, analysis: &Analysis) -> Vec<String> {
    let pairing = match experiment.pairing {
        Pairing::Independent => {
            "Every pair draws its own split, initial weights and batch order from named random \
             streams of one root seed; pairs share nothing by accident."
        }
        Pairing::Nested => {
            "The pairs of one seed share permutation, initial weights and batch order, as in the \
             published experiments."
        }
    };
    let null = match experiment.dataset.text {
        Some(_) => {
            "the mean over permutations of whole documents, whose windows are not exchangeable"
        }
        None => "the exact mean over permutations",
    };
    vec![
        format!(
            "Pairs of models are trained with a controlled overlap of their training data or tasks \
             and compared on held-out samples: the same for every pair, but for probes of common or \
             one-model classes. {pairing}"
        ),
        format!(
            "{} Chance is shown as {null}.",
            experiment.analysis.primary_measure().map_or(String::new(), |measure| {
                format!("{}: {}", experiment.analysis.primary.measure, said(measure))
            })
        ),
        format!(
            "p-values: {}. What was declared before the run is one question an axis and is not \
             corrected; the p-values of all other effects are also shown with Holm's correction. \
             The test that assumes less {}.",
            analysis.test,
            match experiment.pairing {
                Pairing::Independent =>
                    "permutes the residuals of the fit without the effect, 999 times (Freedman and \
                     Lane 1983)",
                Pairing::Nested =>
                    "flips the signs of whole seeds, all ways up to 14 seeds (Hemerik, Goeman and \
                     Finos 2020)",
            }
        ),
        "Shares of variance are Shapley values of R² (Lindeman, Merenda and Gold 1980), their intervals \
         those of a jackknife over pairs, or over seeds where pairs of one seed share what they are \
         drawn from. Mutual information is estimated for levels (Ross 2014) and as published \
         (Kraskov et al. 2004, k = 3), in nats; levels cannot hold more than their entropy."
            .into(),
        format!(
            "The floor is the mean over {}, the ceiling the mean over pairs with overlap 1: the same \
             data or task, other seed. {}",
            floor(experiment),
            match experiment.initial {
                None => {
                    "The floor is a reference, not a bound: two random networks of one architecture \
                     answer to the same simple properties of a sample, such as an image's overall \
                     colour, and training on different data or tasks can take them further apart."
                }
                Some(_) => "The floor is a reference, not a bound.",
            }
        ),
    ]
}

/// What "not yet trained on this" means.
fn floor(experiment: &Experiment) -> &'static str {
    match experiment.initial.as_ref().map(|initial| initial.reference) {
        None => "pairs of untrained models",
        Some(Reference::Random) => "pairs of models with random weights, never trained on anything",
        Some(Reference::Initial) => "pairs as they began",
    }
}

/// What a measure is, by its own words.
fn said(measure: MeasureName) -> String {
    let properties = measure.properties();
    format!("{} Source: {}.", properties.what, properties.reference)
}

/// What a value of the declared measure means.
pub(super) fn meaning(experiment: &Experiment) -> String {
    let Some(measure) = experiment.analysis.primary_measure() else {
        return String::new();
    };
    let properties = measure.properties();
    let same = properties.invariances;
    let named = [
        (same.translation, "translation"),
        (same.scale, "scale"),
        (same.orthogonal, "rotation and reflection"),
        (same.linear, "any invertible linear map"),
    ];
    let named: Vec<&str> = named
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, n)| n)
        .collect();
    let unmoved = match named.split_last() {
        None => "No transformation of a layer leaves it as it is.".to_string(),
        Some((last, [])) => format!("It is not changed by {last} of a layer."),
        Some((last, others)) => {
            format!(
                "It is not changed by {} or {last} of a layer.",
                others.join(", ")
            )
        }
    };
    format!("Its values run {}. {unmoved}", properties.range_in_words)
}

/// How values of the declared measure are read. Larger is more alike, by every measure.
pub(super) fn scale(experiment: &Experiment) -> ValueScale {
    let k = experiment.analysis.k;
    let measure = experiment.analysis.primary_measure();
    let range = measure.map(|measure| (measure.smallest(k), measure.largest(k)));
    ValueScale {
        range,
        higher_is_more_alike: true,
    }
}
