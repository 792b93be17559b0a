//! The building blocks of architectures.

mod batch_norm;
mod connect;
mod convolve;
mod held;
mod init;
mod inverted;
mod names;
mod part;
mod sizes;
mod transformer;

pub use batch_norm::BatchNorm;
pub(crate) use connect::{connect, connect_relu, normalize};
pub(crate) use convolve::{convolve, convolve_relu, convolve_transposed, convolve_transposed_relu};
pub use held::holding_norms;
pub use init::Init;
pub(crate) use init::Square;
pub(crate) use inverted::{Inverted, STEM, Stages, kept_of_blocks, scaled, stages_of};
pub(crate) use names::{Numbered, Place};
pub(crate) use part::run_part;
pub(crate) use sizes::{DEEPEST, check_width, map_values, side_after};
pub(crate) use transformer::{block_names, check_transformer, kept_of};
