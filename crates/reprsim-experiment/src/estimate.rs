//! How long a plan will take, from a few real steps on the device.

use std::path::Path;

use reprsim_data::{Part, Stream, open};
use reprsim_train::{DeviceSamples, Normalization, TrainingSet, train};

use crate::ExperimentError;
use crate::device::Chosen;
use crate::experiment::AxisKind;
use crate::plan::Plan;
use crate::run::threads_per_job;

/// Samples that one model is trained on, and the classes of its head, for each
/// axis of the plan.
///
/// # Errors
/// Those of opening the data set.
pub fn training_sizes(
    plan: &Plan,
    cache: &Path,
) -> Result<Vec<(AxisKind, usize, usize)>, ExperimentError> {
    let e = &plan.experiment;
    let train = open(&e.dataset.spec(e.root_seed), Part::Train, cache)?;
    let (labels, classes) = train.joint_label(&train.label)?;
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&l| counts[l as usize] += 1);
    e.axes
        .iter()
        .map(|axis| {
            let (samples, classes) = match axis.kind {
                AxisKind::Data => (counts.iter().map(|c| c / 2).sum(), classes),
                AxisKind::Class => (train.len() / 2, classes / 2),
                AxisKind::Task => {
                    let first = &axis.factors[..axis.factors_per_task];
                    (train.len(), train.joint_label(first)?.1)
                }
            };
            Ok((
                axis.kind,
                e.dataset.train_per_model.unwrap_or(samples),
                classes,
            ))
        })
        .collect()
}

/// Seconds of the training of the whole plan with `jobs` at once, measured on
/// two short epochs of one model (the first warms up and is not counted).
///
/// # Errors
/// Those of opening the data set and of training.
pub fn training_seconds(
    plan: &Plan,
    chosen: &Chosen,
    jobs: usize,
    cache: &Path,
) -> Result<f64, ExperimentError> {
    let e = &plan.experiment;
    let train_set = open(&e.dataset.spec(e.root_seed), Part::Train, cache)?;
    let (labels, classes) = train_set.joint_label(&train_set.label)?;
    let normalization = Normalization::of(&train_set);
    let few: Vec<u32> = (0..(6 * e.training.batch).min(train_set.len()) as u32).collect();
    let samples = DeviceSamples::new(&train_set, Some(&few), &normalization, &chosen.device);
    let mut config = e.training.clone();
    config.epochs = 2;
    let mut rate = 0.0;
    let threads = threads_per_job(chosen, jobs);
    let mut measure = || {
        train(
            "a",
            &e.model,
            &TrainingSet {
                samples: &samples,
                indices: &few,
                labels: &labels[..few.len()],
                classes,
            },
            &config,
            &Stream::new(0),
            &chosen.device,
            &mut |epoch| rate = epoch.samples_per_s,
        )
        .map(|_| ())
    };
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(&mut measure)?,
        Err(_) => measure()?,
    }
    let samples: usize = training_sizes(plan, cache)?
        .iter()
        .map(|&(axis, samples, _)| {
            let cells = plan
                .cells
                .iter()
                .filter(|c| c.level().is_some_and(|(a, _)| a == axis));
            2 * cells.count() * samples * e.training.epochs
        })
        .sum();
    Ok(samples as f64 / rate.max(1e-9) / jobs.max(1) as f64)
}
