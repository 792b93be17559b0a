//! The words of an experiment file, what they mean, and the plan of its cells.
//!
//! `file` reads an experiment file into an [`Experiment`]; `axis` knows the kinds of axes that
//! it sweeps; [`Plan`] expands it to numbered cells; `key` names what determines them. Nothing
//! is opened, trained or written here.

mod axis;
mod error;
mod evaluation;
mod experiment;
mod file;
mod key;
mod measure;
mod plan;
mod reference;
mod schema;
mod sweep;
mod term;
#[cfg(test)]
mod testing;

pub use axis::{
    Asked, AxisKind, CAUSES, Cause, Design, LabelSpace, Place, Refusal, SplitRequest, Subject,
    Words,
};
pub use error::ConfigError;
pub use evaluation::EvaluationSettings;
pub use experiment::{
    AnalysisConfig, Covariate, DatasetConfig, Duplicates, Experiment, Keep, Pairing, Primary,
    ProbeConfig, ProbeKind,
};
pub use file::{
    AnalysisSection, AxisSection, DEFAULT_MEASURES, DatasetSection, ExperimentFile, GridSection,
    NormalizationName, NormalizationSection, PretrainFile, Pretraining, PrimarySection,
    ProbeSection, read_experiment, read_experiment_and_text, read_pretraining,
};
pub use key::{Form, VERSION};
pub use measure::MeasureName;
pub use plan::{Cell, CellRole, Plan, placeless};
pub use reference::{pretraining_reference, reference};
pub use schema::{pretraining_schema, schema};
pub use sweep::{Axis, Point, Sweep};
pub use term::Term;
