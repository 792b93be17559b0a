//! What can be wrong with an activation file.

use std::path::{Path, PathBuf};

/// An activation file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct ActivationError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and where it can be said what to do.
    pub reason: String,
}

impl ActivationError {
    pub(crate) fn new(path: &Path, reason: impl ToString) -> Self {
        Self {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }
}
