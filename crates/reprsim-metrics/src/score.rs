//! What is found of a measure and a pair of layers.

use crate::permutations::Calibration;
use crate::{Undefined, Value};

/// A measure of one pair of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The value, or why there is none.
    pub value: Value,
    /// The mean over all permutations of the samples of one side, where it is
    /// known exactly: the chance level on these data.
    pub null_mean: Option<f64>,
    /// The value under each permutation that was looked at; empty where it is undefined.
    pub permuted: Vec<f64>,
    /// Of how many permutations that give a value as large the rest was left out
    /// ([`crate::Permutations::until`]).
    pub exceedances: Option<usize>,
}

impl Score {
    pub(crate) fn undefined(reason: Undefined) -> Self {
        Self::of(Err(reason))
    }

    /// A score that nothing is known of but its value.
    pub(crate) fn of(value: Value) -> Self {
        Self {
            value,
            null_mean: None,
            permuted: vec![],
            exceedances: None,
        }
    }

    /// What the permutations say; `largest` as of [`crate::Measure::largest`].
    pub fn calibration(&self, largest: f64) -> Option<Calibration> {
        Calibration::new(self.value.ok()?, &self.permuted, largest, self.exceedances)
    }
}
