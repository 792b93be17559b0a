//! The run directory: what is done, what is locked, nothing half-written.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use reprsim_data::split::Labelling;
use reprsim_base::write_whole;
use reprsim_train::{Epoch, read_epochs};
use serde::{Deserialize, Serialize};

use reprsim_config::ExperimentError;
use reprsim_config::AxisKind;
use reprsim_config::{Cell, Plan};
use crate::results::{CellResult, RESULT_SCHEMA};

/// Which cells a process works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All cells.
    All,
    /// Cells i, i + N, i + 2N, ...: part `i` of `of`, from 0.
    Shard {
        /// Which part.
        i: usize,
        /// Of how many.
        of: usize,
    },
    /// One cell.
    Cell(usize),
}

impl Share {
    /// Whether cell `index` belongs to this share.
    pub fn holds(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Shard { i, of } => index % of == i,
            Self::Cell(cell) => index == cell,
        }
    }
}

/// An open run directory. Its locks die with the process.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    directories: BTreeMap<String, PathBuf>,
    _lock: File,
}

impl Store {
    /// Opens or creates `root` for working on `share` of `plan`.
    ///
    /// A whole run excludes every other process; shards and single cells share
    /// the directory, as a job array does, and lock each cell they work on.
    ///
    /// # Errors
    /// [`ExperimentError::Locked`] if another process holds it;
    /// [`ExperimentError::Usage`] if it holds a run of another name;
    /// [`ExperimentError::Store`] for file errors.
    pub fn open(root: &Path, plan: &Plan, share: Share) -> Result<Self, ExperimentError> {
        let cells = root.join("cells");
        fs::create_dir_all(&cells).map_err(|e| ExperimentError::store(&cells, e))?;
        let lock = lock(root, "run.lock", share == Share::All)?;
        if let Ok(old) = Plan::read(root)
            && old.experiment.name != plan.experiment.name
        {
            return Err(ExperimentError::Usage(format!(
                "{} holds the run '{}', not '{}'\n  give this one another directory with --out",
                root.display(),
                old.experiment.name,
                plan.experiment.name
            )));
        }
        // A cell keeps its directory by hash; its number may have changed with
        // the plan.
        let mut directories = directories(root, plan);
        directories.retain(|hash, _| {
            plan.cells
                .iter()
                .any(|c| c.hash == *hash && share.holds(c.index))
        });
        if share == Share::All {
            for cell in &plan.cells {
                let right = cells.join(cell.directory());
                if let Some(found) = directories.insert(cell.hash.clone(), right.clone())
                    && found != right
                {
                    fs::rename(&found, &right).map_err(|e| ExperimentError::store(&found, e))?;
                }
            }
        }
        let store = Self {
            root: root.to_path_buf(),
            directories,
            _lock: lock,
        };
        if share == Share::All {
            store.clear_leftovers();
        }
        store.write_json("plan.json", plan)?;
        Ok(store)
    }

    /// The directory of `cell`, created on demand.
    ///
    /// # Errors
    /// [`ExperimentError::Store`].
    pub fn cell_directory(&self, cell: &Cell) -> Result<PathBuf, ExperimentError> {
        let path = self
            .directories
            .get(&cell.hash)
            .cloned()
            .unwrap_or_else(|| self.root.join("cells").join(cell.directory()));
        fs::create_dir_all(&path).map_err(|e| ExperimentError::store(&path, e))?;
        Ok(path)
    }

    /// The result of `cell`, if it is done and was measured as `measuring` says.
    pub fn result(&self, cell: &Cell, measuring: &str) -> Option<CellResult> {
        let path = self.directories.get(&cell.hash)?.join("result.json");
        read_result(&path).filter(|r| r.measuring == measuring)
    }

