//! A wish that computing end before it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::MetricError;

/// Asks whoever computes to stop; clones are one wish, so that one is kept and another handed over.
///
/// It is looked at wherever rows of a layer are read or multiplied and between permutations: what
/// computes then ends with [`MetricError::Stopped`].
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on computing is to end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on, unless it was asked for.
    ///
    /// # Errors
    /// [`MetricError::Stopped`].
    pub(crate) fn check(&self) -> Result<(), MetricError> {
        match self.is_asked() {
            true => Err(MetricError::Stopped),
            false => Ok(()),
        }
    }
}
