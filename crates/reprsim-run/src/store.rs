//! The run directory: what is done, what is locked, nothing half-written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use reprsim_base::{
    check_seal, in_the_way, read_stored, seal, set_aside, sweep, sync_folder, write_whole,
};
use reprsim_data::Skipped;
use reprsim_data::split::Labelling;
use reprsim_train::{Epoch, read_epochs};
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::evaluation::{Accuracy, EVALUATIONS, PairEvaluation, Similarity, asked};
use crate::results::{CellResult, PairResult, RESULT_SCHEMA, Row};
use reprsim_config::{Cell, ConfigError, Experiment, Plan};

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
    lock: Option<File>,
}

impl Store {
    /// Opens or creates `root` for working on `share` of `plan`.
    ///
    /// A whole run excludes every other process; shards and single cells share
    /// the directory, as a job array does, and lock each cell they work on; nobody is kept out
    /// where it is to be `unlocked`.
    ///
    /// # Errors
    /// [`RunError::Locked`] if another process holds it;
    /// [`RunError::Usage`] if it holds a run of another name;
    /// [`RunError::Store`] for file errors.
    pub fn open(root: &Path, plan: &Plan, share: Share, unlocked: bool) -> Result<Self, RunError> {
        Self::check(root, plan)?;
        let cells = root.join("cells");
        fs::create_dir_all(&cells).map_err(|e| RunError::store(&cells, e))?;
        let lock = match unlocked {
            true => None,
            false => Some(lock(root, "run.lock", share == Share::All)?),
        };
        // A cell keeps its directory by hash; its number may have changed with
        // the plan.
        let mut directories = directories(root, plan)?;
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
                    fs::rename(&found, &right).map_err(|e| RunError::store(&found, e))?;
                }
            }
        }
        let store = Self {
            root: root.to_path_buf(),
            directories,
            lock,
        };
        if share == Share::All {
            store.clear_leftovers();
        }
        // Of several processes at once each writes the same over it.
        if share == Share::All
            && let Err(error @ ConfigError::Damaged { .. }) = Plan::read(root)
        {
            put_aside(&root.join("plan.json"), &error)?;
        }
        store.write_json("plan.json", plan)?;
        Ok(store)
    }

    /// Refuses a directory that holds another run, or one of another program's, without
    /// touching it.
    ///
    /// # Errors
    /// [`RunError::Usage`], [`RunError::Config`].
    pub(crate) fn check(root: &Path, plan: &Plan) -> Result<(), RunError> {
        if !root.join("plan.json").exists() {
            return Ok(());
        }
        let old = match Plan::read(root) {
            // It is written anew; cells are known by what they say themselves.
            Err(ConfigError::Damaged { .. }) => return Ok(()),
            old => old?,
        };
        if old.experiment.name == plan.experiment.name {
            return Ok(());
        }
        Err(RunError::Usage(format!(
            "{} holds the run '{}', not '{}'\n  give this one another directory with --out",
            root.display(),
            old.experiment.name,
            plan.experiment.name
        )))
    }

    /// Whether others are kept out.
    pub(crate) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// The directory of `cell`, created on demand.
    ///
    /// # Errors
    /// [`RunError::Store`].
    pub fn cell_directory(&self, cell: &Cell) -> Result<PathBuf, RunError> {
        let path = self
            .directories
            .get(&cell.hash)
            .cloned()
            .unwrap_or_else(|| self.root.join("cells").join(cell.directory()));
        fs::create_dir_all(&path).map_err(|e| RunError::store(&path, e))?;
        Ok(path)
    }

    /// The files of `cell`, in its directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`RunError::Store`].
    pub(crate) fn cell(&self, cell: &Cell) -> Result<CellStore, RunError> {
        Ok(CellStore {
            directory: self.cell_directory(cell)?,
            hash: cell.hash.clone(),
        })
    }

    /// Whether everything of `cell` is there. What is damaged is set aside, and said.
    ///
    /// # Errors
    /// [`RunError::Store`] if it cannot be read.
    pub fn is_done(&self, cell: &Cell, experiment: &Experiment) -> Result<bool, RunError> {
        let Some(directory) = self.directories.get(&cell.hash) else {
            return Ok(false);
        };
        let files = CellStore {
            directory: directory.clone(),
            hash: cell.hash.clone(),
        };
        match files.is_done(experiment) {
            Ok(true) => Ok(true),
            // All files are looked at only where something is to be done.
            Ok(false) | Err(RunError::Damaged { .. }) => {
                files.set_damaged_aside()?;
                files.is_done(experiment)
            }
            error => error,
        }
    }

    /// Writes a file of the run, whole or not at all.
    ///
    /// # Errors
    /// [`RunError::Store`].
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), RunError> {
        write_json(&self.root.join(name), value)
    }

    /// Keeps which files of the data set were left out, in place of those of before.
    ///
    /// # Errors
    /// [`RunError::Store`].
    pub(crate) fn write_skipped(&self, files: Vec<Skipped>) -> Result<(), RunError> {
        let path = self.root.join(SKIPPED);
        match files.is_empty() {
            false => write_json(&path, &SkippedFile { files }),
            true => match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(RunError::store(&path, e)),
                _ => Ok(()),
            },
        }
    }

    /// Temporary files of killed processes. Reports may be written by others at any time.
    fn clear_leftovers(&self) {
        for folder in REPORTS {
            sweep(&self.root.join(folder), false);
        }
    }
}