    /// Writes a file of the run, whole or not at all.
    ///
    /// # Errors
    /// [`ExperimentError::Store`].
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), ExperimentError> {
        write_json(&self.root.join(name), value)
    }

    /// Temporary files of a killed process.
    fn clear_leftovers(&self) {
        let dumps: Vec<PathBuf> = self
            .directories
            .values()
            .map(|d| d.join("activations"))
            .collect();
        for directory in self.directories.values().chain(&dumps).chain([&self.root]) {
            let Ok(entries) = fs::read_dir(directory) else {
                continue;
            };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with(".tmp") {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

/// All finished results of a plan in a run directory, in cell order, whoever
/// wrote them.
pub fn finished(root: &Path, plan: &Plan) -> Vec<(Cell, CellResult)> {
    let measuring = plan.measuring_hash();
    let directories = directories(root, plan);
    plan.cells
        .iter()
        .filter_map(|cell| {
            let path = directories.get(&cell.hash)?.join("result.json");
            let result = read_result(&path).filter(|r| r.measuring == measuring)?;
            Some((cell.clone(), result))
        })
        .collect()
}

/// The label factors of each model's task, sorted and joined, by the number of the cell:
/// of cells of sweeps of tasks alone, in which models of one point learn different ones.
pub fn tasks(root: &Path, plan: &Plan) -> BTreeMap<usize, [String; 2]> {
    #[derive(Deserialize)]
    struct Split {
        a: Model,
        b: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        labelling: Labelling,
    }
    let task = |model: Model| match model.labelling {
        Labelling::Factors(mut factors) => {
            factors.sort_unstable();
            factors.join(" x ")
        }
        Labelling::Classes(_) => String::new(),
    };
    let of_tasks = |cell: &&Cell| {
        let sweep = cell.sweep(&plan.experiment);
        sweep.is_some_and(|s| s.has(AxisKind::Task) || s.has(AxisKind::Partition))
    };
    let directories = directories(root, plan);
    plan.cells
        .iter()
        .filter(of_tasks)
        .filter_map(|cell| {
            let path = directories.get(&cell.hash)?.join("split.json");
            let split: Split = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
            Some((cell.index, [task(split.a), task(split.b)]))
        })
        .collect()
}

/// The training history of each model, `a` then `b`, by the number of the cell; empty of
/// models that were not trained.
pub fn histories(root: &Path, plan: &Plan) -> BTreeMap<usize, [Vec<Epoch>; 2]> {
    let directories = directories(root, plan);
    plan.cells
        .iter()
        .filter_map(|cell| {
            let directory = directories.get(&cell.hash)?;
            let history = |name: &str| read_epochs(&directory.join(name)).unwrap_or_default();
            let both = [history("a.train.jsonl"), history("b.train.jsonl")];
            both.iter()
                .any(|h| !h.is_empty())
                .then_some((cell.index, both))
        })
        .collect()
}

/// The directories that the plan's cells have in `root`, by the cell's hash.
pub fn directories(root: &Path, plan: &Plan) -> BTreeMap<String, PathBuf> {
    let Ok(entries) = fs::read_dir(root.join("cells")) else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let (_, hash) = name.split_once('-')?;
            plan.cells
                .iter()
                .any(|c| c.hash == hash)
                .then(|| (hash.to_string(), entry.path()))
        })
        .collect()
}

/// A result of this version of the layout; any other is measured again.
fn read_result(path: &Path) -> Option<CellResult> {
    let result: CellResult = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    (result.schema == RESULT_SCHEMA).then_some(result)
}

/// Writes `value` as JSON to `path`, whole or not at all.
///
/// # Errors
/// [`ExperimentError::Store`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), ExperimentError> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|e| ExperimentError::store(path, e))?;
    text.push('\n');
    write_text(path, &text)
}

/// Writes `text` to `path`, whole or not at all.
///
/// # Errors
/// [`ExperimentError::Store`].
pub fn write_text(path: &Path, text: &str) -> Result<(), ExperimentError> {
    write_whole(path, text.as_bytes()).map_err(|e| ExperimentError::store(path, e))
}

/// Takes the lock called `name` in `root`; it is freed when the process ends.
///
/// # Errors
/// [`ExperimentError::Locked`] if another process holds it.
pub(crate) fn lock(root: &Path, name: &str, exclusive: bool) -> Result<File, ExperimentError> {
    let path = root.join(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| ExperimentError::store(&path, e))?;
    let locked = if exclusive {
        file.try_lock()
    } else {
        file.try_lock_shared()
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ExperimentError::Locked {
            path: root.to_path_buf(),
        }),
        Err(TryLockError::Error(e)) => Err(ExperimentError::store(&path, e)),
    }
}
