//! How long a plan will take, from a few real steps on the device.

use std::path::Path;

use reprsim_base::Stream;
use reprsim_config::{Plan, Term};
use reprsim_device::Chosen;
use reprsim_train::{
    Evaluate, HeldOut, Initial, Job, Stacks, Supply, TrainingConfig, TrainingSet, train,
};

use crate::context::normalization;
use crate::error::RunError;
use crate::run::threads_per_job;
use crate::training_data::TrainingData;

/// Windows in a step of a model of text that a CPU is timed on, at most.
const CPU_WINDOWS: usize = 8;
/// Batches that are timed; as many before them warm up and are not counted.
const IMAGE_BATCHES: usize = 6;
const TEXT_BATCHES: usize = 3;

/// What one model of a sweep is trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSize {
    /// The sweep.
    pub sweep: Term,
    /// Samples of one model.
    pub samples: usize,
    /// Classes of its head, the fewest and the most of the sweep.
    pub classes: (usize, usize),
}

/// What one model is trained on, for each sweep of the plan.
///
/// # Errors
/// Those of opening the data set and of splitting it.
pub fn training_sizes(plan: &Plan, cache: &Path) -> Result<Vec<TrainingSize>, RunError> {
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
        match sizes.iter_mut().find(|s| s.sweep == sweep.term()) {
            Some(size) => {
                size.samples = size.samples.max(pair.a.indices.len());
                size.classes = (size.classes.0.min(low), size.classes.1.max(high));
            }
            None => sizes.push(TrainingSize {
                sweep: sweep.term(),
                samples: pair.a.indices.len(),
                classes: (low, high),
            }),
        }
    }
    Ok(sizes)
}

/// Seconds of the training of the whole plan with `jobs` at once, measured on
/// a few batches of one model.
///
/// # Errors
/// Those of opening the data set and of training.
pub fn training_seconds(
    plan: &Plan,
    chosen: &Chosen,
    jobs: usize,
    cache: &Path,
) -> Result<f64, RunError> {
    let threads = threads_per_job(chosen, jobs);
    let measure = || seconds_a_model(plan, chosen, cache);
    let seconds = match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(measure)?,
        Err(_) => measure()?,
    };
    Ok(seconds * plan.models_to_train() as f64 / jobs.max(1) as f64)
}

/// The mean over all models that are trained, whether or not they will stop early.
fn seconds_a_model(plan: &Plan, chosen: &Chosen, cache: &Path) -> Result<f64, RunError> {
    let e = &plan.experiment;
    let rate = samples_per_second(plan, chosen, cache)?;
    let evaluated = match &e.training.evaluate {
        // A forward pass is about a third of a step.
        Some(evaluate) => e.training.reports() * evaluate.samples / 3,
        None => 0,
    };
    let trained = match (e.training.steps, e.training.epochs) {
        (Some(steps), _) => steps * e.training.accumulate * e.training.batch,
        (None, epochs) => {
            let epochs = epochs.unwrap_or(0);
            let all = training_sizes(plan, cache)?.iter().fold(0, |all, size| {
                let of_sweep = |sweep: &Term| *sweep == size.sweep;
                let cells = plan
                    .cells
                    .iter()
                    .filter(|cell| cell.sweep(e).is_some_and(|sweep| of_sweep(&sweep.term())));
                all + 2 * cells.count() * size.samples * epochs
            });
            all / plan.models_to_train().max(1)
        }
    };
    Ok((trained + evaluated) as f64 / rate.max(1e-9))
}

/// The rate of one model at work, on a few of its samples.
fn samples_per_second(plan: &Plan, chosen: &Chosen, cache: &Path) -> Result<f64, RunError> {
    let e = &plan.experiment;
    let training = TrainingData::open(e, cache)?;
    let text = e.dataset.text.is_some();
    // A CPU takes about as long for a window whatever the batch, and the logits of a batch
    // that is meant for a GPU may not fit its memory.
    let batch = match text && chosen.cpu {
        true => e.training.batch.min(CPU_WINDOWS),
        false => e.training.batch,
    };
    let few = match text {
        true => training.dataset.len(),
        false => (IMAGE_BATCHES * batch).min(training.dataset.len()),
    };
    let indices: Vec<u32> = (0..few as u32).collect();
    let supply = |dataset: &reprsim_data::Dataset, indices: Vec<u32>| -> Result<Supply, RunError> {
        let normalization = normalization(e, training.dataset.shape, || Ok(&training.dataset))?;
        let device = &chosen.device;
        Ok(Supply::new(
            dataset.clone(),
            Some(indices),
            normalization,
            device,
            u64::MAX,
        ))
    };
    let train_supply = match text {
        // Windows are drawn from chunks on the host.
        true => Supply::new(
            training.dataset.clone(),
            None,
            normalization(e, training.dataset.shape, || Ok(&training.dataset))?,
            &chosen.device,
            0,
        ),
        false => supply(&training.dataset, indices.clone())?,
    };
    let held_out = match &training.validation {
        Some(dataset) if text => {
            let few: Vec<u32> = (0..dataset.len().min(batch) as u32).collect();
            Some((supply(dataset, few.clone())?, few))
        }
        _ => None,
    };
    let config = TrainingConfig {
        batch,
        accumulate: 1,
        epochs: e.training.epochs.map(|_| 2),
        steps: e.training.steps.map(|_| 2 * TEXT_BATCHES),
        evaluate: text.then_some(Evaluate {
            every: Some(TEXT_BATCHES),
            ..Evaluate::default()
        }),
        ..e.training.clone()
    };
    let mut rate = 0.0;
    let job = Job {
        name: "a",
        model: &e.model,
        initial: &Initial::Random,
        task: &e.task,
        config: &config,
        set: TrainingSet {
            supply: &train_supply,
            indices: &indices,
            labels: &training.labels[..few.min(training.labels.len())],
            classes: training.classes.len(),
            held_out: held_out.as_ref().map(|(supply, indices)| HeldOut {
                supply,
                indices,
                labels: &[],
            }),
        },
        stream: &Stream::new(0),
        resume: None,
        stacks: &Stacks::alone(),
    };
    train(&job, &chosen.device, &mut |epoch| {
        rate = epoch.samples_per_s
    })?;
    Ok(rate)
}