/// Folders of a run, in it, that reports are written to.
pub(crate) const REPORTS: [&str; 4] = ["", "evaluations", "figures", "tensorboard"];

/// No file of results or rows is larger: of a thousand pairs of layers, twenty measures and ten probes
/// it has a quarter of that.
const LARGEST: u64 = 256 << 20;

/// What was left out of the data of a run, in its directory.
pub const SKIPPED: &str = "skipped.json";

#[derive(Serialize, Deserialize)]
struct SkippedFile {
    files: Vec<Skipped>,
}

/// The files of the data set that were left out when the run in `root` last read it.
///
/// # Errors
/// [`RunError::Store`] if it cannot be read.
pub fn skipped(root: &Path) -> Result<Vec<Skipped>, RunError> {
    let file: Option<SkippedFile> = believed(&root.join(SKIPPED))?;
    Ok(file.map_or(vec![], |file| file.files))
}

/// The files of one cell.
pub(crate) struct CellStore {
    pub directory: PathBuf,
    hash: String,
}

/// The rows of one evaluation, as they are kept.
#[derive(Serialize, Deserialize)]
struct RowsFile {
    schema: u32,
    /// The cell's key.
    cell: String,
    evaluation: String,
    /// The evaluation's key: rows of another are computed again.
    key: String,
    /// Where they were computed.
    device: String,
    rows: Vec<Row>,
}

/// The same without its rows, which need not be read to know whose they are.
#[derive(Deserialize)]
struct RowsHead {
    schema: u32,
    cell: String,
    evaluation: String,
    key: String,
}

/// Version of the layout of a file of rows.
const ROWS_SCHEMA: u32 = 2;

impl CellStore {
    /// Removes temporary files of killed processes: all, if the cell is `ours` alone.
    pub fn clear_leftovers(&self, ours: bool) {
        for folder in ["", "activations"] {
            sweep(&self.directory.join(folder), ours);
        }
    }

    fn path(&self, evaluation: &dyn PairEvaluation) -> PathBuf {
        self.directory.join(format!("{}.json", evaluation.name()))
    }

    /// How the pair came about, if it is there.
    ///
    /// # Errors
    /// [`RunError::Store`] if it is damaged or cannot be read.
    pub fn pair(&self) -> Result<Option<PairResult>, RunError> {
        let result: Option<PairResult> = read_json(&self.directory.join("result.json"))?;
        Ok(result.filter(|result| result.schema == RESULT_SCHEMA && result.cell == self.hash))
    }

    pub fn write_pair(&self, result: &PairResult) -> Result<(), RunError> {
        let synced = || sync_folder(&self.directory);
        synced().map_err(|e| RunError::store(&self.directory, e))?;
        write_json(&self.directory.join("result.json"), result)?;
        synced().map_err(|e| RunError::store(&self.directory, e))
    }

    /// Whether the rows of an evaluation are there and those of this experiment.
    ///
    /// # Errors
    /// [`RunError::Store`] if they are damaged or cannot be read.
    pub fn has(
        &self,
        evaluation: &dyn PairEvaluation,
        experiment: &Experiment,
    ) -> Result<bool, RunError> {
        let head: Option<RowsHead> = read_json(&self.path(evaluation))?;
        Ok(head.is_some_and(|head| {
            head.schema == ROWS_SCHEMA
                && head.cell == self.hash
                && head.evaluation == evaluation.name()
                && head.key == evaluation.key(experiment)
        }))
    }

