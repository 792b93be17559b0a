//! What all cells of an experiment share: data on the device, probes.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::Device;
use rand::seq::SliceRandom;
use reprsim_data::split::{Labelling, ModelSamples, PairSplit};
use reprsim_base::Stream;
use reprsim_data::{Dataset, Part, Probe, ProbeClasses, SampleShape, draw_probe, open};
use reprsim_models::{InputShape, Objective};
use reprsim_train::{Augmentation, DeviceSamples, DeviceTokens, LanguageConfig, Normalization};

use reprsim_config::ExperimentError;
use reprsim_config::{Experiment, ProbeConfig, ProbeKind};
use crate::split::TrainingData;

pub(crate) struct Context {
    pub experiment: Experiment,
    pub device: Device,
    pub device_name: String,
    pub training: TrainingData,
    /// The training part on the device; cells pick rows of it. Of text nothing: windows
    /// of a batch are drawn from chunks on the host, a few kilobytes a step.
    pub train_samples: DeviceSamples,
    /// The part of a text on whose loss training is stopped.
    pub validation: Option<Dataset>,
    /// The held-out part.
    pub test: Dataset,
    pub normalization: Normalization,
    pub probes: Vec<PreparedProbe>,
    /// The held-out part on the device, on which accuracies of classifiers are measured.
    pub test_samples: DeviceSamples,
}

/// The samples of a probe, on the device.
#[derive(Clone)]
pub(crate) struct ProbeSamples {
    pub probe: Probe,
    pub samples: DeviceSamples,
    /// The block of each sample; empty where samples are exchangeable.
    pub blocks: Vec<u32>,
}

impl ProbeSamples {
    fn new(
        probe: Probe,
        dataset: &Dataset,
        normalization: &Normalization,
        device: &Device,
    ) -> Self {
        let blocks = match dataset.blocks.is_empty() {
            true => vec![],
            false => probe
                .indices
                .iter()
                .map(|&i| dataset.blocks[i as usize])
                .collect(),
        };
        Self {
            samples: DeviceSamples::new(dataset, Some(&probe.indices), normalization, device),
            blocks,
            probe,
        }
    }
}

/// A probe; a fixed one is already on the device.
pub(crate) struct PreparedProbe {
    pub config: ProbeConfig,
    pub fixed: Option<ProbeSamples>,
}

impl Context {
    pub fn new(
        experiment: &Experiment,
        device: &Device,
        device_name: &str,
        cache: &Path,
    ) -> Result<Self, ExperimentError> {
        let spec = experiment.dataset.spec(experiment.root_seed);
        let training = TrainingData::open(experiment, cache)?;
        let test = open(&spec, Part::Test, cache)?;
        let normalization = normalization(experiment, &training.dataset)?;
        let language = experiment.training.language.as_ref();
        let validation = match language {
            Some(_) => Some(open(&spec, Part::Validation, cache)?),
            None => None,
        };
        let resident = |dataset: &Dataset| {
            let none: &[u32] = &[];
            let indices = language.is_some().then_some(none);
            DeviceSamples::new(dataset, indices, &normalization, device)
        };
        let train_samples = resident(&training.dataset);
        check_images(experiment, train_samples.shape())?;
        check_matched_probes(experiment, &test)?;
        let root = Stream::new(experiment.root_seed).child("probe");
        let mut probes = Vec::new();
        for config in &experiment.probes {
            let fixed = match config.kind {
                ProbeKind::Fixed => {
                    let source = probe_dataset(experiment, config, &test, cache)?;
                    let mut rng = root.child(&config.name).rng();
                    let classes = source.joint_label(&source.label)?.1 as u32;
                    let probe = match source.blocks.is_empty() {
                        true => draw_probe(&source, &ProbeClasses::All, config.samples, &mut rng)?,
                        // Equally much of each corpus, however many documents it has.
                        false => {
                            let all = ProbeClasses::Equally((0..classes).collect());
                            draw_probe(&source, &all, config.samples, &mut rng)?
                        }
                    };
                    Some(ProbeSamples::new(probe, &source, &normalization, device))
                }
                ProbeKind::CommonClasses
                | ProbeKind::OneModelClasses
                | ProbeKind::UnseenClasses => None,
            };
            probes.push(PreparedProbe {
                config: config.clone(),
                fixed,
            });
        }
        let test_samples = resident(&test);
        Ok(Self {
            experiment: experiment.clone(),
            device: device.clone(),
            device_name: device_name.to_string(),
            training,
            train_samples,
            validation,
            test,
            normalization,
            probes,
            test_samples,
        })
    }

