//! What all cells of an experiment share. Each part is opened when it is first asked for, and
//! samples go to the device when a model first sees them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::seq::SliceRandom;
use reprsim_base::{Stream, ask_memory, memory_budget};
use reprsim_config::{Cell, Duplicates, Experiment, ProbeConfig, ProbeKind};
use reprsim_data::split::{ModelSamples, PairSplit};
use reprsim_data::{
    Dataset, DatasetSpec, Part, Probe, ProbeClasses, SampleDigest, SampleShape, Skipped,
    draw_probe, factors_of, label_of, open,
};
use reprsim_device::Chosen;
use reprsim_models::{ModelConfig, ModelError, ModelShape};
use reprsim_train::{
    Augmentation, Normalization, Stacks, Supply, TrainError, check_parts, teacher_network,
};

use crate::data::Data;
use crate::error::RunError;
use crate::once::Once;
use crate::training_data::{Judging, TrainingData};

/// Bytes that a process takes beside its models: the program itself, samples of probes, what is left in pieces.
const PROCESS: u128 = 128 << 20;
/// Bytes for each weight of a trained model that waits for the other of its pair.
const WAITING: u128 = 4;
/// Bytes for each weight of a model that a GPU trains: as it begins and as it is written.
const HELD: u128 = 8;
/// Bytes for each weight of a model that the host trains: itself, its gradient, what an optimiser
/// keeps of it, their new values, and the copy that is written.
const TRAINED: u128 = 24;
/// Bytes of a value that is kept between the passes of a step.
const KEPT: u128 = 4;
/// Bytes for each value of a batch: as it is read and as it is learned from.
const BATCHED: u128 = 5;

pub(crate) struct Context {
    pub experiment: Experiment,
    pub chosen: Chosen,
    /// Bytes of samples that may stay on the device, for each part of a data set.
    budget: u64,
    data: Arc<Data>,
    training: Once<TrainingData>,
    normalization: Once<Normalization>,
    train_supply: Once<Supply>,
    validation_supply: Once<Supply>,
    test: Once<Dataset>,
    test_supply: Once<Supply>,
    test_digests: Once<Vec<SampleDigest>>,
    fixed_probes: Once<BTreeMap<String, ProbeSamples>>,
    /// Models of this device that train side by side.
    pub stacks: Stacks,
    /// Held by whoever runs models over samples on a GPU, which one does as fast as several, and
    /// in less memory.
    passes: Mutex<()>,
    /// Set where all that is under way is to stop.
    pub stop: Arc<AtomicBool>,
}

/// The samples of a probe.
pub(crate) struct ProbeSamples {
    pub probe: Probe,
    pub supply: Supply,
    /// The block of each sample; empty where samples are exchangeable.
    pub blocks: Vec<u32>,
}

/// A probe for one cell: shared by all, or its own.
pub(crate) enum Prepared<'a> {
    Fixed(&'a ProbeSamples),
    Own(Box<ProbeSamples>),
}

impl std::ops::Deref for Prepared<'_> {
    type Target = ProbeSamples;

    fn deref(&self) -> &ProbeSamples {
        match self {
            Self::Fixed(samples) => samples,
            Self::Own(samples) => samples,
        }
    }
}

impl Context {
    /// Nothing is opened yet. `budget` bytes of each part of a data set may stay on the
    /// device, and models train there by themselves.
    pub fn new(experiment: &Experiment, chosen: &Chosen, budget: u64, data: &Arc<Data>) -> Self {
        Self {
            experiment: experiment.clone(),
            chosen: chosen.clone(),
            budget,
            data: data.clone(),
            training: Once::default(),
            normalization: Once::default(),
            train_supply: Once::default(),
            validation_supply: Once::default(),
            test: Once::default(),
            test_supply: Once::default(),
            test_digests: Once::default(),
            fixed_probes: Once::default(),
            stacks: Stacks::alone(),
            passes: Mutex::default(),
            stop: Arc::default(),
        }
    }

