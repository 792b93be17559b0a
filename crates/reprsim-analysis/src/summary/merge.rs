//! Merges what is finished into tables, `analysis.json`, figures and `report.html`.

use std::fs;
use std::path::{Path, PathBuf};

use reprsim_base::write_whole;
use reprsim_config::{AxisKind, Cell, Plan, Sweep, Term};
use reprsim_data::Skipped;
use reprsim_report::{EffectRow, Report, figures, parquet, png, render};
use reprsim_run::results::CellResult;
use reprsim_run::store::{SKIPPED, finished, histories, skipped, tasks, write_json, write_text};

use super::axis::section;
use super::grid::grid_section;
use super::heatmaps::heatmaps;
use super::methods::{facts, meaning, methods, scale};
use super::published::Published;
use super::starts::starts;
use super::training::curves;
use super::words::summary;
use crate::analysis::{Analysis, Effect, analyze};
use crate::error::AnalysisError;
use crate::others::write_others;
use crate::result_table::{table, to_csv};

/// Rows of the table that the page holds whole; of a longer one it holds the pairs of
/// equal layers, and says where the others are.
const INLINE_ROWS: usize = 30_000;
/// Pixels of a PNG figure for each unit of its SVG: print quality at column width.
const PNG_SCALE: f32 = 3.0;

/// What is drawn behind an axis: level and mean.
struct Behind {
    axis: AxisKind,
    label: String,
    means: Vec<(f64, f64)>,
}

/// What merging wrote.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The effects.
    pub analysis: Analysis,
    /// What the report says.
    pub content: Report,
    /// The report.
    pub report: PathBuf,
}

/// Merges all finished cells of the run in `root` and writes the tables, the analysis,
/// the figures and the report, with the level means of `published` experiments behind
/// its figures.
///
/// # Errors
/// [`AnalysisError::Usage`] if no cell is finished or a published table cannot be read;
/// [`AnalysisError::Write`] for file errors.
pub fn merge(root: &Path, plan: &Plan, published: &[Published]) -> Result<Merged, AnalysisError> {
    let results = finished(root, plan)?;
    if results.is_empty() {
        return Err(AnalysisError::Usage(format!(
            "no cell of {} is finished yet",
            root.display()
        )));
    }
    let experiment = &plan.experiment;
    let (measure, k) = (experiment.analysis.primary_measure(), experiment.analysis.k);
    let mut behind: Vec<Behind> = Vec::new();
    for given in published {
        let swept = |s: &Sweep| s.axes.len() == 1 && s.axes[0].kind == given.axis;
        if !experiment.sweeps.iter().any(swept) {
            return Err(AnalysisError::Usage(format!(
                "{} has no sweep of {} alone, which {} would be drawn behind",
                root.display(),
                given.axis.name(),
                given.path.display()
            )));
        }
        if behind.iter().any(|other| other.axis == given.axis) {
            return Err(AnalysisError::Usage(format!(
                "two tables for the axis {}; one can be drawn behind it",
                given.axis.name()
            )));
        }
        behind.push(Behind {
            axis: given.axis,
            label: given.label(),
            means: match measure {
                Some(measure) => given.means(measure, k)?,
                None => vec![],
            },
        });
    }
    let store = |path: &Path, bytes: &[u8]| {
        write_whole(path, bytes).map_err(|e| AnalysisError::store(path, e))
    };
    let csv = root.join("results.csv");
    let all = table(experiment, &results, |_, _| true);
    let mut text = to_csv(&all).map_err(|e| AnalysisError::store(&csv, e))?;
    write_text(&csv, &text)?;
    let path = root.join("results.parquet");
    store(
        &path,
        &parquet(&all).map_err(|e| AnalysisError::store(&path, e))?,
    )?;
    let analysis = analyze(plan, &results, &tasks(root, plan)?);
    write_json(&root.join("analysis.json"), &analysis)?;
    write_others(root, plan, &results)?;

    let long = results.iter().map(|(_, r)| r.scores.len()).sum::<usize>() > INLINE_ROWS;
    if long {
        let equal = table(experiment, &results, |a, b| a == b);
        text = to_csv(&equal).map_err(|e| AnalysisError::store(&csv, e))?;
    }
    let mut content = report(plan, &results, &analysis);
    content.caveats.extend(of_data(&skipped(root)?));
    content.name = root
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into());
    content.csv = Some((format!("{}-results.csv", experiment.name), text));
    if long {
        content.facts.push((
            "table".into(),
            "this page holds the rows of equal layers; all are in results.csv and \
             results.parquet beside it"
                .into(),
        ));
    }
    content.curves = curves(experiment, &results, &histories(root, plan)?);
    for Behind { axis, label, means } in behind {
        for section in content.axes.iter_mut().filter(|s| s.name == axis.name()) {
            section.published = means.clone();
            section.published_label = label.clone();
        }
    }
    let folder = root.join("figures");
    fs::create_dir_all(&folder).map_err(|e| AnalysisError::store(&folder, e))?;
    for figure in figures(&content) {
        store(
            &folder.join(format!("{}.svg", figure.name)),
            figure.svg.as_bytes(),
        )?;
        let path = folder.join(format!("{}.png", figure.name));
        let drawn = png(&figure.svg, PNG_SCALE).map_err(|e| AnalysisError::store(&path, e))?;
        store(&path, &drawn)?;
    }
    let path = root.join("report.html");
    write_text(&path, &render(&content))?;
    Ok(Merged {
        analysis,
        content,
        report: path,
    })
}

