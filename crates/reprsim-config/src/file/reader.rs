//! Messages that name the file, the line and the remedy, and the checks that every
//! section of an experiment file needs.

use std::path::Path;

use reprsim_base::{hint, unknown};
use toml::Spanned;

use crate::ExperimentError;

/// The file that is being read, for messages that name it.
pub(super) struct Reader<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        self.text.as_bytes()[..end]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
            + 1
    }

    pub(super) fn error(&self, offset: usize, reason: impl Into<String>) -> ExperimentError {
        ExperimentError::File {
            path: self.path.to_path_buf(),
            line: Some(self.line(offset)),
            reason: reason.into(),
        }
    }

    pub(super) fn at<T>(&self, value: &Spanned<T>, reason: impl Into<String>) -> ExperimentError {
        self.error(value.span().start, reason)
    }

    /// A mistake that the TOML reader found: its message, the line, and the
    /// nearest key if one is misspelt.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ExperimentError {
        let message = error.message().trim().to_string();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let reason = match quoted.split_first() {
            Some((wrong, known)) if message.starts_with("unknown field") => {
                format!(
                    "unknown key '{wrong}'{}; valid here: {}",
                    hint(wrong, known.iter().copied()),
                    known.join(", ")
                )
            }
            Some((missing, [])) if message.starts_with("missing field") => {
                format!("the key '{missing}' is missing")
            }
            _ => message,
        };
        match error.span() {
            Some(span) => self.error(span.start, reason),
            None => ExperimentError::File {
                path: self.path.to_path_buf(),
                line: None,
                reason,
            },
        }
    }

    /// Picks one of `known` by name.
    pub(super) fn pick<T: Copy>(
        &self,
        what: &str,
        name: &Spanned<String>,
        known: &[(&str, T)],
    ) -> Result<T, ExperimentError> {
        let wanted = name.get_ref();
        known
            .iter()
            .find(|(n, _)| n == wanted)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|(n, _)| *n).collect();
                self.at(name, unknown(what, wanted, &names))
            })
    }

    /// Refuses a name that could not be that of a file.
    pub(super) fn file_name(&self, name: &Spanned<String>) -> Result<(), ExperimentError> {
        let text = name.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if text.is_empty() || !text.chars().all(plain) || text.starts_with('.') {
            return Err(self.at(
                name,
                format!(
                    "name = \"{text}\": it names a file or directory; use letters, digits, '-', '_', '.'"
                ),
            ));
        }
        Ok(())
    }

    pub(super) fn positive(
        &self,
        what: &str,
        value: &Spanned<usize>,
    ) -> Result<usize, ExperimentError> {
        match *value.get_ref() {
            0 => Err(self.at(value, format!("{what} = 0: it must be at least 1"))),
            n => Ok(n),
        }
    }

    pub(super) fn within(
        &self,
        what: &str,
        value: &Spanned<f64>,
        low: f64,
        high: f64,
    ) -> Result<f64, ExperimentError> {
        let v = *value.get_ref();
        if v.is_finite() && v >= low && v <= high {
            return Ok(v);
        }
        let range = if high.is_finite() {
            format!("between {low} and {high}")
        } else {
            format!("a number of at least {low}")
        };
        Err(self.at(value, format!("{what} = {v}: it must be {range}")))
    }
}
