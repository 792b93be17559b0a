//! What a snapshot keeps of a model in training.

use std::error::Error;

/// What a snapshot keeps of a learner, by name.
pub(crate) type Parts = Result<Vec<(&'static str, Vec<u8>)>, Box<dyn Error + Send + Sync>>;
