//! One line of training history an epoch, as JSON lines.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use reprsim_base::{check_lines, read_stored, seal_lines, write_whole};
use serde::{Deserialize, Serialize};

/// No history is larger.
const LARGEST: u64 = 256 << 20;

/// Version of the layout of a line.
pub(crate) const EPOCH_SCHEMA: u32 = 4;

/// What an epoch did, or the steps of a model of text up to an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Version of the layout of this line.
    pub schema: u32,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Optimiser steps since the start.
    pub step: usize,
    /// Mean training loss of a sample over the epoch.
    pub loss: f64,
    /// Further means of the task over the training samples, such as `accuracy` in 0..=1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Mean loss on held-out samples, where they were evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Samples a second.
    pub samples_per_s: f64,
    /// Tokens a second, of models of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_s: Option<f64>,
}

/// The line whose network was kept: that of the least loss on held-out samples, the first of
/// equals; the last line where nothing was evaluated.
pub fn best(history: &[Epoch]) -> Option<&Epoch> {
    let evaluated = history
        .iter()
        .filter(|epoch| epoch.validation_loss.is_some());
    let least =
        evaluated.reduce(
            |best, epoch| match epoch.validation_loss < best.validation_loss {
                true => epoch,
                false => best,
            },
        );
    least.or(history.last())
}

/// Writes the history of `owner` to `path`, whole or not at all, with its digest.
///
/// # Errors
/// The operating system's.
pub fn write_epochs(path: &Path, epochs: &[Epoch], owner: &str) -> io::Result<()> {
    let mut lines = String::new();
    for epoch in epochs {
        lines += &serde_json::to_string(epoch)?;
        lines.push('\n');
    }
    write_whole(path, seal_lines(&lines, owner).as_bytes())
}

/// Reads the history of `owner`.
///
/// # Errors
/// The operating system's, or [`io::ErrorKind::InvalidData`] if it is not what was written for that
/// owner.
pub fn read_epochs(path: &Path, owner: &str) -> io::Result<Vec<Epoch>> {
    let odd = |e| io::Error::new(io::ErrorKind::InvalidData, e);
    let lines = String::from_utf8(read_stored(path, LARGEST)?).map_err(odd)?;
    if lines.is_empty() {
        return Ok(vec![]);
    }
    check_lines(&lines, owner).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    (lines.lines())
        .map(|line| serde_json::from_str(line).map_err(Into::into))
        .collect()
}
