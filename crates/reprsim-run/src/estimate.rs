//! How long a plan will take, from a few real steps on the device.

use std::collections::BTreeSet;
use std::sync::Arc;

use reprsim_base::Stream;
use reprsim_config::{Plan, Term};
use reprsim_data::Skipped;
use reprsim_device::Chosen;
use reprsim_models::ModelConfig;
use reprsim_train::{
    Epoch, Evaluate, HeldOut, Initial, Job, Occupancy, Stacks, Supply, TrainingConfig, TrainingSet,
    occupancy, suits, train,
};
use serde::Serialize;

use crate::context::{Context, normalization};
use crate::data::Data;
use crate::error::RunError;
use crate::way::{MOST_SIDE_BY_SIDE, default_jobs, replays, stack_bytes, threads_per_job};

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

/// A plan and its data, which all that is asked of it shares.
pub struct Prospect<'a> {
    plan: &'a Plan,
    devices: &'a [Chosen],
    context: Context,
}

impl<'a> Prospect<'a> {
    /// Of a plan that is to be worked through on as many devices like the first as there are.
    ///
    /// # Errors
    /// [`RunError::Usage`] if no device is named.
    pub fn new(plan: &'a Plan, devices: &'a [Chosen], data: &Arc<Data>) -> Result<Self, RunError> {
        let Some(chosen) = devices.first() else {
            return Err(RunError::Usage("no device is named".into()));
        };
        Ok(Self {
            plan,
            devices,
            context: Context::new(&plan.experiment, chosen, 0, data),
        })
    }

    /// What one model is trained on, for each sweep of the plan.
    ///
    /// # Errors
    /// Those of opening the data set and of splitting it.
    pub fn training_sizes(&self) -> Result<Vec<TrainingSize>, RunError> {
        training_sizes(self.plan, &self.context)
    }

    /// How much data there is, as the experiment's settings divide it.
    ///
    /// # Errors
    /// Those of opening the data set.
    pub fn data_sizes(&self) -> Result<DataSizes, RunError> {
        data_sizes(&self.context)
    }

    /// Measures on a few batches how long the training of the whole plan takes, with `jobs` cells at
    /// once or `stack` models side by side where they are given.
    ///
    /// # Errors
    /// Those of opening the data set and of training.
    pub fn estimate(
        &self,
        jobs: Option<usize>,
        stack: Option<usize>,
    ) -> Result<Estimate, RunError> {
        estimate(self.plan, self.devices.len(), &self.context, jobs, stack)
    }
}

fn training_sizes(plan: &Plan, context: &Context) -> Result<Vec<TrainingSize>, RunError> {
    let training = context.training()?;
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

/// How much data an experiment has.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSizes {
    /// Training samples, of which models get theirs.
    pub training: usize,
    /// Held-out samples.
    pub held_out: usize,
    /// Classes of the label.
    pub classes: usize,
    /// Those of them without a training sample.
    pub empty: usize,
    /// The factors whose product is the label.
    pub label: Vec<String>,
    /// What was left out, and what is odd.
    pub skipped: Vec<Skipped>,
}

fn data_sizes(context: &Context) -> Result<DataSizes, RunError> {
    let training = context.training()?;
    let held_out = context.test()?;
    Ok(DataSizes {
        training: training.dataset.len(),
        held_out: held_out.len(),
        classes: training.classes.len(),
        empty: training.classes.len() - training.labels.iter().collect::<BTreeSet<_>>().len(),
        label: training.dataset.label.clone(),
        skipped: context.skipped()?,
    })
}

/// How long the training of a plan takes.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// Seconds of the training of the whole plan on all devices.
    pub seconds: f64,
    /// Samples a second of a device, of all its models together.
    pub samples_per_s: f64,
    /// Models side by side on each device.
    pub models: usize,
    /// Bytes that they take there, without the samples, where steps are replayed.
    pub bytes: Option<u64>,
    /// What was timed: samples a second by number of models.
    pub timed: Vec<(usize, f64)>,
}

fn estimate(
    plan: &Plan,
    devices: usize,
    context: &Context,
    jobs: Option<usize>,
    stack: Option<usize>,
) -> Result<Estimate, RunError> {
    context.check_memory()?;
    context.check_parts()?;
    context.check_teachers()?;
    let mut estimate = Estimate {
        seconds: 0.0,
        samples_per_s: 0.0,
        models: 0,
        bytes: None,
        timed: vec![],
    };
    let (mut samples, mut longest) = (0.0, 0.0);
    for share in shares(plan, context)? {
        let pace = pace(plan, context, &share, jobs, stack)?;
        let seconds = share.samples / (pace.samples_per_s * devices as f64).max(1e-9);
        samples += share.samples;
        estimate.seconds += seconds;
        // Of several architectures the one that takes longest is described.
        if seconds >= longest {
            longest = seconds;
            (estimate.models, estimate.bytes) = (pace.models, pace.bytes);
            estimate.timed = pace.timed;
        }
    }
    estimate.samples_per_s = samples / (estimate.seconds * devices as f64).max(1e-9);
    Ok(estimate)
}

