//! Merges what is finished into `results.csv`, `analysis.json` and
//! `report.html`.

use std::path::{Path, PathBuf};

use reprsim_report::{
    AccuracyRow, AxisSection, EffectRow, Fit, ForestRow, LevelSummary, Reference, Report, Verdict,
    render,
};
use reprsim_stats::mean;

use crate::ExperimentError;
use crate::analysis::{Analysis, Effect, analyze};
use crate::experiment::{AxisKind, Experiment, Pairing};
use crate::plan::{Cell, Plan};
use crate::results::{CellResult, write_csv};
use crate::store::{finished, write_json, write_text};

/// What merging wrote.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The effects.
    pub analysis: Analysis,
    /// The report.
    pub report: PathBuf,
}

/// Merges all finished cells of the run in `root` and writes the table, the
/// analysis and the report.
///
/// # Errors
/// [`ExperimentError::Usage`] if no cell is finished;
/// [`ExperimentError::Store`] for file errors.
pub fn merge(root: &Path, plan: &Plan) -> Result<Merged, ExperimentError> {
    let results = finished(root, plan);
    if results.is_empty() {
        return Err(ExperimentError::Usage(format!(
            "no cell of {} is finished yet",
            root.display()
        )));
    }
    let csv = root.join("results.csv");
    write_csv(&csv, &plan.experiment.name, &results)?;
    let analysis = analyze(&plan.experiment, plan.cells.len(), &results);
    write_json(&root.join("analysis.json"), &analysis)?;
    let table = std::fs::read_to_string(&csv).map_err(|e| ExperimentError::store(&csv, e))?;
    let path = root.join("report.html");
    write_text(&path, &render(&report(plan, &results, &analysis, table)))?;
    Ok(Merged {
        analysis,
        report: path,
    })
}

fn report(
    plan: &Plan,
    results: &[(Cell, CellResult)],
    analysis: &Analysis,
    table: String,
) -> Report {
    let experiment = &plan.experiment;
    let primary = &experiment.analysis.primary;
    let mut warnings = Vec::new();
    let missing = plan.cells.len() - results.len();
    if missing > 0 {
        warnings.push(format!(
            "{missing} of {} cells are not finished; what follows is from the others.",
            plan.cells.len()
        ));
    }
    Report {
        title: experiment.name.clone(),
        description: experiment.description.clone(),
        primary: format!(
            "Declared before the run: {} of layer {} on probe {}. Similarity runs from 0 (unrelated) \
             to 1 (the same up to rotation and scale).",
            primary.measure, primary.layer, primary.probe
        ),
        warnings,
        axes: experiment
            .axes
            .iter()
            .map(|axis| section(experiment, axis.kind, results, analysis))
            .collect(),
        effects: analysis.effects.iter().map(effect_row).collect(),
        facts: facts(plan, results),
        methods: methods(experiment, analysis),
        csv: Some((format!("{}-results.csv", experiment.name), table)),
    }
}

fn section(
    experiment: &Experiment,
    axis: AxisKind,
    results: &[(Cell, CellResult)],
    analysis: &Analysis,
) -> AxisSection {
    let of_axis: Vec<&Effect> = analysis.effects.iter().filter(|e| e.axis == axis).collect();
    let Some(primary) = of_axis.iter().find(|e| e.primary) else {
        return AxisSection {
            name: axis.name().into(),
            ..AxisSection::default()
        };
    };
    let fit = fit_of(primary);
    let verdict = match fit {
        Some(fit) if fit.p_value < 0.05 && fit.slope > 0.0 => Verdict::Rises,
        Some(fit) if fit.p_value < 0.05 => Verdict::Falls,
        _ => Verdict::Undecided,
    };
    AxisSection {
        name: axis.name().into(),
        explanation: explanation(experiment, axis),
        sentence: sentence(axis, primary, verdict),
        verdict,
        y_label: format!("{} ({}, {})", primary.measure, primary.layer, primary.probe),
        points: primary.points.iter().map(|p| (p.0, p.1)).collect(),
        levels: primary
            .levels
            .iter()
            .map(|l| LevelSummary {
                level: l.level,
                n: l.n,
                mean: l.mean,
                sd: l.sd,
            })
            .collect(),
        fit,
        references: [
            ("untrained pair", primary.floor),
            ("overlap 1", primary.ceiling),
            ("chance", primary.chance),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            value.map(|value| Reference {
                name: name.into(),
                value,
            })
        })
        .collect(),
        layers: of_axis
            .iter()
            .filter(|e| e.measure == primary.measure)
            .map(|e| ForestRow {
                layer: e.layer.clone(),
                probe: e.probe.clone(),
                slope: e.slope,
                interval: e.ci_low.zip(e.ci_high),
                primary: e.primary,
                probe_varies: e.probe_varies,
            })
            .collect(),
        accuracy: accuracy(axis, primary, results),
    }
}

fn fit_of(effect: &Effect) -> Option<Fit> {
    Some(Fit {
        intercept: effect.intercept?,
        slope: effect.slope?,
        ci_low: effect.ci_low?,
        ci_high: effect.ci_high?,
        p_value: effect.p_value?,
    })
}

