//! The training loop, the same for every task and kind of samples.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Device;
use reprsim_models::{Network, SampleShape};

use crate::batches::{Batches, Streams};
use crate::config::TrainingConfig;
use crate::error::TrainError;
use crate::history::{EPOCH_SCHEMA, Epoch};
use crate::job::Job;
use crate::learner::Learner;
use crate::schedule;
use crate::snapshot::{Progress, resumed, save};

/// Trains one model, from its initial state or from where it was left, calling `on_epoch` for
/// each line of its history, and returns it ready for inference, in the host's memory: the
/// network of the least loss on held-out samples where there are evaluations, else the last.
///
/// Losses and metrics stay on the device until they are reported: once an epoch, or once an
/// evaluation where there are no epochs.
///
/// # Errors
/// [`TrainError::NonFiniteLoss`] at the report after it happens; [`TrainError::Stopped`] if it was
/// stopped; those of building the model,
/// of its task, of the device, and of writing a snapshot.
pub fn train(
    job: &Job<'_>,
    device: &Device,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<Network, TrainError> {
    let streams = Streams::of(job.stream);
    let mut learner = Learner::new(job, &streams, device)?;
    let mut progress = match &job.resume {
        Some(resume) => resumed(resume, &mut learner).unwrap_or_default(),
        None => Progress::default(),
    };
    progress.history.iter().for_each(&mut *on_epoch);

    let course = Course::new(job.config, learner.batches());
    let (mut saved, mut reported, mut seen) = (Instant::now(), Instant::now(), 0);
    while progress.step < course.steps && !progress.is_over(job.config) {
        let step = progress.step;
        let lr =
            job.config.optimizer.lr() * schedule::factor(&job.config.schedule, step, course.steps);
        seen += learner.step(step, lr)?;
        progress.step += 1;

        if course.reports_at(progress.step) {
            let means = learner.sums()?.means();
            let seconds = reported
                .elapsed()
                .max(Duration::from_nanos(1))
                .as_secs_f64();
            let number = progress.history.len() + 1;
            let validation_loss = match (&job.config.evaluate, job.set.held_out) {
                (Some(_), Some(held_out)) if course.evaluates_at(number, progress.step) => {
                    Some(learner.held_out_loss(held_out)?)
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
            let is_best = progress.report(Epoch {
                schema: EPOCH_SCHEMA,
                epoch: number,
                step: progress.step,
                loss: means.loss,
                metrics: means.metrics,
                validation_loss,
                lr,
                samples_per_s: rate,
                tokens_per_s: match job.set.supply.shape() {
                    SampleShape::Tokens { window, .. } => Some(rate * window as f64),
                    SampleShape::Image { .. } => None,
                },
            });
            if is_best {
                progress.best = Some(learner.network()?);
            }
            if let Some(epoch) = progress.history.last() {
                on_epoch(epoch);
            }
            learner.clear_sums()?;
            (reported, seen) = (Instant::now(), 0);
        }
        let stops = job.is_stopped() && progress.step < course.steps;
        if let Some(resume) = &job.resume
            && progress.step < course.steps
            && (stops || saved.elapsed() >= resume.every)
        {
            save(resume, &progress, &mut learner)?;
            saved = Instant::now();
        }
        if stops {
            return Err(TrainError::Stopped);
        }
    }
    let network = match progress.best {
        Some(best) => best,
        None => learner.network()?,
    };
    Ok(network.to_device(&Device::flex()))
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
