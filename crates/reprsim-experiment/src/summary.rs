//! Merges what is finished into `results.csv`, `analysis.json` and
//! `report.html`.

use std::path::{Path, PathBuf};

use reprsim_data::write_whole;
use reprsim_report::{
    AxisSection, EffectRow, Fit, ForestRow, GridAnswer, GridLine, GridSection, GridTerm,
    LevelSummary, Reference, Report, SkillRow, Verdict, render,
};
use reprsim_stats::mean;

use crate::ExperimentError;
use crate::analysis::{Analysis, Effect, GridPoint, analyze};
use crate::experiment::{AxisKind, Experiment, Pairing, Sweep};
use crate::plan::{Cell, Plan};
use crate::result_table::{table, to_csv};
use crate::results::CellResult;
use crate::store::{finished, tasks, write_json, write_text};

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
    let (csv, parquet) = (root.join("results.csv"), root.join("results.parquet"));
    let all = table(&plan.experiment, &results, |_, _| true);
    let text = to_csv(&all).map_err(|e| ExperimentError::store(&csv, e))?;
    write_text(&csv, &text)?;
    let bytes = reprsim_report::parquet(&all).map_err(|e| ExperimentError::store(&parquet, e))?;
    write_whole(&parquet, &bytes).map_err(|e| ExperimentError::store(&parquet, e))?;
    let analysis = analyze(plan, &results, &tasks(root, plan));
    write_json(&root.join("analysis.json"), &analysis)?;
    let path = root.join("report.html");
    write_text(&path, &render(&report(plan, &results, &analysis, text)))?;
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
    let words = Words::of(experiment);
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
            .sweeps
            .iter()
            .enumerate()
            .filter(|(_, sweep)| sweep.axes.len() == 1)
            .map(|(index, sweep)| section(&words, index, sweep, results, analysis))
            .collect(),
        grids: experiment
            .sweeps
            .iter()
            .filter(|sweep| sweep.axes.len() > 1)
            .map(|sweep| grid_section(&words, sweep, analysis))
            .collect(),
        effects: analysis.effects.iter().map(effect_row).collect(),
        facts: facts(plan, results),
        methods: methods(experiment, analysis),
        csv: Some((format!("{}-results.csv", experiment.name), table)),
    }
}

/// What the level of an axis is called over a figure.
fn title(kind: AxisKind) -> String {
    match kind {
        AxisKind::Partition => "shared factors".into(),
        AxisKind::Width | AxisKind::Depth => kind.name().into(),
        _ => format!("{} overlap", kind.name()),
    }
}

fn verdict(slope: Option<f64>, p_value: Option<f64>) -> Verdict {
    match (slope, p_value) {
        (Some(slope), Some(p)) if p < 0.05 && slope > 0.0 => Verdict::Rises,
        (Some(_), Some(p)) if p < 0.05 => Verdict::Falls,
        _ => Verdict::Undecided,
    }
}

fn forest_row(effect: &Effect) -> ForestRow {
    ForestRow {
        layer: effect.layer.clone(),
        probe: effect.probe.clone(),
        slope: effect.slope,
        interval: effect.ci_low.zip(effect.ci_high),
        primary: effect.primary,
        probe_varies: effect.probe_varies,
    }
}

fn references(effect: &Effect) -> Vec<Reference> {
    [
        ("untrained pair", effect.floor),
        ("overlap 1", effect.ceiling),
        ("chance", effect.chance),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        value.map(|value| Reference {
            name: name.into(),
            value,
        })
    })
    .collect()
}

fn y_label(effect: &Effect) -> String {
    format!("{} ({}, {})", effect.measure, effect.layer, effect.probe)
}

