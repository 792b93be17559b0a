//! What can go wrong with activations.

use std::error::Error;
use std::path::PathBuf;

use reprsim_graph::GraphError;
use reprsim_models::ModelError;

/// An error of the extraction crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// A file cannot be read, written or understood.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        reason: Box<dyn Error + Send + Sync>,
    },
    /// Two sets of activations are of different samples.
    #[error(
        "the activations are of different samples ({a} and {b}): similarity would be meaningless"
    )]
    DifferentSamples {
        /// The sample-id hash of one.
        a: String,
        /// The sample-id hash of the other.
        b: String,
    },
    /// The samples are not what the model takes in.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What is to be kept does not fit into memory.
    #[error(transparent)]
    TooLarge(#[from] reprsim_base::OverBudget),
    /// Scores of classes are asked of a model that gives something else.
    #[error("the model gives {0}, not scores of classes")]
    NoClassifier(&'static str),
    /// The recorded pass failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(#[source] Box<dyn Error + Send + Sync>),
}
