//! Burn modules that return their named activations in one forward pass.
//!
//! One file an architecture. Weights are drawn on the host from a random stream
//! of the caller's, so that a model starts from the same weights on every
//! device.

mod batch_norm;
mod cnn;
mod config;
mod convolve;
mod feature;
mod gpt;
mod init;
mod mlp;
mod network;
mod resnet;
mod vae;
mod vit;

pub use batch_norm::BatchNorm;
pub use cnn::Cnn;
pub use config::{InputShape, ModelConfig, ModelError, ModelShape, Objective, Stem};
pub use feature::{Activations, Feature, Input, Pooling};
pub use gpt::{CausalSelfAttention, FeedForward, Gpt, GptBlock, Transformer, padded_vocabulary};
pub use init::Init;
pub use mlp::Mlp;
pub use network::Network;
pub use resnet::{BasicBlock, ResNet};
pub use vae::{Reconstruction, Vae};
pub use vit::{Block, Vit};
