//! How long a plan will take, from a few real steps on the device.

use std::path::Path;

use reprsim_base::Stream;
use reprsim_data::{Part, open};
use reprsim_train::{
    DeviceImages, DeviceTokens, LanguageConfig, TextSet, TrainingSet, train, train_language,
};

use reprsim_config::ExperimentError;
use crate::context::normalization;
use reprsim_device::Chosen;
use reprsim_config::Experiment;
use reprsim_config::Plan;
use crate::run::threads_per_job;
use crate::split::TrainingData;

/// Windows in a step of a language model that a CPU is timed on, at most.
const CPU_WINDOWS: usize = 8;

/// What one model of a sweep is trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSize {
    /// The sweep's name.
    pub sweep: String,
    /// Samples of one model.
    pub samples: usize,
    /// Classes of its head, the fewest and the most of the sweep.
    pub classes: (usize, usize),
}

/// What one model is trained on, for each sweep of the plan.
///
/// # Errors
/// Those of opening the data set and of splitting it.
pub fn training_sizes(plan: &Plan, cache: &Path) -> Result<Vec<TrainingSize>, ExperimentError> {
    let training = TrainingData::open(&plan.experiment, cache)?;
    let mut sizes: Vec<TrainingSize> = Vec::new();
    for cell in &plan.cells {
        let Some(sweep) = cell.sweep(&plan.experiment) else {
            continue;
        };
        if cell.seed > 0 {
            continue; // every seed has the same points
        }
        let pair = training.split(&plan.experiment, cell)?;
        let classes = [pair.a.classes, pair.b.classes];
        let (low, high) = (classes[0].min(classes[1]), classes[0].max(classes[1]));
        match sizes.iter_mut().find(|s| s.sweep == sweep.name()) {
            Some(size) => {
                size.samples = size.samples.max(pair.a.indices.len());
                size.classes = (size.classes.0.min(low), size.classes.1.max(high));
            }
            None => sizes.push(TrainingSize {
                sweep: sweep.name(),
                samples: pair.a.indices.len(),
                classes: (low, high),
            }),
        }
    }
    Ok(sizes)
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
    let threads = threads_per_job(chosen, jobs);
    let measure = || match &e.training.language {
        Some(language) => seconds_a_language_model(e, language, chosen, cache),
        None => seconds_an_image_model(plan, chosen, cache),
    };
    let seconds = match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(measure)?,
        Err(_) => measure()?,
    };
    Ok(seconds * plan.models_to_train() as f64 / jobs.max(1) as f64)
}

/// The mean over all models that are trained.
fn seconds_an_image_model(
    plan: &Plan,
    chosen: &Chosen,
    cache: &Path,
) -> Result<f64, ExperimentError> {
    let e = &plan.experiment;
    let training = TrainingData::open(e, cache)?;
    let train_set = &training.dataset;
    let normalization = normalization(e, train_set)?;
    let few: Vec<u32> = (0..(6 * e.training.batch).min(train_set.len()) as u32).collect();
    let samples = DeviceImages::new(train_set, Some(&few), &normalization, &chosen.device);
    let mut config = e.training.clone();
    config.epochs = 2;
    let set = TrainingSet {
        samples: &samples,
        indices: &few,
        labels: &training.labels[..few.len()],
        classes: training.classes.len(),
    };
    let mut rate = 0.0;
    let (stream, device) = (Stream::new(0), &chosen.device);
    train(
        "a",
        &e.model,
        &set,
        &config,
        &stream,
        device,
        &mut |epoch| {
            rate = epoch.samples_per_s;
        },
    )?;
    let samples: usize = training_sizes(plan, cache)?
        .iter()
        .map(|size| {
            let cells = plan
                .cells
                .iter()
                .filter(|c| c.sweep(e).is_some_and(|s| s.name() == size.sweep));
            2 * cells.count() * size.samples * e.training.epochs
        })
        .sum();
    let models = plan.models_to_train().max(1);
    Ok(samples as f64 / rate.max(1e-9) / models as f64)
}

/// All steps and evaluations of one model, whether or not it will stop early.
fn seconds_a_language_model(
    e: &Experiment,
    language: &LanguageConfig,
    chosen: &Chosen,
    cache: &Path,
) -> Result<f64, ExperimentError> {
    const STEPS: usize = 3;
    // A CPU takes about as long for a window whatever the batch, and the logits of a batch
    // that is meant for a GPU may not fit its memory.
    let batch = match chosen.cpu {
        true => e.training.batch.min(CPU_WINDOWS),
        false => e.training.batch,
    };
    let training = TrainingData::open(e, cache)?;
    let spec = e.dataset.spec(e.root_seed);
    let held_out = open(&spec, Part::Validation, cache)?;
    let few: Vec<u32> = (0..held_out.len().min(batch) as u32).collect();
    let validation = DeviceTokens::new(&held_out, Some(&few), &chosen.device);
    let chunks: Vec<u32> = (0..training.dataset.len() as u32).collect();
    let set = TextSet {
        dataset: &training.dataset,
        chunks: &chunks,
        validation: &validation,
        resume: None,
    };
    let mut config = e.training.clone();
    config.batch = batch;
    config.language = Some(LanguageConfig {
        steps: 2 * STEPS,
        accumulate: 1,
        evaluate_every: STEPS,
        ..language.clone()
    });
    // The first steps warm up and are not counted.
    let mut rate = 0.0;
    let (stream, device) = (Stream::new(0), &chosen.device);
    train_language(
        "a",
        &e.model,
        &set,
        &config,
        &stream,
        device,
        &mut |epoch| rate = epoch.samples_per_s,
    )?;
    let windows = language.steps * language.accumulate * e.training.batch;
    // A forward pass is about a third of a step.
    let evaluated = e.training.reports() * language.evaluate_windows / 3;
    Ok((windows + evaluated) as f64 / rate.max(1e-9))
}
