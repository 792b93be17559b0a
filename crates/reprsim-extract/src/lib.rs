//! Activations of a model over a probe set, and the files that keep them.

mod activations;
mod error;
mod file;
mod probe;
#[cfg(feature = "wgpu")]
mod recorded;

pub use activations::{extract, extract_all, logits, profile_extraction};
pub use error::ExtractError;
pub use file::write_activations;
pub use probe::{LayerActivation, ProbeActivations};
