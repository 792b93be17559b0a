//! Messages that name the file, the line and the remedy, and the checks that every
//! section of an experiment file needs.

use std::error::Error;
use std::path::Path;

use reprsim_base::{hint, unknown};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::schema::{elsewhere, owners};

/// The file that is being read, for messages that name it.
///
/// A place in it is a path of keys and places in lists, such as `axis.1.levels.2`.
pub(super) struct Reader<'a> {
    pub path: &'a Path,
    pub text: &'a str,
    pub root: Spanned<DeTable<'a>>,
}

impl<'a> Reader<'a> {
    /// Looks at the structure of the file.
    pub(super) fn new(path: &'a Path, text: &'a str) -> Result<Self, ConfigError> {
        let root = DeTable::parse(text).map_err(|error| {
            let line = error.span().map(|span| line(text, span.start));
            let reason = error.message().trim().to_string();
            failure(path, line, reason, Some(error.into()))
        })?;
        Ok(Self { path, text, root })
    }

    /// Where a place of the file, or else what is nearest around it, begins.
    fn offset(&self, place: &str) -> usize {
        let mut offset = 0;
        let mut at: Option<&DeValue<'_>> = None;
        for part in place.split('.').filter(|part| !part.is_empty()) {
            let found = match at {
                None => of_table(self.root.get_ref(), part),
                Some(DeValue::Table(table)) => of_table(table, part),
                Some(DeValue::Array(list)) => part
                    .parse::<usize>()
                    .ok()
                    .and_then(|place| list.get(place))
                    .map(|value| (value.span().start, value.get_ref())),
                Some(_) => None,
            };
            match found {
                Some((start, value)) => (offset, at) = (start, Some(value)),
                None => break,
            }
        }
        offset
    }

    /// A mistake at a place of the file.
    pub(super) fn at(&self, place: &str, reason: impl Into<String>) -> ConfigError {
        let line = line(self.text, self.offset(place));
        failure(self.path, Some(line), reason.into(), None)
    }

    /// A mistake at a place of the file that `error` tells of.
    pub(super) fn caused(
        &self,
        place: &str,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> ConfigError {
        let (error, line) = (error.into(), line(self.text, self.offset(place)));
        failure(self.path, Some(line), error.to_string(), Some(error))
    }

    /// A mistake that serde found at `place`: what is misspelt, with the nearest name; or its
    /// own words.
    pub(super) fn mistake(&self, place: &str, error: toml::de::Error) -> ConfigError {
        let message = error.message().trim().to_string();
        self.told(place, &message, Some(error.into()))
    }

    /// A mistake in the words of serde, which `source` found.
    pub(super) fn told(
        &self,
        place: &str,
        message: &str,
        source: Option<Box<dyn Error + Send + Sync>>,
    ) -> ConfigError {
        let (place, message) = inner(place, message);
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        // A key that is not known is the last part of its own place.
        let place = match quoted.first() {
            Some(wrong) if message.starts_with("unknown field") => {
                let around = place
                    .strip_suffix(wrong)
                    .map(|around| around.trim_end_matches('.'));
                around.unwrap_or(&place).to_string()
            }
            _ => place,
        };
        let what = last_name(&place);
        let (at, reason) = match quoted.split_first() {
            Some((wrong, known)) if message.starts_with("unknown field") => (
                format!("{place}.{wrong}"),
                unknown_key(&place, wrong, known),
            ),
            Some((wrong, known)) if message.starts_with("unknown variant") => {
                // What is chosen by its name is called after the key it stands under.
                let chosen = place.strip_suffix(".name").unwrap_or(&place);
                let named = format!("{chosen}.name");
                let at = match self.offset(&named) == self.offset(chosen) {
                    true => place.clone(),
                    false => named,
                };
                (at, unknown(&noun(&last_name(chosen)), wrong, known))
            }
            Some((missing, [])) if message.starts_with("missing field") => {
                let reason = match what.is_empty() || what.parse::<usize>().is_ok() {
                    true => format!("the key '{missing}' is missing"),
                    false => format!("the key '{missing}' is missing in {}", shown(&place)),
                };
                (place.clone(), reason)
            }
            _ => (place.clone(), message),
        };
        let line = line(self.text, self.offset(&at));
        failure(self.path, Some(line), reason, source)
    }

    /// Picks one of `known` by the name that stands at `place`.
    pub(super) fn pick<T: Copy>(
        &self,
        what: &str,
        place: &str,
        name: &str,
        known: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        known
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|(n, _)| *n).collect();
                self.at(place, unknown(what, name, &names))
            })
    }

    /// Refuses a name that could not be that of a file.
    pub(super) fn file_name(&self, place: &str, text: &str) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if text.is_empty() || !text.chars().all(plain) || text.starts_with('.') {
            return Err(self.at(
                place,
                format!(
                    "name = \"{text}\": it names a file or directory; use letters, digits, '-', '_', '.'"
                ),
            ));
        }
        Ok(())
    }

    /// Refuses 0.
    pub(super) fn positive(&self, place: &str, value: usize) -> Result<usize, ConfigError> {
        match value {
            0 => {
                let what = last_name(place);
                Err(self.at(place, format!("{what} = 0: it must be at least 1")))
            }
            n => Ok(n),
        }
    }

    /// Refuses 0, and what nobody means.
    pub(super) fn count(
        &self,
        place: &str,
        value: usize,
        most: usize,
    ) -> Result<usize, ConfigError> {
        match self.positive(place, value)? {
            value if value > most => {
                let what = last_name(place);
                Err(self.at(
                    place,
                    format!("{what} = {value}: at most {most} is possible"),
                ))
            }
            value => Ok(value),
        }
    }

    /// Refuses what is not between `low` and `high`.
    pub(super) fn within(
        &self,
        place: &str,
        v: f64,
        low: f64,
        high: f64,
    ) -> Result<f64, ConfigError> {
        if v.is_finite() && v >= low && v <= high {
            return Ok(v);
        }
        let range = if high.is_finite() {
            format!("between {low} and {high}")
        } else {
            format!("a number of at least {low}")
        };
        let what = last_name(place);
        Err(self.at(place, format!("{what} = {v}: it must be {range}")))
    }
}

