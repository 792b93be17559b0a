//! Training curves for the report.

use std::collections::{BTreeMap, BTreeSet};

use reprsim_report::{Curve, CurvePanel};
use reprsim_train::Epoch;

use reprsim_config::{Cell, Experiment, Sweep};
use reprsim_run::results::CellResult;

/// A quantity of an epoch.
enum Quantity {
    Loss,
    HeldOutLoss,
    Metric(String),
}

impl Quantity {
    /// What it is called.
    fn title(&self) -> String {
        match self {
            Self::Loss => "training loss".into(),
            Self::HeldOutLoss => "held-out loss".into(),
            Self::Metric(name) => format!("training {name}"),
        }
    }

    fn of(&self, epoch: &Epoch) -> Option<f64> {
        match self {
            Self::Loss => Some(epoch.loss),
            Self::HeldOutLoss => epoch.validation_loss,
            Self::Metric(name) => epoch.metrics.get(name).copied(),
        }
    }
}

/// The losses, and every metric that some task gives.
fn quantities(histories: &BTreeMap<usize, [Vec<Epoch>; 2]>) -> Vec<Quantity> {
    let metrics: BTreeSet<&String> = (histories.values().flatten().flatten())
        .flat_map(|epoch| epoch.metrics.keys())
        .collect();
    let metrics = metrics.into_iter().cloned().map(Quantity::Metric);
    let losses = [Quantity::Loss, Quantity::HeldOutLoss];
    losses.into_iter().chain(metrics).collect()
}

/// A panel for each sweep and quantity: a curve a model, told apart by the level of the
/// sweep's first axis.
pub(super) fn curves(
    experiment: &Experiment,
    results: &[(Cell, CellResult)],
    histories: &BTreeMap<usize, [Vec<Epoch>; 2]>,
) -> Vec<CurvePanel> {
    let mut panels = Vec::new();
    let quantities = quantities(histories);
    for (index, sweep) in experiment.sweeps.iter().enumerate() {
        for quantity in &quantities {
            let lines = lines(experiment, index, results, histories, quantity);
            if lines.iter().any(|line| line.points.len() > 1) {
                panels.push(panel(experiment, sweep, &quantity.title(), lines));
            }
        }
    }
    panels
}

fn panel(experiment: &Experiment, sweep: &Sweep, name: &str, lines: Vec<Curve>) -> CurvePanel {
    let several = experiment.sweeps.len() > 1;
    let axis = sweep.axes[0].kind.title();
    CurvePanel {
        title: match several {
            true => format!("{name}, {}", sweep.term().shown()),
            false => name.to_string(),
        },
        y_label: name.to_string(),
        x_label: match experiment.training.epochs {
            Some(_) => "epoch".into(),
            None => "step".into(),
        },
        group_label: axis,
        lines,
    }
}

fn lines(
    experiment: &Experiment,
    sweep: usize,
    results: &[(Cell, CellResult)],
    histories: &BTreeMap<usize, [Vec<Epoch>; 2]>,
    quantity: &Quantity,
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
            let x = |epoch: &Epoch| match experiment.training.epochs {
                Some(_) => epoch.epoch as f64,
                None => epoch.step as f64,
            };
            let points = history.iter().filter_map(|e| Some((x(e), quantity.of(e)?)));
            lines.push(Curve {
                label: format!("cell {}, model {name} ({})", cell.index, cell.label()),
                group: point.levels[0].1,
                points: points.collect(),
            });
        }
    }
    lines
}
