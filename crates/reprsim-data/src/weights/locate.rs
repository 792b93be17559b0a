//! The file that an entry of an experiment file means.

use std::path::{Path, PathBuf};

use reprsim_base::{default_cache, default_hub, hint};

use super::card::{find_weights_card, weights_cards};
use super::error::WeightsError;
use super::hub::{PREFIX, in_hub};

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
