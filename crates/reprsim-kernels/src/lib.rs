//! Fully connected layers, convolution, attention, normalisation, GELU, cross-entropy, resampling, the
//! optimisers' steps: by kernels of this crate on the CPU, on every other device by burn's own
//! operations.
//!
//! On the CPU burn's flex backend spends most of a convolutional network's training
//! time in copies between layouts and in chains of element-wise operations. Here
//! activations keep the channel as their slowest axis (`[channels, n, height, width]` in
//! memory, `[n, channels, height, width]` to everyone else, by strides): a convolution is
//! then one matrix product over a whole tile of images, and the statistics of a channel
//! are sums over contiguous memory. `docs/performance.md` has the figures.
//!
//! Results do not depend on the number of threads: work is split in the same way
//! whatever their number, and sums are taken in the same order.

mod affine;
mod after;
mod attention;
mod batch_norm;
mod channels;
mod columns;
mod convolution;
mod cross_entropy;
mod depthwise;
mod direct;
mod dropout;
mod exponential;
mod flex;
mod gelu;
mod geometry;
mod layer_norm;
mod linear;
mod normalization;
mod optimizer;
mod products;
mod profile;
mod recompute;
mod resample;
mod spatial_mean;
mod sums;
mod winograd;

pub use after::After;
pub use attention::attention;
pub use batch_norm::{BatchNormTrained, Scaling, batch_norm, batch_norm_train};
pub use convolution::{
    conv_transpose2d, conv_transpose2d_biased, conv2d, conv2d_batch_norm, conv2d_biased,
};
pub use cross_entropy::cross_entropy;
pub use dropout::Dropout;
pub use exponential::exp;
pub use gelu::gelu;
pub use geometry::Window;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use optimizer::{AdamStep, SgdStep};
pub use profile::{Ceilings, Spent, ceilings, profiled};
pub use recompute::{can_recompute, is_recomputing, recomputed};
pub use reprsim_graph::is_training;
pub use resample::resample;
pub use spatial_mean::spatial_mean;
