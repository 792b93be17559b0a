//! How to train, as an experiment file says it.

use serde::{Deserialize, Serialize};

use crate::augment::Augmentation;
use crate::epoch::Epoch;

/// Training settings, the same for both models of a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training set.
    pub epochs: usize,
    /// Samples a step.
    pub batch: usize,
    /// Whether a last, shorter batch of an epoch is left out.
    pub drop_last: bool,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// How the learning rate moves, per step.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Share of the target spread evenly over the classes, in 0..1.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Random changes of the training images, in the order in which they are made.
    #[serde(default)]
    pub augment: Vec<Augmentation>,
    /// The colour that translation and cutout bring in, on the 0..255 scale.
    #[serde(default)]
    pub fill: Vec<f32>,
    /// How a language model is trained, by steps instead of epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<LanguageConfig>,
}

impl TrainingConfig {
    /// How many lines a history has at most.
    pub fn reports(&self) -> usize {
        match &self.language {
            Some(language) => language.steps.div_ceil(language.evaluate_every.max(1)),
            None => self.epochs,
        }
    }

    /// Whether `history` is that of a finished training: all epochs of a model of images;
    /// a language model may have stopped at any evaluation.
    pub fn is_history(&self, history: &[Epoch]) -> bool {
        match &self.language {
            Some(_) => !history.is_empty(),
            None => history.len() == self.epochs,
        }
    }
}

/// Settings of the training of language models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageConfig {
    /// Optimiser steps at most.
    pub steps: usize,
    /// Batches whose gradients make a step.
    pub accumulate: usize,
    /// Largest joint norm of the gradients.
    pub clip: Option<f64>,
    /// Share of activations dropped in training, in 0..1.
    pub dropout: f64,
    /// Steps between two evaluations on held-out windows.
    pub evaluate_every: usize,
    /// Held-out windows of an evaluation, the same each time.
    pub evaluate_windows: usize,
    /// Training ends once so many steps have brought no lower loss on them.
    pub patience: Option<usize>,
}

/// The optimiser and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        #[serde(default = "beta_2", skip_serializing_if = "is_beta_2")]
        beta_2: f64,
        /// Whether vectors (biases, norms) decay as matrices do; not so in nanoGPT.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        decay_vectors: bool,
    },
}

// Settings that came later are written only where they differ from what was always done:
// the hashes of earlier cells stay what they are.

/// PyTorch's share of the second moment.
fn beta_2() -> f64 {
    0.999
}

fn is_beta_2(value: &f64) -> bool {
    *value == beta_2()
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Always the peak.
    #[default]
    Constant,
    /// From 0 to the peak in a straight line over the first `peak` share of the
    /// steps, then to 0 at the end.
    Triangular {
        /// Where the peak is, in 0..1.
        peak: f64,
    },
    /// A linear warm-up over the first `warmup` share of the steps, then half a
    /// cosine to `floor` (Loshchilov and Hutter 2017).
    Cosine {
        /// Share of the steps, in 0..1.
        #[serde(default)]
        warmup: f64,
        /// Share of the peak that is left at the end, in 0..1.
        #[serde(default, skip_serializing_if = "is_zero")]
        floor: f64,
    },
}
