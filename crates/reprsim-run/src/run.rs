//! Works through the cells of a plan, several at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use reprsim_data::Skipped;
pub use reprsim_train::{Epoch, TrainingConfig};

use crate::cell::run_cell;
use crate::context::Context;
use crate::error::RunError;
use crate::evaluation::asked;
use crate::store::{Share, Store, cell_stores, lock};
use reprsim_config::{Cell, Plan};
use reprsim_device::{Chosen, cores};

/// Hears how a run goes; called from several threads.
pub trait Observer: Sync {
    /// Files of the data set were left out, and why.
    fn skipped(&self, files: &[Skipped]);
    /// The run begins; `done` of `total` cells were finished before.
    fn begin(&self, total: usize, done: usize);
    /// A job takes up a cell.
    fn cell_started(&self, job: usize, cell: &Cell);
    /// A model of the job's cell finished an epoch.
    fn epoch(&self, job: usize, model: &str, epoch: &Epoch);
    /// The job's cell ended, well or not.
    fn cell_finished(&self, job: usize, cell: &Cell, error: Option<&RunError>);
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Cells that were done before.
    pub resumed: usize,
    /// Cells that were done now.
    pub finished: usize,
    /// Labels and messages of the cells that failed.
    pub failed: Vec<(String, String)>,
}

/// How many cells are worked on at once when the user does not say: one
/// single-threaded model a core on the CPU, one at a time on a GPU.
pub fn default_jobs(chosen: &Chosen) -> usize {
    if chosen.cpu { cores() } else { 1 }
}

/// Bytes of samples of each part of a data set that may stay on a device: a quarter of the
/// memory that it says it has, in one buffer.
pub fn default_device_budget(chosen: &Chosen) -> u64 {
    /// Where a device does not say.
    const UNKNOWN: u64 = 2 << 30;
    let share = chosen.memory.map_or(UNKNOWN, |memory| memory / 4);
    share.min(chosen.largest_buffer.unwrap_or(u64::MAX))
}

/// Threads that each of `jobs` jobs computes with.
pub fn threads_per_job(chosen: &Chosen, jobs: usize) -> usize {
    if chosen.cpu {
        (cores() / jobs.max(1)).max(1)
    } else {
        cores()
    }
}

/// How a run is to be worked through.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Which cells.
    pub share: Share,
    /// Where to compute.
    pub chosen: &'a Chosen,
    /// Cells at once.
    pub jobs: usize,
    /// Bytes of each part of a data set that may stay on the device.
    pub device_budget: u64,
    /// Where data sets are kept.
    pub cache: &'a Path,
}

/// Runs the cells of a share that are not done yet. Where all are done, no data are opened.
///
/// A cell that fails is recorded and the others go on. Each job computes in a
/// thread pool of its own, so that results do not depend on how many there are.
///
/// # Errors
/// [`RunError`] if the run directory cannot be used or the data cannot be
/// opened; failures of single cells are in the [`Outcome`].
pub fn run(
    plan: &Plan,
    root: &Path,
    way: Way<'_>,
    observer: &dyn Observer,
) -> Result<Outcome, RunError> {
    let Way {
        share,
        chosen,
        jobs,
        device_budget,
        cache,
    } = way;
    Store::check(root, plan)?;
    let context = Context::new(&plan.experiment, chosen, device_budget, cache);
    let mine: Vec<&Cell> = plan.cells.iter().filter(|c| share.holds(c.index)).collect();
    if !all_done(root, plan, &mine) {
        // What is impossible with these data is found before the run directory is
        // touched: a mistyped file must not replace the plan of a finished run.
        context.check()?;
        let skipped = context.skipped()?;
        if !skipped.is_empty() {
            observer.skipped(&skipped);
        }
        for cell in &mine {
            context.check_split(cell)?;
        }
    }
    let store = Store::open(root, plan, share)?;
    let todo: Vec<&Cell> = mine
        .iter()
        .copied()
        .filter(|cell| !store.is_done(cell, &plan.experiment))
        .collect();
    observer.begin(mine.len(), mine.len() - todo.len());
    let mut outcome = Outcome {
        resumed: mine.len() - todo.len(),
        ..Outcome::default()
    };
    if todo.is_empty() {
        return Ok(outcome);
    }
    let threads = threads_per_job(chosen, jobs);
    let jobs = jobs.clamp(1, todo.len());
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for job in 0..jobs {
            let (context, store, todo, next, failed) = (&context, &store, &todo, &next, &failed);
            scope.spawn(move || {
                let work = || {
                    while let Some(cell) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                        observer.cell_started(job, cell);
                        let ended = attempt(context, store, cell, job, observer);
                        observer.cell_finished(job, cell, ended.as_ref().err());
                        if let Err(error) = ended {
                            let entry = (cell.index, cell.label(), error.in_full());
                            failed
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(entry);
                        }
                    }
                };
                match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
                    Ok(pool) => pool.install(work),
                    Err(_) => work(),
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort();
    outcome.finished = todo.len() - failed.len();
    outcome.failed = failed
        .into_iter()
        .map(|(_, label, reason)| (label, reason))
        .collect();
    Ok(outcome)
}

/// Whether a run directory of this plan has everything of some cells.
fn all_done(root: &Path, plan: &Plan, cells: &[&Cell]) -> bool {
    let files = cell_stores(root, plan);
    let done = |cell: &Cell| {
        let there = files.get(&cell.hash);
        there.is_some_and(|files| files.is_done(&plan.experiment))
    };
    cells.iter().all(|cell| done(cell))
}

/// Runs one cell, whose result is written last.
fn attempt(
    context: &Context,
    store: &Store,
    cell: &Cell,
    job: usize,
    observer: &dyn Observer,
) -> Result<(), RunError> {
    let files = store.cell(cell)?;
    let _lock = lock(&files.directory, "cell.lock", true)?;
    let evaluations = asked(&context.experiment);
    // Libraries below may panic where a device runs out of memory; that must not
    // take the other cells along.
    catch_unwind(AssertUnwindSafe(|| {
        run_cell(context, cell, &files, &evaluations, &|model, epoch| {
            observer.epoch(job, model, epoch);
        })
    }))
    .unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(RunError::Panic(format!("a library panicked: {text}")))
    })
}
