//! One model to train.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::tensor::Device;
use reprsim_base::Stream;
use reprsim_models::{ModelConfig, ModelShape, Network};

use crate::batches::Streams;
use crate::checkpoint::load_checkpoint;
use crate::config::TrainingConfig;
use crate::error::TrainError;
use crate::initial::Initial;
use crate::stacks::Stacks;
use crate::supply::Supply;
use crate::task::{TaskConfig, Teacher};
use crate::validation::HeldOut;

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
    /// Which models it shares a GPU's launches with; its results are those that it has alone.
    pub stacks: &'a Stacks,
    /// Set where it is to stop after the step that it is in, leaving a snapshot.
    pub stop: Option<&'a AtomicBool>,
}

impl Job<'_> {
    /// Whether it is to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    pub(crate) fn shape(&self) -> ModelShape {
        ModelShape {
            input: self.set.supply.shape(),
            classes: self.set.classes,
        }
    }

    /// A model of these shapes whose weights mean nothing.
    pub(crate) fn blank(&self, device: &Device) -> Result<Network, TrainError> {
        let rng = &mut Stream::new(0).rng();
        Ok(Network::new(self.model, self.shape(), rng, device)?)
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

/// The model from whose scores a task learns, for models of the architecture `student` and this shape;
/// `None` where it has none.
///
/// # Errors
/// Those of reading its weights.
pub fn teacher_network(
    task: &TaskConfig,
    student: &ModelConfig,
    shape: ModelShape,
    device: &Device,
) -> Result<Option<Network>, TrainError> {
    let load = |teacher: Teacher<'_>| {
        let model = teacher.model.unwrap_or(student);
        load_checkpoint(teacher.checkpoint, model, shape, device)
    };
    task.teacher().map(load).transpose()
}

/// Where and how often a training leaves a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Resume<'a> {
    /// The file.
    pub path: &'a Path,
    /// What determines the training: a snapshot of another is not used.
    pub key: &'a str,
    /// Least time between two snapshots; they are taken after any step.
    pub every: Duration,
}
