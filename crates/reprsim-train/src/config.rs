//! How to train, as an experiment file says it under `[training]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::augment::Augmentation;

/// Training settings, the same for both models of a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training set; of models of images.
    #[serde(default)]
    pub epochs: Option<usize>,
    /// Optimiser steps at most; of models of text.
    #[serde(default)]
    pub steps: Option<usize>,
    /// Samples in a batch.
    pub batch: usize,
    /// Whether a last, shorter batch of an epoch is left out.
    #[serde(default = "yes")]
    pub drop_last: bool,
    /// Batches whose gradients make one step.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Largest joint norm of the gradients; 0: no clipping. Absent: 1 for models of text, no
    /// clipping for models of images.
    #[serde(default)]
    pub clip: Option<f64>,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// How the learning rate moves, per step.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Share of activations dropped in training, in 0..1, by architectures that drop any.
    #[serde(default)]
    pub dropout: f64,
    /// Loss on held-out samples during training, and what it decides. Models of text are
    /// always evaluated.
    #[serde(default)]
    pub evaluate: Option<Evaluate>,
    /// Parts of the model that keep the weights they begin with: beginnings of the names of its
    /// parameters, such as `conv1` or `layer1.0`, or ranges in the order in which they come, such
    /// as `conv1..layer3`. Their batch norms use and keep their running statistics, as those of
    /// `frozen_norms` do; they are as they began to the last bit.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Parts of the model with learning rates of their own, named in the same way. Where several
    /// name a parameter, the last holds.
    #[serde(default)]
    pub rates: Vec<PartRate>,
    /// Whether all batch norms normalise with the running statistics that they begin with and leave
    /// them as they are, as is usual where batches are small. Their scales and shifts are learned unless they are frozen.
    #[serde(default)]
    pub frozen_norms: bool,
    /// Whether blocks of the model (residual, dense, of a transformer) are computed again for their
    /// gradients instead of kept: a step takes a fraction of the memory and about a third more time,
    /// and gives the same to the last bit. Steps on a GPU are as without it.
    #[serde(default)]
    pub recompute: bool,
    /// What factors of matrix products and convolutions are rounded to, in training steps that
    /// are replayed on a GPU. Weights, sums, norms and losses stay in f32.
    /// Other devices refuse `bf16` and `f16`, and so do accumulated steps.
    #[serde(default)]
    pub precision: Precision,
    /// Random changes of the training images, in the order in which they are made.
    #[serde(default)]
    pub augment: Vec<Augmentation>,
    /// The colour that translation and cutout bring in, on the 0..255 scale: a value a
    /// channel, or one for all; black if absent.
    #[serde(default)]
    pub fill: Vec<f32>,
}

/// The learning rate of a part of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartRate {
    /// The part, as under `freeze`.
    pub name: String,
    /// What the learning rate is multiplied by there.
    pub times: f64,
}

/// What factors of products are rounded to before they are multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: not rounded.
    #[default]
    F32,
    /// bfloat16, with f32's range.
    Bf16,
    /// 16-bit floats, on a GPU's matrix units where it has them. The loss is scaled, so that
    /// small gradients do not vanish; a step whose gradients overflow is left out.
    F16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// The name in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }
}

/// Evaluations on held-out samples while a model is trained: the network of the least loss is
/// kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// Epochs, or steps of a model of text, between two evaluations; absent: 1 epoch or 100
    /// steps.
    #[serde(default)]
    pub every: Option<usize>,
    /// Held-out samples of an evaluation, of text windows, the same each time. Images are held out of the training part and no model sees them.
    #[serde(default = "five_hundred")]
    pub samples: usize,
    /// Training ends once so many epochs (steps of a model of text) have brought no lower
    /// loss on them; absent: it never ends early.
    #[serde(default)]
    pub patience: Option<usize>,
}

impl Default for Evaluate {
    fn default() -> Self {
        Self {
            every: None,
            samples: five_hundred(),
            patience: None,
        }
    }
}

impl Evaluate {
    /// Epochs or steps between two evaluations.
    pub fn every(&self) -> usize {
        self.every.unwrap_or(1).max(1)
    }
}

impl TrainingConfig {
    /// How many lines a history has at most: one an epoch, or one an evaluation where there
    /// are no epochs.
    pub fn reports(&self) -> usize {
        match (self.epochs, self.steps, &self.evaluate) {
            (Some(epochs), ..) => epochs,
            (None, Some(steps), Some(evaluate)) => steps.div_ceil(evaluate.every()),
            (None, ..) => 1,
        }
    }

    /// Whether a history of `lines` lines is that of a finished training; one that can end
    /// early may have ended at any.
    pub fn is_whole(&self, lines: usize) -> bool {
        match self.evaluate.as_ref().and_then(|e| e.patience) {
            Some(_) => lines > 0,
            None => lines == self.reports(),
        }
    }
}

/// The optimiser and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent with momentum (no dampening, as PyTorch's
    /// default) and L2 weight decay on all parameters.
    Sgd {
        /// Peak learning rate.
        lr: f64,
        /// Momentum.
        #[serde(default)]
        momentum: f64,
        /// Weight decay.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2015), the weight decay added to the gradient as an L2
    /// penalty, as PyTorch's `Adam` does.
    Adam {
        /// Peak learning rate.
        lr: f64,
        /// Weight decay.
        #[serde(default)]
        weight_decay: f64,
    },
    /// AdamW with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW {
        /// Peak learning rate.
        lr: f64,
        /// Weight decay.
        #[serde(default)]
        weight_decay: f64,
        /// Share of the second moment that a step keeps.
        #[serde(default = "beta_2")]
        beta_2: f64,
        /// Whether vectors (biases, norms) decay as matrices do; not so in nanoGPT.
        #[serde(default = "yes")]
        decay_vectors: bool,
    },
}

/// PyTorch's share of the second moment.
fn beta_2() -> f64 {
    0.999
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn five_hundred() -> usize {
    500
}

fn a_fifth() -> f64 {
    0.2
}

impl OptimizerConfig {
    /// The peak learning rate.
    pub fn lr(&self) -> f64 {
        match *self {
            Self::Sgd { lr, .. } | Self::Adam { lr, .. } | Self::AdamW { lr, .. } => lr,
        }
    }
}

/// The course of the learning rate over all steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Always the peak.
    #[default]
    Constant,
    /// From 0 to the peak in a straight line over the first `peak` share of the
    /// steps, then to 0 at the end.
    Triangular {
        /// Where the peak is, in 0..1.
        #[serde(default = "a_fifth")]
        peak: f64,
    },
    /// A linear warm-up over the first `warmup` share of the steps, then half a
    /// cosine to `floor` (Loshchilov and Hutter 2017).
    Cosine {
        /// Share of the steps, in 0..1.
        #[serde(default)]
        warmup: f64,
        /// Share of the peak that is left at the end, in 0..1.
        #[serde(default)]
        floor: f64,
    },
}
