//! How a model is before it is trained: random, or as a checkpoint has it.

use std::path::PathBuf;

use burn::tensor::Device;
use rand::Rng;
use reprsim_models::{ModelConfig, ModelShape, Network};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checkpoint::load_into;
use crate::error::TrainError;

/// The initial state of both models of a pair, as an experiment file gives it under
/// `[initial]`; without that section weights are random.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// A file of weights: `.safetensors` as this program or PyTorch writes it, `.pth`, `.pt`.
    pub checkpoint: PathBuf,
    /// What names the content of that file, wherever it is.
    #[serde(default)]
    #[schemars(skip)]
    pub content: String,
    /// Names of its tensors that are called otherwise here: pairs of a regular expression
    /// and what replaces it, in this order.
    #[serde(default)]
    pub names: Vec<[String; 2]>,
    /// Where the head comes from.
    #[serde(default)]
    pub head: Head,
    /// What the pairs that were "not yet trained on this" are, to which trained pairs are
    /// compared as the floor.
    pub reference: Reference,
}

/// Where the head of a model that begins as a checkpoint comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// It is random, each model's its own.
    #[default]
    Fresh,
    /// It is the checkpoint's.
    File,
}

/// What "not yet trained on this" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// Pairs of models with random weights: never trained on anything.
    Random,
    /// Pairs as they begin: the checkpoint twice, alike but for fresh heads.
    Initial,
}

/// How a model begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Initial {
    /// With random weights.
    #[default]
    Random,
    /// As a checkpoint.
    Checkpoint(Foreign),
}

impl Initial {
    /// A model in this state; what is random of it comes from `rng`.
    ///
    /// # Errors
    /// [`TrainError::Model`], [`TrainError::Checkpoint`].
    pub fn network(
        &self,
        model: &ModelConfig,
        shape: ModelShape,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Result<Network, TrainError> {
        let network = Network::new(model, shape, rng, device)?;
        match self {
            Self::Random => Ok(network),
            Self::Checkpoint(foreign) => {
                let fresh = foreign.head == Head::Fresh;
                load_into(network, &foreign.checkpoint, model, &foreign.names, fresh)
            }
        }
    }
}
