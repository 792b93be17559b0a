//! What can be wrong with an experiment.

use std::error::Error;
use std::path::PathBuf;

/// An error of the configuration crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An experiment file is wrong; the message says where and what to do.
    #[error("{}{}: {reason}", path.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
    File {
        /// The experiment file.
        path: PathBuf,
        /// The line, from 1, where one can be named.
        line: Option<usize>,
        /// What is wrong, what was expected.
        reason: String,
        /// What found it, where that was not this crate.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The plan of a run cannot be read.
    #[error("{}: {reason}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
        /// What found it.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The plan of a run is not what was written.
    #[error("{}: {reason}\n  reprsim run with the experiment file writes it anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that is known.
        reason: String,
        /// What found it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ConfigError {
    /// Whether the user asked for something impossible, as opposed to a file that is damaged
    /// or cannot be read.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Damaged { .. } => false,
            Self::Plan { source, .. } => match source {
                None => true,
                Some(source) => source
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound),
            },
        }
    }
}
