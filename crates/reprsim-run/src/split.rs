//! Which samples and labels the two models of a cell get.

use std::path::Path;

use reprsim_data::split::{
    ClassSplit, DataSplit, Labelling, ModelSamples, PairSplit, PartitionSplit, StyleSplit,
    TaskSplit, split_classes, split_data, split_partition, split_styles, split_tasks,
};
use reprsim_data::{Dataset, Part, open};

use reprsim_config::ExperimentError;
use reprsim_config::{AxisKind, Experiment, Sweep};
use reprsim_config::Cell;

/// The training part and its labels.
pub(crate) struct TrainingData {
    pub dataset: Dataset,
    /// The class of each sample under the experiment's label.
    pub labels: Vec<u32>,
    /// Names of those classes.
    pub classes: Vec<String>,
}

impl TrainingData {
    pub fn open(experiment: &Experiment, cache: &Path) -> Result<Self, ExperimentError> {
        let spec = experiment.dataset.spec(experiment.root_seed);
        let dataset = open(&spec, Part::Train, cache)?;
        let (labels, _) = dataset.joint_label(&dataset.label)?;
        let classes = class_names(&dataset)?;
        Ok(Self {
            dataset,
            labels,
            classes,
        })
    }

    /// The training samples of `cell`. An untrained pair sees none, but its heads
    /// are as wide as those of the data axis.
    pub fn split(
        &self,
        experiment: &Experiment,
        cell: &Cell,
    ) -> Result<PairSplit, ExperimentError> {
        let rng = &mut cell.stream(experiment).child("split").rng();
        let per_model = experiment.dataset.train_per_model;
        let (Some((_, point)), Some(sweep)) = (cell.point(), cell.sweep(experiment)) else {
            return Ok(self.untrained());
        };
        let data = point.level(AxisKind::Data);
        let pair = if let Some(overlap) = point.level(AxisKind::Class) {
            let split = ClassSplit {
                labels: &self.labels,
                classes: &self.classes,
                per_model,
                overlap,
                samples_overlap: data.unwrap_or(1.0),
            };
            split_classes(&split, rng)
        } else if let Some(overlap) = point.level(AxisKind::Task) {
            let split = TaskSplit {
                dataset: &self.dataset,
                factors: &sweep.factors,
                factors_per_task: sweep.factors_per_task,
                per_model,
                overlap,
                samples_overlap: data.unwrap_or(1.0),
            };
            split_tasks(&split, rng)
        } else if let Some(tasks) = point.pair.and_then(|pair| sweep.pairs.get(pair)) {
            let split = PartitionSplit {
                dataset: &self.dataset,
                tasks,
                per_model,
            };
            split_partition(&split, rng)
        } else if let Some(overlap) = point.level(AxisKind::Style) {
            let [item, style] = style_factors(sweep);
            let split = StyleSplit {
                dataset: &self.dataset,
                item,
                style,
                per_model,
                overlap,
            };
            split_styles(&split, rng)
        } else {
            // Sweeps without any overlap axis are refused when the file is read.
            let split = DataSplit {
                labels: &self.labels,
                classes: &self.classes,
                per_model,
                overlap: data.unwrap_or(0.0),
            };
            split_data(&split, rng)
        };
        Ok(pair?)
    }

    fn untrained(&self) -> PairSplit {
        let model = ModelSamples {
            indices: vec![],
            labels: vec![],
            classes: self.classes.len(),
            labelling: Labelling::Classes((0..self.classes.len() as u32).collect()),
        };
        PairSplit {
            a: model.clone(),
            b: model,
        }
    }
}

/// The factors of a style axis: what is drawn, and how.
fn style_factors(sweep: &Sweep) -> [&str; 2] {
    let factor = |i: usize| sweep.factors.get(i).map_or("", String::as_str);
    [factor(0), factor(1)]
}

/// Names of the classes of the data set's label.
fn class_names(dataset: &Dataset) -> Result<Vec<String>, ExperimentError> {
    let mut names = vec![String::new()];
    for factor in &dataset.label {
        let classes = &dataset.factor(factor)?.classes;
        names = names
            .iter()
            .flat_map(|head| {
                classes.iter().map(move |class| {
                    if head.is_empty() {
                        class.clone()
                    } else {
                        format!("{head}_{class}")
                    }
                })
            })
            .collect();
    }
    Ok(names)
}
