//! The value of a covariate for a finished pair.

use reprsim_config::Covariate;
use reprsim_run::results::{CellResult, ModelResult};

/// The covariate's mean over the two models of a pair; absent where one has none.
pub(crate) fn covariate(of: Covariate, result: &CellResult) -> Option<f64> {
    let loss = |model: &ModelResult| model.validation_loss.or(model.train_loss);
    let [a, b] = match of {
        Covariate::Accuracy => result.accuracy,
        Covariate::Loss => [loss(&result.pair.a), loss(&result.pair.b)],
    };
    Some(0.5 * (a? + b?))
}
