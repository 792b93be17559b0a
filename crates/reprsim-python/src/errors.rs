//! The package's exceptions, which are classes of `reprsim._errors`.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use reprsim_similarity::SimilarityError;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// The caller's: a value that cannot be used.
    Input,
    /// A file's.
    File,
    /// It needs more memory than may be used.
    Memory,
    /// Nobody's that could be named: a device, a bug.
    Failure,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Input => "InputError",
            Self::File => "FileError",
            Self::Memory => "MemoryLimitError",
            Self::Failure => "ReprsimError",
        }
    }
}

/// What ended work that cannot be waited for any longer, or went wrong in it.
#[derive(Debug)]
pub(crate) struct Failed {
    pub kind: Kind,
    pub message: String,
}

impl Failed {
    /// A mistake of the caller.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Input,
            message: message.into(),
        }
    }
}

/// An error with all that stands behind it, as one message.
pub(crate) fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !message.contains(&text) {
            message += ": ";
            message += &text;
        }
        cause = inner.source();
    }
    in_python(&message)
}

/// A message of the libraries, which name options as the program writes them, as Python does.
pub(crate) fn in_python(message: &str) -> String {
    let said = [
        ("with --pool", "with pool="),
        ("take --pool ", "take pool="),
        ("--pool ", "pool="),
        ("--axes nhwc", "axes=\"nhwc\""),
        ("--mask FILE.npy", "mask="),
        ("--mask", "mask="),
    ];
    (said.iter()).fold(message.to_string(), |message, (from, to)| {
        message.replace(from, to)
    })
}

impl From<SimilarityError> for Failed {
    fn from(error: SimilarityError) -> Self {
        let kind = match &error {
            SimilarityError::TooLarge(_) => Kind::Memory,
            SimilarityError::Activations(_) => Kind::File,
            error if error.is_usage() => Kind::Input,
            _ => Kind::Failure,
        };
        Self {
            kind,
            message: whole(&error),
        }
    }
}

impl From<Failed> for PyErr {
    fn from(failed: Failed) -> Self {
        Python::attach(|py| {
            let class = py
                .import("reprsim._errors")
                .and_then(|module| module.getattr(failed.kind.class()))
                .and_then(|class| Ok(class.cast_into::<PyType>()?));
            match class {
                Ok(class) => PyErr::from_type(class, failed.message),
                Err(_) => PyRuntimeError::new_err(failed.message),
            }
        })
    }
}
