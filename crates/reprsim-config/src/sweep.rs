//! What is swept, and its points.

use reprsim_models::ModelConfig;
use serde::{Deserialize, Serialize};

use crate::axis::{AxisKind, Design, Place};
use crate::term::Term;

/// A one-axis sweep (`[[axis]]`), or a factorial design (`[[grid]]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// What is crossed; one axis for an `[[axis]]`.
    pub axes: Vec<Axis>,
    /// Of a task axis: the factors that tasks are made of. Of a style axis: the factor that
    /// says what is drawn and the one that says how.
    pub factors: Vec<String>,
    /// Of a task axis: factors in one model's task.
    pub factors_per_task: usize,
    /// Of a partition axis: the tasks of models a and b, as lists of factors.
    pub pairs: Vec<[Vec<String>; 2]>,
    /// Of a size axis: its architectures, the smallest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelConfig>,
}

/// One axis of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What it varies.
    pub kind: AxisKind,
    /// Its levels, ascending.
    pub levels: Vec<f64>,
}

/// A point of a sweep: a level of each axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The level of each axis, in the sweep's order.
    pub levels: Vec<(AxisKind, f64)>,
    /// Of a partition axis: which of its pairs.
    pub pair: Option<usize>,
    /// Whether the experiment file lists it; an added ceiling is shown but not
    /// fitted.
    pub listed: bool,
}

impl Sweep {
    /// Its axes together, which is its name: `data`, or `data x task`.
    pub fn term(&self) -> Term {
        Term::of(self.axes.iter().map(|axis| axis.kind))
    }

    /// The sweep as its axes see it.
    pub fn design(&self) -> Design<'_> {
        Design {
            axes: self.axes.iter().map(|axis| axis.kind.name()).collect(),
            factors: &self.factors,
            factors_per_task: self.factors_per_task,
            pairs: &self.pairs,
            models: &self.models,
        }
    }

    /// Whether one of its axes is of the kind of that name.
    pub fn has(&self, kind: &str) -> bool {
        self.axes.iter().any(|axis| axis.kind.name() == kind)
    }

    /// Whether its models learn different classes of the data set's label.
    pub fn divides_classes(&self) -> bool {
        self.axes.iter().any(|axis| axis.kind.divides_classes())
    }

    /// Whether models of one point learn different tasks.
    pub fn draws_tasks(&self) -> bool {
        self.axes.iter().any(|axis| axis.kind.draws_tasks())
    }

    /// The axis that divides the samples: of two overlaps the one that crosses the other.
    pub fn divider(&self) -> Option<AxisKind> {
        let kinds = || self.axes.iter().map(|axis| axis.kind);
        let crossed = |kind: &AxisKind| kinds().any(|other| other.crosses().contains(&kind.name()));
        let divides = |kind: &AxisKind| !kind.changes_model();
        kinds().find(|kind| divides(kind) && !crossed(kind))
    }

    /// All points, the last axis fastest. To an overlap axis alone that does not list its
    /// ceiling, overlap 1, that level is added, unlisted.
    pub fn points(&self) -> Vec<Point> {
        if let [axis] = self.axes.as_slice()
            && axis.kind.lists_pairs()
        {
            let pairs = self.pairs.iter().enumerate();
            return pairs
                .map(|(index, [a, b])| Point {
                    levels: vec![(axis.kind, shared(a, b) as f64)],
                    pair: Some(index),
                    listed: true,
                })
                .collect();
        }
        let mut points = vec![Point {
            levels: vec![],
            pair: None,
            listed: true,
        }];
        for axis in &self.axes {
            points = points
                .iter()
                .flat_map(|point| {
                    axis.levels.iter().map(|&level| {
                        let mut point = point.clone();
                        point.levels.push((axis.kind, level));
                        point
                    })
                })
                .collect();
        }
        if let [axis] = self.axes.as_slice()
            && axis.kind.is_overlap()
            && !axis.levels.contains(&1.0)
        {
            points.push(Point {
                levels: vec![(axis.kind, 1.0)],
                pair: None,
                listed: false,
            });
        }
        points
    }
}

