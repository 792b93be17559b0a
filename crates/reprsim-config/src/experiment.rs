//! A resolved experiment: every default filled in, every name checked.

use std::path::PathBuf;

use reprsim_data::color_shape_digit::{Preset, Settings};
use reprsim_data::{DatasetSpec, TextSettings};
use reprsim_metrics::Measure;
use reprsim_models::{ModelConfig, Pooling};
use reprsim_train::{Normalization, TrainingConfig};
use serde::{Deserialize, Serialize};

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
    /// The architecture.
    pub model: ModelConfig,
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
    /// Which large files are kept.
    pub keep: Keep,
}

/// What cells of one seed share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What names the content of that folder, wherever it is.
    pub content: Option<String>,
    /// Side to which images are resampled; absent: their own.
    pub size: Option<usize>,
    /// Whether colour becomes grey.
    pub grayscale: bool,
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
            grayscale: self.grayscale,
            text: self.text.clone(),
        }
    }
}

/// What a sweep varies: an overlap of the two models, or the size of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AxisKind {
    /// Shared samples, same classes.
    Data,
    /// Shared classes and their samples; the classes of text are its corpora.
    Class,
    /// Same samples, shared label factors, tasks of equal size.
    Task,
    /// Same samples, tasks that are listed pair by pair; the level is the number of
    /// label factors that both tasks hold.
    Partition,
    /// Same items, shared drawings of them.
    Style,
    /// The model's width.
    Width,
    /// The model's depth.
    Depth,
}

impl AxisKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Data,
        Self::Class,
        Self::Task,
        Self::Partition,
        Self::Style,
        Self::Width,
        Self::Depth,
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Class => "class",
            Self::Task => "task",
            Self::Partition => "partition",
            Self::Style => "style",
            Self::Width => "width",
            Self::Depth => "depth",
        }
    }

    /// Whether its levels are overlaps in 0..=1.
    pub fn is_overlap(self) -> bool {
        matches!(self, Self::Data | Self::Class | Self::Task | Self::Style)
    }
}

/// A one-axis sweep (`[[axis]]`), or a factorial design (`[[grid]]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// What is crossed; one axis for an `[[axis]]`.
    pub axes: Vec<Axis>,
    /// Task axis: the factors tasks are made of. Style axis: the factor that says
    /// what is drawn and the one that says how.
    pub factors: Vec<String>,
    /// Task axis: factors in one model's task.
    pub factors_per_task: usize,
    /// Partition axis: the tasks of models a and b, as lists of factors.
    pub pairs: Vec<[Vec<String>; 2]>,
}

impl Sweep {
    /// Its name, such as `data` or `data x task`.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.axes.iter().map(|a| a.kind.name()).collect();
        names.join(" x ")
    }

    /// Whether one of its axes is of this kind.
    pub fn has(&self, kind: AxisKind) -> bool {
        self.axes.iter().any(|a| a.kind == kind)
    }

    /// All points, the last axis fastest. To an overlap axis that does not list
    /// overlap 1 that level is added, unlisted: the ceiling.
    pub fn points(&self) -> Vec<Point> {
        if self.has(AxisKind::Partition) {
            return self
                .pairs
                .iter()
                .enumerate()
                .map(|(index, [a, b])| Point {
                    levels: vec![(
                        AxisKind::Partition,
                        a.iter().filter(|f| b.contains(f)).count() as f64,
                    )],
                    pair: Some(index),
                    listed: true,
                })
                .collect();
        }
        let mut points = vec![Point {
            levels: vec![],
            pair: None,
            listed: true,
        }];
        for axis in &self.axes {
            points = points
                .iter()
                .flat_map(|point| {
                    axis.levels.iter().map(|&level| {
                        let mut point = point.clone();
                        point.levels.push((axis.kind, level));
                        point
                    })
                })
                .collect();
        }
        if let [axis] = self.axes.as_slice()
            && axis.kind.is_overlap()
            && !axis.levels.contains(&1.0)
        {
            points.push(Point {
                levels: vec![(axis.kind, 1.0)],
                pair: None,
                listed: false,
            });
        }
        points
    }
}

/// One axis of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What it varies.
    pub kind: AxisKind,
    /// Its levels, ascending.
    pub levels: Vec<f64>,
}

/// A point of a sweep: a level of each axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The level of each axis, in the sweep's order.
    pub levels: Vec<(AxisKind, f64)>,
    /// Partition axis: which of its pairs.
    pub pair: Option<usize>,
    /// Whether the experiment file lists it; an added ceiling is shown but not
    /// fitted.
    pub listed: bool,
}

impl Point {
    /// The level on an axis of this kind.
    pub fn level(&self, kind: AxisKind) -> Option<f64> {
        let found = self.levels.iter().find(|(k, _)| *k == kind);
        found.map(|(_, level)| *level)
    }
}

/// Which samples a probe holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Held-out samples of all classes, the same for every cell.
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
    /// What names the content of those corpora, wherever they are.
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
    /// Names of all layers, those that only some depths of a sweep have included.
    pub fn layer_names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for model in swept_models(&self.model, &self.sweeps) {
            for name in model.layer_names() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

/// The model, and as it is at every depth that is swept.
pub(crate) fn swept_models(model: &ModelConfig, sweeps: &[Sweep]) -> Vec<ModelConfig> {
    let depths = sweeps
        .iter()
        .flat_map(|s| &s.axes)
        .filter(|a| a.kind == AxisKind::Depth)
        .flat_map(|a| &a.levels);
    let deeper = depths.filter_map(|&depth| model.with_depth(depth as usize));
    std::iter::once(model.clone()).chain(deeper).collect()
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
    /// Names of all measures taken, as in the registry.
    pub measures: Vec<String>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The measures themselves.
    pub fn measures(&self) -> Vec<&'static dyn Measure> {
        self.measures
            .iter()
            .filter_map(|name| reprsim_metrics::find(name))
            .collect()
    }

    /// The measures' names in results.
    pub fn full_names(&self) -> Vec<String> {
        self.measures()
            .iter()
            .map(|m| m.full_name(self.k))
            .collect()
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// Checkpoints: needed to measure again without training again.
    pub checkpoints: bool,
    /// Activations of every probe.
    pub activations: bool,
}
