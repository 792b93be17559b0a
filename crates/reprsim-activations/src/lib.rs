//! Reads layer activations that any tool wrote.
//!
//! [`ActivationFile::open`] reads `.safetensors`, `.npy` and `.npz` files, or a folder of them, of
//! arrays of floats (8 to 64 bits) or whole numbers, quantised ones too, in either byte order and either
//! memory order. A [`Reading`] says which layers are read, what their [`Axes`] are and how positions
//! are pooled, over the tokens that a [`Mask`] says are real. [`StoredLayer::matrix`] makes a layer a
//! matrix `[n, d]`; [`LayerMatrix::read`] reads its rows, from the disk where the format allows it.
//! [`Labels`] are what is said of each sample: an id, a group.
//!
//! Headers are never believed: sizes are checked against the file before anything
//! is allocated, and every error says which file is wrong and how.

mod axes;
mod contents;
mod elements;
mod error;
mod file;
mod folder;
mod ids;
mod labels;
mod labels_file;
mod mask;
mod matrix;
mod merge;
mod npy;
mod npz;
mod open;
mod padding;
mod part;
mod pool;
mod quantized;
mod reading;
mod safetensors_file;
mod said;
mod shaping;

pub use axes::{Axes, AxesError};
pub use elements::{Element, Elsewhere, UnknownElement};
pub use error::{ActivationError, DifferentSamples, Problem};
pub use file::{ActivationFile, StoredLayer};
pub use ids::SampleIds;
pub use labels::Labels;
pub use mask::Mask;
pub use matrix::LayerMatrix;
pub use pool::{Pool, ShapeError, UnknownPool};
pub use reading::{Layers, Reading};