impl Point {
    /// The point as its axes see it.
    pub fn place(&self) -> Place {
        Place {
            levels: self
                .levels
                .iter()
                .map(|(kind, level)| (kind.name(), *level))
                .collect(),
            pair: self.pair,
        }
    }

    /// The level on the axis of that name.
    pub fn level(&self, kind: &str) -> Option<f64> {
        let found = self.levels.iter().find(|(k, _)| k.name() == kind);
        found.map(|(_, level)| *level)
    }

    /// Whether everything is shared that its axes vary.
    pub fn is_ceiling(&self) -> bool {
        self.levels
            .iter()
            .all(|(kind, level)| kind.is_ceiling(*level))
    }
}

/// Label factors that two tasks share.
pub(crate) fn shared(a: &[String], b: &[String]) -> usize {
    a.iter().filter(|factor| b.contains(factor)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(kind: &str, levels: &[f64]) -> Axis {
        Axis {
            kind: AxisKind::named(kind).unwrap(),
            levels: levels.to_vec(),
        }
    }

    fn sweep(axes: Vec<Axis>) -> Sweep {
        Sweep {
            axes,
            factors: vec![],
            factors_per_task: 0,
            pairs: vec![],
            models: vec![],
        }
    }

    #[test]
    fn a_ceiling_is_added_where_it_is_not_listed() {
        let points = sweep(vec![axis("data", &[0.0, 0.5])]).points();
        let listed: Vec<(f64, bool)> = points.iter().map(|p| (p.levels[0].1, p.listed)).collect();
        assert_eq!(listed, [(0.0, true), (0.5, true), (1.0, false)]);
        assert_eq!(sweep(vec![axis("data", &[0.0, 1.0])]).points().len(), 2);
        assert!(points[2].is_ceiling() && !points[1].is_ceiling());
    }

    #[test]
    fn grids_cross_all_levels_the_last_axis_fastest() {
        let grid = sweep(vec![
            axis("data", &[0.0, 1.0]),
            axis("width", &[2.0, 4.0, 8.0]),
        ]);
        let points = grid.points();
        assert_eq!(points.len(), 6);
        assert_eq!(points[1].levels[1].1, 4.0);
        assert_eq!(grid.term().to_string(), "data x width");
        // Any width is as good as any other for a ceiling.
        assert_eq!(points.iter().filter(|p| p.is_ceiling()).count(), 3);
    }

    #[test]
    fn of_two_overlaps_the_one_that_crosses_the_other_divides() {
        let divider = |kinds: &[&str]| {
            let axes = kinds.iter().map(|kind| axis(kind, &[0.0, 1.0])).collect();
            sweep(axes).divider().unwrap().name()
        };
        assert_eq!(divider(&["class", "data"]), "class");
        assert_eq!(divider(&["data", "task"]), "task");
        assert_eq!(divider(&["data", "width"]), "data");
        assert_eq!(divider(&["width", "style"]), "style");
        assert_eq!(divider(&["partition"]), "partition");
    }

    #[test]
    fn partitions_have_a_point_a_pair() {
        let task = |text: &str| text.split('+').map(String::from).collect::<Vec<_>>();
        let partition = Sweep {
            pairs: vec![
                [task("shape"), task("digit")],
                [task("shape+digit"), task("digit")],
            ],
            ..sweep(vec![axis("partition", &[0.0, 1.0])])
        };
        let points = partition.points();
        let found: Vec<_> = points.iter().map(|p| (p.levels[0].1, p.pair)).collect();
        assert_eq!(found, [(0.0, Some(0)), (1.0, Some(1))]);
        assert!(points.iter().all(|p| p.listed && !p.is_ceiling()));
    }
}
