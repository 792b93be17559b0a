//! What a model makes of a batch, for a task to learn from.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use reprsim_kernels::Dropout;

/// What an architecture gives, and a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputKind {
    /// A score for each class.
    Logits,
    /// The sample again, through a latent vector.
    Reconstruction,
    /// A score for each token that could come next, at every position.
    TokenLogits,
}

impl OutputKind {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logits => "scores of classes",
            Self::Reconstruction => "reconstructions",
            Self::TokenLogits => "scores of the next token",
        }
    }
}

/// A batch as a model answers to it.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a step, on the stack"
)]
#[non_exhaustive]
pub enum Output {
    /// `[n, classes]`.
    Logits(Tensor<2>),
    /// See [`Reconstruction`].
    Reconstruction(Reconstruction),
    /// `[n, time, vocabulary]`.
    TokenLogits(Tensor<3>),
}

impl Output {
    /// Which kind it is.
    pub fn kind(&self) -> OutputKind {
        match self {
            Self::Logits(_) => OutputKind::Logits,
            Self::Reconstruction(_) => OutputKind::Reconstruction,
            Self::TokenLogits(_) => OutputKind::TokenLogits,
        }
    }
}

/// What an autoencoder makes of a batch.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// Logits of the pixels, `[n, channels, height, width]`.
    pub logits: Tensor<4>,
    /// Means of the latent vectors, `[n, latent]`.
    pub mu: Tensor<2>,
    /// Logarithms of their variances, `[n, latent]`.
    pub logvar: Tensor<2>,
}

/// What is random in a forward pass; nothing at inference.
pub struct Pass<'a> {
    /// Drops activations.
    pub dropout: Dropout,
    noise: Option<&'a mut dyn Rng>,
}

impl<'a> Pass<'a> {
    /// A pass in training: `noise` is drawn from as the model needs it.
    pub fn training(dropout: Dropout, noise: &'a mut dyn Rng) -> Self {
        Self {
            dropout,
            noise: Some(noise),
        }
    }

    /// A pass in which nothing is random.
    pub fn inference() -> Self {
        Self {
            dropout: Dropout::none(),
            noise: None,
        }
    }

    /// Standard normal deviates, drawn on the host; `None` at inference, where a latent
    /// variable is its mean.
    pub fn normal(&mut self, shape: [usize; 2], device: &Device) -> Option<Tensor<2>> {
        let noise = self.noise.as_mut()?;
        let values: Vec<f32> = (0..shape[0] * shape[1])
            .map(|_| noise.sample(StandardNormal))
            .collect();
        Some(Tensor::from_data(TensorData::new(values, shape), device))
    }
}
