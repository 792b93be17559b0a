//! The `[[axis]]` and `[[grid]]` sections.

use reprsim_data::split::{
    is_reachable, levels_text, reachable_class_levels, reachable_task_levels,
};
use reprsim_data::{Part, part_len};
use reprsim_models::ModelConfig;
use toml::Spanned;

use super::dataset::Factors;
use super::raw::{Levels, RawAxis, RawDataset, RawFile, RawGrid};
use super::reader::Reader;
use crate::ExperimentError;
use crate::experiment::{Axis, AxisKind, DatasetConfig, Sweep};

/// The data set's factors, and those of its label.
pub(super) struct Labels {
    pub factors: Factors,
    pub label: Factors,
}

impl Labels {
    fn classes(&self) -> usize {
        self.label.iter().map(|(_, n)| n).product()
    }
}

/// What tasks are made of, and factors in one task.
type Tasks = (Vec<String>, usize);

impl Reader<'_> {
    pub(super) fn sweeps(
        &self,
        raw: &RawFile,
        labels: &Labels,
        model: &ModelConfig,
    ) -> Result<Vec<Sweep>, ExperimentError> {
        let mut sweeps: Vec<Sweep> = Vec::new();
        let mut push = |sweep: Sweep, offset: usize| {
            if sweeps.iter().any(|s| s.name() == sweep.name()) {
                return Err(self.error(offset, format!("a second {} sweep", sweep.name())));
            }
            sweeps.push(sweep);
            Ok(())
        };
        for axis in &raw.axis {
            push(self.axis(axis, labels)?, axis.kind.span().start)?;
        }
        for grid in &raw.grid {
            let (sweep, offset) = self.grid(grid, labels, model, &raw.name)?;
            if sweep.has(AxisKind::Data) && raw.dataset.train_per_model.is_none() {
                return Err(self.at(
                    &raw.dataset.name,
                    "a grid with a data axis needs train_per_model: models must see equally many \
                     samples at all of its points",
                ));
            }
            push(sweep, offset)?;
        }
        if sweeps.is_empty() {
            return Err(self.at(
                &raw.name,
                "no [[axis]] and no [[grid]]: there is nothing to sweep",
            ));
        }
        Ok(sweeps)
    }

    fn axis(&self, raw: &RawAxis, labels: &Labels) -> Result<Sweep, ExperimentError> {
        let kinds: Vec<(&str, AxisKind)> = AxisKind::ALL
            .iter()
            .filter(|k| k.is_overlap() || **k == AxisKind::Partition)
            .map(|k| (k.name(), *k))
            .collect();
        let kind = self.pick("axis kind", &raw.kind, &kinds)?;
        if kind == AxisKind::Partition {
            return self.partition(raw, labels);
        }
        if let Some(pairs) = &raw.pairs {
            return Err(self.at(pairs, "'pairs' is a setting of a partition axis only"));
        }
        let Some(levels) = &raw.levels else {
            return Err(self.at(&raw.kind, "the key 'levels' is missing"));
        };
        let per_task = raw.factors_per_task.as_ref();
        let (factors, factors_per_task) = self.tasks(
            &[kind],
            raw.factors.as_ref(),
            per_task,
            raw.kind.span().start,
            labels,
        )?;
        let axis = self.levels(kind, levels, labels, &factors, factors_per_task)?;
        Ok(Sweep {
            axes: vec![axis],
            factors,
            factors_per_task,
            pairs: vec![],
        })
    }

    fn grid(
        &self,
        raw: &RawGrid,
        labels: &Labels,
        model: &ModelConfig,
        name: &Spanned<String>,
    ) -> Result<(Sweep, usize), ExperimentError> {
        let given: Vec<(AxisKind, &Levels)> = [
            (AxisKind::Class, &raw.class),
            (AxisKind::Data, &raw.data),
            (AxisKind::Task, &raw.task),
            (AxisKind::Style, &raw.style),
            (AxisKind::Width, &raw.width),
            (AxisKind::Depth, &raw.depth),
        ]
        .into_iter()
        .filter_map(|(kind, levels)| Some((kind, levels.as_ref()?)))
        .collect();
        let kinds: Vec<AxisKind> = given.iter().map(|(kind, _)| *kind).collect();
        let offset = given
            .iter()
            .map(|(_, levels)| levels.span().start)
            .min()
            .unwrap_or(name.span().start);
        let overlaps: Vec<&str> = kinds
            .iter()
            .filter(|k| k.is_overlap())
            .map(|k| k.name())
            .collect();
        if given.len() < 2 || overlaps.is_empty() {
            return Err(self.error(
                offset,
                "a grid crosses two or more axes, one of them an overlap (data, class, task, style)",
            ));
        }
        // Of the overlaps, data goes with class or task.
        if overlaps.len() > 2
            || (overlaps.len() == 2 && (!overlaps.contains(&"data") || overlaps.contains(&"style")))
        {
            return Err(self.error(
                offset,
                format!(
                    "a grid cannot cross {}; what can be crossed: class x data, data x task, and \
                     any overlap with width and depth",
                    overlaps.join(" x ")
                ),
            ));
        }
        let (factors, factors_per_task) = self.tasks(
            &kinds,
            raw.factors.as_ref(),
            raw.factors_per_task.as_ref(),
            offset,
            labels,
        )?;
        let mut axes = Vec::new();
        for (kind, levels) in given {
            let axis = self.levels(kind, levels, labels, &factors, factors_per_task)?;
            if kind == AxisKind::Class && kinds.contains(&AxisKind::Data) && axis.levels[0] == 0.0 {
                return Err(self.at(
                    levels,
                    "class overlap 0 has no common classes whose samples could overlap\n  \
                     leave 0 out of this grid, and add a class axis for it",
                ));
            }
            let sized = |level: f64| match kind {
                AxisKind::Depth => model.with_depth(level as usize),
                _ => Some(model.with_width(level as usize)),
            };
            if !kind.is_overlap() {
                for level in levels.get_ref() {
                    let Some(sized) = sized(*level.get_ref()) else {
                        return Err(self.at(level, format!("a {} has no depth", model.name())));
                    };
                    sized.check().map_err(|e| self.at(level, e.to_string()))?;
                }
            }
            axes.push(axis);
        }
        let sweep = Sweep {
            axes,
            factors,
            factors_per_task,
            pairs: vec![],
        };
        Ok((sweep, offset))
    }

    /// The levels of one axis, checked against what can be reached.
    fn levels(
        &self,
        kind: AxisKind,
        raw: &Levels,
        labels: &Labels,
        factors: &[String],
        factors_per_task: usize,
    ) -> Result<Axis, ExperimentError> {
        let mut levels = Vec::new();
        for level in raw.get_ref() {
            levels.push(match kind.is_overlap() {
                true => self.within("an overlap level", level, 0.0, 1.0)?,
                false if level.get_ref().fract() != 0.0 => {
                    let name = kind.name();
                    return Err(self.at(level, format!("a {name} is a whole number")));
                }
                false => self.within(kind.name(), level, 1.0, 65536.0)?,
            });
        }
        if levels.len() < 2 {
            return Err(self.at(raw, "an axis needs at least 2 levels"));
        }
        if levels.windows(2).any(|w| w[0] >= w[1]) {
            return Err(self.at(raw, "levels must ascend, without repetition"));
        }
        let classes = labels.classes();
        let reachable = match kind {
            AxisKind::Class if classes < 4 => {
                return Err(self.at(
                    raw,
                    format!("a class axis needs at least 4 classes; the label has {classes}"),
                ));
            }
            AxisKind::Class => reachable_class_levels(classes),
            AxisKind::Task => reachable_task_levels(factors.len(), factors_per_task),
            _ => return Ok(Axis { kind, levels }),
        };
        for level in raw.get_ref() {
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
        Ok(Axis { kind, levels })
    }

    /// The factors of task and style axes.
    fn tasks(
        &self,
        kinds: &[AxisKind],
        factors: Option<&Spanned<Vec<Spanned<String>>>>,
        per_task: Option<&Spanned<usize>>,
        offset: usize,
        labels: &Labels,
    ) -> Result<Tasks, ExperimentError> {
        let (task, style) = (
            kinds.contains(&AxisKind::Task),
            kinds.contains(&AxisKind::Style),
        );
        if let (Some(per_task), false) = (per_task, task) {
            return Err(self.at(
                per_task,
                "'factors_per_task' is a setting of a task axis only",
            ));
        }
        if let (Some(factors), false) = (factors, task || style) {
            return Err(self.at(
                factors,
                "'factors' is a setting of task and style axes only",
            ));
        }
        if !task && !style {
            return Ok((vec![], 0));
        }
        let Some(listed) = factors else {
            return Err(self.error(
                offset,
                match task {
                    true => {
                        "a task axis needs 'factors' (what tasks are made of) and 'factors_per_task'"
                    }
                    false => "a style axis needs 'factors': what is drawn, and how, such as \
                              [\"concept\", \"artist\"]",
                },
            ));
        };
        let mut names: Vec<String> = Vec::new();
        let mut sizes = Vec::new();
        for name in listed.get_ref() {
            sizes.push(self.factor(name, labels)?);
            if names.contains(name.get_ref()) {
                return Err(self.at(name, format!("'{}' is listed twice", name.get_ref())));
            }
            names.push(name.get_ref().clone());
        }
        if style {
            if names.len() != 2 {
                return Err(self.at(
                    listed,
                    "a style axis needs two factors: what is drawn, and how",
                ));
            }
            return Ok((names, 0));
        }
        let Some(per_task) = per_task else {
            return Err(self.at(listed, "a task axis needs 'factors_per_task'"));
        };
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

    /// Number of classes of a factor of the data set.
    fn factor(&self, name: &Spanned<String>, labels: &Labels) -> Result<usize, ExperimentError> {
        let known: Vec<(&str, usize)> = labels
            .factors
            .iter()
            .map(|(n, c)| (n.as_str(), *c))
            .collect();
        self.pick("label factor", name, &known)
    }

    /// A partition axis: pairs of tasks, each written like `shape+digit`.
    fn partition(&self, raw: &RawAxis, labels: &Labels) -> Result<Sweep, ExperimentError> {
        if let Some(levels) = &raw.levels {
            return Err(self.at(
                levels,
                "a partition axis has no 'levels': its pairs say how many factors they share",
            ));
        }
        let per_task = raw.factors_per_task.as_ref();
        self.tasks(&[], raw.factors.as_ref(), per_task, 0, labels)?;
        let Some(listed) = &raw.pairs else {
            return Err(self.at(
                &raw.kind,
                "a partition axis needs 'pairs' of tasks, such as [[\"shape\", \"shape+digit\"]]",
            ));
        };
        let mut pairs = Vec::new();
        for pair in listed.get_ref() {
            let mut tasks = Vec::new();
            for task in pair {
                let mut factors: Vec<String> = Vec::new();
                for name in task.get_ref().split('+') {
                    let name = Spanned::new(task.span(), name.trim().to_string());
                    self.factor(&name, labels)?;
                    if factors.contains(name.get_ref()) {
                        return Err(self.at(task, format!("'{}' twice", name.get_ref())));
                    }
                    factors.push(name.into_inner());
                }
                tasks.push(factors);
            }
            if let Ok(tasks) = <[Vec<String>; 2]>::try_from(tasks) {
                if pairs.contains(&tasks) {
                    let [a, b] = pair;
                    let (a, b) = (a.get_ref(), b.get_ref());
                    return Err(self.at(
                        &pair[0],
                        format!("the pair \"{a}\", \"{b}\" is listed twice"),
                    ));
                }
                pairs.push(tasks);
            }
        }
        let shared = |[a, b]: &[Vec<String>; 2]| a.iter().filter(|f| b.contains(f)).count();
        let mut levels: Vec<usize> = pairs.iter().map(shared).collect();
        levels.sort_unstable();
        levels.dedup();
        if levels.len() < 2 {
            return Err(self.at(
                listed,
                "all pairs share equally many factors: there is nothing to compare",
            ));
        }
        Ok(Sweep {
            axes: vec![Axis {
                kind: AxisKind::Partition,
                levels: levels.into_iter().map(|l| l as f64).collect(),
            }],
            factors: vec![],
            factors_per_task: 0,
            pairs,
        })
    }

    /// Refuses a `train_per_model` that the training part cannot give at the
    /// lowest level. (Single classes are checked when the run splits them.)
    pub(super) fn enough_samples(
        &self,
        raw: &RawDataset,
        dataset: &DatasetConfig,
        sweeps: &[Sweep],
    ) -> Result<(), ExperimentError> {
        let Some(wanted) = &raw.train_per_model else {
            return Ok(());
        };
        let there = part_len(&dataset.spec(0), Part::Train)
            .map_err(|e| self.at(&raw.name, e.to_string()))?
            .unwrap_or(usize::MAX);
        let n = *wanted.get_ref();
        for axis in sweeps.iter().flat_map(|s| &s.axes) {
            let lowest = axis.levels.first().copied().unwrap_or(0.0);
            let needed = match axis.kind {
                AxisKind::Data | AxisKind::Class => ((2.0 - lowest) * n as f64).ceil() as usize,
                _ => n,
            };
            if needed > there {
                return Err(self.at(
                    wanted,
                    format!(
                        "train_per_model = {n}: {} overlap {lowest} needs {needed} training \
                         samples, there are {there}",
                        axis.kind.name()
                    ),
                ));
            }
        }
        Ok(())
    }
}
