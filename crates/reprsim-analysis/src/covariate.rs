//! The value of a covariate for a finished pair.

use reprsim_config::Covariate;
use reprsim_run::results::{CellResult, ModelResult};

/// The covariate's mean over the two models of a pair; absent where one has none.
pub(crate) fn covariate(of: Covariate, result: &CellResult) -> Option<f64> {
    let get = |model: &ModelResult| match of {
        Covariate::Accuracy => model.test_accuracy,
        Covariate::Loss => model.validation_loss.or(model.train_loss),
    };
    Some(0.5 * (get(&result.a)? + get(&result.b)?))
}