fn explanation(experiment: &Experiment, axis: AxisKind) -> String {
    match axis {
        AxisKind::Data => {
            "The two models learn the same classes from training sets of equal size, of \
                           which the given share are the same samples."
                .into()
        }
        AxisKind::Class => "Each model learns half of the classes; the given share of them, with \
                            their samples, are common to both. Task and data move together."
            .into(),
        AxisKind::Task => {
            let axis = experiment.axes.iter().find(|a| a.kind == axis);
            let factors = axis.map(|a| a.factors.join(", ")).unwrap_or_default();
            let m = axis.map_or(0, |a| a.factors_per_task);
            format!(
                "Both models see the same samples. Each learns a task of {m} label factor(s) drawn \
                 from {factors}; the given share of the factors is common to both."
            )
        }
    }
}

fn sentence(axis: AxisKind, effect: &Effect, verdict: Verdict) -> String {
    let Some(fit) = fit_of(effect) else {
        return effect
            .undefined
            .clone()
            .unwrap_or_else(|| "No line could be fitted.".into());
    };
    let direction = match verdict {
        Verdict::Rises => format!("More {} overlap makes the models more alike", axis.name()),
        Verdict::Falls => format!("More {} overlap makes the models less alike", axis.name()),
        Verdict::Undecided => format!("No effect of {} overlap can be told from zero", axis.name()),
    };
    let p = if fit.p_value < 0.0001 {
        "p < 0.0001".to_string()
    } else {
        format!("p = {:.4}", fit.p_value)
    };
    format!(
        "{direction}: from overlap 0 to 1 similarity changes by {:+.3} (95 % interval {:.3} to {:.3}, \
         {p}, {} pairs).",
        fit.slope, fit.ci_low, fit.ci_high, effect.n
    )
    .replace('-', "−")
}

fn accuracy(axis: AxisKind, primary: &Effect, results: &[(Cell, CellResult)]) -> Vec<AccuracyRow> {
    let mut levels: Vec<f64> = results
        .iter()
        .filter_map(|(cell, _)| cell.level().filter(|(a, _)| *a == axis).map(|(_, l)| l))
        .collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
        .into_iter()
        .map(|level| {
            let pairs: Vec<&CellResult> = results
                .iter()
                .filter(|(cell, _)| cell.level() == Some((axis, level)))
                .map(|(_, result)| result)
                .collect();
            let both = |get: fn(&crate::results::ModelResult) -> Option<f64>| {
                let values: Vec<f64> = pairs
                    .iter()
                    .flat_map(|r| [get(&r.a), get(&r.b)])
                    .flatten()
                    .collect();
                (!values.is_empty()).then(|| mean(&values))
            };
            AccuracyRow {
                level,
                train: both(|m| m.train_accuracy),
                test: both(|m| m.test_accuracy),
                similarity: primary
                    .levels
                    .iter()
                    .find(|l| l.level == level)
                    .map(|l| l.mean),
            }
        })
        .collect()
}

fn effect_row(effect: &Effect) -> EffectRow {
    EffectRow {
        axis: effect.axis.name().into(),
        probe: effect.probe.clone(),
        layer: effect.layer.clone(),
        measure: effect.measure.clone(),
        slope: effect.slope,
        interval: effect.ci_low.zip(effect.ci_high),
        p_value: effect.p_value,
        r_squared: effect.r_squared,
        n: effect.n,
        floor: effect.floor,
        ceiling: effect.ceiling,
        chance: effect.chance,
        primary: effect.primary,
        probe_varies: effect.probe_varies,
        undefined: effect.undefined.clone(),
    }
}

fn facts(plan: &Plan, results: &[(Cell, CellResult)]) -> Vec<(String, String)> {
    let e = &plan.experiment;
    let mut devices: Vec<&str> = results.iter().map(|(_, r)| r.device.as_str()).collect();
    devices.sort_unstable();
    devices.dedup();
    let samples = results
        .iter()
        .map(|(_, r)| r.train_samples)
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
        fact("data set", e.dataset.name.clone()),
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
        fact("training", json(serde_json::to_string(&e.training))),
        fact("probes", probes.join(", ")),
        fact("device", devices.join("; ")),
        fact("program", format!("reprsim {}", plan.version)),
    ]
}

fn methods(experiment: &Experiment, analysis: &Analysis) -> Vec<String> {
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
    vec![
        format!(
            "Pairs of models are trained with a controlled overlap of their training data or tasks \
             and compared on held-out samples that are the same for every pair. {pairing}"
        ),
        "cka_linear_debiased is linear CKA with the HSIC estimator of Song et al. (2012); its chance \
         level is 0 whatever the layer's width. cka_linear_biased is the form of Kornblith et al. \
         (2019), whose chance level grows with width over samples and is shown as the exact mean over \
         permutations."
            .into(),
        format!("p-values: {}. They are not corrected for the number of results shown; the \
                 declared primary result is the one to read them for.", analysis.test),
        "The floor is the mean over pairs of untrained models, the ceiling the mean over pairs with \
         overlap 1: the same data or task, other seed. The floor is a reference, not a bound: two \
         random networks of one architecture answer to the same simple properties of an image, such \
         as its overall colour, and training on different data or tasks can take them further apart."
            .into(),
    ]
}
