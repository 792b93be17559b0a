//! What can be wrong with an activation file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use reprsim_base::{OverBudget, SealError};

use crate::pool::ShapeError;

/// An activation file that cannot be used.
#[derive(Debug)]
pub struct ActivationError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and where it can be said what to do.
    pub problem: Problem,
}

impl ActivationError {
    pub(crate) fn new(path: &Path, problem: Problem) -> Self {
        Self {
            path: path.to_path_buf(),
            problem,
        }
    }
}

impl ActivationError {
    /// Whether the system does not let a file be read that is there, as opposed to one that is not
    /// what it should be.
    pub fn is_of_system(&self) -> bool {
        let mut problem = &self.problem;
        while let Problem::Member { problem: inner, .. } = problem {
            problem = inner;
        }
        match problem {
            Problem::Io(e) => e.raw_os_error().is_some() && e.kind() != io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

impl fmt::Display for ActivationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for ActivationError {
    /// What stands behind the problem, which the message itself tells.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problem.source()
    }
}

/// What is wrong with a file: whose fault it is, and in words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The system does not let it be read.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// It is a pipe, a device or a folder.
    #[error(
        "is not a file but a pipe, a device or a folder: activations are read more than once, so \
         write them to a file first"
    )]
    NotAFile,
    /// It carries a digest of its content, which has another.
    #[error("{0}: it was damaged or edited after reprsim wrote it; write it again")]
    Seal(#[from] SealError),
    /// It has a format that is not read.
    #[error("{0}")]
    Format(String),
    /// It is not what its ending says, was cut off or put together wrongly.
    #[error("{0}")]
    Damaged(String),
    /// As [`Problem::Damaged`], as another reader found.
    #[error("{what}")]
    Unsound {
        /// What is not sound.
        what: &'static str,
        /// What its reader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It holds values of a type that activations do not have.
    #[error("{0}")]
    Type(String),
    /// It holds no layers.
    #[error("it holds no layers")]
    NoLayers,
    /// It holds nothing but what is said of the samples.
    #[error(
        "it holds no layers: '{0}' is a whole number or a text for each sample, an id or a group; save \
         numbers to be compared as [samples, 1]"
    )]
    LabelsAlone(String),
    /// None of its layers is meant.
    #[error(
        "no layer is called {asked}; there are: {known} (names of layers of several files are given \
         together, as in --layers 'conv*,block*')"
    )]
    NoSuchLayer {
        /// What was asked for.
        asked: String,
        /// Its layers.
        known: String,
    },
    /// A folder in which no file is one of activations.
    #[error("it is a folder without a .safetensors, .npy or .npz file")]
    EmptyFolder,
    /// Files of a folder that are not of the same samples.
    #[error("its files {a} and {b} are not of the same samples: {difference}")]
    FolderSamples {
        /// One file.
        a: String,
        /// Another.
        b: String,
        /// Where they part.
        difference: Box<DifferentSamples>,
    },
    /// A scale or a zero point that does not fit its layer.
    #[error("layer '{layer}': {what}")]
    Quantized {
        /// The layer.
        layer: String,
        /// What does not fit.
        what: String,
    },
    /// An array that must be put in memory, where there is not enough of it.
    #[error(transparent)]
    Memory(#[from] OverBudget),
    /// Labels of samples of more than one axis.
    #[error("its labels of samples have shape {0:?}; they must have one axis")]
    LabelShape(Vec<usize>),
    /// Two layers have one name.
    #[error("it has two layers called '{0}'")]
    LayerTwice(String),
    /// Its sample ids are not one a row.
    #[error("it has {ids} sample ids and layer '{layer}' has {rows} rows")]
    IdsAndRows {
        /// Sample ids.
        ids: usize,
        /// A layer.
        layer: String,
        /// Its rows.
        rows: usize,
    },
    /// Its array of sample ids has more than one axis, or none.
    #[error("its sample ids have shape {0:?}; they must have one axis")]
    IdShape(Vec<usize>),
    /// A layer is no matrix, and it is not said how to make it one.
    #[error("layer '{layer}': {shape}")]
    Shape {
        /// The layer.
        layer: String,
        /// What its shape lacks.
        shape: ShapeError,
    },
    /// A mask that is no matrix.
    #[error("a mask has shape [samples, tokens], and this has {0:?}")]
    MaskShape(Vec<usize>),
    /// A value in a mask that is neither 0 nor 1.
    #[error("row {row}, token {token}: a mask holds 1 for a real token and 0 for padding alone")]
    MaskValue {
        /// The row, from 0.
        row: usize,
        /// The token, from 0.
        token: usize,
    },
    /// A mask that leaves nothing of a sample.
    #[error("row {row} has no real token: there is nothing to pool")]
    Masked {
        /// The row, from 0.
        row: usize,
    },
    /// A mask of other samples or tokens than a layer has.
    #[error(
        "layer '{layer}' of shape {shape:?} does not fit the mask {} of [samples, tokens] {mask:?}",
        path.display()
    )]
    MaskFits {
        /// The layer.
        layer: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The mask's file.
        path: PathBuf,
        /// The mask's shape.
        mask: [usize; 2],
    },
    /// A mask with a pooling that keeps every token.
    #[error("layer '{layer}': a mask goes with --pool mean, max, first or last, not with flatten")]
    MaskPool {
        /// The layer.
        layer: String,
    },
    /// A mask for layers that have no tokens.
    #[error("no layer has samples, tokens and dimensions, which a mask is for: leave it out")]
    MaskUnused,
    /// Rows that a layer does not have, or a place that does not hold them.
    #[error("rows {start} to {end} of {rows} do not fit")]
    Rows {
        /// The first row asked for.
        start: usize,
        /// The row after the last.
        end: usize,
        /// The rows that there are.
        rows: usize,
    },
    /// Something is wrong with a member of an archive.
    #[error("its member '{member}': {problem}")]
    Member {
        /// The member.
        member: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
}

impl Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Member { problem, .. } => problem.source(),
            other => std::error::Error::source(other),
        }
    }

    pub(crate) fn short() -> Self {
        Self::Damaged("the file is shorter than its header says".into())
    }
}

/// Rows that are not the same samples here and there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DifferentSamples {
    /// The hashes over all ids differ.
    #[error("sample-id hashes {a} and {b}")]
    Hashes {
        /// One.
        a: String,
        /// The other.
        b: String,
    },
    /// There are more of them in one than in the other.
    #[error("{a} and {b} sample ids")]
    Counts {
        /// How many here.
        a: usize,
        /// How many there.
        b: usize,
    },
    /// The first row at which they part.
    #[error("row {row} is sample {a} in one and {b} in the other")]
    Row {
        /// The row, from 0.
        row: usize,
        /// The sample here.
        a: String,
        /// The sample there.
        b: String,
    },
}