    /// Ends what is being computed where all is to stop.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] if it is.
    pub fn go_on(&self) -> Result<(), RunError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(TrainError::Stopped.into()),
            false => Ok(()),
        }
    }

    /// The turn of one cell to run models over samples on a GPU, until it is dropped; on a CPU all
    /// may at once.
    pub fn pass(&self) -> Option<MutexGuard<'_, ()>> {
        let wait = || self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.chosen.cpu).then(wait)
    }

    /// The same with models that train side by side.
    #[must_use]
    pub fn with_stacks(self, stacks: Stacks) -> Self {
        Self { stacks, ..self }
    }

    /// The same that stops when `stop` is set.
    #[must_use]
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// Finds what is impossible with these data, before anything is trained.
    ///
    /// # Errors
    /// Those of opening the data, [`RunError::Usage`] for what does not fit them.
    pub fn check(&self) -> Result<(), RunError> {
        check_images(&self.experiment, self.train_supply()?)?;
        self.check_memory()?;
        check_matched_probes(&self.experiment, self.test()?)?;
        self.check_parts()?;
        self.check_initial()?;
        self.check_teachers()?;
        self.fixed_probes().map(|_| ())
    }

    /// Asks for the memory that a pair of models of each size takes.
    pub fn check_memory(&self) -> Result<(), RunError> {
        let (model, bytes) = self.largest()?;
        let batch = self.experiment.training.batch;
        let what = format!("training {model} in batches of {batch}, beside the other of its pair,");
        Ok(ask_memory(PROCESS + bytes, what).map_err(ModelError::from)?)
    }

    /// The model of the experiment whose training takes most memory, in words, and how much at least, with
    /// the one of the pair that was trained before.
    fn largest(&self) -> Result<(String, u128), RunError> {
        let shape = ModelShape {
            input: self.train_supply()?.shape(),
            classes: self.classes()?,
        };
        let training = &self.experiment.training;
        let batch = training.batch.min(self.training()?.dataset.len()) as u128;
        let (of_weight, of_kept) = match self.chosen.cpu {
            true => (TRAINED, KEPT),
            false => (HELD, 0),
        };
        let mut largest = (String::new(), 0);
        for model in self.experiment.models() {
            let weights = model.weights(shape)?;
            let kept = model.kept(shape);
            if training.recompute && !kept.has_parts() {
                return Err(RunError::Usage(format!(
                    "a {} has no blocks to compute again\n  leave out recompute under [training]",
                    model.name()
                )));
            }
            let values = BATCHED * shape.input.values() as u128;
            let of_sample = values + of_kept * kept.values(training.recompute);
            let teacher = self.experiment.task.teacher();
            let of_teacher = teacher.map(|teacher| teacher.model.unwrap_or(&model).weights(shape));
            let taught = WAITING * of_teacher.transpose()?.unwrap_or(0);
            let bytes = (of_weight + WAITING) * weights + batch * of_sample + taught;
            if bytes > largest.1 {
                largest = (format!("a {} of {weights} weights", model.name()), bytes);
            }
        }
        Ok(largest)
    }

    /// Cells that fit into memory at once, at least one.
    pub fn cells_that_fit(&self) -> Result<usize, RunError> {
        let left = u128::from(memory_budget()).saturating_sub(PROCESS);
        let fitting = left / self.largest()?.1.max(1);
        Ok(usize::try_from(fitting).unwrap_or(usize::MAX).max(1))
    }

    /// Finds what is impossible for the models of one cell.
    ///
    /// # Errors
    /// Those of the split; [`RunError::Usage`] if a model's training could not be judged.
    pub fn check_split(&self, cell: &Cell) -> Result<(), RunError> {
        let training = self.training()?;
        let pair = training.split(&self.experiment, cell)?;
        if self.experiment.dataset.text.is_some() || cell.point().is_none() {
            return Ok(());
        }
        for (name, samples) in [("a", &pair.a), ("b", &pair.b)] {
            if let Some(judging) = training.held_out(&self.experiment, samples)?
                && judging.indices.is_empty()
            {
                return Err(RunError::Usage(format!(
                    "no held-out image is of a class that model {name} of cell {} ({}) learns\n  \
                     raise samples of evaluate under [training]",
                    cell.index,
                    cell.label()
                )));
            }
        }
        Ok(())
    }

    /// What was left out of the data set's folder, and what is odd in it.
    pub fn skipped(&self) -> Result<Vec<Skipped>, RunError> {
        let (train, test) = (&self.training()?.dataset, self.test()?);
        Ok(Skipped::merged(&[&train.skipped, &test.skipped]))
    }

    /// The training part.
    pub fn training(&self) -> Result<&TrainingData, RunError> {
        self.training
            .get(|| TrainingData::open(&self.experiment, &self.data))
    }

    /// The held-out part.
    pub fn test(&self) -> Result<&Dataset, RunError> {
        self.test.get(|| match self.experiment.dataset.duplicates {
            // Probes alone need no training part.
            Duplicates::Keep => Ok(self.data.part(Part::Test)?.clone()),
            Duplicates::Drop | Duplicates::Together => {
                let training = self.training()?;
                training.held_out_part(&self.experiment, &self.data)
            }
        })
    }

    /// Held-out images that hold the same as a training image of one of the pair's models.
    pub fn held_out_copies(&self, pair: &PairSplit) -> Result<usize, RunError> {
        let test = self.test()?;
        if test.is_text() {
            // Held-out windows are longer than chunks, and documents are there once.
            return Ok(0);
        }
        let digests = self
            .test_digests
            .get(|| Ok::<_, RunError>(test.digests()))?;
        Ok(self.training()?.trained_on(pair, digests))
    }

    /// Loads every teacher once.
    pub fn check_teachers(&self) -> Result<(), RunError> {
        let experiment = &self.experiment;
        for number in 0..experiment.task.files().len() {
            let task = experiment.task.of_model(number, 0);
            let shape = ModelShape {
                input: self.train_supply()?.shape(),
                classes: self.classes()?,
            };
            for model in experiment.models() {
                teacher_network(&task, &model, shape, &self.chosen.device)
                    .map_err(|e| RunError::Usage(e.to_string()))?;
            }
        }
        Ok(())
    }

    /// Finds the parts that training names, at every size that is swept.
    pub fn check_parts(&self) -> Result<(), RunError> {
        let shape = ModelShape {
            input: self.train_supply()?.shape(),
            classes: self.classes()?,
        };
        let training = &self.experiment.training;
        let mut models = self.experiment.models().into_iter();
        models.try_for_each(|model| {
            check_parts(training, &model, shape).map_err(|e| match e {
                TrainError::Parts(reason) => RunError::Usage(reason),
                other => other.into(),
            })
        })
    }

    /// Loads all checkpoints that models begin as, at every size that is swept.
    fn check_initial(&self) -> Result<(), RunError> {
        let Some(states) = &self.experiment.initial else {
            return Ok(());
        };
        let shape = ModelShape {
            input: self.train_supply()?.shape(),
            classes: self.classes()?,
        };
        for model in self.experiment.models() {
            for initial in states.of(&model).all() {
                let rng = &mut Stream::new(0).rng();
                // A head of other classes than those of a cell is found there.
                initial
                    .network(&model, shape, rng, &self.chosen.device)
                    .map_err(|e| RunError::Usage(e.to_string()))?;
            }
        }
        Ok(())
    }

    /// Numbers that training moves in a model of the experiment.
    pub fn parameters(&self, model: &ModelConfig) -> Result<usize, RunError> {
        let shape = ModelShape {
            input: self.train_supply()?.shape(),
            classes: self.classes()?,
        };
        // What does not fit is refused before.
        Ok(usize::try_from(model.weights(shape)?).unwrap_or(usize::MAX))
    }

    /// Classes of the experiment's label, known without opening anything.
    pub fn classes(&self) -> Result<usize, RunError> {
        let spec = self.experiment.dataset.spec(self.experiment.root_seed);
        let factors = factors_of(&spec)?;
        let label = label_of(&spec)?;
        let of = |name: &String| {
            factors
                .iter()
                .find(|(n, _)| n == name)
                .map_or(1, |(_, n)| *n)
        };
        Ok(label.iter().map(of).product())
    }

    /// Training samples, of which cells pick rows.
    pub fn train_supply(&self) -> Result<&Supply, RunError> {
        self.train_supply
            .get(|| self.supply(&self.training()?.dataset, None))
    }

    /// All held-out samples, on which accuracies of classifiers are taken.
    pub fn test_supply(&self) -> Result<&Supply, RunError> {
        self.test_supply.get(|| self.supply(self.test()?, None))
    }

    /// Samples among which those are on which a model is judged while it is trained, and which.
    pub fn held_out(&self, samples: &ModelSamples) -> Result<Option<(&Supply, Judging)>, RunError> {
        let training = self.training()?;
        let judging = training.held_out(&self.experiment, samples)?;
        let (Some(dataset), Some(judging)) = (&training.validation, judging) else {
            return Ok(None);
        };
        let supply = || self.supply(dataset, None);
        Ok(Some((self.validation_supply.get(supply)?, judging)))
    }

    fn supply(&self, dataset: &Dataset, indices: Option<Vec<u32>>) -> Result<Supply, RunError> {
        Ok(Supply::new(
            dataset.clone(),
            indices,
            self.normalization()?.clone(),
            &self.chosen.device,
            self.budget,
        )
        .resampled(self.experiment.input))
    }

    fn normalization(&self) -> Result<&Normalization, RunError> {
        self.normalization.get(|| {
            let train = || Ok(&self.training()?.dataset);
            normalization(&self.experiment, self.test()?.shape, train)
        })
    }

    fn probe_samples(&self, probe: Probe, dataset: &Dataset) -> Result<ProbeSamples, RunError> {
        let blocks = match dataset.blocks.is_empty() {
            true => vec![],
            false => probe
                .indices
                .iter()
                .map(|&i| dataset.blocks[i as usize])
                .collect(),
        };
        Ok(ProbeSamples {
            supply: self.supply(dataset, Some(probe.indices.clone()))?,
            blocks,
            probe,
        })
    }

    /// The fixed probes, by their names.
    pub fn fixed_probes(&self) -> Result<&BTreeMap<String, ProbeSamples>, RunError> {
        self.fixed_probes.get(|| {
            let fixed = |probe: &&ProbeConfig| probe.kind == ProbeKind::Fixed;
            let drawn = self.experiment.probes.iter().filter(fixed);
            drawn
                .map(|config| Ok((config.name.clone(), self.fixed_probe(config)?)))
                .collect()
        })
    }

    fn fixed_probe(&self, config: &ProbeConfig) -> Result<ProbeSamples, RunError> {
        let source = probe_dataset(&self.experiment, config, self.test()?, self.data.cache())?;
        let mut rng = self.probe_stream(config).rng();
        let classes = source.joint_label(&source.label)?.1 as u32;
        let probe = match source.blocks.is_empty() {
            true => draw_probe(&source, &ProbeClasses::All, config.samples, &mut rng)?,
            // Equally much of each corpus, however many documents it has.
            false => {
                let all = ProbeClasses::Equally((0..classes).collect());
                draw_probe(&source, &all, config.samples, &mut rng)?
            }
        };
        self.probe_samples(probe, &source)
    }

    fn probe_stream(&self, config: &ProbeConfig) -> Stream {
        let root = Stream::new(self.experiment.root_seed).child("probe");
        root.child(&config.name)
    }

    /// The probe's samples for a pair whose models know the classes of `pair` (`None`
    /// where classes do not vary) and whose cell draws from `stream`; `None` where the
    /// probe does not apply.
    pub fn probe_for(
        &self,
        config: &ProbeConfig,
        pair: Option<&PairSplit>,
        stream: &Stream,
    ) -> Result<Option<Prepared<'_>>, RunError> {
        if let Some(fixed) = self.fixed_probes()?.get(&config.name) {
            return Ok(Some(Prepared::Fixed(fixed)));
        }
        let Some((common, one_model)) = pair.and_then(PairSplit::class_sets) else {
            return Ok(None);
        };
        let from = match config.kind {
            ProbeKind::CommonClasses => common,
            ProbeKind::UnseenClasses => (0..self.training()?.classes.len() as u32)
                .filter(|class| !common.contains(class) && !one_model.contains(class))
                .collect(),
            _ => one_model,
        };
        let test = self.test()?;
        let (classes, mut rng) = match config.classes {
            None => {
                let rng = self.probe_stream(config).rng();
                match test.blocks.is_empty() {
                    true => (ProbeClasses::Only(from.clone()), rng),
                    false if from.is_empty() => return Ok(None),
                    false => (ProbeClasses::Equally(from.clone()), rng),
                }
            }
            Some(count) if from.len() < count => return Ok(None),
            Some(count) => {
                let mut rng = stream.child("probe").child(&config.name).rng();
                let mut drawn: Vec<u32> = from.iter().copied().collect();
                drawn.shuffle(&mut rng);
                drawn.truncate(count);
                (ProbeClasses::Equally(drawn.into_iter().collect()), rng)
            }
        };
        let probe = draw_probe(test, &classes, config.samples, &mut rng)?;
        let samples = self.probe_samples(probe, test)?;
        Ok(Some(Prepared::Own(Box::new(samples))))
    }
}

