//! The words of an experiment file, what they mean, and the plan of its cells.
//!
//! `file` reads an experiment file into an [`Experiment`]; [`Plan`] expands it to numbered
//! cells. Nothing is opened, trained or written here.

mod error;
mod experiment;
mod file;
mod plan;

pub use error::ExperimentError;
pub use experiment::{
    AnalysisConfig, Axis, AxisKind, Covariate, DatasetConfig, Experiment, Keep, Pairing, Point,
    Primary, ProbeConfig, ProbeKind, Sweep,
};
pub use file::{DEFAULT_MEASURES, read_experiment};
pub use plan::{Cell, CellRole, Plan};
