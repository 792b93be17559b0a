//! A folder of files: the layers of one model.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::contents::natural_key;
use crate::error::{ActivationError, Problem};
use crate::file::ActivationFile;
use crate::merge::merge;
use crate::part::{ENDINGS, Part, stem};

/// Opens all files of a folder, in the order of their names; `sample_ids.npy` holds the ids of the
/// samples.
pub(crate) fn open(path: &Path) -> Result<ActivationFile, ActivationError> {
    let error = |problem: Problem| ActivationError::new(path, problem);
    let entries = std::fs::read_dir(path).map_err(|e| error(e.into()))?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let file = entry.map_err(|e| error(e.into()))?.path();
        let ending = file.extension().and_then(OsStr::to_str).unwrap_or_default();
        if ENDINGS.contains(&ending) && !stem(&file).starts_with('.') {
            files.push(file);
        }
    }
    files.sort_by_key(|file| natural_key(&file.to_string_lossy()));
    let parts = (files.iter())
        .map(|file| Part::open(file))
        .collect::<Result<Vec<_>, _>>()?;
    let whole = merge(path, parts)?;
    match whole.layers.is_empty() {
        true => Err(error(Problem::EmptyFolder)),
        false => Ok(whole),
    }
}
