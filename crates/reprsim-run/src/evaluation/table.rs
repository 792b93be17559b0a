//! What the table of evaluations becomes.

use reprsim_config::EvaluationSettings;

use super::EVALUATIONS;

/// A line of the table is a file and its evaluation.
macro_rules! evaluations {
    ($($file:ident: $evaluation:ident;)*) => {
        $(mod $file;)*
        $(pub use $file::$evaluation;)*

        /// All evaluations.
        pub const EVALUATIONS: &[&dyn PairEvaluation] = &[$(&$file::$evaluation),*];
    };
}

pub(crate) use evaluations;

/// The evaluations that an experiment file can ask for by a section of their own.
pub fn sections() -> Vec<&'static dyn EvaluationSettings> {
    let optional = EVALUATIONS
        .iter()
        .filter(|evaluation| !evaluation.is_always());
    optional
        .map(|evaluation| *evaluation as &dyn EvaluationSettings)
        .collect()
}
