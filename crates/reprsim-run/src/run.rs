//! Works through the cells of a plan, several at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use reprsim_data::Skipped;
pub use reprsim_train::{Epoch, TrainingConfig};

use reprsim_config::ExperimentError;
use crate::cell::run_cell;
use crate::context::Context;
use reprsim_device::{Chosen, cores};
use reprsim_config::{Cell, Plan};
use crate::store::{Share, Store, lock, write_json};

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
    fn cell_finished(&self, job: usize, cell: &Cell, error: Option<&ExperimentError>);
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

/// Threads that each of `jobs` jobs computes with.
pub fn threads_per_job(chosen: &Chosen, jobs: usize) -> usize {
    if chosen.cpu {
        (cores() / jobs.max(1)).max(1)
    } else {
        cores()
    }
}

/// Runs the cells of `share` that are not done yet.
///
/// A cell that fails is recorded and the others go on. Each job computes in a
/// thread pool of its own, so that results do not depend on how many there are.
///
/// # Errors
/// [`ExperimentError`] if the run directory cannot be used or the data cannot be
/// opened; failures of single cells are in the [`Outcome`].
pub fn run(
    plan: &Plan,
    root: &Path,
    share: Share,
    chosen: &Chosen,
    jobs: usize,
    cache: &Path,
    observer: &dyn Observer,
) -> Result<Outcome, ExperimentError> {
    // What is impossible with these data is found before the run directory is
    // touched: a mistyped file must not replace the plan of a finished run.
    let context = Context::new(&plan.experiment, &chosen.device, &chosen.name, cache)?;
    let (train, test) = (&context.training.dataset, &context.test);
    let mut skipped = [train.skipped.as_slice(), test.skipped.as_slice()].concat();
    skipped.sort();
    skipped.dedup();
    if !skipped.is_empty() {
        observer.skipped(&skipped);
    }
    for cell in plan.cells.iter().filter(|c| share.holds(c.index)) {
        context.training.split(&plan.experiment, cell)?;
    }
    let store = Store::open(root, plan, share)?;
    let measuring = plan.measuring_hash();
    let mine: Vec<&Cell> = plan.cells.iter().filter(|c| share.holds(c.index)).collect();
    let todo: Vec<&Cell> = mine
        .iter()
        .copied()
        .filter(|c| store.result(c, &measuring).is_none())
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
            let (context, store, todo, next, failed, measuring) =
                (&context, &store, &todo, &next, &failed, &measuring);
            scope.spawn(move || {
                let work = || {
                    while let Some(cell) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                        observer.cell_started(job, cell);
                        let ended = attempt(context, store, cell, measuring, job, observer);
                        observer.cell_finished(job, cell, ended.as_ref().err());
                        if let Err(error) = ended {
                            let entry = (cell.index, cell.label(), error.to_string());
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

/// Runs one cell and writes its result last.
fn attempt(
    context: &Context,
    store: &Store,
    cell: &Cell,
    measuring: &str,
    job: usize,
    observer: &dyn Observer,
) -> Result<(), ExperimentError> {
    let directory = store.cell_directory(cell)?;
    let _lock = lock(&directory, "cell.lock", true)?;
    // Libraries below may panic where a device runs out of memory; that must not
    // take the other cells along.
    let result = catch_unwind(AssertUnwindSafe(|| {
        run_cell(context, cell, measuring, &directory, &mut |model, epoch| {
            observer.epoch(job, model, epoch);
        })
    }))
    .unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(ExperimentError::Panic(format!(
            "a library panicked: {text}"
        )))
    })?;
    write_json(&directory.join("result.json"), &result)
}
