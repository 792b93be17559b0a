//! Any of the architectures behind one type.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::feature::{Activations, Input};
use crate::gpt::GptSize;
use crate::vit::VitSize;
use crate::{Cnn, Gpt, Init, Mlp, ModelConfig, ModelError, ModelShape, ResNet, Vae, Vit};

/// A model of any architecture.
#[derive(Module, Debug)]
pub enum Network {
    /// See [`Mlp`].
    Mlp(Mlp),
    /// See [`Cnn`].
    Cnn(Cnn),
    /// See [`ResNet`].
    ResNet(ResNet),
    /// See [`Vit`].
    Vit(Vit),
    /// See [`Gpt`].
    Gpt(Gpt),
    /// See [`Vae`].
    Vae(Vae),
}

impl Network {
    /// Builds a model with weights drawn from `rng`.
    ///
    /// # Errors
    /// [`ModelError`] if the configuration makes no sense.
    pub fn new(
        config: &ModelConfig,
        shape: ModelShape,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Self, ModelError> {
        config.check()?;
        config.check_input(shape.input)?;
        let init = &mut Init::new(device, rng);
        Ok(match *config {
            ModelConfig::Mlp { ref hidden } => Self::Mlp(Mlp::new(hidden, shape, init)),
            ModelConfig::Cnn { width } => Self::Cnn(Cnn::new(width, shape, init)),
            ModelConfig::Resnet { depth, width, stem } => {
                Self::ResNet(ResNet::new(depth, width, stem, shape, init))
            }
            ModelConfig::Vit {
                width,
                depth,
                heads,
                patch,
            } => {
                let size = VitSize {
                    width,
                    depth,
                    heads,
                    patch,
                };
                Self::Vit(Vit::new(size, shape, init))
            }
            ModelConfig::Gpt {
                width,
                depth,
                heads,
            } => {
                let size = GptSize {
                    width,
                    depth,
                    heads,
                };
                Self::Gpt(Gpt::new(size, shape, init))
            }
            ModelConfig::Vae { width, latent } => Self::Vae(Vae::new(width, latent, shape, init)),
        })
    }

    /// All named layers for a batch, in one pass.
    pub fn activations(&self, input: Input) -> Activations {
        match self {
            Self::Mlp(model) => model.forward(input),
            Self::Cnn(model) => model.forward(input),
            Self::ResNet(model) => model.forward(input),
            Self::Vit(model) => model.forward(input),
            Self::Gpt(model) => model.forward(input),
            Self::Vae(model) => model.forward(input),
        }
    }

    /// The last layer alone, `[n, classes]` in a classifier.
    pub fn forward(&self, input: Input) -> Tensor<2> {
        self.activations(input)
            .into_output()
            .expect("every architecture has an output layer")
    }
}
