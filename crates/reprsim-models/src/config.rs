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
    /// A residual network of basic blocks.
    Resnet {
        /// 18 or 34 layers.
        depth: usize,
        /// Channels of the first stage, 64 as published.
        width: usize,
        /// What precedes the stages.
        stem: Stem,
    },
    /// A vision transformer.
    Vit {
        /// Length of a token's vector.
        width: usize,
        /// Number of blocks.
        depth: usize,
        /// Attention heads; they divide the width.
        heads: usize,
        /// Side of a patch; it divides the image's sides.
        patch: usize,
    },
    /// A language model as nanoGPT's.
    Gpt {
        /// Length of a token's vector.
        width: usize,
        /// Number of blocks.
        depth: usize,
        /// Attention heads; they divide the width.
        heads: usize,
    },
    /// A convolutional variational autoencoder.
    Vae {
        /// Channels of the first convolution.
        width: usize,
        /// Length of the latent vector.
        latent: usize,
    },
}

/// How a residual network begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// A 7x7 stride-2 convolution and 3x3 stride-2 max pooling, as torchvision.
    Stock,
    /// A 3x3 convolution without pooling, for images of 32 pixels.
    #[default]
    Cifar,
}

/// What a model learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// The class of a sample, from its logits.
    Classify,
    /// The sample itself, through a latent vector.
    Reconstruct,
    /// The next token of a text, at every position.
    Predict,
}

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

/// What a model takes in and how many outputs it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// One input.
    pub input: InputShape,
    /// Width of the head; of no effect where there is none.
    pub classes: usize,
}

impl ModelShape {
    /// Channels, height and width of an input image.
    pub(crate) fn image(&self) -> [usize; 3] {
        match self.input {
            InputShape::Image {
                channels,
                height,
                width,
            } => [channels, height, width],
            InputShape::Tokens { .. } => {
                unreachable!("ModelConfig::check_input has refused text")
            }
        }
    }
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
            Self::Resnet { .. } => "resnet",
            Self::Vit { .. } => "vit",
            Self::Gpt { .. } => "gpt",
            Self::Vae { .. } => "vae",
        }
    }

    /// Names of the layers that a forward pass returns, input side first. The
    /// layer before the head is called `penultimate` in every classifier, the
    /// last is `logits`.
    pub fn layer_names(&self) -> Vec<&'static str> {
        match self {
            Self::Mlp { hidden } => crate::mlp::layer_names(hidden.len()),
            Self::Cnn { .. } => crate::cnn::LAYERS.to_vec(),
            Self::Resnet { .. } => crate::resnet::LAYERS.to_vec(),
            Self::Vit { depth, .. } => crate::vit::layer_names(*depth),
            Self::Gpt { depth, .. } => crate::gpt::layer_names(*depth),
            Self::Vae { .. } => crate::vae::LAYERS.to_vec(),
        }
    }

    /// The same architecture with another width (of all hidden layers of an mlp).
    pub fn with_width(&self, to: usize) -> Self {
        let mut model = self.clone();
        match &mut model {
            Self::Cnn { width }
            | Self::Resnet { width, .. }
            | Self::Vit { width, .. }
            | Self::Gpt { width, .. }
            | Self::Vae { width, .. } => *width = to,
            Self::Mlp { hidden } => hidden.iter_mut().for_each(|width| *width = to),
        }
        model
    }

    /// The same architecture with another depth; `None` where it has none.
    pub fn with_depth(&self, to: usize) -> Option<Self> {
        let mut model = self.clone();
        match &mut model {
            Self::Resnet { depth, .. } | Self::Vit { depth, .. } | Self::Gpt { depth, .. } => {
                *depth = to;
            }
            Self::Mlp { hidden } => hidden.resize(to, hidden.last().copied().unwrap_or(1)),
            Self::Cnn { .. } | Self::Vae { .. } => return None,
        }
        Some(model)
    }

    /// What the model learns.
    pub fn objective(&self) -> Objective {
        match self {
            Self::Vae { .. } => Objective::Reconstruct,
            Self::Gpt { .. } => Objective::Predict,
            _ => Objective::Classify,
        }
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// [`ModelError`] with what is wrong and what is accepted.
    pub fn check(&self) -> Result<(), ModelError> {
        let fail = |reason: String| Err(ModelError(reason));
        match self {
            Self::Mlp { hidden } => {
                if hidden.is_empty() || hidden.len() > crate::mlp::DEEPEST {
                    return fail(format!(
                        "an mlp has 1 to {} hidden layers, not {}",
                        crate::mlp::DEEPEST,
                        hidden.len()
                    ));
                }
                if hidden.contains(&0) {
                    return fail("a hidden layer of width 0".into());
                }
            }
            Self::Cnn { width } | Self::Resnet { width, .. } if *width == 0 => {
                return fail(format!("a {} of width 0", self.name()));
            }
            Self::Cnn { .. } => {}
            Self::Resnet { depth, .. } => {
                if crate::resnet::blocks(*depth).is_none() {
                    return fail(format!("a resnet has a depth of 18 or 34, not {depth}"));
                }
            }
            Self::Vit {
                width,
                depth,
                heads,
                ..
            }
            | Self::Gpt {
                width,
                depth,
                heads,
            } => {
                let name = self.name();
                if *depth == 0 || *depth > crate::vit::DEEPEST {
                    return fail(format!(
                        "a {name} has 1 to {} blocks, not {depth}",
                        crate::vit::DEEPEST
                    ));
                }
                if *width == 0 || *heads == 0 || width % heads != 0 {
                    return fail(format!(
                        "a {name} of width {width} with {heads} heads: heads must divide the width"
                    ));
                }
                if let Self::Vit { patch: 0, .. } = self {
                    return fail("a patch of 0 pixels".into());
                }
            }
            Self::Vae { width, latent } => {
                if *width == 0 || *latent == 0 {
                    return fail("a vae needs a width and a latent vector of at least 1".into());
                }
            }
        }
        Ok(())
    }

    /// Checks the architecture against what goes in.
    ///
    /// # Errors
    /// [`ModelError`] with what is wrong and what is accepted.
    pub fn check_input(&self, input: InputShape) -> Result<(), ModelError> {
        let (height, width) = match (self, input) {
            (Self::Gpt { .. }, InputShape::Tokens { .. }) => return Ok(()),
            (Self::Gpt { .. }, InputShape::Image { .. }) => {
                return Err(ModelError(
                    "a gpt learns text; these are images\n  choose another model, or \
                     name = \"text\" under [dataset]"
                        .into(),
                ));
            }
            (_, InputShape::Tokens { .. }) => {
                return Err(ModelError(format!(
                    "a {} learns images; this is text\n  choose the model gpt",
                    self.name()
                )));
            }
            (_, InputShape::Image { height, width, .. }) => (height, width),
        };
        let step = match self {
            Self::Vit { patch, .. } => *patch,
            Self::Vae { .. } => 4,
            _ => 1,
        };
        if height % step == 0 && width % step == 0 {
            return Ok(());
        }
        Err(ModelError(format!(
            "a {} needs images with sides divisible by {step}; these are {height}x{width}\n  \
             set size under [dataset]",
            self.name()
        )))
    }
}
