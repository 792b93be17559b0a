//! The training part of an experiment's data, and which of its samples each model gets.

use std::collections::BTreeSet;
use std::path::Path;

use reprsim_base::Stream;
use reprsim_config::{Cell, Experiment, SplitRequest};
use reprsim_data::split::{Labelling, ModelSamples, PairSplit};
use reprsim_data::{Dataset, Part, ProbeClasses, draw_probe, open};

use crate::error::RunError;

/// The training part and its labels.
pub(crate) struct TrainingData {
    pub dataset: Dataset,
    /// The class of each sample under the experiment's label.
    pub labels: Vec<u32>,
    /// Names of those classes.
    pub classes: Vec<String>,
    /// Where training is judged while it goes on: of text the part for that, of images
    /// samples that were held out of the training part, whom no model sees.
    pub validation: Option<Dataset>,
}

impl TrainingData {
    pub fn open(experiment: &Experiment, cache: &Path) -> Result<Self, RunError> {
        let spec = experiment.dataset.spec(experiment.root_seed);
        let whole = open(&spec, Part::Train, cache)?;
        let (dataset, validation) = match &experiment.training.evaluate {
            None => (whole, None),
            Some(_) if experiment.dataset.text.is_some() => {
                (whole, Some(open(&spec, Part::Validation, cache)?))
            }
            Some(evaluate) => {
                let rng = &mut validation_stream(experiment).rng();
                let all = ProbeClasses::All;
                let held = draw_probe(&whole, &all, Some(evaluate.samples), rng)?.indices;
                let set: BTreeSet<u32> = held.iter().copied().collect();
                let rest: Vec<u32> = (0..whole.len() as u32)
                    .filter(|i| !set.contains(i))
                    .collect();
                (whole.select(&rest), Some(whole.select(&held)))
            }
        };
        let (labels, _) = dataset.joint_label(&dataset.label)?;
        Ok(Self {
            classes: class_names(&dataset)?,
            dataset,
            labels,
            validation,
        })
    }

    /// The training samples of `cell`. An untrained pair sees none, but its heads
    /// are as wide as those of the data axis.
    pub fn split(&self, experiment: &Experiment, cell: &Cell) -> Result<PairSplit, RunError> {
        let (Some((_, point)), Some(sweep)) = (cell.point(), cell.sweep(experiment)) else {
            return Ok(self.untrained());
        };
        let request = SplitRequest {
            dataset: &self.dataset,
            labels: &self.labels,
            classes: &self.classes,
            per_model: experiment.dataset.train_per_model,
            design: sweep.design(),
            place: point.place(),
        };
        let rng = &mut cell.stream(experiment).child("split").rng();
        let divided = sweep.divider().and_then(|axis| axis.split(&request, rng));
        divided
            .ok_or_else(|| {
                let sweep = sweep.term();
                RunError::Usage(format!("no axis of the sweep {sweep} divides the samples"))
            })?
            .map_err(RunError::from)
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

    /// Held-out samples on which a model of `samples` is judged while it is trained, and
    /// their labels in its own numbering: of images those of classes that it knows; of text
    /// windows of the corpora that it learns, equally many of each, the same for all models
    /// of the same corpora. `None` where training is not judged.
    pub fn held_out(
        &self,
        experiment: &Experiment,
        samples: &ModelSamples,
    ) -> Result<Option<Judging>, RunError> {
        let (Some(dataset), Some(evaluate)) = (&self.validation, &experiment.training.evaluate)
        else {
            return Ok(None);
        };
        if experiment.dataset.text.is_none() {
            let labels = samples.labelling.labels(dataset)?;
            let known = labels.iter().enumerate();
            let known = known.filter_map(|(i, label)| Some((i as u32, (*label)?)));
            let (indices, labels) = known.unzip();
            return Ok(Some(Judging { indices, labels }));
        }
        let (_, count) = dataset.joint_label(&dataset.label)?;
        let known: BTreeSet<u32> = match &samples.labelling {
            Labelling::Classes(classes) => classes.iter().copied().collect(),
            Labelling::Factors(_) => (0..count as u32).collect(),
        };
        let count = known.len();
        let mut rng = validation_stream(experiment).rng();
        let classes = ProbeClasses::Equally(known);
        // All that can be had, equally many of each corpus, if that is less.
        let all = draw_probe(dataset, &classes, None, &mut rng.clone())?;
        let wanted = evaluate.samples.min(all.indices.len());
        let wanted = (wanted / count).max(1) * count;
        let windows = draw_probe(dataset, &classes, Some(wanted), &mut rng)?;
        Ok(Some(Judging {
            indices: windows.indices,
            labels: vec![],
        }))
    }
}

/// Held-out samples that a model in training is judged by.
pub(crate) struct Judging {
    /// Which of the held-out samples.
    pub indices: Vec<u32>,
    /// Their labels in the model's own numbering; none of text.
    pub labels: Vec<u32>,
}

fn validation_stream(experiment: &Experiment) -> Stream {
    Stream::new(experiment.root_seed).child("validation")
}

/// Names of the classes of the data set's label.
fn class_names(dataset: &Dataset) -> Result<Vec<String>, RunError> {
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