/// How fast models of one architecture are trained on a device.
struct Pace {
    samples_per_s: f64,
    models: usize,
    bytes: Option<u64>,
    timed: Vec<(usize, f64)>,
}

fn pace(
    plan: &Plan,
    context: &Context,
    share: &Share,
    jobs: Option<usize>,
    stack: Option<usize>,
) -> Result<Pace, RunError> {
    let chosen = &context.chosen;
    let most = stack.unwrap_or(MOST_SIDE_BY_SIDE);
    let most = jobs.map_or(most, |jobs| most.min(2 * jobs));
    let model = &share.model;
    let found = side_by_side(plan, context, model, most.min(share.count))?;
    let (models, samples_per_s, bytes) = match suits(&found) {
        Some(suits) => {
            // The one that is asked for, if it was reached.
            let asked = stack.and_then(|stack| found.iter().rev().find(|o| o.models <= stack));
            let taken = asked.unwrap_or(suits);
            (taken.models, taken.samples_per_s, Some(taken.bytes))
        }
        None => {
            let jobs = match jobs {
                Some(jobs) => jobs,
                None => default_jobs(chosen, 1).min(context.cells_that_fit()?),
            };
            let threads = threads_per_job(chosen, jobs);
            let measure = || samples_per_second(context, model);
            let rate = match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
                Ok(pool) => pool.install(measure)?,
                Err(_) => measure()?,
            };
            (jobs, rate * jobs as f64, None)
        }
    };
    Ok(Pace {
        samples_per_s,
        models,
        bytes,
        timed: found.iter().map(|o| (o.models, o.samples_per_s)).collect(),
    })
}

/// Times models of a plan that are of one architecture side by side on a GPU, up to `most` of them; empty elsewhere.
///
/// # Errors
/// Those of opening the data set and of training.
pub(crate) fn side_by_side(
    plan: &Plan,
    context: &Context,
    model: &ModelConfig,
    most: usize,
) -> Result<Vec<Occupancy>, RunError> {
    let chosen = &context.chosen;
    // What is not replayed has no stack.
    if !replays(&plan.experiment, chosen) {
        return Ok(vec![]);
    }
    let most = most.min(plan.models_to_train().max(1));
    with_job(context, model, |job| {
        Ok(occupancy(job, &chosen.device, most, stack_bytes(chosen))?)
    })
}

/// The models of a plan that are of one architecture.
struct Share {
    model: ModelConfig,
    /// How many they are.
    count: usize,
    /// Samples that they are trained on, whether or not they will stop early, each time that they are; a
    /// sample that one is judged by is a third of one.
    samples: f64,
}

/// The plan's models by their architecture.
fn shares(plan: &Plan, context: &Context) -> Result<Vec<Share>, RunError> {
    let e = &plan.experiment;
    let sizes = match e.training.steps {
        Some(_) => vec![],
        None => training_sizes(plan, context)?,
    };
    let evaluated = match &e.training.evaluate {
        // A forward pass is about a third of a step.
        Some(evaluate) => e.training.reports() * evaluate.samples / 3,
        None => 0,
    };
    let mut shares: Vec<Share> = Vec::new();
    for cell in &plan.cells {
        let Some(sweep) = cell.sweep(e) else {
            continue;
        };
        let trained = match e.training.steps {
            Some(steps) => steps * e.training.accumulate * e.training.batch,
            None => {
                let size = sizes.iter().find(|size| size.sweep == sweep.term());
                size.map_or(0, |size| size.samples) * e.training.epochs.unwrap_or(0)
            }
        };
        let (model, samples) = (cell.model(e), (2 * (trained + evaluated)) as f64);
        match shares.iter_mut().find(|share| share.model == model) {
            Some(share) => {
                share.samples += samples;
                share.count += 2;
            }
            None => shares.push(Share {
                model,
                count: 2,
                samples,
            }),
        }
    }
    Ok(shares)
}

/// The rate of one model at work, on a few of its samples.
fn samples_per_second(context: &Context, model: &ModelConfig) -> Result<f64, RunError> {
    let mut rate = 0.0;
    with_job(context, model, |job| {
        let keep_rate = &mut |epoch: &Epoch| rate = epoch.samples_per_s;
        train(job, &context.chosen.device, keep_rate)?;
        Ok(())
    })?;
    Ok(rate)
}

/// Does something with a model of an architecture that is to be trained on a few of the plan's samples.
fn with_job<T>(
    context: &Context,
    model: &ModelConfig,
    work: impl FnOnce(&Job<'_>) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let (e, chosen) = (&context.experiment, &context.chosen);
    let training = context.training()?;
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
        )
        .resampled(e.input))
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
    let job = Job {
        name: "a",
        model,
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
        stop: None,
    };
    work(&job)
}
