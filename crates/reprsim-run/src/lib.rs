//! The pipeline that works through a plan: split, train, evaluate; and the run directory that
//! keeps what it found.

pub mod bench;
mod cell;
pub mod clean;
mod context;
mod data;
mod error;
pub mod estimate;
pub mod evaluation;
mod extraction;
mod model;
mod once;
pub mod pretrain;
mod read;
pub mod results;
pub mod run;
mod stitch;
pub mod store;
mod training_data;
mod way;

pub use data::Data;
pub use error::RunError;
pub use extraction::extract_probes;
pub use read::{
    content_of_run, named_pretraining, read_experiment, read_experiment_and_text, schema,
    with_content,
};
