//! What a run directory holds that nobody needs.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use reprsim_base::{entries, leftovers as temporaries, remove, size_of};
use reprsim_config::Plan;

use crate::error::RunError;
use crate::model::SNAPSHOT;
use crate::store::{REPORTS, cell_stores, lock};

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

/// What can go of a run directory, which nobody else works on while this is there.
#[derive(Debug)]
pub struct Leftovers {
    /// In the order of their paths.
    pub found: Vec<Leftover>,
    _lock: File,
}

/// What nobody needs in the run directory `root`: temporary files of killed processes, snapshots
/// of models that are done, what was set aside as damaged and, where `unplanned` ones are asked for,
/// cells that are not in the plan (of an earlier form of the experiment).
///
/// # Errors
/// [`RunError::Locked`] while the run is in use, [`RunError::Config`] if it is no run,
/// [`RunError::Store`] if it cannot be read.
pub fn leftovers(root: &Path, unplanned: bool) -> Result<Leftovers, RunError> {
    let plan = Plan::read(root)?;
    let lock = lock(root, "run.lock", true)?;
    let cells = cell_stores(root, &plan)?;
    let mut done = BTreeSet::new();
    for files in cells.values() {
        // What is damaged is not done; it is made again by the next run.
        if files.is_done(&plan.experiment).unwrap_or(false) {
            done.insert(files.directory.clone());
        }
    }
    let mut found = vec![];
    let known = |path: &Path| cells.values().any(|cell| cell.directory == path);
    for path in listed(&root.join("cells"))? {
        if unplanned && path.is_dir() && !known(&path) {
            found.push(leftover(path, "a cell that is not in the plan")?);
        }
    }
    let of_run = REPORTS.map(|folder| (root.join(folder), false));
    let of_cells = cells.values().map(|cell| &cell.directory);
    let of_cells =
        of_cells.flat_map(|cell| [(cell.clone(), true), (cell.join("activations"), true)]);
    for (folder, ours) in of_run.into_iter().chain(of_cells) {
        for path in temporaries(&folder, ours) {
            found.push(leftover(path, "left by a killed process")?);
        }
        for path in listed(&folder)? {
            let ends = |ending: &str| path.extension().is_some_and(|e| e == ending);
            if ends("damaged") {
                found.push(leftover(path, "set aside as damaged")?);
            } else if ends(SNAPSHOT) && done.contains(&folder) {
                found.push(leftover(path, "of a model that is done")?);
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Leftovers { found, _lock: lock })
}

impl Leftovers {
    /// Removes them.
    ///
    /// # Errors
    /// [`RunError::Store`] for what cannot be removed.
    pub fn free(&self) -> Result<(), RunError> {
        let one = |leftover: &Leftover| {
            let path = &leftover.path;
            remove(path).map_err(|e| RunError::store(path, e))
        };
        self.found.iter().try_for_each(one)
    }
}

fn leftover(path: PathBuf, why: &'static str) -> Result<Leftover, RunError> {
    let bytes = size_of(&path).map_err(|e| RunError::store(&path, e))?;
    Ok(Leftover { path, bytes, why })
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    entries(folder).map_err(|e| RunError::store(folder, e))
}
