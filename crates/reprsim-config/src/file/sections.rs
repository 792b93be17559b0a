//! The sections of an experiment file. What is said here of a key is what `docs/experiment.md`
//! and the JSON Schema say of it, and what reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reprsim_data::color_shape_digit::Preset;
use reprsim_data::{Filter, Resampling};
use reprsim_models::{ModelConfig, Pooling};
use reprsim_train::{InitialStates, TaskConfig, TrainingConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::normalization::NormalizationSection;
use crate::experiment::{Covariate, Duplicates, Keep, Pairing, ProbeKind};

/// An experiment: pairs of models whose data or tasks overlap by a controlled amount, and how
/// alike they become.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentFile {
    /// Its name; also the name of its run directory.
    pub name: String,
    /// One line on what it shows.
    #[serde(default)]
    pub description: String,
    /// The root of all random streams.
    #[serde(default)]
    pub root_seed: u64,
    /// Repetitions of every cell.
    pub seeds: usize,
    /// Where to compute: `auto`, `cpu`, `wgpu`, `vulkan`, `cuda` or `ndarray`; `auto` if
    /// absent. `--device` overrules it.
    #[serde(default)]
    pub device: Option<String>,
    /// What cells of one seed share.
    #[serde(default)]
    pub pairing: Pairing,
    /// The data.
    pub dataset: DatasetSection,
    /// How images become those that models see, where that is not as they are stored: squares of
    /// another size, as torchvision's `Resize` and `CenterCrop` make them, with antialiasing. They are
    /// resampled on the device, batch by batch, for training (after `augment`, which changes
    /// images at their stored size), probes and whatever else a model sees; then they are
    /// normalised.
    #[serde(default)]
    pub input: Option<Resampling>,
    /// The architecture of both models.
    pub model: ModelConfig,
    /// How both models begin, if not with random weights.
    #[serde(default)]
    pub initial: Option<InitialStates>,
    /// What both models learn; by default what the architecture is for.
    #[serde(default)]
    pub task: Option<TaskConfig>,
    /// How both models are trained.
    pub training: TrainingConfig,
    /// Sweeps of one axis.
    #[serde(default)]
    pub axis: Vec<AxisSection>,
    /// Sweeps that cross two or more axes.
    #[serde(default)]
    pub grid: Vec<GridSection>,
    /// What the models are compared on; at least one.
    pub probe: Vec<ProbeSection>,
    /// What is measured, and the one result that is declared to count.
    pub analysis: AnalysisSection,
    /// What else is computed of each pair, a section each.
    #[serde(default)]
    pub evaluation: BTreeMap<String, Value>,
    /// Which large files are kept.
    #[serde(default)]
    pub keep: Keep,
}

/// The data that models are trained and probed on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetSection {
    /// Its name: `reprsim data list` shows all; `folder` is a folder of pictures of your own,
    /// `text` a list of corpora.
    pub name: String,
    /// Of the built-in images: which factors vary.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Of the built-in images: keep only so many classes of every factor, at least 2.
    #[serde(default)]
    pub factor_classes: Option<usize>,
    /// The label factors whose product is the class; the set's own if absent.
    #[serde(default)]
    pub label: Option<Vec<String>>,
    /// Of the built-in images: size of the training part.
    #[serde(default)]
    pub train_samples: Option<usize>,
    /// Samples that each model is trained on. Absent: half of every class (data axis), all of
    /// its classes (class axis), all samples (task axis).
    #[serde(default)]
    pub train_per_model: Option<usize>,
    /// Of `folder`: the folder, which holds one folder of pictures a class; from where the
    /// experiment file is.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Of images: the side to which they are resampled when they are read; their own if absent.
    /// Pictures of a `folder` that are no squares are squeezed, unless `resize` is given.
    #[serde(default)]
    pub size: Option<usize>,
    /// Of `folder`: what the shorter side of a picture becomes, in proportion with the longer,
    /// before the square of `size` is cut out of the centre, as torchvision's `Resize` and
    /// `CenterCrop` do, with antialiasing.
    #[serde(default)]
    pub resize: Option<usize>,
    /// Of `folder`, where `resize` is given: what pixels are made of; `bilinear` if absent.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// Of images: whether colour becomes grey.
    #[serde(default)]
    pub grayscale: bool,
    /// Of images: what becomes of exact copies.
    #[serde(default)]
    pub duplicates: Option<Duplicates>,
    /// Of images: what they are normalised with, on the 0..1 scale: the values of a checkpoint by
    /// their name, `imagenet` (mean 0.485, 0.456, 0.406, deviation 0.229, 0.224, 0.225) or
    /// `inception` (0.5 all), or a table; the training part's statistics if absent.
    #[serde(default)]
    pub normalization: Option<NormalizationSection>,
    /// Of `text`: names of corpora, text files, folders or JSON lines, from where the
    /// experiment file is.
    #[serde(default)]
    pub corpora: Option<Vec<String>>,
    /// Of `text`: `bytes` or `gpt2`.
    #[serde(default)]
    pub tokenizer: Option<String>,
    /// Of `text`: tokens that a model sees at once.
    #[serde(default)]
    pub window: Option<usize>,
    /// Of `text`: chunks of each corpus, which are its training samples.
    #[serde(default)]
    pub chunks: Option<usize>,
    /// Of `text`: the field of JSON lines that holds the text.
    #[serde(default)]
    pub field: Option<String>,
}

