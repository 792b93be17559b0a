//! What goes into a model.

use burn::tensor::{Int, Tensor};
use reprsim_base::SampleShape;

use crate::ModelError;

/// A kind of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Images.
    Images,
    /// Windows of tokens.
    Text,
}

impl InputKind {
    /// That of samples of a shape.
    pub fn of(shape: SampleShape) -> Self {
        match shape {
            SampleShape::Image { .. } => Self::Images,
            SampleShape::Tokens { .. } => Self::Text,
        }
    }

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Text => "text",
        }
    }

    /// Why the architecture `model`, which takes in this kind, refuses the other.
    pub(crate) fn refusal(self, model: &'static str) -> ModelError {
        let given = match self {
            Self::Images => Self::Text,
            Self::Text => Self::Images,
        };
        ModelError::Input {
            model,
            wants: self.name(),
            given: given.name(),
        }
    }
}

/// A batch of samples on the device, by kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Normalised images, `[n, channels, height, width]`.
    Images(Tensor<4>),
    /// Tokens, `[n, time]`.
    Tokens(Tensor<2, Int>),
}

impl Input {
    /// The images that the architecture `model` takes in.
    ///
    /// # Errors
    /// [`ModelError::Input`] if it is text.
    pub fn images(self, model: &'static str) -> Result<Tensor<4>, ModelError> {
        match self {
            Self::Images(images) => Ok(images),
            Self::Tokens(_) => Err(InputKind::Images.refusal(model)),
        }
    }

    /// The tokens that the architecture `model` takes in.
    ///
    /// # Errors
    /// [`ModelError::Input`] if they are images.
    pub fn tokens(self, model: &'static str) -> Result<Tensor<2, Int>, ModelError> {
        match self {
            Self::Tokens(tokens) => Ok(tokens),
            Self::Images(_) => Err(InputKind::Text.refusal(model)),
        }
    }
}
