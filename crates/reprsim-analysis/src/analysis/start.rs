//! What of a similarity was there before training, as `analysis.json` holds it.

use reprsim_config::Term;
use reprsim_stats::FittedTerm;
use serde::{Deserialize, Serialize};

/// The similarity of pairs as they began beside that of the same pairs trained, at the declared probe
/// and layer; of experiments whose models do not begin with random weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The sweep.
    pub sweep: Term,
    /// The measure.
    pub measure: String,
    /// Whether it is the declared one.
    pub primary: bool,
    /// Pairs that have both values.
    pub n: usize,
    /// Mean similarity before training.
    pub before: f64,
    /// Mean similarity after it.
    pub after: f64,
    /// The former over the latter, where training raises it from above 0: what was there before.
    pub share: Option<f64>,
    /// Each term of the sweep fitted to the change, after less before.
    pub changes: Vec<Change>,
}

/// The effect of a term on the change of similarity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The axis, or those of an interaction.
    pub axis: Term,
    /// The coefficient.
    #[serde(flatten)]
    pub fit: FittedTerm,
}
