//! Activations of a model over a probe set, and the files that keep them.

mod activations;
mod error;
mod file;

pub use activations::{LayerActivation, ProbeActivations, extract};
pub use error::ExtractError;
pub use file::write_activations;
