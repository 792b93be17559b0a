//! Settings that are chosen by a name.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Settings that cannot be read.
///
/// Whoever reads a section that is chosen by a name loses the place of a mistake in it, so
/// that the message begins with it, ``at `key`: ``, where it can be told.
#[derive(Debug, thiserror::Error)]
#[error("{}{source}", match place.as_str() {
    "." => String::new(),
    place => format!("at `{place}`: "),
})]
pub struct SettingsError {
    place: String,
    source: serde_json::Error,
}

/// Settings as serde reads them.
///
/// # Errors
/// [`SettingsError`] with the place of what is wrong.
pub fn settings<T: DeserializeOwned>(given: &Value) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(given).map_err(|error| SettingsError {
        place: error.path().to_string(),
        source: error.into_inner(),
    })
}
