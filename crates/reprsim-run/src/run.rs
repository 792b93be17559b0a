//! Works through the cells of a plan, several at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use reprsim_data::Skipped;
pub use reprsim_train::{Epoch, TrainingConfig};
use reprsim_train::{Precision, Stacks, TrainError, suits};

use crate::cell::run_cell;
use crate::context::Context;
use crate::error::RunError;
use crate::estimate::side_by_side;
use crate::evaluation::asked;
use crate::store::{Store, cell_stores, lock};
use crate::way::{MOST_SIDE_BY_SIDE, replays, stack_bytes};
pub use crate::way::{Way, default_device_budget, default_jobs, threads_per_job};
use reprsim_config::{Cell, Experiment, Plan};
use reprsim_device::Chosen;

/// Hears how a run goes; called from several threads.
pub trait Observer: Sync {
    /// What was left out of the data set's folder, and what is odd in it.
    fn skipped(&self, files: &[Skipped]);
    /// So many models will train side by side on a device, and so many cells be worked on at once.
    fn device(&self, chosen: &Chosen, stack: usize, jobs: usize);
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
    /// Whether it was stopped before all was done.
    pub stopped: bool,
    /// Labels and messages of the cells that failed.
    pub failed: Vec<(String, String)>,
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
        devices,
        ref data,
        ref stop,
        unlocked,
        ..
    } = way;
    Store::check(root, plan)?;
    let Some(first) = devices.first() else {
        return Err(RunError::Usage("no device is named".into()));
    };
    let budget =
        |chosen: &Chosen| (way.device_budget).unwrap_or_else(|| default_device_budget(chosen));
    let context = |chosen: &Chosen| {
        let context = Context::new(&plan.experiment, chosen, budget(chosen), data);
        context.stopped_by(stop.clone())
    };
    let checked = context(first);
    let mine: Vec<&Cell> = plan.cells.iter().filter(|c| share.holds(c.index)).collect();
    let mut skipped = None;
    if !all_done(root, plan, &mine)? {
        // What is impossible with these data is found before the run directory is
        // touched: a mistyped file must not replace the plan of a finished run.
        check_precision(&plan.experiment, devices)?;
        checked.check()?;
        for evaluation in asked(&checked.experiment) {
            evaluation.check(&checked.experiment)?;
        }
        let files = checked.skipped()?;
        if !files.is_empty() {
            observer.skipped(&files);
        }
        skipped = Some(files);
        for cell in &mine {
            checked.check_split(cell)?;
        }
    }
    let store = Store::open(root, plan, share, unlocked)?;
    if let Some(files) = skipped {
        store.write_skipped(files)?;
    }
    let mut todo: Vec<&Cell> = vec![];
    for cell in &mine {
        if !store.is_done(cell, &plan.experiment)? {
            todo.push(*cell);
        }
    }
    observer.begin(mine.len(), mine.len() - todo.len());
    let mut outcome = Outcome {
        resumed: mine.len() - todo.len(),
        ..Outcome::default()
    };
    if todo.is_empty() {
        return Ok(outcome);
    }
    largest_first(&checked, &mut todo)?;
    let mut to_train = 0;
    for cell in &todo {
        let is_trained = cell.point().is_none() || store.cell(cell)?.pair()?.is_some();
        to_train += usize::from(!is_trained);
    }
    let cells = [todo.len(), to_train];
    let workers = workers(plan, &way, checked, &context, cells, observer)?;
    let next = AtomicUsize::new(0);
    let (failed, done) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let mut number = 0;
        for worker in &workers {
            for _ in 0..worker.jobs {
                let job = number;
                number += 1;
                let (store, todo, next, failed) = (&store, &todo, &next, &failed);
                let done = &done;
                scope.spawn(move || {
                    let context = &worker.context;
                    let work = || {
                        let more = || context.go_on().is_ok();
                        let take = || todo.get(next.fetch_add(1, Ordering::Relaxed));
                        while let Some(cell) = more().then(take).flatten() {
                            observer.cell_started(job, cell);
                            let ended = attempt(context, store, cell, job, observer);
                            if ended.as_ref().is_err_and(RunError::is_stop) {
                                return;
                            }
                            done.fetch_add(1, Ordering::Relaxed);
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
                    // Jobs of a GPU wait for it most of the time, and share all cores.
                    let pool = context.chosen.cpu.then(|| {
                        let threads = threads_per_job(&context.chosen, worker.jobs);
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build()
                    });
                    match pool {
                        Some(Ok(pool)) => pool.install(work),
                        _ => work(),
                    }
                });
            }
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort();
    let ended = done.into_inner();
    outcome.finished = ended - failed.len();
    outcome.stopped = ended < todo.len();
    outcome.failed = failed
        .into_iter()
        .map(|(_, label, reason)| (label, reason))
        .collect();
    Ok(outcome)
}

/// Refuses what only replayed steps can do where there are none.
pub(crate) fn check_precision(experiment: &Experiment, devices: &[Chosen]) -> Result<(), RunError> {
    let precision = experiment.training.precision;
    let replayed = devices.iter().all(|chosen| replays(experiment, chosen));
    match precision == Precision::F32 || replayed {
        true => Ok(()),
        false => Err(RunError::Usage(
            TrainError::Precision(precision.name()).to_string(),
        )),
    }
}

/// A device and what works on it.
struct Worker {
    context: Context,
    /// Cells at once.
    jobs: usize,
}

/// One for each device, for so many cells in all, and so many that are to be trained; the first has
/// what was opened already.
fn workers(
    plan: &Plan,
    way: &Way<'_>,
    checked: Context,
    context: &dyn Fn(&Chosen) -> Context,
    cells: [usize; 2],
    observer: &dyn Observer,
) -> Result<Vec<Worker>, RunError> {
    let fitting = match cells[1] {
        0 => usize::MAX,
        _ => checked.cells_that_fit()?,
    };
    let mut checked = Some(checked);
    let [share, to_train] = cells.map(|count| count.div_ceil(way.devices.len()));
    let mut workers = vec![];
    for chosen in way.devices {
        let opened = checked.take().unwrap_or_else(|| context(chosen));
        // Neither more models nor more cells than there are.
        let most = 2 * way.jobs.map_or(to_train, |jobs| jobs.min(to_train));
        let stack = match way.stack {
            Some(stack) => stack.min(most).max(1),
            None if chosen.cpu || most == 0 => 1,
            None => {
                let most = most.min(MOST_SIDE_BY_SIDE);
                let found = side_by_side(plan, &opened, &plan.experiment.model, most)?;
                suits(&found).map_or(1, |suits| suits.models)
            }
        };
        let jobs = match way.jobs {
            Some(jobs) => jobs,
            None if chosen.cpu => default_jobs(chosen, stack).min(fitting),
            None => default_jobs(chosen, stack),
        };
        let jobs = jobs.clamp(1, share.max(1));
        observer.device(chosen, stack, jobs);
        workers.push(Worker {
            context: match chosen.cpu {
                true => opened,
                false => opened.with_stacks(Stacks::new(stack, stack_bytes(chosen))),
            },
            jobs,
        });
    }
    Ok(workers)
}

/// Cells of large models before those of smaller ones, so that devices and jobs end together.
fn largest_first(context: &Context, cells: &mut [&Cell]) -> Result<(), RunError> {
    let models = context.experiment.models();
    if models.len() < 2 {
        return Ok(());
    }
    let mut sizes = vec![];
    for model in &models {
        sizes.push(context.parameters(model)?);
    }
    cells.sort_by_key(|cell| {
        let model = cell.model(&context.experiment);
        let size = models.iter().position(|known| *known == model);
        std::cmp::Reverse(size.map_or(0, |i| sizes[i]))
    });
    Ok(())
}

/// Whether a run directory of this plan has everything of some cells.
fn all_done(root: &Path, plan: &Plan, cells: &[&Cell]) -> Result<bool, RunError> {
    let files = cell_stores(root, plan)?;
    for cell in cells {
        let done = match files.get(&cell.hash).map(|f| f.is_done(&plan.experiment)) {
            // Set aside when the run has begun.
            Some(Err(RunError::Damaged { .. })) | None => false,
            Some(done) => done?,
        };
        if !done {
            return Ok(false);
        }
    }
    Ok(true)
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
    let _lock = match store.is_locked() {
        true => Some(lock(&files.directory, "cell.lock", true)?),
        false => None,
    };
    files.clear_leftovers(store.is_locked());
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