fn section(
    words: &Words,
    index: usize,
    sweep: &Sweep,
    results: &[(Cell, CellResult)],
    analysis: &Analysis,
) -> AxisSection {
    let (kind, name) = (sweep.axes[0].kind, sweep.name());
    let of_axis: Vec<&Effect> = (analysis.effects.iter())
        .filter(|e| e.sweep == name)
        .collect();
    let Some(primary) = of_axis.iter().find(|e| e.primary) else {
        return AxisSection {
            name,
            title: title(kind),
            ..AxisSection::default()
        };
    };
    let verdict = verdict(primary.slope, primary.p_value);
    let levels = &sweep.axes[0].levels;
    let ends = (levels.first().copied(), levels.last().copied());
    AxisSection {
        title: title(kind),
        range: match kind.is_overlap() {
            true => (0.0, 1.0),
            false => (ends.0.unwrap_or(0.0), ends.1.unwrap_or(1.0)),
        },
        slope_label: match kind {
            AxisKind::Partition => "change of similarity per shared factor".into(),
            _ => "change of similarity from overlap 0 to 1".into(),
        },
        explanation: explanation(words, sweep, kind),
        sentence: sentence(kind, primary, verdict),
        verdict,
        y_label: y_label(primary),
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
        fit: fit_of(primary),
        references: references(primary),
        layers: of_axis
            .iter()
            .filter(|e| e.measure == primary.measure)
            .map(|e| forest_row(e))
            .collect(),
        skill: skill(index, primary, results),
        name,
    }
}

/// A factorial design: what its figure and tables say.
fn grid_section(words: &Words, sweep: &Sweep, analysis: &Analysis) -> GridSection {
    let name = sweep.name();
    let effects: Vec<&Effect> = (analysis.effects.iter())
        .filter(|e| e.sweep == name)
        .collect();
    let primary: Vec<&Effect> = effects.iter().copied().filter(|e| e.primary).collect();
    let (Some(first), Some(grid)) = (
        primary.first(),
        analysis.grids.iter().find(|g| g.sweep == name),
    ) else {
        return GridSection {
            name: shown(&name),
            ..GridSection::default()
        };
    };
    let summary = |level: f64, point: &GridPoint| LevelSummary {
        level,
        n: point.n,
        mean: point.mean,
        sd: point.sd,
    };
    let x = sweep.axes[0].kind;
    // One line for each combination of levels of the axes after the first.
    let mut lines: Vec<GridLine> = Vec::new();
    for point in &grid.points {
        let label: Vec<String> = grid.axes[1..]
            .iter()
            .zip(&point.levels[1..])
            .map(|(kind, level)| format!("{} {level}", kind.name()))
            .collect();
        let label = label.join(", ");
        let entry = summary(point.levels[0], point);
        match lines.iter_mut().find(|l| l.label == label) {
            Some(line) => line.points.push(entry),
            None => lines.push(GridLine {
                label,
                points: vec![entry],
            }),
        }
    }
    let explained: Vec<String> = sweep
        .axes
        .iter()
        .map(|axis| explanation(words, sweep, axis.kind))
        .collect();
    GridSection {
        explanation: format!(
            "{} Every level of {} is crossed with every level of the others. A coefficient is the \
             change of similarity from level 0 to 1 (for width and depth, for each doubling), averaged \
             over the levels of the other axes; that of an interaction is how much one such change \
             grows as the other level goes from 0 to 1, or doubles.",
            explained.join(" "),
            title(x)
        ),
        answers: primary
            .iter()
            .map(|effect| {
                let verdict = verdict(effect.slope, effect.p_value);
                GridAnswer {
                    term: match effect.axis.contains(CROSS) {
                        true => term_title(effect),
                        false => format!("{} in {}", term_title(effect), shown(&effect.sweep)),
                    },
                    slope: effect.slope,
                    verdict,
                    sentence: term_sentence(effect, verdict),
                }
            })
            .collect(),
        y_label: y_label(first),
        x_label: title(x),
        lines,
        references: references(first),
        terms: primary
            .iter()
            .map(|term| {
                let rows = effects
                    .iter()
                    .filter(|e| e.axis == term.axis && e.measure == term.measure)
                    .map(|e| forest_row(e));
                let sized = ["width", "depth"].iter().any(|s| term.axis.contains(s));
                let label = match (sized, term.axis.contains(CROSS)) {
                    (true, false) => "change of similarity with each doubling",
                    (false, false) => "change of similarity from overlap 0 to 1",
                    (_, true) => "change of one slope with the other level",
                };
                GridTerm {
                    name: term_title(term),
                    slope_label: label.into(),
                    rows: rows.collect(),
                }
            })
            .collect(),
        axes: grid.axes.iter().map(|kind| kind.name().into()).collect(),
        points: grid
            .points
            .iter()
            .map(|point| (point.levels.clone(), summary(point.levels[0], point)))
            .collect(),
        name: shown(&name),
    }
}

