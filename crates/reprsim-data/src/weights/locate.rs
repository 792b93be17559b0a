//! The file that an entry of an experiment file means.

use std::path::{Path, PathBuf};

use reprsim_base::{default_cache, default_hub, hint};

use super::card::{find_weights_card, weights_cards};
use super::hub::{PREFIX, in_hub};

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

/// The file that `entry` means: the name of weights that have a card, `hub:OWNER/NAME` or
/// `hub:OWNER/NAME/FILE` in the local cache of a hub, or a path from `folder`.
///
/// # Errors
/// [`WeightsError`] with where was looked and what brings the file there.
pub fn locate_weights(entry: &str, folder: &Path) -> Result<PathBuf, WeightsError> {
    if let Some(wanted) = entry.strip_prefix(PREFIX) {
        return in_hub(wanted, &default_hub());
    }
    if let Ok(card) = find_weights_card(entry) {
        let path = card.path(&default_cache());
        return match path.is_file() {
            true => Ok(path),
            false => Err(WeightsError::NotFetched {
                name: card.name.clone(),
                path,
            }),
        };
    }
    let path = folder.join(entry);
    match path.exists() {
        true => Ok(path),
        false => Err(WeightsError::Unknown {
            path,
            hint: hint(entry, weights_cards().iter().map(|card| card.name.as_str())),
        }),
    }
}
