//! Reads layer activations that any tool wrote.
//!
//! [`ActivationFile::open`] reads `.safetensors`, `.npy` and `.npz` files of
//! float16, bfloat16, float32 or float64 arrays, in either byte order and either
//! memory order. [`StoredLayer::matrix`] makes a layer a matrix `[n, d]`, pooled
//! if it has more axes, over the tokens that a [`Mask`] says are real; [`LayerMatrix::read`] reads its rows, from the disk where
//! the format allows it.
//!
//! Headers are never believed: sizes are checked against the file before anything
//! is allocated, and every error says which file is wrong and how.

mod contents;
mod elements;
mod error;
mod file;
mod ids;
mod mask;
mod matrix;
mod npy;
mod npz;
mod padding;
mod pool;
mod safetensors_file;

pub use elements::{Element, Elsewhere};
pub use error::{ActivationError, DifferentSamples, Problem};
pub use file::{ActivationFile, StoredLayer};
pub use ids::SampleIds;
pub use mask::Mask;
pub use matrix::LayerMatrix;
pub use pool::{Pool, ShapeError, UnknownPool};
