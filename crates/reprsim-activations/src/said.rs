//! What is said once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something was said of a file: once, not of each of its layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said(Arc<AtomicBool>);

impl Said {
    /// Whether it was said.
    pub fn is_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether it is to be said now, for the first time.
    pub fn say(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}
