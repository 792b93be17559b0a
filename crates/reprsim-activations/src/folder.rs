//! A folder of files: the layers of one model.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::contents::natural_key;
use crate::error::{ActivationError, Problem};
use crate::file::{ActivationFile, ENDINGS};

/// Opens all files of a folder, in the order of their names. Layers of files that have one of the same
/// name are called `STEM/NAME`; `sample_ids.npy` holds the ids of the samples.
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
        .map(|file| ActivationFile::open_part(file))
        .collect::<Result<Vec<_>, _>>()?;
    let mut whole = ActivationFile {
        path: path.to_path_buf(),
        ids: None,
        columns: Vec::new(),
        layers: Vec::new(),
    };
    let count = |name: &str| {
        let layers = parts.iter().flat_map(|part| &part.layers);
        layers.filter(|layer| layer.name == name).count()
    };
    let mut said_by: Option<&Path> = None;
    for part in &parts {
        if let Some(ids) = &part.ids {
            if let (Some(known), Some(by)) = (&whole.ids, said_by) {
                known.check(ids).map_err(|difference| {
                    error(Problem::FolderSamples {
                        a: name(by),
                        b: name(&part.path),
                        difference: Box::new(difference),
                    })
                })?;
            } else {
                (whole.ids, said_by) = (Some(ids.clone()), Some(part.path.as_path()));
            }
        }
        for (column, labels) in &part.columns {
            if whole.columns.iter().all(|(known, _)| known != column) {
                whole.columns.push((column.clone(), labels.clone()));
            }
        }
        for layer in &part.layers {
            let mut layer = layer.clone();
            if count(&layer.name) > 1 {
                layer.name = format!("{}/{}", stem(&part.path), layer.name);
            }
            if whole.layers.iter().any(|known| known.name == layer.name) {
                return Err(error(Problem::LayerTwice(layer.name)));
            }
            whole.layers.push(layer);
        }
    }
    match whole.layers.is_empty() {
        true => Err(error(Problem::EmptyFolder)),
        false => Ok(whole),
    }
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
