//! Turns the rows of all cells into effects: similarity on overlap, per sweep,
//! probe, layer and measure.

use reprsim_stats::{
    Errors, Level, LinearFit, StatsError, Term, describe_levels, fit_linear, mean,
    standard_deviation,
};
use serde::{Deserialize, Serialize};

use crate::experiment::{AxisKind, Experiment, Pairing, Point, Sweep};
use crate::plan::{Cell, CellRole};
use crate::results::CellResult;

/// Version of the layout of `analysis.json`.
const ANALYSIS_SCHEMA: u32 = 2;

/// The effect of one axis, or of an interaction of two, on the similarity of one
/// layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The sweep, such as `data` or `data x task`.
    pub sweep: String,
    /// The axis, or the interaction written like `data x task`.
    pub axis: String,
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
    /// Slope of similarity on the level: on overlap 0 to 1, on the number of shared
    /// factors of a partition, on doublings of width and depth. In a grid, the
    /// average over the levels of the other axes; of an interaction, the change of
    /// one slope as the other level goes from 0 to 1, or doubles. Absent where nothing can be
    /// fitted.
    pub slope: Option<f64>,
    /// Its standard error.
    pub stderr: Option<f64>,
    /// Lower end of its 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub ci_high: Option<f64>,
    /// Two-sided p-value of no effect.
    pub p_value: Option<f64>,
    /// Share of variance that the fit of the sweep explains.
    pub r_squared: Option<f64>,
    /// Similarity at level 0 on the line; absent in a grid.
    pub intercept: Option<f64>,
    /// How the errors were computed.
    pub errors: Option<Errors>,
    /// Points in the fit.
    pub n: usize,
    /// Why there is no fit.
    pub undefined: Option<String>,
    /// Mean and spread at each level of the experiment file; empty in a grid.
    pub levels: Vec<Level>,
    /// The points: overlap really reached (which the line is fitted on), value,
    /// seed; empty in a grid.
    pub points: Vec<(f64, f64, usize)>,
    /// Mean similarity of untrained pairs.
    pub floor: Option<f64>,
    /// Mean similarity at overlap 1; absent where the sweep has no such level.
    pub ceiling: Option<f64>,
    /// Mean over cells of the permutation mean: the chance level.
    pub chance: Option<f64>,
}

/// Means of the primary result over a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The sweep.
    pub sweep: String,
    /// Its axes.
    pub axes: Vec<AxisKind>,
    /// Its points.
    pub points: Vec<GridPoint>,
}

/// Mean and spread at a point of a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridPoint {
    /// The level of each axis.
    pub levels: Vec<f64>,
    /// Number of pairs.
    pub n: usize,
    /// Mean similarity.
    pub mean: f64,
    /// Standard deviation over pairs.
    pub sd: Option<f64>,
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
    /// All effects: sweeps in order, the primary results of each first.
    pub effects: Vec<Effect>,
    /// The primary result over each grid.
    pub grids: Vec<Grid>,
}

/// Computes all effects from the finished cells.
pub fn analyze(
    experiment: &Experiment,
    planned: usize,
    results: &[(Cell, CellResult)],
) -> Analysis {
    let mut effects = Vec::new();
    let mut grids = Vec::new();
    for (index, sweep) in experiment.sweeps.iter().enumerate() {
        let mut of_sweep = Vec::new();
        for probe in &experiment.probes {
            if probe.by_classes() && !sweep.has(AxisKind::Class) {
                continue;
            }
            for measure in &experiment.analysis.full_names() {
                for layer in experiment.layer_names() {
                    let series =
                        Series::collect(results, (index, sweep), &probe.name, layer, measure);
                    let primary = &experiment.analysis.primary;
                    let what = What {
                        sweep,
                        probe: &probe.name,
                        probe_varies: probe.varies(),
                        layer,
                        measure,
                        primary: primary.probe == probe.name
                            && primary.layer == layer
                            && primary.measure == *measure,
                    };
                    if what.primary && sweep.axes.len() > 1 {
                        grids.push(series.grid(sweep));
                    }
                    of_sweep.extend(series.effects(&what, experiment.pairing));
                }
            }
        }
        of_sweep.sort_by_key(|e| !e.primary);
        effects.extend(of_sweep);
    }
    Analysis {
        schema: ANALYSIS_SCHEMA,
        experiment: experiment.name.clone(),
        cells: (results.len(), planned),
        test: match experiment.pairing {
            Pairing::Independent => {
                "two-sided t test of each coefficient of an ordinary least-squares fit with an \
                 intercept, points less coefficients degrees of freedom; cells share no split, \
                 weights or order, so points are independent"
            }
            Pairing::Nested => {
                "two-sided t test of each coefficient of an ordinary least-squares fit with an \
                 intercept, errors clustered by seed (CR1), seeds - 1 degrees of freedom, because \
                 cells of one seed share permutation, weights and order"
            }
        }
        .to_string(),
        effects,
        grids,
    }
}