    /// Whether everything is there.
    ///
    /// # Errors
    /// [`RunError::Store`] if something is damaged or cannot be read.
    pub fn is_done(&self, experiment: &Experiment) -> Result<bool, RunError> {
        if self.pair()?.is_none() {
            return Ok(false);
        }
        for evaluation in asked(experiment) {
            if !self.has(evaluation, experiment)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sets results and rows aside that are not what was written: they are made again.
    fn set_damaged_aside(&self) -> Result<(), RunError> {
        let rows = EVALUATIONS.iter().map(|evaluation| self.path(*evaluation));
        for path in rows.chain([self.directory.join("result.json")]) {
            if let Err(error @ RunError::Damaged { .. }) = read_json::<serde::de::IgnoredAny>(&path)
            {
                put_aside(&path, &error)?;
            }
        }
        Ok(())
    }

    /// Takes away what was found of a pair that is trained again: another training may end
    /// otherwise.
    pub fn forget(&self) -> Result<(), RunError> {
        let rows = EVALUATIONS.iter().map(|evaluation| self.path(*evaluation));
        for path in rows.chain([self.directory.join("result.json")]) {
            match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(RunError::store(&path, e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The rows of an evaluation, if they are there and those of this experiment.
    ///
    /// # Errors
    /// [`RunError::Store`] if they are damaged or cannot be read.
    pub fn rows(
        &self,
        evaluation: &dyn PairEvaluation,
        experiment: &Experiment,
    ) -> Result<Option<(Vec<Row>, String)>, RunError> {
        let Some(file) = read_json::<RowsFile>(&self.path(evaluation))? else {
            return Ok(None);
        };
        let same = file.schema == ROWS_SCHEMA
            && file.cell == self.hash
            && file.evaluation == evaluation.name()
            && file.key == evaluation.key(experiment);
        Ok(same.then_some((file.rows, file.device)))
    }

    pub fn write_rows(
        &self,
        evaluation: &dyn PairEvaluation,
        experiment: &Experiment,
        device: &str,
        rows: Vec<Row>,
    ) -> Result<(), RunError> {
        let file = RowsFile {
            schema: ROWS_SCHEMA,
            cell: self.hash.clone(),
            evaluation: evaluation.name().into(),
            key: evaluation.key(experiment),
            device: device.into(),
            rows,
        };
        write_json(&self.path(evaluation), &file)
    }

    /// Everything that the cell found, if all of it is there.
    fn result(&self, experiment: &Experiment) -> Result<Option<CellResult>, RunError> {
        let Some(pair) = self.pair()? else {
            return Ok(None);
        };
        let mut devices = BTreeSet::from([pair.device.clone()]);
        let mut all = BTreeMap::new();
        for evaluation in asked(experiment) {
            let Some((rows, device)) = self.rows(evaluation, experiment)? else {
                match evaluation.may_be_missing() {
                    true => continue,
                    false => return Ok(None),
                }
            };
            devices.insert(device);
            all.insert(evaluation.name().to_string(), rows);
        }
        let mut take = |evaluation: &dyn PairEvaluation| all.remove(evaluation.name());
        let scores = take(&Similarity).unwrap_or_default();
        let path = self.path(&Similarity);
        Ok(Some(CellResult {
            pair,
            devices,
            scores: Similarity::of(scores).map_err(|e| RunError::store(&path, e))?,
            accuracy: Accuracy::of(&take(&Accuracy).unwrap_or_default()),
            others: all,
        }))
    }
}

/// The files of the plan's cells in a run directory, by the cells' keys.
///
/// # Errors
/// [`RunError::Store`] if the directory cannot be read.
pub(crate) fn cell_stores(
    root: &Path,
    plan: &Plan,
) -> Result<BTreeMap<String, CellStore>, RunError> {
    let directories = directories(root, plan)?.into_iter();
    Ok(directories
        .map(|(hash, directory)| (hash.clone(), CellStore { directory, hash }))
        .collect())
}

/// All finished results of a plan in a run directory, in cell order, whoever
/// wrote them. A cell with a damaged file is not finished, and that is said.
///
/// # Errors
/// [`RunError::Store`] if something cannot be read.
pub fn finished(root: &Path, plan: &Plan) -> Result<Vec<(Cell, CellResult)>, RunError> {
    let files = cell_stores(root, plan)?;
    let mut found = vec![];
    for cell in &plan.cells {
        let Some(files) = files.get(&cell.hash) else {
            continue;
        };
        match files.result(&plan.experiment) {
            Ok(Some(result)) => found.push((cell.clone(), result)),
            Ok(None) => {}
            Err(error @ RunError::Damaged { .. }) => {
                log::warn!(
                    "cell {} ({}) is left out: {error}",
                    cell.index,
                    cell.label()
                );
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Writes everything that a cell found into its directory, as a run does.
///
/// # Errors
/// [`RunError::Store`].
pub fn write_result(
    root: &Path,
    plan: &Plan,
    cell: &Cell,
    result: &CellResult,
) -> Result<(), RunError> {
    let files = CellStore {
        directory: root.join("cells").join(cell.directory()),
        hash: cell.hash.clone(),
    };
    fs::create_dir_all(&files.directory).map_err(|e| RunError::store(&files.directory, e))?;
    for evaluation in asked(&plan.experiment) {
        let rows = match evaluation.name() {
            "similarity" => Similarity::rows_of(&result.scores)?,
            "accuracy" => Accuracy::rows_of(result.accuracy)?,
            other => result.others.get(other).cloned().unwrap_or_default(),
        };
        files.write_rows(evaluation, &plan.experiment, &result.pair.device, rows)?;
    }
    files.write_pair(&result.pair)
}

/// The label factors of each model's task, sorted and joined, by the number of the cell:
/// of cells of sweeps of tasks alone, in which models of one point learn different ones.
///
/// # Errors
/// [`RunError::Store`] if something cannot be read.
pub fn tasks(root: &Path, plan: &Plan) -> Result<BTreeMap<usize, [String; 2]>, RunError> {
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
        sweep.is_some_and(|sweep| sweep.draws_tasks())
    };
    let directories = directories(root, plan)?;
    let mut found = BTreeMap::new();
    for cell in plan.cells.iter().filter(of_tasks) {
        let Some(directory) = directories.get(&cell.hash) else {
            continue;
        };
        if let Some(split) = believed::<Split>(&directory.join("split.json"))? {
            found.insert(cell.index, [task(split.a), task(split.b)]);
        }
    }
    Ok(found)
}

/// The training history of each model, `a` then `b`, by the number of the cell; empty of
/// models that were not trained.
///
/// # Errors
/// [`RunError::Store`] if something cannot be read.
pub fn histories(root: &Path, plan: &Plan) -> Result<BTreeMap<usize, [Vec<Epoch>; 2]>, RunError> {
    let directories = directories(root, plan)?;
    let mut found = BTreeMap::new();
    let mut missing = vec![];
    for cell in &plan.cells {
        let Some(directory) = directories.get(&cell.hash) else {
            continue;
        };
        let mut both = [vec![], vec![]];
        for (history, model) in both.iter_mut().zip(["a", "b"]) {
            let path = directory.join(format!("{model}.train.jsonl"));
            match read_epochs(&path, &owner(&cell.hash, model)) {
                Ok(epochs) => *history = epochs,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    // One that is still trained has none yet.
                    if cell.point().is_some() && directory.join("result.json").exists() {
                        missing.push(path);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    log::warn!("{}: {e}; this history is left out", path.display());
                }
                Err(e) => return Err(RunError::store(&path, e)),
            }
        }
        if both.iter().any(|history| !history.is_empty()) {
            found.insert(cell.index, both);
        }
    }
    if let Some(first) = missing.first() {
        log::warn!(
            "{} training histories of finished cells are missing, {} for one; \
             curves of training are drawn without them",
            missing.len(),
            first.display()
        );
    }
    Ok(found)
}

/// Whom the files of a model belong to.
pub(crate) fn owner(cell: &str, model: &str) -> String {
    format!("{cell} {model}")
}

/// The directories that the plan's cells have in `root`, by the cell's hash. Of several of one cell
/// (a copy that was left beside it) that is taken whose number is the cell's, else the first by
/// name, and it is said which.
///
/// # Errors
/// [`RunError::Store`] if the directory cannot be read.
pub fn directories(root: &Path, plan: &Plan) -> Result<BTreeMap<String, PathBuf>, RunError> {
    let cells = root.join("cells");
    let entries = match fs::read_dir(&cells) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(|e| RunError::store(&cells, e))?,
    };
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(|e| RunError::store(&cells, e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            return Err(RunError::Usage(format!(
                "{} is a link, and a cell has a directory of its own\n  move the link away",
                entry.path().display()
            )));
        }
        if let Some((_, hash)) = name.split_once('-') {
            found.entry(hash.to_string()).or_default().push(name);
        }
    }
    let mut taken = BTreeMap::new();
    for cell in &plan.cells {
        let Some(mut names) = found.remove(&cell.hash) else {
            continue;
        };
        names.sort();
        let right = names.iter().position(|name| *name == cell.directory());
        let name = names.remove(right.unwrap_or(0));
        if !names.is_empty() {
            let (cell, others) = (cell.index, names.join(", "));
            log::warn!(
                "{}: of cell {cell} {name} is used, not {others}",
                cells.display()
            );
        }
        taken.insert(cell.hash.clone(), cells.join(name));
    }
    Ok(taken)
}

/// What a sealed file of JSON holds; nothing if it is not there or of another layout.
///
/// # Errors
/// [`RunError::Damaged`] if it is not what was written, [`RunError::Store`] if it cannot be read.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, RunError> {
    let damaged = |reason: String| RunError::Damaged {
        path: path.to_path_buf(),
        reason,
    };
    let text = match read_stored(path, LARGEST) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(damaged(e.to_string())),
        text => text.map_err(|e| RunError::store(path, e))?,
    };
    let text = String::from_utf8(text).map_err(|e| damaged(e.to_string()))?;
    check_seal(&text).map_err(|e| damaged(e.to_string()))?;
    Ok(serde_json::from_str(&text).ok())
}

/// The same of a file that is only looked at: one that is damaged is said and left out.
fn believed<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, RunError> {
    match read_json(path) {
        Err(error @ RunError::Damaged { .. }) => {
            log::warn!("{error}; it is left out");
            Ok(None)
        }
        found => found,
    }
}

/// Sets a file aside that cannot be used, and says so.
///
/// # Errors
/// [`RunError::Store`] if it cannot be renamed.
pub(crate) fn put_aside(path: &Path, why: &dyn std::fmt::Display) -> Result<(), RunError> {
    let aside = set_aside(path).map_err(|e| RunError::store(path, e))?;
    log::warn!("{why}; it is kept as {} and made again", aside.display());
    Ok(())
}

/// Writes `value` as JSON to `path`, whole or not at all, with its digest.
///
/// # Errors
/// [`RunError::Store`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RunError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| RunError::store(path, e))?;
    text.push('\n');
    write_text(path, &seal(&text))
}

/// Writes `text` to `path`, whole or not at all.
///
/// # Errors
/// [`RunError::Store`].
pub fn write_text(path: &Path, text: &str) -> Result<(), RunError> {
    write_whole(path, text.as_bytes()).map_err(|e| RunError::store(path, e))
}

/// Takes the lock called `name` in `root`; it is freed when the process ends.
///
/// # Errors
/// [`RunError::Locked`] if another process holds it.
pub(crate) fn lock(root: &Path, name: &str, exclusive: bool) -> Result<File, RunError> {
    let path = root.join(name);
    // The file that it leads to would be made, or be that of another run.
    if path.is_symlink() {
        return Err(RunError::Usage(format!(
            "{} is a link, and a lock is a file of its own\n  move the link away",
            path.display()
        )));
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| RunError::store(&path, in_the_way(e)))?;
    let locked = if exclusive {
        file.try_lock()
    } else {
        file.try_lock_shared()
    };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RunError::Locked {
            path: root.to_path_buf(),
        }),
        Err(TryLockError::Error(reason)) => Err(RunError::NoLocks {
            path: root.to_path_buf(),
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::read::read_experiment;

    /// An experiment whose similarities are of so many neighbours.
    fn experiment(folder: &Path, k: usize) -> Experiment {
        let path = folder.join("x.toml");
        let text = format!(
            r#"name = "x"
seeds = 1
dataset = {{ name = "color-shape-digit", label = ["digit"], train_samples = 400 }}
model = {{ name = "cnn", width = 2 }}
training = {{ epochs = 1, batch = 32, optimizer = {{ name = "sgd", lr = 0.1 }} }}
axis = [{{ kind = "data", levels = [0, 1] }}]
probe = [{{ name = "test", samples = 60 }}]

[analysis]
k = {k}
primary = {{ measure = "mutual_knn", probe = "test", layer = "penultimate" }}
"#
        );
        fs::write(&path, text).unwrap();
        read_experiment(&path).unwrap()
    }

    fn files(directory: &Path, hash: &str) -> CellStore {
        CellStore {
            directory: directory.into(),
            hash: hash.into(),
        }
    }

    #[test]
    fn rows_are_those_of_their_cell_evaluation_and_settings() {
        let folder = tempfile::tempdir().unwrap();
        let (five, ten) = (experiment(folder.path(), 5), experiment(folder.path(), 10));
        let mine = files(folder.path(), "aa");
        let row: Row = [("value".to_string(), json!(0.5))].into_iter().collect();
        mine.write_rows(&Similarity, &five, "cpu", vec![row.clone()])
            .unwrap();
        assert!(mine.has(&Similarity, &five).unwrap());
        assert_eq!(
            mine.rows(&Similarity, &five).unwrap().unwrap(),
            (vec![row], "cpu".into())
        );
        assert!(!mine.has(&Similarity, &ten).unwrap(), "other settings");
        assert!(!mine.has(&Accuracy, &five).unwrap(), "another evaluation");
        let other = files(folder.path(), "bb");
        assert!(!other.has(&Similarity, &five).unwrap(), "another cell");
        assert!(other.rows(&Similarity, &five).unwrap().is_none());

        let path = folder.path().join("similarity.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::copy(&path, folder.path().join("accuracy.json")).unwrap();
        assert!(
            !mine.has(&Accuracy, &five).unwrap(),
            "rows of another evaluation"
        );
        // What is not what was written is not believed, ...
        for (from, to) in [("0.5", "0.7"), ("\"rows\"", "\"raws\""), ("}", "")] {
            fs::write(&path, text.replace(from, to)).unwrap();
            let error = mine.rows(&Similarity, &five).unwrap_err();
            assert!(matches!(error, RunError::Damaged { .. }), "{to}: {error}");
        }
        // and set aside before it is made again.
        mine.set_damaged_aside().unwrap();
        assert!(mine.rows(&Similarity, &five).unwrap().is_none());
        assert!(folder.path().join("similarity.json.damaged").exists());
    }

    #[test]
    fn settings_of_one_evaluation_move_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (five, ten) = (experiment(folder.path(), 5), experiment(folder.path(), 10));
        let key = |of: &dyn PairEvaluation, experiment: &Experiment| of.key(experiment);
        assert_ne!(key(&Similarity, &five), key(&Similarity, &ten));
        assert_eq!(key(&Accuracy, &five), key(&Accuracy, &ten));
        assert_ne!(key(&Similarity, &five), key(&Accuracy, &five));
        let keys = |experiment: &Experiment| -> Vec<String> {
            let cells = Plan::new(experiment).cells.into_iter();
            cells.map(|cell| cell.hash).collect()
        };
        assert_eq!(keys(&five), keys(&ten), "what is trained is the same");
    }

    #[test]
    fn a_pair_that_is_trained_again_loses_all_that_was_found() {
        let folder = tempfile::tempdir().unwrap();
        let experiment = experiment(folder.path(), 5);
        let cell = files(folder.path(), "aa");
        let pair = PairResult {
            schema: RESULT_SCHEMA,
            cell: "aa".into(),
            device: "cpu".into(),
            samples_shared: None,
            samples_shared_by_content: None,
            labels_shared: None,
            held_out_copies: None,
            train_samples: 1,
            a: Default::default(),
            b: Default::default(),
        };
        cell.write_pair(&pair).unwrap();
        assert!(!cell.is_done(&experiment).unwrap(), "rows are missing");
        for evaluation in EVALUATIONS {
            cell.write_rows(*evaluation, &experiment, "cpu", vec![])
                .unwrap();
        }
        assert!(cell.is_done(&experiment).unwrap());
        assert!(
            files(folder.path(), "bb").pair().unwrap().is_none(),
            "another cell"
        );
        fs::write(folder.path().join("a.safetensors"), "kept").unwrap();
        cell.forget().unwrap();
        cell.forget().unwrap();
        assert!(cell.pair().unwrap().is_none());
        assert!(
            EVALUATIONS
                .iter()
                .all(|e| !cell.has(*e, &experiment).unwrap())
        );
        assert!(folder.path().join("a.safetensors").exists());
    }
}