/// A sweep of one axis.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisSection {
    /// What it varies.
    pub kind: String,
    /// Overlaps between 0 and 1, ascending, at least 2. To a sweep that does not list 1 it is
    /// added as the ceiling.
    #[serde(default)]
    pub levels: Option<Vec<f64>>,
    /// Of a task axis: the label factors that tasks are made of; of a style axis: the factor
    /// that says what is drawn, and the one that says how.
    #[serde(default)]
    pub factors: Option<Vec<String>>,
    /// Of a task axis: label factors in one model's task.
    #[serde(default)]
    pub factors_per_task: Option<usize>,
    /// Of a partition axis: pairs of tasks, each written like `shape+digit`.
    #[serde(default)]
    pub pairs: Option<Vec<[String; 2]>>,
}

/// A sweep that crosses two or more axes, one of them an overlap: `class` with `data`, `data`
/// with `task`, any overlap with `size`, `width` and `depth`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct GridSection {
    /// Levels of each axis under its name.
    #[serde(flatten)]
    #[schemars(with = "BTreeMap<String, Vec<f64>>")]
    pub axes: BTreeMap<String, Value>,
    /// As of an axis.
    #[serde(default)]
    pub factors: Option<Vec<String>>,
    /// As of an axis.
    #[serde(default)]
    pub factors_per_task: Option<usize>,
}

/// Held-out samples on which models are compared.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeSection {
    /// Its name in results.
    pub name: String,
    /// Which samples it holds.
    #[serde(default)]
    pub kind: ProbeKind,
    /// Another data set of images; the experiment's own if absent.
    #[serde(default)]
    pub dataset: Option<String>,
    /// Of a fixed probe of text: other corpora.
    #[serde(default)]
    pub corpora: Option<Vec<String>>,
    /// Of a probe of the built-in images: which factors vary; as in the data set if absent.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Number of samples, at least 4, of text windows; all if absent (of text it must be
    /// given).
    #[serde(default)]
    pub samples: Option<usize>,
    /// Of a probe by classes: number of classes, drawn for each cell from those that the kind
    /// names, with equally many samples each, so that size and classes do not move with the
    /// overlap.
    #[serde(default)]
    pub classes: Option<usize>,
}

/// What is measured, and what was declared before the run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalysisSection {
    /// The one result that is declared to count.
    pub primary: PrimarySection,
    /// Measures, by the names that `reprsim measures` lists; three if absent.
    #[serde(default)]
    pub measures: Option<Vec<String>>,
    /// Nearest neighbours, of the measures that use them; 10 if absent.
    #[serde(default)]
    pub k: Option<usize>,
    /// Permutations of the probe behind each p-value, 200 if absent; 0: none.
    #[serde(default)]
    pub permutations: Option<usize>,
    /// How activations with positions become one vector a sample.
    #[serde(default)]
    pub pooling: Pooling,
    /// What the attribution over a grid holds fixed.
    #[serde(default)]
    pub covariates: Vec<Covariate>,
    /// Whether pairs with a model that did not train are left out of every statistic.
    #[serde(default)]
    pub leave_out_undertrained: bool,
}

/// The declared result.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrimarySection {
    /// Measure.
    pub measure: String,
    /// Probe, of kind `fixed`.
    pub probe: String,
    /// Layer, of both models.
    pub layer: String,
}
