//! Reads an experiment file. Every mistake is refused before any work, with the
//! file, the line, what was expected and the nearest valid name.

mod analysis;
mod dataset;
mod evaluations;
mod initial;
mod input;
mod model;
mod normalization;
mod pretrain;
mod pretrain_sections;
mod probes;
mod reader;
mod resolve;
mod sections;
mod sweeps;
mod training;

pub use analysis::DEFAULT_MEASURES;
pub use normalization::{NormalizationName, NormalizationSection};
pub use pretrain::{Pretraining, read_pretraining};
pub use pretrain_sections::PretrainFile;
pub use resolve::{read_experiment, read_experiment_and_text};
pub use sections::{
    AnalysisSection, AxisSection, DatasetSection, ExperimentFile, GridSection, PrimarySection,
    ProbeSection,
};
