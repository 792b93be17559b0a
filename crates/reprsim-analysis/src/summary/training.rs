//! Training curves for the report.

use std::collections::BTreeMap;

use reprsim_report::{Curve, CurvePanel};
use reprsim_train::Epoch;

use super::words::{shown, title};
use reprsim_config::{Experiment, Sweep};
use reprsim_config::Cell;
use reprsim_run::results::CellResult;

/// A quantity of an epoch.
type Quantity = fn(&Epoch) -> Option<f64>;

const QUANTITIES: [(&str, Quantity); 3] = [
    ("training loss", |epoch| Some(epoch.loss)),
    ("held-out loss", |epoch| epoch.validation_loss),
    ("training accuracy", |epoch| epoch.accuracy),
];

/// A panel for each sweep and quantity: a curve a model, told apart by the level of the
/// sweep's first axis.
pub(super) fn curves(
    experiment: &Experiment,
    results: &[(Cell, CellResult)],
    histories: &BTreeMap<usize, [Vec<Epoch>; 2]>,
) -> Vec<CurvePanel> {
    let mut panels = Vec::new();
    for (index, sweep) in experiment.sweeps.iter().enumerate() {
        for (name, quantity) in QUANTITIES {
            let lines = lines(index, results, histories, quantity);
            if lines.iter().any(|line| line.points.len() > 1) {
                panels.push(panel(experiment, sweep, name, lines));
            }
        }
    }
    panels
}

fn panel(experiment: &Experiment, sweep: &Sweep, name: &str, lines: Vec<Curve>) -> CurvePanel {
    let several = experiment.sweeps.len() > 1;
    let axis = title(sweep.axes[0].kind);
    CurvePanel {
        title: match several {
            true => format!("{name}, {}", shown(&sweep.name())),
            false => name.to_string(),
        },
        y_label: name.to_string(),
        x_label: match experiment.training.language {
            Some(_) => "step".into(),
            None => "epoch".into(),
        },
        group_label: axis,
        lines,
    }
}

fn lines(
    sweep: usize,
    results: &[(Cell, CellResult)],
    histories: &BTreeMap<usize, [Vec<Epoch>; 2]>,
    quantity: Quantity,
) -> Vec<Curve> {
    let mut lines = Vec::new();
    for (cell, _) in results {
        let Some((of, point)) = cell.point() else {
            continue;
        };
        let Some(models) = histories.get(&cell.index).filter(|_| of == sweep) else {
            continue;
        };
        for (name, history) in ["a", "b"].into_iter().zip(models) {
            let x = |epoch: &Epoch| match epoch.validation_loss {
                // A line of a language model is an evaluation.
                Some(_) => epoch.step as f64,
                None => epoch.epoch as f64,
            };
            let points = history.iter().filter_map(|e| Some((x(e), quantity(e)?)));
            lines.push(Curve {
                label: format!("cell {}, model {name} ({})", cell.index, cell.label()),
                group: point.levels[0].1,
                points: points.collect(),
            });
        }
    }
    lines
}
