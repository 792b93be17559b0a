//! Errors of the pipeline, split by whose they are.

use std::path::PathBuf;

/// An error of the experiment crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// An experiment file is wrong; the message says where and what to do.
    #[error("{}{}: {reason}", path.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
    File {
        /// The experiment file.
        path: PathBuf,
        /// The line, from 1, where one can be named.
        line: Option<usize>,
        /// What is wrong, what was expected.
        reason: String,
    },
    /// Something was asked for in the wrong way.
    #[error("{0}")]
    Usage(String),
    /// The run directory, or a cell of it, is in use by another process.
    #[error(
        "{} is in use by another run\n  wait for it, or give this one another directory with --out",
        path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A file of the run store cannot be read or written.
    #[error("{}: {reason}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Data.
    #[error(transparent)]
    Data(#[from] reprsim_data::DataError),
    /// Training.
    #[error(transparent)]
    Train(#[from] reprsim_train::TrainError),
    /// Activations.
    #[error(transparent)]
    Extract(#[from] reprsim_extract::ExtractError),
    /// Measures.
    #[error(transparent)]
    Metric(#[from] reprsim_metrics::MetricError),
    /// The device.
    #[error(transparent)]
    Device(#[from] reprsim_device::DeviceError),
    /// A cell ended in a panic of a library, which names a bug or a device that
    /// ran out of memory.
    #[error("{0}")]
    Panic(String),
}

impl ExperimentError {
    /// That of a file of the run store.
    pub fn store(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::Store {
            path: path.into(),
            reason: reason.to_string(),
        }
    }

    /// Whether the user asked for something impossible, as opposed to a failure
    /// on the way.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::File { .. } | Self::Usage(_) | Self::Locked { .. } | Self::Device(_) => true,
            Self::Data(error) => error.is_usage(),
            _ => false,
        }
    }
}
