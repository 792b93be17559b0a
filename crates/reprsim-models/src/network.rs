//! Any of the architectures behind one type.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;

use crate::feature::{Activations, Input, Pooling};
use crate::{Cnn, Init, Mlp, ModelConfig, ModelError, ModelShape};

/// A model of any architecture.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a handful of models live at once"
)]
pub enum Network {
    /// See [`Mlp`].
    Mlp(Mlp),
    /// See [`Cnn`].
    Cnn(Cnn),
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
        let mut init = Init::new(device, rng);
        Ok(match config {
            ModelConfig::Mlp { hidden } => Self::Mlp(Mlp::new(hidden, shape, &mut init)),
            ModelConfig::Cnn { width } => Self::Cnn(Cnn::new(*width, shape, &mut init)),
        })
    }

    /// All named layers for a batch, in one pass.
    pub fn activations(&self, input: Input) -> Activations {
        match self {
            Self::Mlp(model) => model.forward(input),
            Self::Cnn(model) => model.forward(input),
        }
    }

    /// The output alone, `[n, classes]`.
    pub fn forward(&self, input: Input) -> Tensor<2> {
        let mut layers = self.activations(input).layers;
        let (_, output) = layers
            .pop()
            .expect("every architecture has an output layer");
        output.pooled(Pooling::Flatten)
    }
}
