//! What can go wrong in training.

use std::path::PathBuf;

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
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] reprsim_models::ModelError),
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
    /// A checkpoint cannot be written or read.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
