//! The shape of what goes into a model and of its head.

use crate::{InputKind, ModelError};

/// The shape of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputShape {
    /// An image.
    Image {
        /// Colour channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A window of text.
    Tokens {
        /// Tokens in it.
        window: usize,
        /// How many different tokens there are.
        vocabulary: usize,
    },
}

impl InputShape {
    /// What kind of samples they are.
    pub fn kind(self) -> InputKind {
        match self {
            Self::Image { .. } => InputKind::Images,
            Self::Tokens { .. } => InputKind::Text,
        }
    }

    /// Values that a model sees of one sample.
    pub fn values(self) -> usize {
        match self {
            Self::Image {
                channels,
                height,
                width,
            } => channels * height * width,
            Self::Tokens { window, .. } => window,
        }
    }
}

/// What a model takes in and how many outputs it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// One input.
    pub input: InputShape,
    /// Width of the head; of no effect where there is none.
    pub classes: usize,
}

impl ModelShape {
    /// Channels, height and width of an input image, for the architecture `model`.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the input is text.
    pub fn image(&self, model: &'static str) -> Result<[usize; 3], ModelError> {
        match self.input {
            InputShape::Image {
                channels,
                height,
                width,
            } => Ok([channels, height, width]),
            InputShape::Tokens { .. } => Err(InputKind::Images.refusal(model)),
        }
    }

    /// Length and vocabulary of a window of text, for the architecture `model`.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the input is images.
    pub fn window(&self, model: &'static str) -> Result<[usize; 2], ModelError> {
        match self.input {
            InputShape::Tokens { window, vocabulary } => Ok([window, vocabulary]),
            InputShape::Image { .. } => Err(InputKind::Text.refusal(model)),
        }
    }
}
