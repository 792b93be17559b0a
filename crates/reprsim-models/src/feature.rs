//! What comes out of a model's layers.

use burn::tensor::Tensor;
use reprsim_kernels::spatial_mean;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The activation of one layer for a batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Feature {
    /// One vector a sample, `[n, d]`.
    Vector(Tensor<2>),
    /// One map a channel, `[n, channels, height, width]`.
    Map(Tensor<4>),
    /// One vector a position, `[n, positions, d]`.
    Tokens(Tensor<3>),
}

/// How an activation with positions becomes one vector a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The mean over positions: `[n, c, h, w]` to `[n, c]`, `[n, t, d]` to `[n, d]`.
    #[default]
    Mean,
    /// Every position its own dimension: `[n, c, h, w]` to `[n, c h w]`.
    Flatten,
    /// The last position: `[n, t, d]` to `[n, d]`.
    Last,
    /// Every position a sample of its own: `[n, t, d]` to `[n t, d]`.
    Tokens,
}

impl Feature {
    /// The activation as `[n, d]`, or with [`Pooling::Tokens`] `[n t, d]`. A map of an
    /// image has no last position and no tokens: its mean is taken.
    pub fn pooled(self, pooling: Pooling) -> Tensor<2> {
        match (self, pooling) {
            (Self::Vector(vector), _) => vector,
            (Self::Map(map), Pooling::Flatten) => map.flatten(1, 3),
            (Self::Map(map), _) => spatial_mean(map),
            (Self::Tokens(tokens), Pooling::Flatten) => tokens.flatten(1, 2),
            (Self::Tokens(tokens), Pooling::Mean) => tokens.mean_dim(1).flatten(1, 2),
            (Self::Tokens(tokens), Pooling::Last) => {
                let last = tokens.dims()[1] - 1;
                tokens.slice_dim(1, last..last + 1).flatten(1, 2)
            }
            (Self::Tokens(tokens), Pooling::Tokens) => tokens.flatten(0, 1),
        }
    }
}

/// All named layers of a model for one batch, input side first.
#[derive(Clone, Debug)]
pub struct Activations {
    /// Name and activation of each layer.
    pub layers: Vec<(String, Feature)>,
}

impl Activations {
    /// Names put to the layers of a pass.
    pub(crate) fn new(names: Vec<String>, layers: impl IntoIterator<Item = Feature>) -> Self {
        Self {
            layers: names.into_iter().zip(layers).collect(),
        }
    }
}