/// Between the axes of a sweep or an interaction.
const CROSS: &str = " x ";

/// A name as it is shown.
fn shown(name: &str) -> String {
    name.replace(CROSS, " × ")
}

/// What a term of a grid is called.
fn term_title(effect: &Effect) -> String {
    let kind = AxisKind::ALL.iter().find(|k| k.name() == effect.axis);
    match kind {
        Some(kind) => title(*kind),
        None => format!("interaction of {}", effect.axis.replace(CROSS, " and ")),
    }
}

fn term_sentence(effect: &Effect, verdict: Verdict) -> String {
    let (Some(slope), Some(low), Some(high), Some(p)) =
        (effect.slope, effect.ci_low, effect.ci_high, effect.p_value)
    else {
        return effect.undefined.clone().unwrap_or_default();
    };
    let what = term_title(effect).to_lowercase();
    let words = match (effect.axis.contains(CROSS), verdict) {
        (false, Verdict::Rises) => format!("More {what} makes the models more alike"),
        (false, Verdict::Falls) => format!("More {what} makes the models less alike"),
        (false, Verdict::Undecided) => format!("No effect of {what} can be told from zero"),
        (true, Verdict::Rises) => "Each slope rises as the other level rises".into(),
        (true, Verdict::Falls) => "Each slope falls as the other level rises".into(),
        (true, Verdict::Undecided) => "No interaction can be told from zero".into(),
    };
    format!(
        "{words}: {slope:+.3} (95 % interval {low:.3} to {high:.3}, {}, {} pairs).",
        p_text(p),
        effect.n
    )
    .replace('-', "−")
}

