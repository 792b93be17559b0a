//! Models in training: computed operation by operation, or recorded once and replayed.

mod contract;
mod eager;
mod occupancy;
mod parts;
mod plan;
#[cfg(feature = "wgpu")]
mod recorded;
mod recording;

pub(crate) use contract::Learner;
pub use contract::{RecordedStep, profile_step, recorded_step};
pub use occupancy::{Occupancy, occupancy, suits};
