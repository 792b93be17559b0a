//! Layers against layers at both ends of a sweep.

use reprsim_report::{HeatmapPair, Panel, ValueScale};
use reprsim_stats::mean;

use reprsim_config::{Cell, Experiment, Sweep};
use reprsim_run::results::CellResult;

/// Mean similarity of all layer pairs by the primary measure on its probe, where every
/// axis of a sweep is lowest and where every axis is highest.
pub(super) fn heatmaps(
    experiment: &Experiment,
    results: &[&(Cell, CellResult)],
    scale: ValueScale,
) -> Vec<HeatmapPair> {
    (experiment.sweeps.iter().enumerate())
        .filter_map(|(index, sweep)| {
            Some(HeatmapPair {
                name: sweep.term().to_string(),
                title: match sweep.axes.as_slice() {
                    [axis] => axis.kind.title(),
                    _ => sweep.term().shown(),
                },
                low: panel(experiment, results, index, sweep, false, scale)?,
                high: panel(experiment, results, index, sweep, true, scale)?,
            })
        })
        .collect()
}

fn panel(
    experiment: &Experiment,
    results: &[&(Cell, CellResult)],
    index: usize,
    sweep: &Sweep,
    high: bool,
    scale: ValueScale,
) -> Option<Panel> {
    let ends: Vec<f64> = (sweep.axes.iter())
        .map(|axis| match high {
            true => axis.levels.last().copied(),
            false => axis.levels.first().copied(),
        })
        .collect::<Option<_>>()?;
    let there: Vec<&CellResult> = results
        .iter()
        .filter(|(cell, _)| {
            cell.point().is_some_and(|(of, point)| {
                of == index && point.levels.iter().map(|l| l.1).eq(ends.iter().copied())
            })
        })
        .map(|(_, result)| result)
        .collect();
    if there.is_empty() {
        return None;
    }
    let primary = &experiment.analysis.primary;
    let layers = experiment.layer_names();
    let mut values = vec![Vec::new(); layers.len() * layers.len()];
    let place = |name: &str| layers.iter().position(|layer| layer == name);
    for score in there.iter().flat_map(|result| &result.scores) {
        if score.probe != primary.probe || score.measure != primary.measure {
            continue;
        }
        if let (Some(a), Some(b), Some(value)) =
            (place(&score.layer_a), place(&score.layer_b), score.value)
        {
            values[a * layers.len() + b].push(value);
        }
    }
    let levels: Vec<String> = (sweep.axes.iter().zip(&ends))
        .map(|(axis, level)| format!("{} {level}", axis.kind.title()))
        .collect();
    let names = layers.clone();
    Some(Panel {
        title: levels.join(", "),
        measure: primary.measure.clone(),
        scale,
        rows: names.clone(),
        columns: names,
        values: (values.iter())
            .map(|v| (!v.is_empty()).then(|| mean(v)))
            .collect(),
    })
}
