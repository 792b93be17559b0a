//! A resolved experiment: every default filled in, every name checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reprsim_data::color_shape_digit::{Preset, Settings};
use reprsim_data::{DatasetSpec, Filter, Resampling, TextSettings};
use reprsim_models::{ModelConfig, Pooling};
use reprsim_train::{InitialStates, Normalization, TaskConfig, TrainingConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::axis::Words;
use crate::measure::MeasureName;
use crate::sweep::Sweep;

/// An experiment as it will be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Its name; also the name of its run directory.
    pub name: String,
    /// One line on what it shows.
    pub description: String,
    /// The root of all random streams.
    pub root_seed: u64,
    /// Repetitions of every cell.
    pub seeds: usize,
    /// The device asked for (`auto`, `cpu`, ...).
    pub device: String,
    /// What cells of one seed share.
    pub pairing: Pairing,
    /// The data.
    pub dataset: DatasetConfig,
    /// How images become those that models see; as they are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Resampling>,
    /// The architecture.
    pub model: ModelConfig,
    /// How models begin; with random weights if absent.
    pub initial: Option<InitialStates>,
    /// What they learn.
    pub task: TaskConfig,
    /// The training.
    pub training: TrainingConfig,
    /// What is swept.
    pub sweeps: Vec<Sweep>,
    /// What the models are compared on.
    pub probes: Vec<ProbeConfig>,
    /// How spatial layers become vectors.
    pub pooling: Pooling,
    /// What is measured and reported.
    pub analysis: AnalysisConfig,
    /// What else is computed of each pair, with its settings.
    pub evaluations: BTreeMap<String, serde_json::Value>,
    /// Which large files are kept.
    pub keep: Keep,
}

/// What cells of one seed share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pairing {
    /// Nothing: every cell draws its own split, weights and order.
    #[default]
    Independent,
    /// The paper's design: the cells of one seed share permutation, initial
    /// weights and order, so that their overlaps are nested. Errors are then
    /// clustered by seed.
    Nested,
}

impl Pairing {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Independent => "independent",
            Self::Nested => "nested",
        }
    }
}

/// What becomes of images that are exact copies of others, as they are after decoding and
/// resampling. With `drop` and `together`, held-out images that are copies of training images
/// are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// Nothing, as in published work: they are counted, and the report says what they change.
    #[default]
    Keep,
    /// Only the first of each is used.
    Drop,
    /// Copies go to the same models: splits divide different images, and the copies of an image
    /// go where it goes, so that models may differ a little in their number of samples.
    Together,
}

impl Duplicates {
    /// Whether copies are samples like all others.
    pub fn is_kept(&self) -> bool {
        *self == Self::Keep
    }
}

/// The data set of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetConfig {
    /// Its name.
    pub name: String,
    /// Which factors of the built-in set vary.
    pub preset: Preset,
    /// Keep only so many classes of every factor of the built-in set; 0: all.
    pub factor_classes: usize,
    /// The factors whose product is the class label; empty: the set's own.
    pub label: Vec<String>,
    /// Size of the built-in training part.
    pub train_samples: Option<usize>,
    /// Samples each model is trained on; absent: half of every class (data
    /// axis), all of its classes (class axis), all samples (task axis).
    pub train_per_model: Option<usize>,
    /// The folder of class folders, for the data set `folder`.
    pub path: Option<PathBuf>,
    /// What names the samples of files on any machine: of text found out when the experiment is
    /// read, of images when they are opened; of generated images the settings say it all.
    pub content: Option<String>,
    /// Side to which images are resampled; absent: their own.
    pub size: Option<usize>,
    /// What the shorter side of a folder's pictures becomes before the square is cut out; absent:
    /// they are squeezed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// What pixels are then made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Whether colour becomes grey.
    pub grayscale: bool,
    /// What becomes of images that are copies of others.
    #[serde(default, skip_serializing_if = "Duplicates::is_kept")]
    pub duplicates: Duplicates,
    /// What images are normalised with; absent: the training part's statistics.
    pub normalization: Option<Normalization>,
    /// The corpora of the data set `text`, and how they are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSettings>,
}

impl DatasetConfig {
    /// The specification to open it with.
    pub fn spec(&self, root_seed: u64) -> DatasetSpec {
        DatasetSpec {
            name: self.name.clone(),
            built_in: Settings {
                preset: self.preset,
                factor_classes: self.factor_classes,
                label: self.label.clone(),
            },
            train_samples: self.train_samples,
            seed: root_seed,
            path: self.path.clone(),
            size: self.size,
            resize: self.resize,
            filter: self.filter.unwrap_or_default(),
            grayscale: self.grayscale,
            text: self.text.clone(),
        }
    }
}

