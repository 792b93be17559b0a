//! An experiment file as it is written, before anything is checked.

use std::path::PathBuf;

use reprsim_train::Normalization;
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub name: Spanned<String>,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub root_seed: u64,
    pub seeds: Spanned<usize>,
    pub device: Option<Spanned<String>>,
    pub pairing: Option<Spanned<String>>,
    pub dataset: RawDataset,
    pub model: RawModel,
    pub training: RawTraining,
    #[serde(default)]
    pub axis: Vec<RawAxis>,
    #[serde(default)]
    pub grid: Vec<RawGrid>,
    pub probe: Spanned<Vec<RawProbe>>,
    pub analysis: RawAnalysis,
    #[serde(default)]
    pub keep: RawKeep,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDataset {
    pub name: Spanned<String>,
    pub preset: Option<Spanned<String>>,
    pub factor_classes: Option<Spanned<usize>>,
    pub label: Option<Spanned<Vec<String>>>,
    pub train_samples: Option<Spanned<usize>>,
    pub train_per_model: Option<Spanned<usize>>,
    pub path: Option<Spanned<PathBuf>>,
    pub size: Option<Spanned<usize>>,
    #[serde(default)]
    pub grayscale: bool,
    pub normalization: Option<Spanned<Normalization>>,
    pub corpora: Option<Spanned<Vec<Spanned<String>>>>,
    pub tokenizer: Option<Spanned<String>>,
    pub window: Option<Spanned<usize>>,
    pub chunks: Option<Spanned<usize>>,
    pub field: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawModel {
    pub name: Spanned<String>,
    pub width: Option<Spanned<usize>>,
    pub hidden: Option<Spanned<Vec<usize>>>,
    pub depth: Option<Spanned<usize>>,
    pub stem: Option<Spanned<String>>,
    pub heads: Option<Spanned<usize>>,
    pub patch: Option<Spanned<usize>>,
    pub latent: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTraining {
    pub epochs: Option<Spanned<usize>>,
    pub steps: Option<Spanned<usize>>,
    pub batch: Spanned<usize>,
    pub optimizer: RawOptimizer,
    pub schedule: Option<RawSchedule>,
    pub label_smoothing: Option<Spanned<f64>>,
    pub drop_last: Option<Spanned<bool>>,
    #[serde(default)]
    pub augment: Vec<Spanned<RawAugmentation>>,
    pub fill: Option<Spanned<Vec<f32>>>,
    pub accumulate: Option<Spanned<usize>>,
    pub clip: Option<Spanned<f64>>,
    pub dropout: Option<Spanned<f64>>,
    pub evaluate: Option<Spanned<RawEvaluate>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvaluate {
    pub every: Option<Spanned<usize>>,
    pub windows: Option<Spanned<usize>>,
    pub patience: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAugmentation {
    pub name: Spanned<String>,
    pub p: Option<Spanned<f64>>,
    pub magnitude: Option<Spanned<f64>>,
    pub pixels: Option<Spanned<usize>>,
    pub side: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOptimizer {
    pub name: Spanned<String>,
    pub lr: Spanned<f64>,
    pub momentum: Option<Spanned<f64>>,
    pub weight_decay: Option<Spanned<f64>>,
    pub beta_2: Option<Spanned<f64>>,
    pub decay_vectors: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSchedule {
    pub name: Spanned<String>,
    pub peak: Option<Spanned<f64>>,
    pub warmup: Option<Spanned<f64>>,
    pub floor: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAxis {
    pub kind: Spanned<String>,
    pub levels: Option<Levels>,
    pub factors: Option<Spanned<Vec<Spanned<String>>>>,
    pub factors_per_task: Option<Spanned<usize>>,
    pub pairs: Option<Spanned<Vec<[Spanned<String>; 2]>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrid {
    pub data: Option<Levels>,
    pub class: Option<Levels>,
    pub task: Option<Levels>,
    pub style: Option<Levels>,
    pub width: Option<Levels>,
    pub depth: Option<Levels>,
    pub factors: Option<Spanned<Vec<Spanned<String>>>>,
    pub factors_per_task: Option<Spanned<usize>>,
}

/// Levels of an axis, each with its place in the file.
pub(super) type Levels = Spanned<Vec<Spanned<f64>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProbe {
    pub name: Spanned<String>,
    pub kind: Option<Spanned<String>>,
    pub dataset: Option<Spanned<String>>,
    pub corpora: Option<Spanned<Vec<Spanned<String>>>>,
    pub preset: Option<Spanned<String>>,
    pub samples: Option<Spanned<usize>>,
    pub classes: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAnalysis {
    pub primary: RawPrimary,
    pub measures: Option<Vec<Spanned<String>>>,
    pub k: Option<Spanned<usize>>,
    pub permutations: Option<Spanned<usize>>,
    pub pooling: Option<Spanned<String>>,
    pub covariates: Option<Vec<Spanned<String>>>,
    pub leave_out_undertrained: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrimary {
    pub measure: Spanned<String>,
    pub probe: Spanned<String>,
    pub layer: Spanned<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeep {
    pub checkpoints: Option<bool>,
    pub activations: Option<bool>,
}
