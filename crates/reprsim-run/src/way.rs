//! How a run is to be worked through, and what is done where the user does not say.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use reprsim_config::Experiment;
use reprsim_device::{Chosen, cores};

use crate::data::Data;
use crate::store::Share;

/// Models side by side on a GPU at most, where the user does not say.
pub(crate) const MOST_SIDE_BY_SIDE: usize = 64;

/// How a run is to be worked through.
#[derive(Clone)]
pub struct Way<'a> {
    /// Which cells.
    pub share: Share,
    /// Where to compute; cells are dealt over them.
    pub devices: &'a [Chosen],
    /// Cells at once, on each device; as many as suit it where `None`.
    pub jobs: Option<usize>,
    /// Models side by side on each GPU; as many as make it faster where `None`.
    pub stack: Option<usize>,
    /// Bytes of each part of a data set that may stay on a device; where `None` see
    /// [`default_device_budget`].
    pub device_budget: Option<u64>,
    /// The data set, of which parts may be open already.
    pub data: Arc<Data>,
    /// Set where the run is to stop: models leave snapshots.
    pub stop: Arc<AtomicBool>,
    /// Whether the run directory is used without locks, on file systems that have none.
    pub unlocked: bool,
}

/// How many cells are worked on at once when the user does not say: one single-threaded model a
/// core on the CPU; on a GPU as many as fill a stack of so many models, and some whose models are
/// being compared meanwhile.
pub fn default_jobs(chosen: &Chosen, stack: usize) -> usize {
    match chosen.cpu {
        true => cores(),
        false if stack <= 1 => 1,
        false => stack.div_ceil(2) + (stack / 8).max(1),
    }
}

/// Bytes of samples of each part of a data set that may stay on a device: a quarter of the
/// memory that it says it has, in one array.
pub fn default_device_budget(chosen: &Chosen) -> u64 {
    let share = chosen.memory.map_or(UNKNOWN, |memory| memory / 4);
    share.min(chosen.largest_array.unwrap_or(u64::MAX))
}

/// Bytes of models that train side by side on a device: half of the memory that it says it has.
pub(crate) fn stack_bytes(chosen: &Chosen) -> u64 {
    chosen.memory.map_or(UNKNOWN, |memory| memory / 2)
}

/// Whether the training steps of a plan are replayed on a device, if it has room and knows all
/// operations.
pub(crate) fn replays(experiment: &Experiment, chosen: &Chosen) -> bool {
    // Only GPUs of wgpu say how large an array may be.
    let is_wgpu = !chosen.cpu && chosen.largest_array.is_some();
    is_wgpu && experiment.training.accumulate == 1 && experiment.task.teacher().is_none()
}

/// Bytes where a device does not say.
const UNKNOWN: u64 = 2 << 30;

/// Threads that each of `jobs` jobs computes with.
pub fn threads_per_job(chosen: &Chosen, jobs: usize) -> usize {
    match chosen.cpu {
        true => (cores() / jobs.max(1)).max(1),
        false => cores(),
    }
}