/// Which samples a probe holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Held-out samples of all classes, the same for every cell.
    #[default]
    Fixed,
    /// The paper's probe of the classes both models know: its size and classes
    /// vary with the overlap.
    CommonClasses,
    /// The paper's probe of the classes only one model knows; varies likewise.
    OneModelClasses,
    /// The paper's probe of the classes that neither model knows; varies likewise.
    UnseenClasses,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeConfig {
    /// Its name in results.
    pub name: String,
    /// Which samples.
    pub kind: ProbeKind,
    /// The data set; absent: the experiment's own.
    pub dataset: Option<String>,
    /// The corpora of a probe of text; absent: the experiment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corpora: Option<Vec<String>>,
    /// What names the samples of those corpora, or of that data set of files, on any machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The built-in set's preset, where the probe is from it.
    pub preset: Preset,
    /// Number of samples; absent: all (and always a cap for varying probes).
    pub samples: Option<usize>,
    /// Number of classes, drawn for each cell from those the kind names, with
    /// equally many samples each: size and classes are then matched over levels.
    /// Cells with fewer such classes go without the probe.
    pub classes: Option<usize>,
}

impl Experiment {
    /// Names of all layers, those that only some models of a sweep have included.
    pub fn layer_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for model in self.models() {
            for name in model.layer_names() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// The model, and as it is at every level of an axis that changes it.
    pub fn models(&self) -> Vec<ModelConfig> {
        swept_models(&self.model, &self.sweeps)
    }

    /// What samples and classes of its data are called.
    pub fn words(&self) -> Words {
        match self.dataset.text {
            Some(_) => Words {
                samples: "chunks of text",
                class: "corpus",
                classes: "corpora (the classes of text)",
            },
            None => Words {
                samples: "samples",
                class: "class",
                classes: "classes",
            },
        }
    }
}

/// The model, and as it is at every level of an axis that changes it.
pub(crate) fn swept_models(model: &ModelConfig, sweeps: &[Sweep]) -> Vec<ModelConfig> {
    let swept = sweeps.iter().flat_map(|sweep| {
        let levels = sweep.axes.iter().flat_map(|axis| {
            let levels = axis.levels.iter();
            levels.map(|&level| (axis.kind, level))
        });
        levels.filter_map(|(kind, level)| kind.model(model, level, &sweep.design()))
    });
    std::iter::once(model.clone()).chain(swept).collect()
}

impl ProbeConfig {
    /// Whether it is of the classes that models of a class sweep know.
    pub fn by_classes(&self) -> bool {
        self.kind != ProbeKind::Fixed
    }

    /// Whether the number or the classes of its samples move with the overlap.
    pub fn varies(&self) -> bool {
        self.kind != ProbeKind::Fixed && self.classes.is_none()
    }
}

/// What is measured and which result was declared to count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisConfig {
    /// The one result that was declared before the run.
    pub primary: Primary,
    /// All measures taken.
    pub measures: Vec<MeasureName>,
    /// Nearest neighbours, for the measures that use them.
    pub k: usize,
    /// Permutations of the probe for each p-value; 0: none.
    pub permutations: usize,
    /// What the attribution over a grid holds fixed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covariates: Vec<Covariate>,
    /// Whether pairs with a model that did not train are left out of every statistic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out_undertrained: bool,
}

/// What similarity may depend on beside overlap; a mean over the two models of a pair.
/// (Size is no covariate: cells differ in it only where it is an axis.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Covariate {
    /// Accuracy on held-out samples.
    Accuracy,
    /// Training loss, of a language model the held-out loss.
    Loss,
}

impl Covariate {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Accuracy, Self::Loss];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Loss => "loss",
        }
    }
}

impl AnalysisConfig {
    /// The measures' names in results.
    pub fn full_names(&self) -> Vec<String> {
        let measures = self.measures.iter();
        measures.map(|measure| measure.full_name(self.k)).collect()
    }

    /// The declared measure; every experiment that was read has one.
    pub fn primary_measure(&self) -> Option<MeasureName> {
        let declared = |m: &&MeasureName| m.full_name(self.k) == self.primary.measure;
        self.measures.iter().find(declared).copied()
    }
}

/// The declared primary result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Primary {
    /// Measure.
    pub measure: String,
    /// Probe.
    pub probe: String,
    /// Layer, of both models.
    pub layer: String,
}

/// Which large files a run keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// Checkpoints: needed to measure again without training again.
    pub checkpoints: bool,
    /// Activations of every probe.
    pub activations: bool,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            checkpoints: true,
            activations: false,
        }
    }
}
