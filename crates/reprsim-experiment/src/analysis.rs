//! Turns the rows of all cells into effects: similarity on overlap, per axis,
//! probe, layer and measure.

use reprsim_stats::{Errors, Level, LineFit, describe_levels, fit_line, mean};
use serde::{Deserialize, Serialize};

use crate::experiment::{AxisKind, Experiment, Pairing, ProbeKind};
use crate::plan::{Cell, CellRole};
use crate::results::CellResult;

/// The effect of one axis on the similarity of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The axis.
    pub axis: AxisKind,
    /// The probe.
    pub probe: String,
    /// Whether the probe's samples change with the overlap (the paper's own
    /// class-overlap probes), which confounds the slope.
    pub probe_varies: bool,
    /// The layer, of both models.
    pub layer: String,
    /// The measure.
    pub measure: String,
    /// Whether this was declared as the primary result.
    pub primary: bool,
    /// Slope of similarity on overlap; absent where no line can be fitted.
    pub slope: Option<f64>,
    /// Its standard error.
    pub stderr: Option<f64>,
    /// Lower end of its 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub ci_high: Option<f64>,
    /// Two-sided p-value of no effect.
    pub p_value: Option<f64>,
    /// Share of variance explained.
    pub r_squared: Option<f64>,
    /// Similarity at overlap 0 on the line.
    pub intercept: Option<f64>,
    /// How the errors were computed.
    pub errors: Option<Errors>,
    /// Points in the fit.
    pub n: usize,
    /// Why there is no fit.
    pub undefined: Option<String>,
    /// Mean and spread at each level of the experiment file.
    pub levels: Vec<Level>,
    /// The points: overlap really reached (which the line is fitted on), value,
    /// seed.
    pub points: Vec<(f64, f64, usize)>,
    /// Mean similarity of untrained pairs.
    pub floor: Option<f64>,
    /// Mean similarity at overlap 1.
    pub ceiling: Option<f64>,
    /// Mean over cells of the permutation mean: the chance level.
    pub chance: Option<f64>,
}

/// What `analysis.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Version of the layout of this file.
    pub schema: u32,
    /// The experiment's name.
    pub experiment: String,
    /// Cells finished and planned.
    pub cells: (usize, usize),
    /// The test behind every p-value, in words.
    pub test: String,
    /// All effects: axes in order, the primary result of each first.
    pub effects: Vec<Effect>,
}

/// Computes all effects from the finished cells.
pub fn analyze(
    experiment: &Experiment,
    planned: usize,
    results: &[(Cell, CellResult)],
) -> Analysis {
    let mut effects = Vec::new();
    for axis in &experiment.axes {
        let mut of_axis = Vec::new();
        for probe in &experiment.probes {
            if probe.kind != ProbeKind::Fixed && axis.kind != AxisKind::Class {
                continue;
            }
            for measure in &experiment.analysis.full_names() {
                for layer in experiment.model.layer_names() {
                    of_axis.push(effect(
                        experiment,
                        axis.kind,
                        &probe.name,
                        probe.kind != ProbeKind::Fixed,
                        layer,
                        measure,
                        results,
                    ));
                }
            }
        }
        of_axis.sort_by_key(|e| !e.primary);
        effects.extend(of_axis);
    }
    Analysis {
        schema: 1,
        experiment: experiment.name.clone(),
        cells: (results.len(), planned),
        test: match experiment.pairing {
            Pairing::Independent => {
                "two-sided t test of the slope of an ordinary least-squares line, n - 2 degrees of \
                 freedom; cells share no split, weights or order, so points are independent"
            }
            Pairing::Nested => {
                "two-sided t test of the slope of an ordinary least-squares line with errors \
                 clustered by seed (CR1), seeds - 1 degrees of freedom, because cells of one seed \
                 share permutation, weights and order"
            }
        }
        .to_string(),
        effects,
    }
}

fn effect(
    experiment: &Experiment,
    axis: AxisKind,
    probe: &str,
    probe_varies: bool,
    layer: &str,
    measure: &str,
    results: &[(Cell, CellResult)],
) -> Effect {
    let mut points: Vec<(f64, f64, usize)> = Vec::new();
    let mut nominal: Vec<f64> = Vec::new();
    let mut floor = Vec::new();
    let mut ceiling = Vec::new();
    let mut chance = Vec::new();
    for (cell, result) in results {
        let Some(score) = result.scores.iter().find(|s| {
            s.probe == probe && s.measure == measure && s.layer_a == layer && s.layer_b == layer
        }) else {
            continue;
        };
        let Some(value) = score.value else { continue };
        match cell.role {
            CellRole::Untrained => floor.push(value),
            CellRole::Level {
                axis: of,
                level,
                listed,
            } if of == axis => {
                chance.extend(score.null_mean);
                if level == 1.0 {
                    ceiling.push(value);
                }
                if listed {
                    nominal.push(level);
                    let reached = match axis {
                        AxisKind::Data => result.samples_shared,
                        AxisKind::Class | AxisKind::Task => result.labels_shared,
                    };
                    points.push((reached.unwrap_or(level), value, cell.seed));
                }
            }
            CellRole::Level { .. } => {}
        }
    }
    let x: Vec<f64> = points.iter().map(|p| p.0).collect();
    let y: Vec<f64> = points.iter().map(|p| p.1).collect();
    let seeds: Vec<u64> = points.iter().map(|p| p.2 as u64).collect();
    let clusters = (experiment.pairing == Pairing::Nested).then_some(seeds.as_slice());
    let fit = fit_line(&x, &y, clusters);
    let take = |get: fn(&LineFit) -> f64| fit.as_ref().ok().map(get);
    let some_mean = |values: &[f64]| (!values.is_empty()).then(|| mean(values));
    let primary = &experiment.analysis.primary;
    Effect {
        axis,
        probe: probe.to_string(),
        probe_varies,
        layer: layer.to_string(),
        measure: measure.to_string(),
        primary: primary.probe == probe && primary.layer == layer && primary.measure == measure,
        slope: take(|f| f.slope),
        stderr: take(|f| f.stderr),
        ci_low: take(|f| f.ci_low),
        ci_high: take(|f| f.ci_high),
        p_value: take(|f| f.p_value),
        r_squared: take(|f| f.r_squared),
        intercept: take(|f| f.intercept),
        errors: fit.as_ref().ok().map(|f| f.errors),
        n: points.len(),
        undefined: fit.as_ref().err().map(ToString::to_string),
        levels: describe_levels(&nominal, &y),
        points,
        floor: some_mean(&floor),
        ceiling: some_mean(&ceiling),
        chance: some_mean(&chance),
    }
}