/// Caveats about what was left out of the data.
fn of_data(skipped: &[Skipped]) -> Vec<String> {
    let caveat = |line: String| format!("Data set: {line}.");
    (Skipped::lines(skipped, Some(SKIPPED)).into_iter())
        .map(caveat)
        .collect()
}

fn report(plan: &Plan, results: &[(Cell, CellResult)], analysis: &Analysis) -> Report {
    let experiment = &plan.experiment;
    let primary = &experiment.analysis.primary;
    let (words, scale) = (experiment.words(), scale(experiment));
    let mut warnings = Vec::new();
    let missing = plan.cells.len() - results.len();
    if missing > 0 {
        warnings.push(format!(
            "{missing} of {} cells are not finished; what follows is from the others.",
            plan.cells.len()
        ));
    }
    if !analysis.left_out.is_empty() {
        warnings.push(format!(
            "{} cells with models clearly worse than their mates are left out of every statistic, as \
             leave_out_undertrained in the experiment file asks.",
            analysis.left_out.len()
        ));
    }
    let kept: Vec<&(Cell, CellResult)> = (results.iter())
        .filter(|(cell, _)| !analysis.left_out.contains(&cell.index))
        .collect();
    // Layers from input to output, whichever was declared.
    let mut in_order = analysis.clone();
    let layers = experiment.layer_names();
    let sweeps: Vec<Term> = experiment.sweeps.iter().map(Sweep::term).collect();
    let probes: Vec<&str> = experiment.probes.iter().map(|p| p.name.as_str()).collect();
    in_order.effects.sort_by_key(|effect| {
        (
            sweeps.iter().position(|name| *name == effect.sweep),
            probes.iter().position(|name| *name == effect.probe),
            layers.iter().position(|name| *name == effect.layer),
        )
    });
    Report {
        title: experiment.name.clone(),
        description: experiment.description.clone(),
        summary: summary(analysis, scale),
        primary: format!(
            "Declared before the run: {} of layer {} on probe {}.",
            primary.measure, primary.layer, primary.probe
        ),
        meaning: meaning(experiment),
        scale,
        warnings,
        caveats: analysis
            .flags
            .iter()
            .map(|flag| flag.message.clone())
            .collect(),
        checked: true,
        axes: experiment
            .sweeps
            .iter()
            .enumerate()
            .filter(|(_, sweep)| sweep.axes.len() == 1)
            .map(|(index, sweep)| section(words, index, sweep, &kept, &in_order, scale))
            .collect(),
        grids: experiment
            .sweeps
            .iter()
            .filter(|sweep| sweep.axes.len() > 1)
            .map(|sweep| grid_section(words, sweep, &in_order, scale))
            .collect(),
        starts: starts(analysis, scale),
        heatmaps: heatmaps(experiment, &kept, scale),
        effects: analysis.effects.iter().map(effect_row).collect(),
        facts: facts(plan, results),
        methods: methods(experiment, analysis),
        ..Report::default()
    }
}

fn effect_row(effect: &Effect) -> EffectRow {
    let fit = &effect.fit;
    EffectRow {
        sweep: effect.sweep.shown(),
        axes: effect
            .axis
            .axes()
            .iter()
            .map(|axis| axis.name().into())
            .collect(),
        probe: effect.probe.clone(),
        layer: effect.layer.clone(),
        measure: effect.measure.clone(),
        slope: fit.slope,
        interval: fit.ci_low.zip(fit.ci_high),
        p_value: fit.p_value,
        p_holm: fit.p_holm,
        r_squared: fit.r_squared,
        n: fit.n,
        floor: effect.floor,
        ceiling: effect.ceiling,
        chance: effect.chance,
        primary: effect.primary,
        probe_varies: effect.probe_varies,
        undefined: fit.undefined.clone(),
    }
}
