//! What can go wrong in a run, split by whose it is.

use std::error::Error;
use std::path::PathBuf;

use reprsim_train::TrainError;

/// An error of the pipeline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The experiment file, or the plan of a run.
    #[error(transparent)]
    Config(#[from] reprsim_config::ConfigError),
    /// Something was asked for that these data or this run cannot give.
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
    /// The file system has no locks.
    #[error(
        "{} is on a file system without locks ({reason})\n  \
         make sure that no other run uses it, and say --no-lock", path.display()
    )]
    NoLocks {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// A file of the run store cannot be read or written.
    #[error("{}: {reason}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        reason: Box<dyn Error + Send + Sync>,
    },
    /// A file of the run store is not what was written.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that is known.
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
    /// A measure that is not known.
    #[error(transparent)]
    Measure(#[from] reprsim_metrics::UnknownMeasure),
    /// A comparison.
    #[error(transparent)]
    Similarity(#[from] reprsim_similarity::SimilarityError),
    /// A model that is given what it cannot take.
    #[error(transparent)]
    Model(#[from] reprsim_models::ModelError),
    /// A cell ended in a panic of a library, which names a bug or a device that
    /// ran out of memory.
    #[error("{0}")]
    Panic(String),
}

impl RunError {
    /// That of a file of the run store.
    pub fn store(
        path: impl Into<PathBuf>,
        reason: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Store {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// That of reading a number from the device.
    pub(crate) fn read(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Extract(reprsim_extract::ExtractError::Device(reason.into()))
    }

    /// The error with all that its causes add.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.contains(&more) {
                text += &format!(": {more}");
            }
            cause = error.source();
        }
        text
    }

    /// Whether it was asked to stop.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Train(reprsim_train::TrainError::Stopped))
    }

    /// Whether the user asked for something impossible, as opposed to a failure
    /// on the way.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Config(error) => error.is_usage(),
            Self::Usage(_) | Self::Locked { .. } | Self::NoLocks { .. } | Self::Model(_) => true,
            Self::Train(error) => matches!(
                error,
                TrainError::Model(_) | TrainError::Parts(_) | TrainError::Precision(_)
            ),
            Self::Extract(error) => matches!(error, reprsim_extract::ExtractError::TooLarge(_)),
            Self::Data(error) => error.is_usage(),
            Self::Similarity(error) => error.is_usage(),
            _ => false,
        }
    }
}
