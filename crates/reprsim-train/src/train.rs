//! The training loop, the same for every task and kind of samples.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Device;
use reprsim_base::Stream;
use reprsim_models::{InputShape, ModelConfig, ModelShape, Network, Pass};

use crate::batches::{Draws, Passes, Streams, Windows};
use crate::clip::clip;
use crate::config::TrainingConfig;
use crate::error::TrainError;
use crate::history::{EPOCH_SCHEMA, Epoch};
use crate::initial::Initial;
use crate::schedule;
use crate::snapshot::{Progress, Resume};
use crate::sums::Sums;
use crate::supply::{Drawn, Supply};
use crate::task::TaskConfig;
use crate::validation::{HeldOut, held_out_loss};

/// What one model is trained on.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// The samples, of which the model sees those at `indices`; of text they are chunks, from
    /// which it draws windows.
    pub supply: &'a Supply,
    /// Indices into `supply`.
    pub indices: &'a [u32],
    /// The label of each index.
    pub labels: &'a [u32],
    /// Number of classes, the width of the head.
    pub classes: usize,
    /// What it is evaluated on while it is trained, if `evaluate` is set.
    pub held_out: Option<HeldOut<'a>>,
}

/// One model to train.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// `a` or `b`, for messages.
    pub name: &'a str,
    /// The architecture.
    pub model: &'a ModelConfig,
    /// How it begins.
    pub initial: &'a Initial,
    /// What it learns.
    pub task: &'a TaskConfig,
    /// How.
    pub config: &'a TrainingConfig,
    /// From what.
    pub set: TrainingSet<'a>,
    /// The root of everything random: its children `weights`, `order`, `augment`, `noise` and
    /// `dropout`, by step, so that a training that goes on draws what it would have drawn.
    pub stream: &'a Stream,
    /// Where the training leaves snapshots and goes on from, if anywhere.
    pub resume: Option<Resume<'a>>,
}

impl Job<'_> {
    fn shape(&self) -> ModelShape {
        ModelShape {
            input: self.set.supply.shape(),
            classes: self.set.classes,
        }
    }
}

/// The model as it is before it is trained, ready for inference.
///
/// # Errors
/// Those of building it and of reading its initial state.
pub fn initial_network(job: &Job<'_>, device: &Device) -> Result<Network, TrainError> {
    let rng = &mut Streams::of(job.stream).weights.rng();
    job.initial.network(job.model, job.shape(), rng, device)
}

