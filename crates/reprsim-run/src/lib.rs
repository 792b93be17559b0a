//! The pipeline that works through a plan: split, train, extract, evaluate; and the run
//! directory that keeps what it found.

pub mod bench;
mod cell;
mod context;
pub mod estimate;
mod extraction;
pub mod results;
pub mod run;
mod split;
pub mod store;

pub use extraction::extract_probes;
