//! What every task is.

use std::fmt::Debug;
use std::path::Path;

use burn::tensor::{Int, Tensor};
use rand::Rng;
use reprsim_models::{Input, ModelConfig, Output, OutputKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TrainError;
use crate::supply::Drawn;

/// What a batch is to be turned into.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a step, on the stack"
)]
#[non_exhaustive]
pub enum Target {
    /// A class each, `[n]`.
    Labels(Tensor<1, Int>),
    /// A class each, `[n]`, and a teacher's scores, `[n, classes]`.
    Taught {
        /// The classes.
        labels: Tensor<1, Int>,
        /// The scores.
        scores: Tensor<2>,
    },
    /// Images on the scale of the model's input, `[n, channels, height, width]`.
    Images(Tensor<4>),
    /// The token after each, `[n, time]`.
    Tokens(Tensor<2, Int>),
}

impl Target {
    /// The name in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Labels(_) => "labels",
            Self::Taught { .. } => "labels and a teacher's scores",
            Self::Images(_) => "images",
            Self::Tokens(_) => "tokens",
        }
    }
}

/// What goes into a model and what should come out.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What goes in.
    pub input: Input,
    /// What should come out.
    pub target: Target,
}

impl Batch {
    /// Images and their classes.
    ///
    /// # Errors
    /// [`TrainError::Task`] if text was drawn.
    pub fn labelled(drawn: Drawn, task: &'static str) -> Result<Self, TrainError> {
        let (images, labels) = drawn.images(task)?;
        Ok(Self {
            input: Input::Images(images),
            target: Target::Labels(labels),
        })
    }
}

/// A trained model whose scores are learned.
#[derive(Clone, Copy, Debug)]
pub struct Teacher<'a> {
    /// The file of its weights.
    pub checkpoint: &'a Path,
    /// Its architecture; that of the model that learns if absent.
    pub model: Option<&'a ModelConfig>,
}

/// A setting of a task that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct WrongSetting {
    /// The key.
    pub key: &'static str,
    /// What is wrong, and what is accepted.
    pub reason: String,
}

/// How a loss sums up its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The mean over samples.
    Mean,
    /// The sum over samples.
    Sum,
}

/// What a batch cost.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What is minimised.
    pub value: Tensor<1>,
    /// Whether that is a mean or a sum.
    pub reduction: Reduction,
    /// Further figures of the batch, summed over its samples and outside the graph of
    /// derivatives, under their names in a history.
    pub metrics: Vec<(&'static str, Tensor<1>)>,
}

impl Loss {
    /// Its part of what a step minimises whose `all` samples come in several batches, this
    /// one of `samples`: as if all of them had been one batch.
    pub(crate) fn share(&self, samples: usize, all: usize) -> Tensor<1> {
        match self.reduction {
            Reduction::Mean if samples != all => {
                self.value.clone().div_scalar(all as f64 / samples as f64)
            }
            _ => self.value.clone(),
        }
    }
}

/// What a model is trained to do, with its settings as an experiment file gives them under
/// `[task]`.
pub trait Task:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + JsonSchema
{
    /// The name in experiment files.
    const NAME: &'static str;
    /// What it needs a model to give.
    const NEEDS: OutputKind;
    /// Whether images must stay on the 0..1 scale, because they are what is to come out.
    const UNIT_SCALE: bool = false;

    /// Checks the settings.
    ///
    /// # Errors
    /// The first that makes no sense.
    fn check(&self) -> Result<(), WrongSetting> {
        Ok(())
    }

    /// Weights that it is given, entries as of `[initial]`.
    fn files(&self) -> &[String] {
        &[]
    }

    /// The same with these paths for its files, and what names their contents.
    #[must_use]
    fn with_files(&self, _paths: Vec<String>, _content: Vec<String>) -> Self {
        self.clone()
    }

    /// The same without where its files are: what they hold determines what is learned.
    #[must_use]
    fn placeless(&self) -> Self {
        self.clone()
    }

    /// The task of model 0 or 1 of the pair of a repetition, where a task differs between models.
    #[must_use]
    fn of_model(&self, _seed: usize, _model: usize) -> Self {
        self.clone()
    }

    /// The model from whose scores it learns: batches then come with them, [`Target::Taught`].
    fn teacher(&self) -> Option<Teacher<'_>> {
        None
    }

    /// Makes a batch of samples as they were drawn (augmented, normalised); `rng` is a
    /// stream of this step's own.
    ///
    /// # Errors
    /// [`TrainError::Task`] if it does not learn from such samples.
    fn batch(&self, drawn: Drawn, rng: &mut dyn Rng) -> Result<Batch, TrainError>;

    /// What a model's answer to a batch costs.
    ///
    /// # Errors
    /// [`TrainError::Task`] if the answer or the target is of another kind.
    fn loss(&self, output: Output, target: Target) -> Result<Loss, TrainError>;

    /// The class that an answer names, `[n]`; `None` where the task has no classes.
    fn answers(&self, _output: &Output) -> Option<Tensor<1, Int>> {
        None
    }
}
