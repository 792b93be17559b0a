//! What is computed of a finished pair: a file an evaluation, a line each in the table.

mod accuracy;
mod contract;
mod similarity;

use reprsim_config::EvaluationSettings;

pub use accuracy::Accuracy;
pub(crate) use contract::asked;
pub use contract::{Pair, PairEvaluation, schema_of, settings_of};
pub use similarity::Similarity;

/// All evaluations.
pub const EVALUATIONS: &[&dyn PairEvaluation] = &[
    &similarity::Similarity,
    &accuracy::Accuracy,
];

/// The evaluations that an experiment file can ask for by a section of their own.
pub fn sections() -> Vec<&'static dyn EvaluationSettings> {
    let optional = EVALUATIONS.iter().filter(|evaluation| !evaluation.is_always());
    optional.map(|evaluation| *evaluation as &dyn EvaluationSettings).collect()
}
