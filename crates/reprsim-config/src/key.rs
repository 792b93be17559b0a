//! The written-down form of what determines a cell, or a measurement of it, whose digest is
//! its key.
//!
//! A form is a list of lines `path: value`, sorted by path; `docs/architecture.md` has an
//! example. Values are JSON scalars: text in quotes, numbers in the fewest digits that give
//! them back (a whole number without a point, whatever its type), `true`, `false`. Entries
//! of a list have their place as the last part of their path. What is absent (null, an empty
//! list) has no line.
//!
//! An option that is added later must leave the keys of earlier cells as they are: it is
//! listed in [`LATER`] with the value that was always meant, and has no line where it has that
//! value. Anything else that changes a form changes [`VERSION`].

use std::collections::BTreeMap;

use reprsim_base::Digest;
use serde::Serialize;
use serde_json::{Number, Value};

/// Version of the form; its first line.
pub const VERSION: u32 = 3;

/// Options that came after this version of the form was written down, and their values (as
/// they stand in a line) where nobody says otherwise. A place in a list is written `*`.
const LATER: &[(&str, &str)] = &[
    ("dataset.duplicates", "\"keep\""),
    ("training.frozen_norms", "false"),
    ("training.recompute", "false"),
    ("training.precision", "\"f32\""),
];

/// A form under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a value and all that is in it, under `path`.
    pub fn add(&mut self, path: &str, value: impl Serialize) {
        // What has no JSON, such as a map with keys that are no text, is none of ours.
        self.insert(
            path.to_string(),
            &serde_json::to_value(value).unwrap_or_default(),
        );
    }

    fn insert(&mut self, path: String, value: &Value) {
        let line = match value {
            Value::Null => return,
            Value::Array(entries) => {
                for (place, entry) in entries.iter().enumerate() {
                    self.insert(format!("{path}.{place}"), entry);
                }
                return;
            }
            Value::Object(entries) => {
                for (name, entry) in entries {
                    self.insert(format!("{path}.{name}"), entry);
                }
                return;
            }
            Value::Number(number) => spelled(number),
            other => other.to_string(),
        };
        if !is_default(LATER, &path, &line) {
            self.0.insert(path, line);
        }
    }

    /// The form itself.
    pub fn text(&self) -> String {
        let mut text = format!("reprsim key {VERSION}\n");
        for (path, line) in &self.0 {
            text += &format!("{path}: {line}\n");
        }
        text
    }

    /// The key: the beginning of the digest of the form.
    pub fn key(&self) -> String {
        let mut digest = Digest::new();
        digest.update(self.text());
        digest.short(6)
    }
}

/// Whether an option that came later has the value that was always meant.
fn is_default(later: &[(&str, &str)], path: &str, line: &str) -> bool {
    let parts = path.split('.').map(|part| match part.parse::<usize>() {
        Ok(_) => "*",
        Err(_) => part,
    });
    let path = parts.collect::<Vec<_>>().join(".");
    later.contains(&(path.as_str(), line))
}

/// A number in the fewest digits that give it back.
fn spelled(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < 1e15 => {
            format!("{value:.0}")
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn later_options_have_no_line_where_they_are_as_always() {
        let later = [
            ("training.precision", "\"f32\""),
            ("training.augment.*.chance", "1"),
        ];
        for (path, line, default) in [
            ("training.precision", "\"f32\"", true),
            ("training.precision", "\"bf16\"", false),
            ("training.augment.3.chance", "1", true),
            ("training.augment.3.chance", "0.5", false),
            ("training.augment.3.p", "1", false),
        ] {
            assert_eq!(is_default(&later, path, line), default, "{path} {line}");
        }
    }

    #[test]
    fn forms_do_not_depend_on_how_values_are_held() {
        let mut form = Form::new();
        form.add(
            "b",
            json!({ "z": 1.0, "a": [0.5, null, "x\"y"], "none": null, "no": [] }),
        );
        form.add("a", true);
        let lines = "reprsim key 3\na: true\nb.a.0: 0.5\nb.a.2: \"x\\\"y\"\nb.z: 1\n";
        assert_eq!(form.text(), lines);
        let mut other = Form::new();
        other.add("a", true);
        other.add("b", json!({ "a": [0.5, null, "x\"y"], "z": 1 }));
        assert_eq!(form.key(), other.key());
        other.add("c", 1e-3);
        assert!(other.text().ends_with("c: 0.001\n"));
        assert_ne!(form.key(), other.key());
    }
}