/// What a series of values is of.
struct What<'a> {
    sweep: &'a Sweep,
    probe: &'a str,
    probe_varies: bool,
    layer: &'a str,
    measure: &'a str,
    primary: bool,
}

/// The values of one probe, layer and measure over a sweep.
#[derive(Default)]
struct Series {
    floor: Vec<f64>,
    ceiling: Vec<f64>,
    chance: Vec<f64>,
    listed: Vec<Value>,
}

struct Value {
    point: Point,
    /// The level of each axis as it was really reached.
    reached: Vec<f64>,
    value: f64,
    seed: usize,
}

impl Series {
    fn collect(
        results: &[(Cell, CellResult)],
        (sweep, design): (usize, &Sweep),
        probe: &str,
        layer: &str,
        measure: &str,
    ) -> Self {
        let mut series = Self::default();
        // Untrained pairs are of the experiment's own model: no floor for others.
        let sized = design.has(AxisKind::Width) || design.has(AxisKind::Depth);
        for (cell, result) in results {
            let Some(score) = result.scores.iter().find(|s| {
                s.probe == probe && s.measure == measure && s.layer_a == layer && s.layer_b == layer
            }) else {
                continue;
            };
            let Some(value) = score.value else { continue };
            match &cell.role {
                CellRole::Untrained if sized => {}
                CellRole::Untrained => series.floor.push(value),
                CellRole::Point { sweep: of, point } if *of == sweep => {
                    series.chance.extend(score.null_mean);
                    let whole =
                        |(kind, level): &(AxisKind, f64)| !kind.is_overlap() || *level == 1.0;
                    if point.levels.iter().all(whole) && point.pair.is_none() {
                        series.ceiling.push(value);
                    }
                    if point.listed {
                        series.listed.push(Value {
                            reached: reached(point, result),
                            point: point.clone(),
                            value,
                            seed: cell.seed,
                        });
                    }
                }
                CellRole::Point { .. } => {}
            }
        }
        series
    }

    fn values(&self) -> Vec<f64> {
        self.listed.iter().map(|v| v.value).collect()
    }

    /// One effect for a single axis; one an axis and one a pair of axes for a grid.
    fn effects(&self, what: &What<'_>, pairing: Pairing) -> Vec<Effect> {
        let single = what.sweep.axes.len() == 1;
        let terms = match single {
            true => vec![(
                what.sweep.name(),
                self.listed.iter().map(|v| v.reached[0]).collect(),
            )],
            false => self.terms(what.sweep),
        };
        let columns: Vec<Vec<f64>> = terms.iter().map(|(_, column)| column.clone()).collect();
        let seeds: Vec<u64> = self.listed.iter().map(|v| v.seed as u64).collect();
        let clusters = (pairing == Pairing::Nested).then_some(seeds.as_slice());
        let fit = fit_linear(&columns, &self.values(), clusters);
        terms
            .into_iter()
            .enumerate()
            .map(|(place, (axis, _))| self.effect(what, axis, place, &fit, single))
            .collect()
    }

