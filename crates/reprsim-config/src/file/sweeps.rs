//! The `[[axis]]` and `[[grid]]` sections.

use std::collections::BTreeMap;

use reprsim_data::{Part, part_len};
use reprsim_models::ModelConfig;
use serde_json::{Value, json};

use super::reader::Reader;
use super::sections::{AxisSection, ExperimentFile, GridSection};
use crate::axis::{Asked, AxisKind, LabelSpace, Refusal};
use crate::error::ConfigError;
use crate::experiment::DatasetConfig;
use crate::sweep::{Axis, Sweep, shared};

/// What sweeps are read against.
#[derive(Clone, Copy)]
struct Against<'a> {
    labels: &'a LabelSpace,
    model: &'a ModelConfig,
}

impl Reader<'_> {
    pub(super) fn sweeps(
        &self,
        file: &ExperimentFile,
        labels: &LabelSpace,
        model: &ModelConfig,
    ) -> Result<Vec<Sweep>, ConfigError> {
        let against = Against { labels, model };
        let mut sweeps: Vec<Sweep> = Vec::new();
        let mut push = |sweep: Sweep, place: &str| {
            let term = sweep.term();
            if sweeps.iter().any(|s| s.term() == term) {
                return Err(self.at(place, format!("a second {term} sweep")));
            }
            sweeps.push(sweep);
            Ok(())
        };
        for (i, axis) in file.axis.iter().enumerate() {
            let place = format!("axis.{i}");
            push(self.axis(&place, axis, against)?, &place)?;
        }
        for (i, grid) in file.grid.iter().enumerate() {
            let place = format!("grid.{i}");
            let sweep = self.grid(&place, grid, against)?;
            if sweep.has("data") && file.dataset.train_per_model.is_none() {
                return Err(self.at(
                    "dataset",
                    "a grid with a data axis needs train_per_model: models must see equally many \
                     samples at all of its points",
                ));
            }
            push(sweep, &place)?;
        }
        match sweeps.is_empty() {
            true => Err(self.at(
                "name",
                "no [[axis]] and no [[grid]]: there is nothing to sweep",
            )),
            false => Ok(sweeps),
        }
    }

    fn axis(
        &self,
        place: &str,
        given: &AxisSection,
        against: Against<'_>,
    ) -> Result<Sweep, ConfigError> {
        let kinds: Vec<AxisKind> = AxisKind::all().filter(|kind| kind.stands_alone()).collect();
        let known: Vec<(&str, AxisKind)> = kinds.iter().map(|k| (k.name(), *k)).collect();
        let kind = self.pick("axis kind", &format!("{place}.kind"), &given.kind, &known)?;
        let pairs = self.pairs(place, kind, given, against.labels)?;
        let levels = match (kind.lists_pairs(), &given.levels) {
            (false, Some(levels)) => levels.clone(),
            (false, None) => {
                return Err(self.at(place, format!("the key 'levels' is missing in {kind}")));
            }
            (true, None) => {
                let mut levels: Vec<usize> = pairs.iter().map(|[a, b]| shared(a, b)).collect();
                levels.sort_unstable();
                levels.dedup();
                levels.into_iter().map(|level| level as f64).collect()
            }
            (true, Some(_)) => {
                return Err(self.at(
                    &format!("{place}.levels"),
                    format!(
                        "a {kind} axis has no 'levels': its pairs say how many factors they share"
                    ),
                ));
            }
        };
        let sweep = Sweep {
            axes: vec![Axis { kind, levels }],
            factors: given.factors.clone().unwrap_or_default(),
            factors_per_task: given.factors_per_task.unwrap_or(0),
            pairs,
            models: vec![],
        };
        self.only_factors_of(place, &sweep, given.factors_per_task.is_some())?;
        self.check(&sweep, against, &|key| match key {
            "" => place.to_string(),
            key => format!("{place}.{key}"),
        })?;
        Ok(sweep)
    }

    fn grid(
        &self,
        place: &str,
        given: &GridSection,
        against: Against<'_>,
    ) -> Result<Sweep, ConfigError> {
        let (axes, models) = self.axes_of_grid(place, given)?;
        let sized = axes.iter().filter(|axis| axis.kind.changes_model());
        if !models.is_empty() && sized.count() > 1 {
            return Err(self.at(
                place,
                "size lists whole architectures and is not crossed with width or depth\n  list models \
                 with a width or depth of their own under size",
            ));
        }
        let overlaps: Vec<AxisKind> = (axes.iter().map(|axis| axis.kind))
            .filter(|kind| kind.is_overlap())
            .collect();
        if axes.len() < 2 || overlaps.is_empty() {
            let known = AxisKind::all().filter(|kind| kind.is_overlap());
            let known: Vec<&str> = known.map(|kind| kind.name()).collect();
            return Err(self.at(
                place,
                format!(
                    "a grid crosses two or more axes, one of them an overlap ({})",
                    known.join(", ")
                ),
            ));
        }
        let names: Vec<&str> = overlaps.iter().map(|kind| kind.name()).collect();
        let fit = match overlaps.as_slice() {
            [_] => true,
            [a, b] => a.crosses().contains(&b.name()) || b.crosses().contains(&a.name()),
            _ => false,
        };
        if !fit {
            return Err(self.at(
                place,
                format!(
                    "a grid cannot cross {}; what can be crossed: {}, and any overlap with size, \
                     width and depth",
                    names.join(" x "),
                    crossings().join(", ")
                ),
            ));
        }
        let sweep = Sweep {
            axes,
            factors: given.factors.clone().unwrap_or_default(),
            factors_per_task: given.factors_per_task.unwrap_or(0),
            pairs: vec![],
            models,
        };
        self.only_factors_of(place, &sweep, given.factors_per_task.is_some())?;
        for axis in &sweep.axes {
            // Of a grid the levels of an axis stand under its name.
            let of_axis = Sweep {
                axes: vec![axis.clone()],
                ..sweep.clone()
            };
            self.levels(&of_axis, &|_| format!("{place}.{}", axis.kind))?;
            self.refusal(&sweep, axis, against, &|key| match key {
                "" => place.to_string(),
                "levels" => format!("{place}.{}", axis.kind),
                key => format!("{place}.{key}"),
            })?;
        }
        Ok(sweep)
    }

    /// The axes of a grid with their levels: overlaps first, by name, then the others; and the
    /// architectures that one of them lists.
    fn axes_of_grid(
        &self,
        place: &str,
        given: &GridSection,
    ) -> Result<(Vec<Axis>, Vec<ModelConfig>), ConfigError> {
        let mut kinds: Vec<AxisKind> = AxisKind::all().filter(|kind| !kind.lists_pairs()).collect();
        kinds.sort_by_key(|kind| match kind.is_overlap() {
            true => (0, kind.name()),
            false => (1, ""),
        });
        let mut known: Vec<(&str, ())> = kinds.iter().map(|kind| (kind.name(), ())).collect();
        known.extend(["factors", "factors_per_task"].map(|key| (key, ())));
        let mut levels: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut models = vec![];
        for (key, value) in &given.axes {
            let place = format!("{place}.{key}");
            self.pick("key", &place, key, &known)?;
            if let Some(kind) = kinds.iter().find(|k| k.lists_models() && k.name() == key) {
                let listed = self.listed_models(&place, *kind, value)?;
                levels.insert(key, listed.iter().map(|(level, _)| *level).collect());
                models = listed.into_iter().map(|(_, model)| model).collect();
                continue;
            }
            let of_axis = reprsim_base::settings(value)
                .map_err(|e| self.told(&place, &e.to_string(), Some(e.into())))?;
            levels.insert(key, of_axis);
        }
        let with_levels = |kind: AxisKind| {
            let levels = levels.get(kind.name())?.clone();
            Some(Axis { kind, levels })
        };
        let axes = kinds.into_iter().filter_map(with_levels).collect();
        Ok((axes, models))
    }

    /// Architectures, each by its name or with its settings, and their levels.
    fn listed_models(
        &self,
        place: &str,
        kind: AxisKind,
        value: &Value,
    ) -> Result<Vec<(f64, ModelConfig)>, ConfigError> {
        let Some(entries) = value.as_array() else {
            return Err(self.at(
                place,
                format!("a {kind} axis lists architectures, such as [\"resnet18\", \"resnet50\"]"),
            ));
        };
        let mut found: Vec<(f64, ModelConfig)> = vec![];
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("{place}.{i}");
            let settings = match entry {
                Value::String(name) => json!({ "name": name }),
                settings => settings.clone(),
            };
            let model: ModelConfig = reprsim_base::settings(&settings)
                .map_err(|e| self.told(&place, &e.to_string(), Some(e.into())))?;
            model.check().map_err(|e| self.caused(&place, e))?;
            let Some(level) = kind.level_of(&model) else {
                return Err(self.at(
                    &place,
                    format!(
                        "a {} does not suit images of 224 pixels, at which sizes are counted",
                        model.name()
                    ),
                ));
            };
            if let Some((last, smaller)) = found.last()
                && *last >= level
            {
                return Err(self.at(
                    &place,
                    format!(
                        "a {} of {level} million weights after a {} of {last}: list the smallest \
                         first, each size once",
                        model.name(),
                        smaller.name()
                    ),
                ));
            }
            found.push((level, model));
        }
        Ok(found)
    }

    /// Refuses keys that no axis of the sweep takes, and factors that are not known.
    fn only_factors_of(
        &self,
        place: &str,
        sweep: &Sweep,
        per_task: bool,
    ) -> Result<(), ConfigError> {
        let given = [
            ("factors_per_task", per_task),
            ("factors", !sweep.factors.is_empty()),
        ];
        for (key, is_given) in given {
            let takes = |kind: AxisKind| kind.settings().contains(&key);
            if is_given && !sweep.axes.iter().any(|axis| takes(axis.kind)) {
                let owners: Vec<&str> = AxisKind::all()
                    .filter(|kind| takes(*kind))
                    .map(|kind| kind.name())
                    .collect();
                return Err(self.at(
                    &format!("{place}.{key}"),
                    format!("'{key}' is a setting of {} axes only", owners.join(" and ")),
                ));
            }
        }
        Ok(())
    }

    /// Checks a sweep of one axis, whose keys are found where `at` says.
    fn check(
        &self,
        sweep: &Sweep,
        against: Against<'_>,
        at: &dyn Fn(&str) -> String,
    ) -> Result<(), ConfigError> {
        self.levels(sweep, at)?;
        for axis in &sweep.axes {
            self.refusal(sweep, axis, against, at)?;
        }
        Ok(())
    }

    /// What an axis itself refuses.
    fn refusal(
        &self,
        sweep: &Sweep,
        axis: &Axis,
        against: Against<'_>,
        at: &dyn Fn(&str) -> String,
    ) -> Result<(), ConfigError> {
        for (i, name) in sweep.factors.iter().enumerate() {
            let place = format!("{}.{i}", at("factors"));
            self.factor(&place, name, against.labels)?;
            if sweep.factors[..i].contains(name) {
                return Err(self.at(&place, format!("'{name}' is listed twice")));
            }
        }
        let asked = Asked {
            design: sweep.design(),
            levels: &axis.levels,
            labels: against.labels,
            model: against.model,
        };
        axis.kind.check(&asked).map_err(|refusal| {
            let Refusal { key, entry, reason } = refusal;
            let entries = entry.iter().map(|entry| format!(".{entry}"));
            self.at(&(at(key) + &entries.collect::<String>()), reason)
        })
    }

    /// Overlaps are between 0 and 1; levels ascend.
    fn levels(&self, sweep: &Sweep, at: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
        let place = at("levels");
        for axis in &sweep.axes {
            if axis.kind.lists_pairs() {
                continue;
            }
            for (i, &level) in axis.levels.iter().enumerate() {
                if axis.kind.is_overlap() && !(0.0..=1.0).contains(&level) {
                    return Err(self.at(
                        &format!("{place}.{i}"),
                        format!("an overlap level = {level}: it must be between 0 and 1"),
                    ));
                }
            }
            if axis.levels.len() < 2 {
                return Err(self.at(&place, "an axis needs at least 2 levels"));
            }
            if axis.levels.windows(2).any(|w| w[0] >= w[1]) {
                return Err(self.at(&place, "levels must ascend, without repetition"));
            }
        }
        Ok(())
    }

    /// Refuses a factor that the data set does not have.
    fn factor(&self, place: &str, name: &str, labels: &LabelSpace) -> Result<(), ConfigError> {
        let known: Vec<(&str, ())> = labels
            .factors
            .iter()
            .map(|(n, _)| (n.as_str(), ()))
            .collect();
        self.pick("label factor", place, name, &known)
    }

    /// Pairs of tasks, each written like `shape+digit`.
    fn pairs(
        &self,
        place: &str,
        kind: AxisKind,
        given: &AxisSection,
        labels: &LabelSpace,
    ) -> Result<Vec<[Vec<String>; 2]>, ConfigError> {
        let listed = match (&given.pairs, kind.lists_pairs()) {
            (Some(listed), true) => listed,
            (None, false) => return Ok(vec![]),
            (Some(_), false) => {
                return Err(self.at(
                    &format!("{place}.pairs"),
                    "'pairs' is a setting of a partition axis only",
                ));
            }
            (None, true) => {
                return Err(self.at(
                    place,
                    format!(
                        "a {kind} axis needs 'pairs' of tasks, such as [[\"shape\", \
                         \"shape+digit\"]]"
                    ),
                ));
            }
        };
        let mut pairs = Vec::new();
        for (i, pair) in listed.iter().enumerate() {
            let task = |side: usize| -> Result<Vec<String>, ConfigError> {
                let place = format!("{place}.pairs.{i}.{side}");
                let mut factors: Vec<String> = Vec::new();
                for name in pair[side].split('+') {
                    let name = name.trim().to_string();
                    self.factor(&place, &name, labels)?;
                    if factors.contains(&name) {
                        return Err(self.at(&place, format!("'{name}' twice")));
                    }
                    factors.push(name);
                }
                Ok(factors)
            };
            let tasks = [task(0)?, task(1)?];
            if pairs.contains(&tasks) {
                let [a, b] = pair;
                return Err(self.at(
                    &format!("{place}.pairs.{i}"),
                    format!("the pair \"{a}\", \"{b}\" is listed twice"),
                ));
            }
            pairs.push(tasks);
        }
        Ok(pairs)
    }

    /// Refuses a `train_per_model` that the training part cannot give at the
    /// lowest level. (Single classes are checked when the run splits them.)
    pub(super) fn enough_samples(
        &self,
        dataset: &DatasetConfig,
        sweeps: &[Sweep],
    ) -> Result<(), ConfigError> {
        let Some(n) = dataset.train_per_model else {
            return Ok(());
        };
        let there = part_len(&dataset.spec(0), Part::Train)
            .map_err(|e| self.caused("dataset.name", e))?
            .unwrap_or(usize::MAX);
        for axis in sweeps.iter().flat_map(|s| &s.axes) {
            let lowest = axis.levels.first().copied().unwrap_or(0.0);
            let needed = axis.kind.needed(n, lowest);
            if needed > there {
                return Err(self.at(
                    "dataset.train_per_model",
                    format!(
                        "train_per_model = {n}: {} overlap {lowest} needs {needed} training \
                         samples, there are {there}",
                        axis.kind
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Overlaps that can be crossed.
fn crossings() -> Vec<String> {
    AxisKind::all()
        .flat_map(|kind| {
            let other = |name: &&str| AxisKind::named(name).map(|other| (kind, other));
            kind.crosses().iter().filter_map(other).collect::<Vec<_>>()
        })
        .map(|(a, b)| format!("{} x {}", a.name().min(b.name()), a.name().max(b.name())))
        .collect()
}