    /// Held-out windows of the corpora that a model of text learns, equally many of
    /// each, on whose loss its training is stopped: the same for all models of the same
    /// corpora.
    pub fn validation_for(
        &self,
        samples: &ModelSamples,
        language: &LanguageConfig,
    ) -> Result<DeviceTokens, ExperimentError> {
        let Some(dataset) = &self.validation else {
            unreachable!("text is opened with its validation part")
        };
        let (_, count) = dataset.joint_label(&dataset.label)?;
        let known: BTreeSet<u32> = match &samples.labelling {
            Labelling::Classes(classes) => classes.iter().copied().collect(),
            Labelling::Factors(_) => (0..count as u32).collect(),
        };
        let count = known.len();
        let mut rng = Stream::new(self.experiment.root_seed)
            .child("validation")
            .rng();
        let classes = ProbeClasses::Equally(known);
        // All that can be had, equally many of each corpus, if that is less.
        let all = draw_probe(dataset, &classes, None, &mut rng.clone())?;
        let wanted = language.evaluate_windows.min(all.indices.len());
        let wanted = (wanted / count).max(1) * count;
        let windows = draw_probe(dataset, &classes, Some(wanted), &mut rng)?;
        Ok(DeviceTokens::new(
            dataset,
            Some(&windows.indices),
            &self.device,
        ))
    }

    /// The probe's samples for a pair whose models know the classes of `pair` (`None`
    /// where classes do not vary) and whose cell draws from `stream`; `None` where the
    /// probe does not apply.
    pub fn probe_for(
        &self,
        prepared: &PreparedProbe,
        pair: Option<&PairSplit>,
        stream: &Stream,
    ) -> Result<Option<ProbeSamples>, ExperimentError> {
        if let Some(fixed) = &prepared.fixed {
            return Ok(Some(fixed.clone()));
        }
        let Some((common, one_model)) = pair.and_then(PairSplit::class_sets) else {
            return Ok(None);
        };
        let config = &prepared.config;
        let from = match config.kind {
            ProbeKind::CommonClasses => common,
            ProbeKind::UnseenClasses => (0..self.training.classes.len() as u32)
                .filter(|class| !common.contains(class) && !one_model.contains(class))
                .collect(),
            _ => one_model,
        };
        let (classes, mut rng) = match config.classes {
            None => {
                let root = Stream::new(self.experiment.root_seed).child("probe");
                let rng = root.child(&config.name).rng();
                match self.test.blocks.is_empty() {
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
        let probe = draw_probe(&self.test, &classes, config.samples, &mut rng)?;
        let normalization = &self.normalization;
        let samples = ProbeSamples::new(probe, &self.test, normalization, &self.device);
        Ok(Some(samples))
    }
}

/// What images are normalised with: what the file says, else the training part's
/// statistics; an autoencoder sees them on the 0..1 scale that it reconstructs.
///
/// # Errors
/// [`ExperimentError::Usage`] if the file gives it for another number of channels.
pub(crate) fn normalization(
    experiment: &Experiment,
    train: &Dataset,
) -> Result<Normalization, ExperimentError> {
    let SampleShape::Image { channels, .. } = train.shape else {
        return Ok(Normalization::none());
    };
    match &experiment.dataset.normalization {
        Some(given) if given.mean.len() != channels => Err(ExperimentError::Usage(format!(
            "normalization has {} values a statistic, the images of '{}' have {channels} channels",
            given.mean.len(),
            train.name
        ))),
        Some(given) => Ok(given.clone()),
        None if experiment.model.objective() == Objective::Reconstruct => {
            Ok(Normalization::identity(channels))
        }
        None => Ok(Normalization::of(train)),
    }
}

/// Refuses models and augmentations that the images cannot have.
fn check_images(experiment: &Experiment, shape: InputShape) -> Result<(), ExperimentError> {
    let usage = |reason: String| Err(ExperimentError::Usage(reason));
    if let Err(error) = experiment.model.check_input(shape) {
        return usage(error.to_string());
    }
    let InputShape::Image {
        channels,
        height,
        width,
    } = shape
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
fn check_matched_probes(experiment: &Experiment, test: &Dataset) -> Result<(), ExperimentError> {
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
            return Err(ExperimentError::Usage(format!(
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
) -> Result<Dataset, ExperimentError> {
    let same_preset = config.preset == experiment.dataset.preset;
    if config.dataset.is_none() && config.corpora.is_none() && same_preset {
        return Ok(test.clone());
    }
    let mut spec = experiment.dataset.spec(experiment.root_seed);
    if let Some(name) = &config.dataset {
        spec.name.clone_from(name);
        if *name != experiment.dataset.name {
            spec.path = None;
        }
    }
    if let (Some(corpora), Some(text)) = (&config.corpora, &mut spec.text) {
        text.corpora.clone_from(corpora);
        return Ok(open(&spec, Part::Test, cache)?);
    }
    spec.built_in.label = vec![];
    spec.built_in.preset = config.preset;
    let dataset = open(&spec, Part::Test, cache)?;
    Ok(dataset.reshaped(test.shape)?)
}
