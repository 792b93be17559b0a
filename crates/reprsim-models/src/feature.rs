//! What goes into a model and what comes out of its layers.

use burn::tensor::{Int, Tensor};
use reprsim_kernels::spatial_mean;
use serde::{Deserialize, Serialize};

/// A batch of samples on the device, by modality.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Normalised images, `[n, channels, height, width]`.
    Images(Tensor<4>),
    /// Tokens, `[n, time]`.
    Tokens(Tensor<2, Int>),
}

impl Input {
    /// The images that a model of images is given.
    pub(crate) fn images(self) -> Tensor<4> {
        match self {
            Self::Images(images) => images,
            Self::Tokens(_) => unreachable!("ModelConfig::check_input has refused text"),
        }
    }

    /// The tokens that a model of text is given.
    pub(crate) fn tokens(self) -> Tensor<2, Int> {
        match self {
            Self::Tokens(tokens) => tokens,
            Self::Images(_) => unreachable!("ModelConfig::check_input has refused images"),
        }
    }
}

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    pub layers: Vec<(&'static str, Feature)>,
}

impl Activations {
    /// The last layer as `[n, d]`: the logits of a classifier.
    pub fn into_output(mut self) -> Option<Tensor<2>> {
        self.layers
            .pop()
            .map(|(_, output)| output.pooled(Pooling::Flatten))
    }
}
