//! Settings that are chosen by a name.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

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

/// The `name` of a section that chooses a kind by it, and the settings beside it, which are
/// that kind's.
///
/// # Errors
/// Those of the format, and of a name that is not there or no text.
pub fn named<'de, D: Deserializer<'de>>(given: D) -> Result<(String, Value), D::Error> {
    let mut given = Map::deserialize(given)?;
    match given.remove("name") {
        Some(Value::String(name)) => Ok((name, Value::Object(given))),
        Some(_) => Err(D::Error::custom("at `name`: a name is a text")),
        None => Err(D::Error::missing_field("name")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_are_divided_into_name_and_settings() {
        let divided = named(json!({ "name": "cnn", "width": 2 })).unwrap();
        assert_eq!(divided, ("cnn".into(), json!({ "width": 2 })));
        for (given, told) in [
            (json!({ "name": 1 }), "at `name`: a name is a text"),
            (json!({ "width": 2 }), "missing field `name`"),
            (json!([]), "invalid type"),
        ] {
            let error = named(given).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
