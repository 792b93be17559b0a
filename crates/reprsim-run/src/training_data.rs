//! The training part of an experiment's data, and which of its samples each model gets.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use reprsim_base::Stream;
use reprsim_config::{Cell, Duplicates, Experiment, SplitRequest};
use reprsim_data::split::{Labelling, ModelSamples, PairSplit};
use reprsim_data::{Dataset, Part, ProbeClasses, SampleDigest, draw_probe, first_of_each};

use crate::data::Data;
use crate::error::RunError;

/// The training part and its labels.
pub(crate) struct TrainingData {
    pub dataset: Dataset,
    /// The class of each sample under the experiment's label.
    pub labels: Vec<u32>,
    /// Names of those classes.
    pub classes: Vec<String>,
    digests: Vec<SampleDigest>,
    /// For each sample the first that holds the same.
    first: Vec<u32>,
    /// Where training is judged while it goes on: of text the part for that, of images
    /// samples that were held out of the training part, whom no model sees.
    pub validation: Option<Dataset>,
}

impl TrainingData {
    pub fn open(experiment: &Experiment, data: &Data) -> Result<Self, RunError> {
        let mut whole = data.part(Part::Train)?.clone();
        if experiment.dataset.duplicates == Duplicates::Drop {
            whole = whole.select(&distinct(&first_of_each(&whole.digests())));
        }
        let (dataset, validation) = match &experiment.training.evaluate {
            None => (whole, None),
            Some(_) if experiment.dataset.text.is_some() => {
                (whole, Some(data.part(Part::Validation)?.clone()))
            }
            Some(evaluate) => {
                let rng = &mut validation_stream(experiment).rng();
                let all = ProbeClasses::All;
                let held = draw_probe(&whole, &all, Some(evaluate.samples), rng)?.indices;
                // With a sample its copies are held out, where they are to stay together.
                let same = match experiment.dataset.duplicates {
                    Duplicates::Together => first_of_each(&whole.digests()),
                    Duplicates::Keep | Duplicates::Drop => (0..whole.len() as u32).collect(),
                };
                let set: BTreeSet<u32> = held.iter().map(|&i| same[i as usize]).collect();
                let rest: Vec<u32> = (0..whole.len() as u32)
                    .filter(|&i| !set.contains(&same[i as usize]))
                    .collect();
                (whole.select(&rest), Some(whole.select(&held)))
            }
        };
        let (labels, _) = dataset.joint_label(&dataset.label)?;
        let digests = dataset.digests();
        Ok(Self {
            classes: class_names(&dataset)?,
            first: first_of_each(&digests),
            digests,
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
        let together = experiment.dataset.duplicates == Duplicates::Together;
        let distinct = together.then(|| distinct(&self.first));
        let divided = distinct.as_ref().map(|distinct| {
            let labels: Vec<u32> = (distinct.iter().map(|&i| self.labels[i as usize])).collect();
            (self.dataset.select(distinct), labels)
        });
        let (dataset, labels) = match &divided {
            Some((dataset, labels)) => (dataset, labels),
            None => (&self.dataset, &self.labels),
        };
        let request = SplitRequest {
            dataset,
            labels,
            classes: &self.classes,
            per_model: experiment.dataset.train_per_model,
            design: sweep.design(),
            place: point.place(),
        };
        let rng = &mut cell.stream(experiment).child("split").rng();
        let divided = sweep.divider().and_then(|axis| axis.split(&request, rng));
        let pair = divided.ok_or_else(|| {
            let sweep = sweep.term();
            RunError::Usage(format!("no axis of the sweep {sweep} divides the samples"))
        })??;
        match distinct {
            None => Ok(pair),
            Some(distinct) => Ok(PairSplit {
                a: self.with_copies(&pair.a, &distinct)?,
                b: self.with_copies(&pair.b, &distinct)?,
            }),
        }
    }

    /// A model's samples, which were chosen among `distinct` ones, and their copies, each with its
    /// own label. Copies of classes that the model does not learn are left out.
    fn with_copies(
        &self,
        chosen: &ModelSamples,
        distinct: &[u32],
    ) -> Result<ModelSamples, RunError> {
        let mut copies: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (index, &first) in (0..).zip(&self.first) {
            if index != first {
                copies.entry(first).or_default().push(index);
            }
        }
        let own = chosen.labelling.labels(&self.dataset)?;
        let (mut indices, mut labels) = (vec![], vec![]);
        for (&place, &label) in chosen.indices.iter().zip(&chosen.labels) {
            let first = distinct[place as usize];
            indices.push(first);
            labels.push(label);
            for &copy in copies.get(&first).into_iter().flatten() {
                if let Some(label) = own[copy as usize] {
                    indices.push(copy);
                    labels.push(label);
                }
            }
        }
        Ok(ModelSamples {
            indices,
            labels,
            ..chosen.clone()
        })
    }

    /// Shared samples over samples per model where copies count as shared.
    pub fn shared_by_content(&self, pair: &PairSplit) -> f64 {
        pair.reached_by_content(&self.first)
    }

    /// The held-out part. Where copies are not kept, without images that hold the same as one of the
    /// training part, of those that hold the same as each other with the first alone if copies
    /// are dropped.
    pub fn held_out_part(&self, experiment: &Experiment, data: &Data) -> Result<Dataset, RunError> {
        let whole = data.part(Part::Test)?;
        let distinct = match experiment.dataset.duplicates {
            Duplicates::Keep => return Ok(whole.clone()),
            Duplicates::Drop => true,
            Duplicates::Together => false,
        };
        let mut known: HashSet<SampleDigest> = self.digests.iter().copied().collect();
        // By these it is decided which network is kept.
        known.extend(self.validation.iter().flat_map(Dataset::digests));
        let mut own = |digest: &SampleDigest| match distinct {
            true => known.insert(*digest),
            false => !known.contains(digest),
        };
        let kept = |(index, digest): (u32, SampleDigest)| own(&digest).then_some(index);
        let indices: Vec<u32> = (0..).zip(whole.digests()).filter_map(kept).collect();
        Ok(whole.select(&indices))
    }

    /// How many of `held_out` samples hold the same as a sample that one of the pair's models is
    /// trained on.
    pub fn trained_on(&self, pair: &PairSplit, held_out: &[SampleDigest]) -> usize {
        let indices = pair.a.indices.iter().chain(&pair.b.indices);
        let trained: HashSet<SampleDigest> =
            (indices.map(|&index| self.digests[index as usize])).collect();
        held_out.iter().filter(|d| trained.contains(d)).count()
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

/// The samples that are the first of those that hold the same.
fn distinct(first: &[u32]) -> Vec<u32> {
    let is_first = |(index, first): (u32, &u32)| (index == *first).then_some(index);
    (0..).zip(first).filter_map(is_first).collect()
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