/// What images are normalised with: what the file says, else the training part's
/// statistics; where they are what is to come out, the 0..1 scale. The training part is
/// looked at only if it is needed.
///
/// # Errors
/// [`RunError::Usage`] if the file gives it for another number of channels.
pub(crate) fn normalization<'a>(
    experiment: &Experiment,
    shape: SampleShape,
    train: impl FnOnce() -> Result<&'a Dataset, RunError>,
) -> Result<Normalization, RunError> {
    let SampleShape::Image { channels, .. } = shape else {
        return Ok(Normalization::none());
    };
    match &experiment.dataset.normalization {
        Some(given) if given.mean.len() != channels => Err(RunError::Usage(format!(
            "normalization has {} values a statistic, the images of '{}' have {channels} channels",
            given.mean.len(),
            experiment.dataset.name
        ))),
        Some(given) => Ok(given.clone()),
        None if experiment.task.unit_scale() => Ok(Normalization::identity(channels)),
        None => Ok(Normalization::of(train()?)),
    }
}

/// Refuses models that what they see does not fit, and augmentations that the stored images cannot
/// have.
fn check_images(experiment: &Experiment, samples: &Supply) -> Result<(), RunError> {
    let usage = |reason: String| Err(RunError::Usage(reason));
    if let Err(error) = experiment.model.check_input(samples.shape()) {
        return usage(error.to_string());
    }
    let SampleShape::Image {
        channels,
        height,
        width,
    } = samples.dataset().shape
    else {
        return Ok(());
    };
    let side = height.min(width);
    for step in &experiment.training.augment {
        match *step {
            Augmentation::Translate { pixels, .. } if pixels >= side => {
                return usage(format!(
                    "translate by {pixels} pixels: the images are {height}x{width}"
                ));
            }
            Augmentation::Cutout { side: cut, .. } if cut >= side => {
                return usage(format!(
                    "a cutout of {cut} pixels: the images are {height}x{width}"
                ));
            }
            _ => {}
        }
    }
    let fill = experiment.training.fill.len();
    if fill > channels {
        return usage(format!(
            "fill has {fill} values, the images have {channels} channel"
        ));
    }
    Ok(())
}

