//! Which architecture, how large, for what input and output.

use serde::{Deserialize, Serialize};

/// An architecture and its size, as an experiment file gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ModelConfig {
    /// Fully connected layers with ReLU.
    Mlp {
        /// Widths of the hidden layers; the last is the penultimate layer.
        hidden: Vec<usize>,
    },
    /// Three 3x3 stride-2 convolutions with batch norm and ReLU, then global
    /// average pooling.
    Cnn {
        /// Channels of the first convolution; the others have two and four
        /// times as many.
        width: usize,
    },
}

/// What a model takes in and how many outputs it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// Channels, height and width of an input image.
    pub input: [usize; 3],
    /// Width of the head.
    pub classes: usize,
}

/// A model that cannot be built as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ModelError(pub(crate) String);

impl ModelConfig {
    /// The architecture's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mlp { .. } => "mlp",
            Self::Cnn { .. } => "cnn",
        }
    }

    /// Names of the layers that a forward pass returns, input side first. The
    /// layer before the head is called `penultimate` in every architecture, the
    /// last is `logits`.
    pub fn layer_names(&self) -> Vec<&'static str> {
        match self {
            Self::Mlp { hidden } => crate::mlp::layer_names(hidden.len()),
            Self::Cnn { .. } => crate::cnn::LAYERS.to_vec(),
        }
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// [`ModelError`] with what is wrong and what is accepted.
    pub fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Mlp { hidden } => {
                if hidden.is_empty() || hidden.len() > crate::mlp::DEEPEST {
                    return Err(ModelError(format!(
                        "an mlp has 1 to {} hidden layers, not {}",
                        crate::mlp::DEEPEST,
                        hidden.len()
                    )));
                }
                if hidden.contains(&0) {
                    return Err(ModelError("a hidden layer of width 0".into()));
                }
            }
            Self::Cnn { width } => {
                if *width == 0 {
                    return Err(ModelError("a cnn of width 0".into()));
                }
            }
        }
        Ok(())
    }
}