/// Trains one model, from its initial state or from where it was left, calling `on_epoch` for
/// each line of its history, and returns it ready for inference: the network of the least
/// loss on held-out samples where there are evaluations, else the last.
///
/// Losses and metrics stay on the device until they are reported: once an epoch, or once an
/// evaluation where there are no epochs.
///
/// # Errors
/// [`TrainError::NonFiniteLoss`] at the report after it happens; those of building the model,
/// of its task, of the device, and of writing a snapshot.
pub fn train(
    job: &Job<'_>,
    device: &Device,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<Network, TrainError> {
    let streams = Streams::of(job.stream);
    let network = initial_network(job, &device.clone().autodiff())?;
    let start = Progress::new(network, job.config.optimizer.build());
    let mut progress = match &job.resume {
        Some(resume) => resume.load(start),
        None => start,
    };
    progress.history.iter().for_each(&mut *on_epoch);

    let mut batches = Batches::new(job, &streams, device);
    let course = Course::new(job.config, &batches);
    let mut sums = Sums::from_kept(&progress.sums, device);
    let (mut saved, mut reported, mut seen) = (Instant::now(), Instant::now(), 0);
    while progress.step < course.steps && !progress.is_over(job.config) {
        let step = progress.step;
        let before = sums.seen;
        let mut gradients = gradients(
            job,
            &progress.network,
            &mut batches,
            &streams,
            step,
            &mut sums,
        )?;
        seen += sums.seen - before;
        if let Some(norm) = job.config.clip {
            clip(&progress.network, &mut gradients, norm);
        }
        let lr =
            job.config.optimizer.lr() * schedule::factor(&job.config.schedule, step, course.steps);
        progress.network = progress.optimizer.step(lr, progress.network, gradients);
        progress.step += 1;

        if course.reports_at(progress.step) {
            let means = sums.means()?;
            let seconds = reported
                .elapsed()
                .max(Duration::from_nanos(1))
                .as_secs_f64();
            let number = progress.history.len() + 1;
            let validation_loss = match (&job.config.evaluate, job.set.held_out) {
                (Some(_), Some(held_out)) if course.evaluates_at(number, progress.step) => {
                    let network = progress.network.valid();
                    let batch = job.config.batch;
                    Some(held_out_loss(&network, job.task, held_out, batch)?)
                }
                _ => None,
            };
            let losses = std::iter::once(means.loss).chain(validation_loss);
            if let Some(loss) = losses.into_iter().find(|loss| !loss.is_finite()) {
                return Err(TrainError::NonFiniteLoss {
                    model: job.name.to_string(),
                    place: match job.config.epochs {
                        Some(_) => format!("epoch {number}"),
                        None => format!("step {}", progress.step),
                    },
                    loss,
                });
            }
            let rate = seen as f64 / seconds;
            progress.report(Epoch {
                schema: EPOCH_SCHEMA,
                epoch: number,
                step: progress.step,
                loss: means.loss,
                metrics: means.metrics,
                validation_loss,
                lr,
                samples_per_s: rate,
                tokens_per_s: match job.set.supply.shape() {
                    InputShape::Tokens { window, .. } => Some(rate * window as f64),
                    InputShape::Image { .. } => None,
                },
            });
            if let Some(epoch) = progress.history.last() {
                on_epoch(epoch);
            }
            sums.clear();
            (reported, seen) = (Instant::now(), 0);
        }
        if let Some(resume) = &job.resume
            && progress.step < course.steps
            && saved.elapsed() >= resume.every
        {
            progress.sums = sums.keep()?;
            resume.save(&progress)?;
            saved = Instant::now();
        }
    }
    Ok(progress.into_best())
}

/// The gradients of one step. (The place of mixed precision: the model's answer in a
/// narrower type, its loss scaled, the gradients brought back.)
fn gradients(
    job: &Job<'_>,
    network: &Network,
    batches: &mut Batches<'_>,
    streams: &Streams,
    step: usize,
    sums: &mut Sums,
) -> Result<GradientsParams, TrainError> {
    let mut draws = streams.at(step);
    let sizes = batches.sizes(step);
    let all: usize = sizes.iter().sum();
    let mut accumulated = GradientsAccumulator::new();
    for (i, &size) in sizes.iter().enumerate() {
        let drawn = batches.draw(step, i, &mut draws).autodiff();
        let batch = job.task.batch(drawn, &mut draws.noise)?;
        let dropout = draws.dropout(job.config.dropout);
        let mut pass = Pass::training(dropout, &mut draws.noise);
        let output = network.output(batch.input, &mut pass)?;
        let loss = job.task.loss(output, batch.target)?;
        sums.add(&loss, size);
        let share = loss.share(size, all);
        let gradients = GradientsParams::from_grads(share.backward(), network);
        if sizes.len() == 1 {
            return Ok(gradients);
        }
        accumulated.accumulate(network, gradients);
    }
    Ok(accumulated.grads())
}

/// How long a training is and when it says something.
struct Course {
    /// Steps in all.
    steps: usize,
    /// Steps between two lines of history.
    report: usize,
    /// Lines between two evaluations.
    evaluate: usize,
}

impl Course {
    fn new(config: &TrainingConfig, batches: &Batches<'_>) -> Self {
        let every = config.evaluate.as_ref().map_or(1, |e| e.every());
        match (config.epochs, batches) {
            (Some(epochs), Batches::Passes(passes)) => Self {
                steps: epochs * passes.steps(),
                report: passes.steps().max(1),
                evaluate: every,
            },
            _ => Self {
                steps: config.steps.unwrap_or(0),
                report: match config.evaluate {
                    Some(_) => every,
                    None => config.steps.unwrap_or(1).max(1),
                },
                evaluate: 1,
            },
        }
    }

    fn reports_at(&self, step: usize) -> bool {
        step.is_multiple_of(self.report) || step == self.steps
    }

    fn evaluates_at(&self, line: usize, step: usize) -> bool {
        line.is_multiple_of(self.evaluate) || step == self.steps
    }
}

/// Where batches come from.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a training, on the stack"
)]
enum Batches<'a> {
    Passes(Passes<'a>),
    Windows {
        windows: Windows<'a>,
        batch: usize,
        accumulate: usize,
    },
}

impl<'a> Batches<'a> {
    fn new(job: &'a Job<'_>, streams: &'a Streams, device: &'a Device) -> Self {
        let TrainingSet {
            supply,
            indices,
            labels,
            ..
        } = job.set;
        match supply.shape() {
            InputShape::Image { .. } => Self::Passes(Passes::new(
                supply,
                indices,
                labels,
                job.config,
                &streams.order,
            )),
            InputShape::Tokens { window, .. } => Self::Windows {
                windows: Windows {
                    dataset: supply.dataset(),
                    chunks: indices,
                    window,
                    device,
                },
                batch: job.config.batch,
                accumulate: job.config.accumulate.max(1),
            },
        }
    }

    /// Samples in each batch of a step.
    fn sizes(&self, step: usize) -> Vec<usize> {
        match self {
            Self::Passes(passes) => passes.ranges(step).iter().map(|r| r.len()).collect(),
            Self::Windows {
                batch, accumulate, ..
            } => vec![*batch; *accumulate],
        }
    }

    /// The `i`-th batch of a step; to be called in order.
    fn draw(&mut self, step: usize, i: usize, draws: &mut Draws) -> Drawn {
        match self {
            Self::Passes(passes) => {
                let range = passes.ranges(step)[i].clone();
                passes.draw(step, range, draws)
            }
            Self::Windows { windows, batch, .. } => {
                Drawn::Windows(windows.draw(*batch, &mut draws.order))
            }
        }
    }
}
