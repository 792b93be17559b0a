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