/// Refuses matched probes that some class of the test part is too small for: found
/// before anything is trained, whichever classes a cell will draw.
fn check_matched_probes(experiment: &Experiment, test: &Dataset) -> Result<(), RunError> {
    let (labels, classes) = test.joint_label(&test.label)?;
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&l| counts[l as usize] += 1);
    let smallest = counts.into_iter().min().unwrap_or(0);
    for probe in &experiment.probes {
        if !test.blocks.is_empty() && probe.by_classes() {
            // Of text every probe has equally much of each of its corpora, of one alone
            // where there is one.
            let share = probe
                .samples
                .unwrap_or(0)
                .div_ceil(probe.classes.unwrap_or(1));
            for class in 0..classes as u32 {
                let one = ProbeClasses::Equally([class].into());
                draw_probe(test, &one, Some(share), &mut Stream::new(0).rng())?;
            }
            continue;
        }
        if let (Some(classes), Some(samples)) = (probe.classes, probe.samples)
            && samples.div_ceil(classes) > smallest
        {
            return Err(RunError::Usage(format!(
                "probe '{}': {samples} samples in {classes} classes need {} of each, the smallest \
                 class of the test part has {smallest}\n  lower samples",
                probe.name,
                samples.div_ceil(classes)
            )));
        }
    }
    Ok(())
}

