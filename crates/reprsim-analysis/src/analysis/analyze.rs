//! From the rows of all cells to `analysis.json` (docs/analysis.md).

use std::collections::BTreeMap;

use itertools::iproduct;
use rayon::prelude::*;
use reprsim_config::{Cell, Experiment, Pairing, Plan};
use reprsim_run::results::CellResult;
use reprsim_stats::correct;
use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::grid::{Grid, GridAttribution};
use super::health::{self, Flag};
use super::series::{Place, Series};
use super::start::Start;

/// Version of the layout of `analysis.json`.
const ANALYSIS_SCHEMA: u32 = 6;

/// What `analysis.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Version of the layout of this file.
    pub schema: u32,
    /// The experiment's name.
    pub experiment: String,
    /// Cells finished and planned.
    pub cells: (usize, usize),
    /// Numbers of the cells that `leave_out_undertrained` left out.
    pub left_out: Vec<usize>,
    /// The test behind every p-value, in words.
    pub test: String,
    /// What should make a reader doubt.
    pub flags: Vec<Flag>,
    /// All effects: sweeps in order, the primary results of each first.
    pub effects: Vec<Effect>,
    /// The primary result over each grid.
    pub grids: Vec<Grid>,
    /// What explains similarity over each grid, measure by measure.
    pub attributions: Vec<GridAttribution>,
    /// What was there before training, sweep by sweep, measure by measure; empty where models begin
    /// with random weights.
    pub starts: Vec<Start>,
}

/// Computes all effects from the finished cells; `tasks` are the label factors that both
/// models learned, by the number of the cell, where they learned any.
pub fn analyze(
    plan: &Plan,
    results: &[(Cell, CellResult)],
    tasks: &BTreeMap<usize, [String; 2]>,
) -> Analysis {
    let experiment = &plan.experiment;
    let undertrained = health::undertrained(experiment, results, tasks);
    let mut left_out: Vec<usize> = Vec::new();
    if experiment.analysis.leave_out_undertrained {
        left_out.extend(undertrained.iter().flat_map(|flag| &flag.cells));
        left_out.sort_unstable();
        left_out.dedup();
    }
    let kept: Vec<&(Cell, CellResult)> = results
        .iter()
        .filter(|(cell, _)| !left_out.contains(&cell.index))
        .collect();

    let mut flags = health::missing(plan, results);
    flags.extend(undertrained);
    let mut doubts = Vec::new();
    let mut effects = Vec::new();
    let mut grids = Vec::new();
    let mut attributions = Vec::new();
    let mut starts = Vec::new();
    for index in 0..experiment.sweeps.len() {
        let series = series_of(experiment, index, &kept);
        let declared: Vec<&Series<'_>> = series.iter().filter(|s| s.place.declared()).collect();
        doubts.extend(declared.iter().flat_map(|series| series.doubts()));
        starts.extend(declared.iter().filter_map(|series| series.start()));
        for series in declared {
            if series.place.sweep.axes.len() > 1 {
                if series.place.primary() {
                    grids.push(series.grid());
                }
                attributions.push(series.attribution());
            }
        }
        // Each series computes alone, in any order; they come back in theirs.
        let of_sweep: Vec<Vec<Effect>> = series.par_iter().map(Series::effects).collect();
        let mut of_sweep: Vec<Effect> = of_sweep.into_iter().flatten().collect();
        of_sweep.sort_by_key(|e| !e.primary);
        effects.extend(of_sweep);
    }
    flags.extend(health::ranges(&doubts));
    flags.extend(health::small_probes(experiment, results));
    flags.extend(health::copies(experiment, results));
    flags.extend(health::few_seeds(&effects));
    // What was declared is one question an axis, everything else is a search.
    correct(effects.iter_mut().map(|effect| {
        let counted = !effect.primary;
        (&mut effect.fit, counted)
    }));
    attributions.sort_by_key(|a| !a.primary);
    starts.sort_by_key(|start| !start.primary);
    Analysis {
        schema: ANALYSIS_SCHEMA,
        experiment: experiment.name.clone(),
        cells: (results.len(), plan.cells.len()),
        left_out,
        test: test(experiment.pairing).to_string(),
        flags,
        effects,
        grids,
        attributions,
        starts,
    }
}

/// All series of one sweep: probe by probe, measure by measure, layer by layer.
fn series_of<'a>(
    experiment: &'a Experiment,
    index: usize,
    results: &[&'a (Cell, CellResult)],
) -> Vec<Series<'a>> {
    let sweep = &experiment.sweeps[index];
    let probes =
        (experiment.probes.iter()).filter(|probe| !probe.by_classes() || sweep.divides_classes());
    let k = experiment.analysis.k;
    let measures = experiment.analysis.measures.iter();
    let places: Vec<Place<'a>> = iproduct!(probes, measures, experiment.layer_names())
        .map(|(probe, measure, layer)| Place {
            experiment,
            index,
            sweep,
            probe,
            layer,
            measure: *measure,
            name: measure.full_name(k),
        })
        .collect();
    places
        .into_par_iter()
        .map(|place| Series::collect(place, results))
        .collect()
}

fn test(pairing: Pairing) -> &'static str {
    match pairing {
        Pairing::Independent => {
            "two-sided t test of each coefficient of an ordinary least-squares fit with an \
             intercept, points less coefficients degrees of freedom; cells share no split, \
             weights or order, so points are independent"
        }
        Pairing::Nested => {
            "two-sided t test of each coefficient of an ordinary least-squares fit with an \
             intercept, errors clustered by seed (CR2, Bell and McCaffrey 2002), Satterthwaite's \
             degrees of freedom (seeds - 1 where all seeds have the same points), because cells of \
             one seed share permutation, weights and order"
        }
    }
}
