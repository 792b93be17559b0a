//! The shape of what goes into a model and of its head.

use reprsim_base::SampleShape;

use crate::{InputKind, ModelError};

/// What a model takes in and how many outputs it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// One input.
    pub input: SampleShape,
    /// Width of the head; of no effect where there is none.
    pub classes: usize,
}

impl ModelShape {
    /// What models are counted at where their size must not depend on what they learn: images of 224
    /// pixels, or GPT-2's windows and vocabulary, and a head of a single class.
    pub fn nominal(takes: InputKind) -> Self {
        Self {
            input: match takes {
                InputKind::Images => SampleShape::Image {
                    channels: 3,
                    height: 224,
                    width: 224,
                },
                InputKind::Text => SampleShape::Tokens {
                    window: 1024,
                    vocabulary: 50_257,
                },
            },
            classes: 1,
        }
    }

    /// Channels, height and width of an input image, for the architecture `model`.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the input is text.
    pub fn image(&self, model: &'static str) -> Result<[usize; 3], ModelError> {
        match self.input {
            SampleShape::Image {
                channels,
                height,
                width,
            } => Ok([channels, height, width]),
            SampleShape::Tokens { .. } => Err(InputKind::Images.refusal(model)),
        }
    }

    /// Length and vocabulary of a window of text, for the architecture `model`.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the input is images.
    pub fn window(&self, model: &'static str) -> Result<[usize; 2], ModelError> {
        match self.input {
            SampleShape::Tokens { window, vocabulary } => Ok([window, vocabulary]),
            SampleShape::Image { .. } => Err(InputKind::Text.refusal(model)),
        }
    }
}