fn p_text(p: f64) -> String {
    if p < 0.0001 {
        "p < 0.0001".to_string()
    } else {
        format!("p = {p:.4}")
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

/// What samples and classes are called.
struct Words {
    samples: &'static str,
    class: &'static str,
    classes: &'static str,
}

impl Words {
    fn of(experiment: &Experiment) -> Self {
        match experiment.dataset.text {
            Some(_) => Self {
                samples: "chunks of text",
                class: "corpus",
                classes: "corpora (the classes of text)",
            },
            None => Self {
                samples: "samples",
                class: "class",
                classes: "classes",
            },
        }
    }
}

fn explanation(words: &Words, sweep: &Sweep, kind: AxisKind) -> String {
    let Words {
        samples,
        class,
        classes,
    } = words;
    let factors = sweep.factors.join(", ");
    match kind {
        AxisKind::Data if sweep.has(AxisKind::Class) => {
            format!(
                "Of the {samples} of a common {class} the given share are the same for both models."
            )
        }
        AxisKind::Data if sweep.has(AxisKind::Task) => {
            format!(
                "The two models see training sets of equal size, of which the given share are the \
                 same {samples}."
            )
        }
        AxisKind::Data => format!(
            "The two models learn the same {classes} from training sets of equal size, of which the \
             given share are the same {samples}."
        ),
        AxisKind::Class if sweep.has(AxisKind::Data) => format!(
            "Each model learns half of the {classes}; the given share of them are common to both."
        ),
        AxisKind::Class => format!(
            "Each model learns half of the {classes}; the given share of them, with their {samples}, \
             are common to both. Task and data move together."
        ),
        AxisKind::Task => {
            let same = match sweep.has(AxisKind::Data) {
                true => "",
                false => "Both models see the same samples. ",
            };
            format!(
                "{same}Each learns a task of {} label factor(s) drawn from {factors}; the given \
                 share of the factors is common to both.",
                sweep.factors_per_task
            )
        }
        AxisKind::Partition => {
            let tasks: Vec<String> = sweep
                .pairs
                .iter()
                .map(|[a, b]| format!("{} / {}", a.join("+"), b.join("+")))
                .collect();
            format!(
                "Both models see the same samples and learn two listed tasks, which differ in size: \
                 {}. The level is the number of label factors that both tasks hold; the size of the \
                 tasks moves with it.",
                tasks.join("; ")
            )
        }
        AxisKind::Style => format!(
            "Both models see the same items, one drawing of each; of the given share of them the same \
             drawing, of the others drawings in two styles ({factors})."
        ),
        AxisKind::Width => "The width of both models varies.".into(),
        AxisKind::Depth => "The depth of both models varies.".into(),
    }
}

fn sentence(kind: AxisKind, effect: &Effect, verdict: Verdict) -> String {
    let Some(fit) = fit_of(effect) else {
        return effect
            .undefined
            .clone()
            .unwrap_or_else(|| "No line could be fitted.".into());
    };
    let what = match kind {
        AxisKind::Partition => "shared factors".into(),
        kind => title(kind),
    };
    let direction = match verdict {
        Verdict::Rises => format!("More {what} make the models more alike"),
        Verdict::Falls => format!("More {what} make the models less alike"),
        Verdict::Undecided => format!("No effect of {what} can be told from zero"),
    };
    let direction = match kind {
        AxisKind::Partition => direction,
        _ => direction.replacen(" make ", " makes ", 1),
    };
    let step = match kind {
        AxisKind::Partition => "with each shared factor",
        _ => "from overlap 0 to 1",
    };
    format!(
        "{direction}: {step} similarity changes by {:+.3} (95 % interval {:.3} to {:.3}, {}, {} \
         pairs).",
        fit.slope,
        fit.ci_low,
        fit.ci_high,
        p_text(fit.p_value),
        effect.n
    )
    .replace('-', "−")
}

/// How well models learned, level by level.
fn skill(sweep: usize, primary: &Effect, results: &[(Cell, CellResult)]) -> Vec<SkillRow> {
    let level_of = |cell: &Cell| {
        cell.point()
            .filter(|(of, _)| *of == sweep)
            .map(|(_, point)| point.levels[0].1)
    };
    let mut levels: Vec<f64> = results
        .iter()
        .filter_map(|(cell, _)| level_of(cell))
        .collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
        .into_iter()
        .map(|level| {
            let pairs: Vec<&CellResult> = results
                .iter()
                .filter(|(cell, _)| level_of(cell) == Some(level))
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
            SkillRow {
                level,
                train_accuracy: both(|m| m.train_accuracy),
                test_accuracy: both(|m| m.test_accuracy),
                train_loss: both(|m| m.train_loss),
                validation_loss: both(|m| m.validation_loss),
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
        sweep: shown(&effect.sweep),
        axis: shown(&effect.axis),
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
                None => e.dataset.name.clone(),
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
            "cka_linear_debiased is linear CKA with the HSIC estimator of Song et al. (2012); its \
             chance level is 0 whatever the layer's width. cka_linear_biased is the form of Kornblith \
             et al. (2019), whose chance level grows with width over samples. Chance is shown as {null}."
        ),
        format!("p-values: {}. They are not corrected for the number of results shown; the \
                 declared primary result is the one to read them for.", analysis.test),
        "The floor is the mean over pairs of untrained models, the ceiling the mean over pairs with \
         overlap 1: the same data or task, other seed. The floor is a reference, not a bound: two \
         random networks of one architecture answer to the same simple properties of a sample, such \
         as an image's overall colour, and training on different data or tasks can take them further apart."
            .into(),
    ]
}
