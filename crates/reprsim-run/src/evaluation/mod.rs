//! What is computed of a finished pair: a file an evaluation, a line each in the table.

mod contract;
mod table;

use table::evaluations;

evaluations! {
    // file: evaluation.
    similarity: Similarity;
    accuracy: Accuracy;
    start: Start;
    outputs: Outputs;
    stitching: Stitching;
}

pub(crate) use accuracy::hit_rate;
pub(crate) use contract::asked;
pub use contract::{Pair, PairEvaluation, schema_of, settings_of};
pub use table::sections;
