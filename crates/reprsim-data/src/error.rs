//! What can go wrong with data, in words a user can act on.

use std::io;
use std::path::{Path, PathBuf};

use reprsim_base::hint;

use crate::fetch::Attempts;

/// What an error comes from; its words are part of the error's own.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of the data crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file is not what its format says.
    #[error("{}: {reason} (at byte {offset})", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the (uncompressed) content.
        offset: u64,
        /// What is wrong.
        reason: String,
        /// What a decoder said, if one did.
        source: Option<Cause>,
    },
    /// A line of a file is not what its format says.
    #[error("{}: {source} (line {line})", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong and what would be right.
        source: Cause,
    },
    /// A file that is to be read as text is something else.
    #[error("{}: {reason}", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// What it is, and how to make text of it.
        reason: String,
    },
    /// A corpus of text cannot be used as asked.
    #[error("corpus '{corpus}': {reason}")]
    Corpus {
        /// The corpus.
        corpus: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A data set's files are not on this machine.
    #[error(
        "data set '{name}' is not on this machine ({} is missing)\n  run: reprsim data fetch {name}",
        path.display()
    )]
    NotFetched {
        /// The data set.
        name: String,
        /// The first missing file.
        path: PathBuf,
    },
    /// No data set has this name.
    #[error("unknown data set '{name}'{}; known: {known}", hint(name, known.split(", ")))]
    UnknownDataset {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// No weights have this name.
    #[error("{0}")]
    UnknownWeights(String),
    /// The data set has no such label factor.
    #[error("data set '{dataset}' has no label factor '{factor}'; it has: {known}")]
    UnknownFactor {
        /// The data set.
        dataset: String,
        /// The factor asked for.
        factor: String,
        /// The factors that exist.
        known: String,
    },
    /// A setting of the data set makes no sense.
    #[error("data set '{dataset}': {reason}")]
    Setting {
        /// The data set.
        dataset: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// It does not fit into memory.
    #[error(transparent)]
    TooLarge(#[from] reprsim_base::OverBudget),
    /// The split that was asked for does not exist.
    #[error("{0}")]
    Split(String),
    /// A probe cannot be drawn as asked.
    #[error("{0}")]
    Probe(String),
    /// A fetch was asked to stop; what has come of a file stays.
    #[error("stopped")]
    Stopped,
    /// A download failed from every source.
    #[error(
        "could not fetch {file} of {what} '{name}':{attempts}\n  \
         With no network, put the file at {} and run the command again{}.",
        target.display(),
        sha256.as_ref().map_or(String::new(), |sum| match sum.len() {
            64 => format!("; its SHA-256 must be {sum}"),
            _ => format!("; its SHA-256 must begin with {sum}"),
        })
    )]
    Fetch {
        /// What it is of: a data set, or weights.
        what: &'static str,
        /// Their name.
        name: String,
        /// The file.
        file: String,
        /// The sources that were tried.
        #[source]
        attempts: Box<Attempts>,
        /// Where the file belongs.
        target: PathBuf,
        /// Its expected checksum, if one is known.
        sha256: Option<String>,
    },
}

/// What a reader of ours finds wrong with the bytes that go through it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The content is not what it should be at this place.
    #[error("{1} (at byte {0})")]
    At(u64, String),
    /// It is no text; with the remedy.
    #[error("{0}")]
    NoText(String),
    /// It does not fit into memory.
    #[error(transparent)]
    TooLarge(#[from] reprsim_base::OverBudget),
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault)
    }
}

impl DataError {
    /// Whether the user asked for something impossible or gave a file that is not what it should
    /// be, as opposed to a failure on the way.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Stopped | Self::Fetch { .. })
    }

    pub(crate) fn damaged(
        path: impl Into<PathBuf>,
        offset: u64,
        reason: impl Into<String>,
    ) -> Self {
        Self::Damaged {
            path: path.into(),
            offset,
            reason: reason.into(),
            source: None,
        }
    }

    /// A damaged file, as a decoder told; `words` go before what it said.
    pub(crate) fn undecodable(
        path: impl Into<PathBuf>,
        offset: u64,
        words: &str,
        source: impl Into<Cause>,
    ) -> Self {
        let source = source.into();
        Self::Damaged {
            path: path.into(),
            offset,
            reason: format!("{words}{source}"),
            source: Some(source),
        }
    }

    /// An error while reading: the operating system's own, one of a reader of ours, or one that
    /// a decoder made up because the content is not what it should be.
    pub(crate) fn reading(path: &Path, offset: u64, error: io::Error) -> Self {
        match error.downcast::<Fault>() {
            Ok(Fault::At(offset, reason)) => Self::damaged(path, offset, reason),
            Ok(Fault::NoText(reason)) => Self::NoText {
                path: path.into(),
                reason,
            },
            Ok(Fault::TooLarge(refused)) => refused.into(),
            Err(error) if error.raw_os_error().is_some() => Self::io(path, error),
            Err(error) => Self::undecodable(path, offset, "", error),
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}