    fn effect(
        &self,
        what: &What<'_>,
        axis: String,
        place: usize,
        fit: &Result<LinearFit, StatsError>,
        single: bool,
    ) -> Effect {
        let term: Option<Term> = fit.as_ref().ok().map(|f| f.terms[place]);
        let some_mean = |values: &[f64]| (!values.is_empty()).then(|| mean(values));
        let nominal: Vec<f64> = self.listed.iter().map(|v| v.point.levels[0].1).collect();
        Effect {
            sweep: what.sweep.name(),
            axis,
            probe: what.probe.to_string(),
            probe_varies: what.probe_varies,
            layer: what.layer.to_string(),
            measure: what.measure.to_string(),
            primary: what.primary,
            slope: term.map(|t| t.coefficient),
            stderr: term.map(|t| t.stderr),
            ci_low: term.map(|t| t.ci_low),
            ci_high: term.map(|t| t.ci_high),
            p_value: term.map(|t| t.p_value),
            r_squared: fit.as_ref().ok().map(|f| f.r_squared),
            intercept: fit.as_ref().ok().filter(|_| single).map(|f| f.intercept),
            errors: fit.as_ref().ok().map(|f| f.errors),
            n: self.listed.len(),
            undefined: fit.as_ref().err().map(ToString::to_string),
            levels: match single {
                true => describe_levels(&nominal, &self.values()),
                false => vec![],
            },
            points: match single {
                true => self
                    .listed
                    .iter()
                    .map(|v| (v.reached[0], v.value, v.seed))
                    .collect(),
                false => vec![],
            },
            floor: some_mean(&self.floor),
            ceiling: some_mean(&self.ceiling),
            chance: some_mean(&self.chance),
        }
    }

    /// Names and columns of the terms of a grid: each axis, centred on the mean of
    /// its levels so that its slope is the average over the design, and the product
    /// of each two.
    fn terms(&self, sweep: &Sweep) -> Vec<(String, Vec<f64>)> {
        let centred: Vec<(&str, Vec<f64>)> = sweep
            .axes
            .iter()
            .enumerate()
            .map(|(place, axis)| {
                let scale = |level: f64| match axis.kind.is_overlap() {
                    true => level,
                    false => level.log2(),
                };
                let levels: Vec<f64> = axis.levels.iter().map(|&l| scale(l)).collect();
                let middle = mean(&levels);
                let column = self
                    .listed
                    .iter()
                    .map(|v| scale(v.reached[place]) - middle)
                    .collect();
                (axis.kind.name(), column)
            })
            .collect();
        let mut terms: Vec<(String, Vec<f64>)> = centred
            .iter()
            .map(|(name, column)| ((*name).to_string(), column.clone()))
            .collect();
        for (i, (first, x)) in centred.iter().enumerate() {
            for (second, y) in &centred[i + 1..] {
                let product = x.iter().zip(y).map(|(x, y)| x * y).collect();
                terms.push((format!("{first} x {second}"), product));
            }
        }
        terms
    }

    fn grid(&self, sweep: &Sweep) -> Grid {
        let points = sweep.points().into_iter().filter_map(|point| {
            let values: Vec<f64> = self
                .listed
                .iter()
                .filter(|v| v.point == point)
                .map(|v| v.value)
                .collect();
            (!values.is_empty()).then(|| GridPoint {
                levels: point.levels.iter().map(|(_, level)| *level).collect(),
                n: values.len(),
                mean: mean(&values),
                sd: standard_deviation(&values),
            })
        });
        Grid {
            sweep: sweep.name(),
            axes: sweep.axes.iter().map(|a| a.kind).collect(),
            points: points.collect(),
        }
    }
}

/// The level of each axis as it was really reached, counted from the split.
fn reached(point: &Point, result: &CellResult) -> Vec<f64> {
    let class = point.level(AxisKind::Class).and(result.labels_shared);
    let of = |&(kind, level): &(AxisKind, f64)| {
        let counted = match kind {
            // Within common classes, which are the only ones that share samples.
            AxisKind::Data if class.is_some() => result
                .samples_shared
                .zip(class.filter(|&c| c > 0.0))
                .map(|(samples, class)| samples / class),
            AxisKind::Data | AxisKind::Style => result.samples_shared,
            AxisKind::Class | AxisKind::Task => result.labels_shared,
            AxisKind::Partition | AxisKind::Width | AxisKind::Depth => None,
        };
        counted.unwrap_or(level)
    };
    point.levels.iter().map(of).collect()
}