fn of_table<'a, 'b>(table: &'b DeTable<'a>, key: &str) -> Option<(usize, &'b DeValue<'a>)> {
    let found = table.iter().find(|(name, _)| name.get_ref() == key);
    found.map(|(name, value)| (name.span().start, value.get_ref()))
}

/// Of settings that are chosen by a name, serde loses the place inside; their own readers
/// write it before the message.
fn inner(place: &str, message: &str) -> (String, String) {
    let marked = message
        .strip_prefix("at `")
        .and_then(|rest| rest.split_once("`: "));
    match marked {
        Some((inner, message)) => (format!("{place}.{inner}"), message.to_string()),
        None => (place.to_string(), message.to_string()),
    }
}

/// The last key of a place.
fn last_name(place: &str) -> String {
    let named = |part: &&str| part.parse::<usize>().is_err();
    place.split('.').rev().find(named).unwrap_or("").to_string()
}

/// What a key's value is called.
fn noun(key: &str) -> String {
    match key {
        "augment" => "augmentation".into(),
        "kind" => "kind of probe".into(),
        "covariates" => "covariate".into(),
        other => other.into(),
    }
}

/// A section as it is written.
fn shown(place: &str) -> String {
    format!("[{place}]")
}

fn line(text: &str, offset: usize) -> usize {
    let end = offset.min(text.len());
    text.as_bytes()[..end]
        .iter()
        .filter(|&&b| b == b'\n')
        .count()
        + 1
}

fn failure(
    path: &Path,
    line: Option<usize>,
    reason: String,
    source: Option<Box<dyn Error + Send + Sync>>,
) -> ConfigError {
    ConfigError::File {
        path: path.to_path_buf(),
        line,
        reason,
        source,
    }
}

/// A message for a key that is not known at `place`: whose it is, where it belongs, or which
/// was meant.
fn unknown_key(place: &str, wrong: &str, known: &[&str]) -> String {
    let owners = owners(place, wrong);
    if !owners.is_empty() {
        return format!("'{wrong}' is a setting of {} only", owners.join(", "));
    }
    let near = hint(wrong, known.iter().copied());
    let elsewhere = elsewhere(wrong);
    if near.is_empty() && !elsewhere.is_empty() {
        return format!("'{wrong}' belongs under [{}]", elsewhere.join("], ["));
    }
    let known = match known {
        [] => "none".to_string(),
        known => known.join(", "),
    };
    format!("unknown key '{wrong}'{near}; valid here: {known}")
}
