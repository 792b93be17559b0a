//! What can go wrong in training.

use std::error::Error;
use std::path::PathBuf;

use reprsim_graph::GraphError;
use reprsim_models::{ModelError, OutputKind};

/// An error of the training crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The loss left the finite numbers.
    #[error(
        "the loss became {loss} at {place} (model {model})\n  \
         lower the learning rate or lengthen its warm-up"
    )]
    NonFiniteLoss {
        /// `a` or `b`.
        model: String,
        /// The epoch or step.
        place: String,
        /// NaN or infinity.
        loss: f64,
    },
    /// It was asked to stop; a snapshot holds how far it came.
    #[error("stopped")]
    Stopped,
    /// The model cannot be built, or is given what it cannot take.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A task is given what it does not learn from.
    #[error("the task {task} learns from {needs}, not from {given}")]
    Task {
        /// The task.
        task: &'static str,
        /// What it learns from.
        needs: &'static str,
        /// What it was given.
        given: &'static str,
    },
    /// What is said of parts of a model does not fit it.
    #[error("{0}")]
    Parts(String),
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(#[source] Box<dyn Error + Send + Sync>),
    /// Steps of a precision other than f32 are only replayed.
    #[error(
        "precision \"{0}\" needs steps that are replayed on a GPU\n  \
         use --device wgpu, no accumulation and no teacher, or precision = \"f32\""
    )]
    Precision(&'static str),
    /// A step could not be recorded, or its device failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A checkpoint or snapshot cannot be written or read.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        reason: Box<dyn Error + Send + Sync>,
    },
}

impl TrainError {
    /// Whether a checkpoint could not be read at all, as opposed to not being what it should be.
    pub fn is_of_system(&self) -> bool {
        let Self::Checkpoint { reason, .. } = self else {
            return false;
        };
        reason.downcast_ref::<std::io::Error>().is_some()
    }

    /// The device's own error.
    pub(crate) fn device(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Device(error.into())
    }

    /// A task that is given another target than it learns from.
    pub(crate) fn target(task: &'static str, needs: &'static str, given: &'static str) -> Self {
        Self::Task { task, needs, given }
    }

    /// A task that is given another output than it learns from.
    pub(crate) fn output(task: &'static str, needs: OutputKind, given: OutputKind) -> Self {
        Self::Task {
            task,
            needs: needs.name(),
            given: given.name(),
        }
    }
}
