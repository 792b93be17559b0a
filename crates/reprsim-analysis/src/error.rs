//! What can go wrong in analysis.

use std::error::Error;
use std::path::PathBuf;

/// An error of the analysis crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The run.
    #[error(transparent)]
    Run(Box<reprsim_run::RunError>),
    /// Something was asked for that this run or this table cannot give.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be written.
    #[error("{}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        reason: Box<dyn Error + Send + Sync>,
    },
}

impl From<reprsim_run::RunError> for AnalysisError {
    fn from(error: reprsim_run::RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl AnalysisError {
    /// That of a file that cannot be written.
    pub(crate) fn store(
        path: impl Into<PathBuf>,
        reason: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Write {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// Whether the user asked for something impossible.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Run(error) => error.is_usage(),
            Self::Usage(_) => true,
            Self::Write { .. } => false,
        }
    }
}
