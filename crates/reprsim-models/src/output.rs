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
    /// Whether parts of the model are computed again for their gradients instead of kept, where the
    /// device can.
    pub recompute: bool,
    noise: Option<Noise<'a>>,
}

/// Where a pass has its normal deviates from.
enum Noise<'a> {
    /// They are drawn now.
    Drawn(&'a mut dyn Rng),
    /// The pass is recorded: they are those of each step.
    Recorded(&'a mut dyn FnMut([usize; 2]) -> Tensor<2>),
}

/// Standard normal deviates for `shape`, in the order in which a pass draws them.
pub fn normal_values(shape: [usize; 2], rng: &mut dyn Rng) -> Vec<f32> {
    (0..shape[0] * shape[1])
        .map(|_| rng.sample(StandardNormal))
        .collect()
}

impl<'a> Pass<'a> {
    /// A pass in training: `noise` is drawn from as the model needs it.
    pub fn training(dropout: Dropout, noise: &'a mut dyn Rng) -> Self {
        Self {
            dropout,
            recompute: false,
            noise: Some(Noise::Drawn(noise)),
        }
    }

    /// A pass that is recorded: `noise` gives the tensor of each step's normal deviates.
    pub fn recorded(dropout: Dropout, noise: &'a mut dyn FnMut([usize; 2]) -> Tensor<2>) -> Self {
        Self {
            dropout,
            recompute: false,
            noise: Some(Noise::Recorded(noise)),
        }
    }

    /// A pass in which nothing is random.
    pub fn inference() -> Self {
        Self {
            dropout: Dropout::none(),
            recompute: false,
            noise: None,
        }
    }

    /// Standard normal deviates, drawn on the host; `None` at inference, where a latent
    /// variable is its mean.
    pub fn normal(&mut self, shape: [usize; 2], device: &Device) -> Option<Tensor<2>> {
        Some(match self.noise.as_mut()? {
            Noise::Drawn(rng) => {
                let values = normal_values(shape, rng);
                Tensor::from_data(TensorData::new(values, shape), device)
            }
            Noise::Recorded(given) => given(shape),
        })
    }
}
