//! Architectures: burn modules that return their named layers in one forward pass.
//!
//! One file an architecture in `architectures/`, one line in the table of
//! `architectures/mod.rs`. An architecture says what it takes in, what it gives and what
//! its layers are called; what it is trained to do is a task's affair (`reprsim-train`).
//! Weights are drawn on the host from a random stream of the caller's, so that a model
//! starts from the same weights on every device.

mod architecture;
mod architectures;
mod error;
mod feature;
mod input;
mod kept;
mod layers;
mod output;
mod parameters;
mod presets;
mod shape;
mod stem;

pub use architecture::{Architecture, Model};
pub use architectures::*;
pub use error::ModelError;
pub use feature::{Activations, Feature, Pooling};
pub use input::{Input, InputKind};
pub use kept::Kept;
pub use layers::{BatchNorm, Init, holding_norms};
pub use output::{Output, OutputKind, Pass, Reconstruction, normal_values};
pub use presets::Preset;
pub use reprsim_base::SampleShape;
pub use shape::ModelShape;
pub use stem::Stem;
