//! What all cells of an experiment share: data on the device, probes.

use std::path::Path;

use burn::tensor::Device;
use reprsim_data::{Dataset, Part, Probe, ProbeClasses, Stream, draw_probe, open};
use reprsim_train::{DeviceSamples, Normalization};

use crate::ExperimentError;
use crate::experiment::{Experiment, ProbeConfig, ProbeKind};

/// The largest number of samples at which accuracy is measured.
const ACCURACY_SAMPLES: usize = 2000;

pub(crate) struct Context {
    pub experiment: Experiment,
    pub device: Device,
    pub device_name: String,
    /// The training part.
    pub train: Dataset,
    /// The same on the device; cells pick rows of it.
    pub train_samples: DeviceSamples,
    /// The class of each training sample under the experiment's label.
    pub labels: Vec<u32>,
    /// Names of those classes.
    pub classes: Vec<String>,
    /// The held-out part.
    pub test: Dataset,
    pub normalization: Normalization,
    pub probes: Vec<PreparedProbe>,
    /// Held-out samples on which accuracies are measured.
    pub accuracy: (Probe, DeviceSamples),
}

/// A probe; a fixed one is already on the device.
pub(crate) struct PreparedProbe {
    pub config: ProbeConfig,
    pub fixed: Option<(Probe, DeviceSamples)>,
}

impl Context {
    pub fn new(
        experiment: &Experiment,
        device: &Device,
        device_name: &str,
        cache: &Path,
    ) -> Result<Self, ExperimentError> {
        let spec = experiment.dataset.spec(experiment.root_seed);
        let train = open(&spec, Part::Train, cache)?;
        let test = open(&spec, Part::Test, cache)?;
        let normalization = Normalization::of(&train);
        let train_samples = DeviceSamples::new(&train, None, &normalization, device);
        let (labels, _) = train.joint_label(&train.label)?;
        let classes = class_names(&train)?;
        let root = Stream::new(experiment.root_seed).child("probe");
        let mut probes = Vec::new();
        for config in &experiment.probes {
            let fixed = match config.kind {
                ProbeKind::Fixed => {
                    let source = probe_dataset(experiment, config, &test, cache)?;
                    let mut rng = root.child(&config.name).rng();
                    let probe = draw_probe(&source, &ProbeClasses::All, config.samples, &mut rng)?;
                    let samples =
                        DeviceSamples::new(&source, Some(&probe.indices), &normalization, device);
                    Some((probe, samples))
                }
                ProbeKind::CommonClasses | ProbeKind::OneModelClasses => None,
            };
            probes.push(PreparedProbe {
                config: config.clone(),
                fixed,
            });
        }
        let mut rng = root.child("accuracy").rng();
        let count = ACCURACY_SAMPLES.min(test.len());
        let probe = draw_probe(&test, &ProbeClasses::All, Some(count), &mut rng)?;
        let samples = DeviceSamples::new(&test, Some(&probe.indices), &normalization, device);
        Ok(Self {
            experiment: experiment.clone(),
            device: device.clone(),
            device_name: device_name.to_string(),
            train,
            train_samples,
            labels,
            classes,
            test,
            normalization,
            probes,
            accuracy: (probe, samples),
        })
    }

    /// The probe's samples for a pair whose models know `class_sets` (common,
    /// of one model only); `None` where the probe does not apply.
    pub fn probe_for(
        &self,
        prepared: &PreparedProbe,
        class_sets: Option<&(
            std::collections::BTreeSet<u32>,
            std::collections::BTreeSet<u32>,
        )>,
    ) -> Result<Option<(Probe, DeviceSamples)>, ExperimentError> {
        if let Some(fixed) = &prepared.fixed {
            return Ok(Some(fixed.clone()));
        }
        let Some((common, one_model)) = class_sets else {
            return Ok(None);
        };
        let classes = match prepared.config.kind {
            ProbeKind::CommonClasses => common,
            _ => one_model,
        };
        let mut rng = Stream::new(self.experiment.root_seed)
            .child("probe")
            .child(&prepared.config.name)
            .rng();
        let probe = draw_probe(
            &self.test,
            &ProbeClasses::Only(classes.clone()),
            prepared.config.samples,
            &mut rng,
        )?;
        let samples = DeviceSamples::new(
            &self.test,
            Some(&probe.indices),
            &self.normalization,
            &self.device,
        );
        Ok(Some((probe, samples)))
    }
}

/// The data set a fixed probe is drawn from, in the training data's shape.
fn probe_dataset(
    experiment: &Experiment,
    config: &ProbeConfig,
    test: &Dataset,
    cache: &Path,
) -> Result<Dataset, ExperimentError> {
    let same_preset = config.preset == experiment.dataset.preset;
    if config.dataset.is_none() && same_preset {
        return Ok(test.clone());
    }
    let mut spec = experiment.dataset.spec(experiment.root_seed);
    if let Some(name) = &config.dataset {
        spec.name.clone_from(name);
    }
    spec.built_in.label = vec![];
    spec.built_in.preset = config.preset;
    let dataset = open(&spec, Part::Test, cache)?;
    Ok(dataset.reshaped(test.shape)?)
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
