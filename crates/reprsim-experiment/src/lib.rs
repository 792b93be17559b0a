//! Experiment files, plans, cells, and the pipeline that runs them.
//!
//! `file` reads an experiment file into an [`Experiment`]; [`Plan`] expands it
//! to numbered cells; [`run`](run::run) works through them with the crates for
//! training, extraction and measuring; the [`store`] keeps what is done; and
//! [`analysis`] and [`summary`] turn the rows into effects and a report.

pub mod analysis;
pub mod bench;
mod cell;
mod context;
pub mod device;
mod error;
pub mod estimate;
mod experiment;
mod extraction;
mod file;
mod plan;
mod result_table;
pub mod results;
pub mod run;
mod split;
pub mod store;
pub mod summary;

pub use error::ExperimentError;
pub use experiment::{
    AnalysisConfig, Axis, AxisKind, Covariate, DatasetConfig, Experiment, Keep, Pairing, Point,
    Primary, ProbeConfig, ProbeKind, Sweep,
};
pub use extraction::extract_probes;
pub use file::{read_experiment, unknown};
pub use plan::{Cell, CellRole, Plan};
