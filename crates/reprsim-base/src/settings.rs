//! Settings that are chosen by a name.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Settings as serde reads them; whoever reads a section that is chosen by a name loses the
/// place of a mistake in it, so that it goes before the message.
///
/// # Errors
/// What serde says, after ``at `key`: `` where the place can be told.
pub fn settings<T: DeserializeOwned>(given: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(given).map_err(|error| {
        let place = error.path().to_string();
        match place.as_str() {
            "." => error.inner().to_string(),
            place => format!("at `{place}`: {}", error.inner()),
        }
    })
}