/// The data set a fixed probe is drawn from, in the training data's shape.
fn probe_dataset(
    experiment: &Experiment,
    config: &ProbeConfig,
    test: &Dataset,
    cache: &Path,
) -> Result<Dataset, RunError> {
    let same_preset = config.preset == experiment.dataset.preset;
    let named = config.dataset.as_ref();
    let own_set = named.is_none_or(|name| *name == experiment.dataset.name);
    if own_set && config.corpora.is_none() && same_preset {
        return Ok(test.clone());
    }
    let spec = probe_spec(experiment, config);
    let dataset = open(&spec, Part::Test, cache)?;
    match dataset.is_text() {
        true => Ok(dataset),
        false => Ok(dataset.reshaped(test.shape)?),
    }
}

/// The data set that a fixed probe is of, where it is not the experiment's own.
pub(crate) fn probe_spec(experiment: &Experiment, config: &ProbeConfig) -> DatasetSpec {
    let mut spec = experiment.dataset.spec(experiment.root_seed);
    if let Some(name) = &config.dataset {
        spec.name.clone_from(name);
        if *name != experiment.dataset.name {
            (spec.path, spec.resize) = (None, None);
        }
    }
    match (&config.corpora, &mut spec.text) {
        (Some(corpora), Some(text)) => text.corpora.clone_from(corpora),
        _ => {
            spec.built_in.label = vec![];
            spec.built_in.preset = config.preset;
        }
    }
    spec
}
