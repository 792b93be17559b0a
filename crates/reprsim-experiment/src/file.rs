//! Reads an experiment file. Every mistake is refused before any work, with the
//! file, the line, what was expected and the nearest valid name.

use std::path::Path;

use reprsim_data::color_shape_digit::{self, Preset};
use reprsim_data::split::{
    is_reachable, levels_text, reachable_class_levels, reachable_task_levels,
};
use reprsim_data::{Part, dataset_names, find_card, open, part_len};
use reprsim_metrics::REGISTRY;
use reprsim_models::{ModelConfig, Pooling};
use reprsim_train::{OptimizerConfig, ScheduleConfig, TrainingConfig};
use serde::Deserialize;
use toml::Spanned;

use crate::ExperimentError;
use crate::experiment::{
    AnalysisConfig, Axis, AxisKind, DatasetConfig, Experiment, Keep, Pairing, Primary, ProbeConfig,
    ProbeKind,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    root_seed: u64,
    seeds: Spanned<usize>,
    device: Option<Spanned<String>>,
    pairing: Option<Spanned<String>>,
    dataset: RawDataset,
    model: RawModel,
    training: RawTraining,
    axis: Spanned<Vec<RawAxis>>,
    probe: Spanned<Vec<RawProbe>>,
    analysis: RawAnalysis,
    #[serde(default)]
    keep: RawKeep,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDataset {
    name: Spanned<String>,
    preset: Option<Spanned<String>>,
    factor_classes: Option<Spanned<usize>>,
    label: Option<Spanned<Vec<String>>>,
    train_samples: Option<Spanned<usize>>,
    train_per_model: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    name: Spanned<String>,
    width: Option<Spanned<usize>>,
    hidden: Option<Spanned<Vec<usize>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTraining {
    epochs: Spanned<usize>,
    batch: Spanned<usize>,
    optimizer: RawOptimizer,
    schedule: Option<RawSchedule>,
    label_smoothing: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOptimizer {
    name: Spanned<String>,
    lr: Spanned<f64>,
    momentum: Option<Spanned<f64>>,
    weight_decay: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSchedule {
    name: Spanned<String>,
    peak: Option<Spanned<f64>>,
    warmup: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAxis {
    kind: Spanned<String>,
    levels: Spanned<Vec<Spanned<f64>>>,
    factors: Option<Spanned<Vec<Spanned<String>>>>,
    factors_per_task: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProbe {
    name: Spanned<String>,
    kind: Option<Spanned<String>>,
    dataset: Option<Spanned<String>>,
    preset: Option<Spanned<String>>,
    samples: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnalysis {
    primary: RawPrimary,
    measures: Option<Vec<Spanned<String>>>,
    k: Option<Spanned<usize>>,
    permutations: Option<Spanned<usize>>,
    pooling: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrimary {
    measure: Spanned<String>,
    probe: Spanned<String>,
    layer: Spanned<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeep {
    checkpoints: Option<bool>,
    activations: Option<bool>,
}

/// Reads and checks an experiment file. (Whether its data sets are on this
/// machine is found out when they are opened, before the run directory is
/// touched.)
///
/// # Errors
/// [`ExperimentError::File`] with file, line and remedy for anything wrong in
/// the file.
pub fn read_experiment(path: &Path, cache: &Path) -> Result<Experiment, ExperimentError> {
    let text = std::fs::read_to_string(path).map_err(|e| ExperimentError::File {
        path: path.to_path_buf(),
        line: None,
        reason: match e.kind() {
            std::io::ErrorKind::NotFound => "no such experiment file".to_string(),
            _ => e.to_string(),
        },
    })?;
    let reader = Reader { path, text: &text };
    let raw: RawFile = toml::from_str(&text).map_err(|e| reader.syntax(&e))?;
    reader.resolve(raw, cache)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        self.text.as_bytes()[..end]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
            + 1
    }

    fn error(&self, offset: usize, reason: impl Into<String>) -> ExperimentError {
        ExperimentError::File {
            path: self.path.to_path_buf(),
            line: Some(self.line(offset)),
            reason: reason.into(),
        }
    }

    fn at<T>(&self, value: &Spanned<T>, reason: impl Into<String>) -> ExperimentError {
        self.error(value.span().start, reason)
    }

    /// A mistake that the TOML reader found: its message, the line, and the
    /// nearest key if one is misspelt.
    fn syntax(&self, error: &toml::de::Error) -> ExperimentError {
        let message = error.message().trim().to_string();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let reason = match quoted.split_first() {
            Some((wrong, known)) if message.starts_with("unknown field") => {
                format!(
                    "unknown key '{wrong}'{}; valid here: {}",
                    hint(wrong, known),
                    known.join(", ")
                )
            }
            Some((missing, [])) if message.starts_with("missing field") => {
                format!("the key '{missing}' is missing")
            }
            _ => message,
        };
        match error.span() {
            Some(span) => self.error(span.start, reason),
            None => ExperimentError::File {
                path: self.path.to_path_buf(),
                line: None,
                reason,
            },
        }
    }

    /// Picks one of `known` by name.
    fn pick<T: Copy>(
        &self,
        what: &str,
        name: &Spanned<String>,
        known: &[(&str, T)],
    ) -> Result<T, ExperimentError> {
        let wanted = name.get_ref();
        known
            .iter()
            .find(|(n, _)| n == wanted)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|(n, _)| *n).collect();
                self.at(name, unknown(what, wanted, &names))
            })
    }

    /// Refuses a name that could not be that of a file.
    fn file_name(&self, name: &Spanned<String>) -> Result<(), ExperimentError> {
        let text = name.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if text.is_empty() || !text.chars().all(plain) || text.starts_with('.') {
            return Err(self.at(
                name,
                format!(
                    "name = \"{text}\": it names a file or directory; use letters, digits, '-', '_', '.'"
                ),
            ));
        }
        Ok(())
    }

    fn positive(&self, what: &str, value: &Spanned<usize>) -> Result<usize, ExperimentError> {
        match *value.get_ref() {
            0 => Err(self.at(value, format!("{what} = 0: it must be at least 1"))),
            n => Ok(n),
        }
    }

    fn within(
        &self,
        what: &str,
        value: &Spanned<f64>,
        low: f64,
        high: f64,
    ) -> Result<f64, ExperimentError> {
        let v = *value.get_ref();
        if v.is_finite() && v >= low && v <= high {
            return Ok(v);
        }
        let range = if high.is_finite() {
            format!("between {low} and {high}")
        } else {
            format!("a number of at least {low}")
        };
        Err(self.at(value, format!("{what} = {v}: it must be {range}")))
    }

    fn resolve(&self, raw: RawFile, cache: &Path) -> Result<Experiment, ExperimentError> {
        let name = raw.name.get_ref().clone();
        self.file_name(&raw.name)?;
        let pairing = match &raw.pairing {
            None => Pairing::default(),
            Some(text) => self.pick(
                "pairing",
                text,
                &[
                    ("independent", Pairing::Independent),
                    ("nested", Pairing::Nested),
                ],
            )?,
        };
        let device = raw.device.as_ref().map_or("auto", |d| d.get_ref().as_str());
        if let Some(text) = &raw.device {
            let known: Vec<(&str, ())> = crate::device::NAMES.iter().map(|n| (*n, ())).collect();
            self.pick("device", text, &known)?;
        }
        let dataset = self.dataset(&raw.dataset)?;
        let model = self.model(&raw.model)?;
        let training = self.training(&raw.training)?;
        let (factors, label) = self.factors(&raw.dataset, &dataset, cache)?;
        let axes = self.axes(&raw.axis, &factors, &label)?;
        self.enough_samples(&raw.dataset, &dataset, &axes)?;
        let probes = self.probes(&raw.probe, &dataset)?;
        let analysis = self.analysis(&raw.analysis, &model, &probes)?;
        let pooling = match &raw.analysis.pooling {
            None => Pooling::Mean,
            Some(text) => self.pick(
                "pooling",
                text,
                &[("mean", Pooling::Mean), ("flatten", Pooling::Flatten)],
            )?,
        };
        Ok(Experiment {
            name,
            description: raw.description,
            root_seed: raw.root_seed,
            seeds: self.positive("seeds", &raw.seeds)?,
            device: device.to_string(),
            pairing,
            dataset,
            model,
            training,
            axes,
            probes,
            pooling,
            analysis,
            keep: Keep {
                checkpoints: raw.keep.checkpoints.unwrap_or(true),
                activations: raw.keep.activations.unwrap_or(false),
            },
        })
    }

    fn dataset(&self, raw: &RawDataset) -> Result<DatasetConfig, ExperimentError> {
        let names = dataset_names();
        let known: Vec<(&str, ())> = names.iter().map(|n| (*n, ())).collect();
        self.pick("data set", &raw.name, &known)?;
        let name = raw.name.get_ref().clone();
        let built_in = name == color_shape_digit::NAME;
        if !built_in {
            let offset = [
                raw.preset.as_ref().map(|v| ("preset", v.span())),
                raw.factor_classes
                    .as_ref()
                    .map(|v| ("factor_classes", v.span())),
                raw.train_samples
                    .as_ref()
                    .map(|v| ("train_samples", v.span())),
            ];
            if let Some((key, span)) = offset.into_iter().flatten().next() {
                return Err(self.error(
                    span.start,
                    format!("'{key}' is a setting of {} only", color_shape_digit::NAME),
                ));
            }
        }
        let positive = |what: &str, value: &Option<Spanned<usize>>| {
            value.as_ref().map(|v| self.positive(what, v)).transpose()
        };
        Ok(DatasetConfig {
            preset: self.preset(raw.preset.as_ref())?,
            factor_classes: match &raw.factor_classes {
                None => 0,
                Some(v) if *v.get_ref() < 2 => {
                    return Err(self.at(v, "factor_classes must be at least 2"));
                }
                Some(v) => *v.get_ref(),
            },
            label: raw
                .label
                .as_ref()
                .map(|l| l.get_ref().clone())
                .unwrap_or_default(),
            train_samples: positive("train_samples", &raw.train_samples)?,
            train_per_model: positive("train_per_model", &raw.train_per_model)?,
            name,
        })
    }

    fn preset(&self, raw: Option<&Spanned<String>>) -> Result<Preset, ExperimentError> {
        raw.map_or(Ok(Preset::default()), |text| {
            self.pick("preset", text, &Preset::ALL)
        })
    }

    /// Names and class counts of the data set's factors, and those of its label.
    fn factors(
        &self,
        raw: &RawDataset,
        dataset: &DatasetConfig,
        cache: &Path,
    ) -> Result<(Factors, Factors), ExperimentError> {
        let factors: Factors = if dataset.name == color_shape_digit::NAME {
            // A few samples tell which factors are on.
            let mut spec = dataset.spec(0);
            spec.built_in.label = vec![];
            spec.train_samples = Some(1);
            open(&spec, Part::Train, cache)?
                .factors
                .into_iter()
                .map(|f| (f.name, f.classes.len()))
                .collect()
        } else {
            vec![("class".to_string(), find_card(&dataset.name)?.classes.len())]
        };
        let own_label = if dataset.name == color_shape_digit::NAME {
            vec!["shape".to_string(), "digit".to_string()]
        } else {
            vec!["class".to_string()]
        };
        let wanted = if dataset.label.is_empty() {
            &own_label
        } else {
            &dataset.label
        };
        let names: Vec<&str> = factors.iter().map(|(n, _)| n.as_str()).collect();
        let mut label = Factors::new();
        for name in wanted {
            match factors.iter().find(|(n, _)| n == name) {
                Some(found) if label.contains(found) => {
                    let offset = raw
                        .label
                        .as_ref()
                        .map_or(raw.name.span(), Spanned::span)
                        .start;
                    return Err(self.error(offset, format!("'{name}' is listed twice")));
                }
                Some(found) => label.push(found.clone()),
                None => {
                    let offset = raw
                        .label
                        .as_ref()
                        .map_or(raw.name.span(), Spanned::span)
                        .start;
                    return Err(self.error(offset, unknown("label factor", name, &names)));
                }
            }
        }
        Ok((factors, label))
    }

    fn model(&self, raw: &RawModel) -> Result<ModelConfig, ExperimentError> {
        let misplaced = |key: &str, offset: usize, owner: &str| {
            self.error(offset, format!("'{key}' is a setting of the {owner} only"))
        };
        let model = match self.pick("model", &raw.name, &[("mlp", "mlp"), ("cnn", "cnn")])? {
            "mlp" => {
                if let Some(width) = &raw.width {
                    return Err(misplaced("width", width.span().start, "cnn"));
                }
                let hidden = raw
                    .hidden
                    .as_ref()
                    .map_or(vec![512, 256], |h| h.get_ref().clone());
                ModelConfig::Mlp { hidden }
            }
            _ => {
                if let Some(hidden) = &raw.hidden {
                    return Err(misplaced("hidden", hidden.span().start, "mlp"));
                }
                let width = raw.width.as_ref().map_or(16, |w| *w.get_ref());
                ModelConfig::Cnn { width }
            }
        };
        model
            .check()
            .map_err(|e| self.at(&raw.name, e.to_string()))?;
        Ok(model)
    }

    fn training(&self, raw: &RawTraining) -> Result<TrainingConfig, ExperimentError> {
        let lr = self.within("lr", &raw.optimizer.lr, 0.0, f64::INFINITY)?;
        if lr == 0.0 {
            return Err(self.at(&raw.optimizer.lr, "lr = 0: nothing would be learned"));
        }
        let optional = |what: &str, value: &Option<Spanned<f64>>, high: f64| {
            value
                .as_ref()
                .map_or(Ok(0.0), |v| self.within(what, v, 0.0, high))
        };
        let weight_decay = optional("weight_decay", &raw.optimizer.weight_decay, f64::INFINITY)?;
        let momentum = optional("momentum", &raw.optimizer.momentum, 1.0)?;
        let optimizer = match self.pick(
            "optimizer",
            &raw.optimizer.name,
            &[("sgd", true), ("adamw", false)],
        )? {
            true => OptimizerConfig::Sgd {
                lr,
                momentum,
                weight_decay,
            },
            false => {
                if let Some(value) = &raw.optimizer.momentum {
                    return Err(self.at(value, "'momentum' is a setting of sgd only"));
                }
                OptimizerConfig::AdamW { lr, weight_decay }
            }
        };
        let schedule = match &raw.schedule {
            None => ScheduleConfig::Constant,
            Some(raw) => {
                let known = [("constant", 0), ("triangular", 1), ("cosine", 2)];
                let kind = self.pick("schedule", &raw.name, &known)?;
                if let (Some(value), true) = (&raw.peak, kind != 1) {
                    return Err(
                        self.at(value, "'peak' is a setting of the triangular schedule only")
                    );
                }
                if let (Some(value), true) = (&raw.warmup, kind != 2) {
                    return Err(self.at(value, "'warmup' is a setting of the cosine schedule only"));
                }
                match kind {
                    0 => ScheduleConfig::Constant,
                    1 => ScheduleConfig::Triangular {
                        peak: raw
                            .peak
                            .as_ref()
                            .map_or(Ok(0.2), |v| self.within("peak", v, 0.0, 1.0))?,
                    },
                    _ => ScheduleConfig::Cosine {
                        warmup: optional("warmup", &raw.warmup, 1.0)?,
                    },
                }
            }
        };
        Ok(TrainingConfig {
            epochs: self.positive("epochs", &raw.epochs)?,
            batch: self.positive("batch", &raw.batch)?,
            optimizer,
            schedule,
            label_smoothing: optional("label_smoothing", &raw.label_smoothing, 0.999)?,
        })
    }

    fn axes(
        &self,
        raw: &Spanned<Vec<RawAxis>>,
        factors: &Factors,
        label: &Factors,
    ) -> Result<Vec<Axis>, ExperimentError> {
        if raw.get_ref().is_empty() {
            return Err(self.at(raw, "no [[axis]]: there is nothing to sweep"));
        }
        let mut axes: Vec<Axis> = Vec::new();
        for axis in raw.get_ref() {
            let kinds: Vec<(&str, AxisKind)> =
                AxisKind::ALL.iter().map(|k| (k.name(), *k)).collect();
            let kind = self.pick("axis kind", &axis.kind, &kinds)?;
            if axes.iter().any(|a| a.kind == kind) {
                return Err(self.at(&axis.kind, format!("a second {} axis", kind.name())));
            }
            let (names, per_task) = self.task(axis, kind, factors)?;
            let mut levels = Vec::new();
            for level in axis.levels.get_ref() {
                levels.push(self.within("an overlap level", level, 0.0, 1.0)?);
            }
            if levels.len() < 2 {
                return Err(self.at(&axis.levels, "an axis needs at least 2 levels"));
            }
            if levels.windows(2).any(|w| w[0] >= w[1]) {
                return Err(self.at(&axis.levels, "levels must ascend, without repetition"));
            }
            let classes: usize = label.iter().map(|(_, n)| n).product();
            let reachable = match kind {
                AxisKind::Data => None,
                AxisKind::Class if classes < 4 => {
                    return Err(self.at(
                        &axis.kind,
                        format!("a class axis needs at least 4 classes; the label has {classes}"),
                    ));
                }
                AxisKind::Class => Some(reachable_class_levels(classes)),
                AxisKind::Task => Some(reachable_task_levels(names.len(), per_task)),
            };
            if let Some(reachable) = reachable {
                for level in axis.levels.get_ref() {
                    let value = *level.get_ref();
                    if !is_reachable(value, &reachable) {
                        return Err(self.at(
                            level,
                            format!(
                                "{} overlap {value} cannot be reached; reachable: {}",
                                kind.name(),
                                levels_text(&reachable)
                            ),
                        ));
                    }
                }
            }
            axes.push(Axis {
                kind,
                levels,
                factors: names,
                factors_per_task: per_task,
            });
        }
        Ok(axes)
    }

    /// Refuses a `train_per_model` that the training part cannot give at the
    /// lowest level. (Single classes are checked when the run splits them.)
    fn enough_samples(
        &self,
        raw: &RawDataset,
        dataset: &DatasetConfig,
        axes: &[Axis],
    ) -> Result<(), ExperimentError> {
        let Some(wanted) = &raw.train_per_model else {
            return Ok(());
        };
        let there = part_len(&dataset.spec(0), Part::Train)?;
        for axis in axes {
            let lowest = axis.levels.first().copied().unwrap_or(0.0);
            let needed = match axis.kind {
                AxisKind::Task => *wanted.get_ref(),
                AxisKind::Data | AxisKind::Class => {
                    ((2.0 - lowest) * *wanted.get_ref() as f64).ceil() as usize
                }
            };
            if needed > there {
                return Err(self.at(
                    wanted,
                    format!(
                        "train_per_model = {}: {} overlap {lowest} needs {needed} training samples, \
                         there are {there}",
                        wanted.get_ref(),
                        axis.kind.name()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn task(
        &self,
        axis: &RawAxis,
        kind: AxisKind,
        factors: &Factors,
    ) -> Result<(Vec<String>, usize), ExperimentError> {
        if kind != AxisKind::Task {
            let misplaced = axis
                .factors
                .as_ref()
                .map(|v| v.span())
                .or(axis.factors_per_task.as_ref().map(|v| v.span()));
            return match misplaced {
                Some(span) => Err(self.error(
                    span.start,
                    "'factors' and 'factors_per_task' are settings of a task axis only",
                )),
                None => Ok((vec![], 0)),
            };
        }
        let (Some(listed), Some(per_task)) = (&axis.factors, &axis.factors_per_task) else {
            return Err(self.at(
                &axis.kind,
                "a task axis needs 'factors' (what tasks are made of) and 'factors_per_task'",
            ));
        };
        let known: Vec<(&str, usize)> = factors.iter().map(|(n, c)| (n.as_str(), *c)).collect();
        let mut names: Vec<String> = Vec::new();
        let mut sizes = Vec::new();
        for name in listed.get_ref() {
            sizes.push(self.pick("label factor", name, &known)?);
            if names.contains(name.get_ref()) {
                return Err(self.at(name, format!("'{}' is listed twice", name.get_ref())));
            }
            names.push(name.get_ref().clone());
        }
        if let (Some(min), Some(max)) = (sizes.iter().min(), sizes.iter().max())
            && min != max
        {
            return Err(self.at(
                listed,
                format!(
                    "tasks would differ in size: the factors have {min} to {max} classes\n  \
                     set factor_classes = {min} under [dataset]"
                ),
            ));
        }
        let m = self.positive("factors_per_task", per_task)?;
        if m > names.len() {
            return Err(self.at(
                per_task,
                format!("a task of {m} factors cannot be drawn from {}", names.len()),
            ));
        }
        Ok((names, m))
    }

    fn probes(
        &self,
        raw: &Spanned<Vec<RawProbe>>,
        dataset: &DatasetConfig,
    ) -> Result<Vec<ProbeConfig>, ExperimentError> {
        let mut probes: Vec<ProbeConfig> = Vec::new();
        for probe in raw.get_ref() {
            let name = probe.name.get_ref().clone();
            self.file_name(&probe.name)?;
            if probes.iter().any(|p| p.name == name) {
                return Err(self.at(&probe.name, format!("a second probe '{name}'")));
            }
            let kind = match &probe.kind {
                None => ProbeKind::Fixed,
                Some(text) => self.pick(
                    "probe kind",
                    text,
                    &[
                        ("fixed", ProbeKind::Fixed),
                        ("common-classes", ProbeKind::CommonClasses),
                        ("one-model-classes", ProbeKind::OneModelClasses),
                    ],
                )?,
            };
            if let Some(other) = &probe.dataset {
                let names = dataset_names();
                let known: Vec<(&str, ())> = names.iter().map(|n| (*n, ())).collect();
                self.pick("data set", other, &known)?;
            }
            let foreign = probe.dataset.as_ref().or(probe.preset.as_ref());
            if let (Some(value), true) = (foreign, kind != ProbeKind::Fixed) {
                return Err(self.at(
                    value,
                    "a probe by classes is of the experiment's own data set and preset",
                ));
            }
            let source = probe
                .dataset
                .as_ref()
                .map_or(&dataset.name, |d| d.get_ref());
            if let (Some(preset), true) = (&probe.preset, source != color_shape_digit::NAME) {
                return Err(self.at(
                    preset,
                    format!("'preset' is a setting of {} only", color_shape_digit::NAME),
                ));
            }
            if let Some(samples) = &probe.samples
                && *samples.get_ref() < 4
            {
                return Err(self.at(samples, "a probe needs at least 4 samples"));
            }
            if let (Some(samples), ProbeKind::Fixed) = (&probe.samples, kind) {
                let mut spec = dataset.spec(0);
                spec.name.clone_from(source);
                let there = part_len(&spec, Part::Test)?;
                if *samples.get_ref() > there {
                    return Err(self.at(
                        samples,
                        format!(
                            "samples = {}: the test part of {source} has {there}",
                            samples.get_ref()
                        ),
                    ));
                }
            }
            probes.push(ProbeConfig {
                name,
                kind,
                dataset: probe.dataset.as_ref().map(|d| d.get_ref().clone()),
                preset: match &probe.preset {
                    Some(_) => self.preset(probe.preset.as_ref())?,
                    None => dataset.preset,
                },
                samples: probe.samples.as_ref().map(|s| *s.get_ref()),
            });
        }
        Ok(probes)
    }

    fn analysis(
        &self,
        raw: &RawAnalysis,
        model: &ModelConfig,
        probes: &[ProbeConfig],
    ) -> Result<AnalysisConfig, ExperimentError> {
        let known: Vec<(&str, ())> = (REGISTRY.iter())
            .map(|m| (m.properties().name, ()))
            .collect();
        let mut measures = Vec::new();
        match &raw.measures {
            None => measures.extend(DEFAULT_MEASURES.map(String::from)),
            Some(listed) => {
                for name in listed {
                    self.pick("measure", name, &known)?;
                    if measures.contains(name.get_ref()) {
                        return Err(self.at(name, format!("'{}' twice", name.get_ref())));
                    }
                    measures.push(name.get_ref().clone());
                }
            }
        }
        let k = raw.k.as_ref().map_or(10, |k| *k.get_ref());
        if k == 0
            && let Some(place) = &raw.k
        {
            return Err(self.at(place, "k = 0: at least one neighbour is needed"));
        }
        let primary = &raw.primary;
        self.pick("measure", &primary.measure, &known)?;
        if raw.measures.is_none() && !measures.contains(primary.measure.get_ref()) {
            measures.insert(0, primary.measure.get_ref().clone());
        }
        if !measures.contains(primary.measure.get_ref()) {
            return Err(self.at(
                &primary.measure,
                format!(
                    "the primary measure '{}' is not among 'measures'",
                    primary.measure.get_ref()
                ),
            ));
        }
        let names: Vec<(&str, ProbeKind)> =
            probes.iter().map(|p| (p.name.as_str(), p.kind)).collect();
        if self.pick("probe", &primary.probe, &names)? != ProbeKind::Fixed {
            return Err(self.at(
                &primary.probe,
                "the primary probe must be the same samples at every level: a probe of kind 'fixed'",
            ));
        }
        let layers: Vec<(&str, ())> = model.layer_names().iter().map(|l| (*l, ())).collect();
        self.pick("layer", &primary.layer, &layers)?;
        Ok(AnalysisConfig {
            primary: Primary {
                measure: reprsim_metrics::find(primary.measure.get_ref())
                    .map_or_else(String::new, |m| m.full_name(k)),
                probe: primary.probe.get_ref().clone(),
                layer: primary.layer.get_ref().clone(),
            },
            measures,
            k,
            permutations: raw.permutations.as_ref().map_or(200, |p| *p.get_ref()),
        })
    }
}

/// What is measured where an experiment file names nothing.
const DEFAULT_MEASURES: [&str; 3] = [
    "cka_linear_debiased",
    "cka_linear_biased",
    "mutual_knn_cosine",
];

type Factors = Vec<(String, usize)>;

/// A message for a name that is not known, with the nearest that is.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    format!(
        "unknown {what} '{name}'{}; known: {}",
        hint(name, known),
        known.join(", ")
    )
}

/// ` (did you mean 'x'?)` if a known name is near.
fn hint(name: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .min()
        .filter(|(distance, k)| *distance <= 1 + k.len().max(name.len()) / 3)
        .map_or(String::new(), |(_, k)| format!(" (did you mean '{k}'?)"))
}
