//! Why an entry of an experiment file names no file of weights.

use std::path::PathBuf;

/// Why an entry names no file of weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Weights with a card were not fetched.
    #[error(
        "the weights '{name}' are not on this machine ({} is missing): run reprsim weights fetch {name}",
        path.display()
    )]
    NotFetched {
        /// Their name.
        name: String,
        /// The missing file.
        path: PathBuf,
    },
    /// A model of a hub is not written as one.
    #[error("'hub:{0}': write hub:OWNER/NAME or hub:OWNER/NAME/FILE")]
    Hub(String),
    /// A model of a hub is not in its cache.
    #[error(
        "{file} of {model} is not in the hub's cache: looked in {}{there}; nothing is fetched from a \
         hub here, run: hf download {model} {file}",
        looked_in.display()
    )]
    NotInHub {
        /// `OWNER/NAME`.
        model: String,
        /// The file.
        file: String,
        /// The folder that was looked in.
        looked_in: PathBuf,
        /// What is there, in words.
        there: String,
    },
    /// Neither a file nor a name.
    #[error("{}: no such file{hint}; weights with a card: reprsim weights list", path.display())]
    Unknown {
        /// The file that there is not.
        path: PathBuf,
        /// The name that may have been meant, in words.
        hint: String,
    },
}
