//! What a run directory holds that nobody needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use reprsim_base::TEMPORARY;
use reprsim_config::Plan;

use crate::error::RunError;
use crate::model::SNAPSHOT;
use crate::store::{CellStore, cell_stores, lock};

/// Something that can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The file or directory.
    pub path: PathBuf,
    /// Its size, with all in it.
    pub bytes: u64,
    /// Why it is not needed.
    pub why: &'static str,
}

/// What nobody needs in the run directory `root`: temporary files of killed processes, snapshots
/// of models that are done, what was set aside as damaged and, where `unplanned` ones are asked for,
/// cells that are not in the plan (of an earlier form of the experiment). In the order of their paths.
///
/// # Errors
/// [`RunError::Locked`] while the run is in use, [`RunError::Config`] if it is no run,
/// [`RunError::Store`] if it cannot be read.
pub fn leftovers(root: &Path, unplanned: bool) -> Result<Vec<Leftover>, RunError> {
    let plan = Plan::read(root)?;
    let _lock = lock(root, "run.lock", true)?;
    let cells = cell_stores(root, &plan)?;
    let mut done = BTreeSet::new();
    for files in cells.values() {
        // What is damaged is not done; it is made again by the next run.
        if files.is_done(&plan.experiment).unwrap_or(false) {
            done.insert(files.directory.clone());
        }
    }
    let mut found = vec![];
    let known = |path: &Path| {
        cells
            .values()
            .any(|cell: &CellStore| cell.directory == path)
    };
    for path in entries(&root.join("cells"))? {
        if unplanned && path.is_dir() && !known(&path) {
            found.push(leftover(path, "a cell that is not in the plan")?);
        }
    }
    let of_run = [
        root.to_path_buf(),
        root.join("evaluations"),
        root.join("figures"),
    ];
    let of_cells = cells.values().map(|cell| cell.directory.clone());
    for folder in of_run.into_iter().chain(of_cells) {
        for path in entries(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".damaged") {
                found.push(leftover(path, "set aside as damaged")?);
            } else if name.starts_with(TEMPORARY) {
                found.push(leftover(path, "left by a killed process")?);
            } else if done.contains(&folder) && path.extension().is_some_and(|e| e == SNAPSHOT) {
                found.push(leftover(path, "of a model that is done")?);
            } else if name == "activations" {
                for path in entries(&path)? {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    if name.starts_with(TEMPORARY) {
                        found.push(leftover(path, "left by a killed process")?);
                    }
                }
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Removes what [`leftovers`] found in the run directory `root`.
///
/// # Errors
/// [`RunError::Locked`] while the run is in use, [`RunError::Store`] for what cannot be removed.
pub fn clean(root: &Path, found: &[Leftover]) -> Result<(), RunError> {
    let _lock = lock(root, "run.lock", true)?;
    for Leftover { path, .. } in found {
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(path),
            false => fs::remove_file(path),
        };
        removed.map_err(|e| RunError::store(path, e))?;
    }
    Ok(())
}

fn leftover(path: PathBuf, why: &'static str) -> Result<Leftover, RunError> {
    let bytes = size(&path)?;
    Ok(Leftover { path, bytes, why })
}

fn size(path: &Path) -> Result<u64, RunError> {
    let metadata = fs::symlink_metadata(path).map_err(|e| RunError::store(path, e))?;
    match metadata.is_dir() {
        true => entries(path)?.iter().map(|path| size(path)).sum(),
        false => Ok(metadata.len()),
    }
}

/// What is in a folder; nothing if it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    let failed = |e| RunError::store(folder, e);
    match fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(vec![]),
        listed => listed
            .map_err(failed)?
            .map(|entry| Ok(entry.map_err(failed)?.path()))
            .collect(),
    }
}
