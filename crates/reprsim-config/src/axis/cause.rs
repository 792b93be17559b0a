//! What every kind of axis is: how it makes a pair of models differ, what it refuses, what it
//! is called, and which of its levels are points of reference.

use rand::Rng;
use reprsim_data::split::{PairSplit, Reached};
use reprsim_data::{DataError, Dataset};
use reprsim_models::ModelConfig;

/// The label factors of a data set, and the classes of the experiment's label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSpace {
    /// Names and numbers of classes of all label factors.
    pub factors: Vec<(String, usize)>,
    /// Those whose product is the label.
    pub label: Vec<(String, usize)>,
}

impl LabelSpace {
    /// Classes of the label.
    pub fn classes(&self) -> usize {
        self.label.iter().map(|(_, n)| n).product()
    }
}

/// The sweep that an axis is of, as its axes see it.
#[derive(Clone, Debug)]
pub struct Design<'a> {
    /// The names of its axes.
    pub axes: Vec<&'static str>,
    /// Of a task axis: the factors that tasks are made of. Of a style axis: the factor that
    /// says what is drawn and the one that says how.
    pub factors: &'a [String],
    /// Of a task axis: factors in one model's task.
    pub factors_per_task: usize,
    /// Of a partition axis: the tasks of models a and b, as lists of factors.
    pub pairs: &'a [[Vec<String>; 2]],
    /// Of a size axis: its architectures, the smallest first.
    pub models: &'a [ModelConfig],
}

impl Design<'_> {
    /// A sweep of one axis alone.
    pub fn of(axis: &'static str) -> Self {
        Self {
            axes: vec![axis],
            factors: &[],
            factors_per_task: 0,
            pairs: &[],
            models: &[],
        }
    }

    /// Whether one of its axes has that name.
    pub fn has(&self, axis: &str) -> bool {
        self.axes.contains(&axis)
    }
}

/// A point of a sweep, as its axes see it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The level on each axis.
    pub levels: Vec<(&'static str, f64)>,
    /// Of a partition axis: which of its pairs.
    pub pair: Option<usize>,
}

impl Place {
    /// The level on the axis of that name.
    pub fn level(&self, axis: &str) -> Option<f64> {
        let found = self.levels.iter().find(|(name, _)| *name == axis);
        found.map(|(_, level)| *level)
    }
}

/// An axis as an experiment file gives it, to be checked.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Its sweep.
    pub design: Design<'a>,
    /// Its levels, numbers that ascend.
    pub levels: &'a [f64],
    /// The labels of the data set.
    pub labels: &'a LabelSpace,
    /// The architecture.
    pub model: &'a ModelConfig,
}

/// Why a sweep is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The key that is wrong: `levels`, `factors`, `factors_per_task`, `pairs`, or nothing for
    /// the axis itself.
    pub key: &'static str,
    /// Which entry of that key's list, and of that entry's list.
    pub entry: Vec<usize>,
    /// What is wrong and what is accepted.
    pub reason: String,
}

impl Refusal {
    /// A refusal of a whole key.
    pub fn of(key: &'static str, reason: impl Into<String>) -> Self {
        Self {
            key,
            entry: vec![],
            reason: reason.into(),
        }
    }

    /// A refusal of one entry of a key's list.
    #[must_use]
    pub fn entry(mut self, entry: usize) -> Self {
        self.entry.push(entry);
        self
    }
}

/// What a split is made from.
#[derive(Clone, Debug)]
pub struct SplitRequest<'a> {
    /// The training part.
    pub dataset: &'a Dataset,
    /// The class of each sample under the experiment's label.
    pub labels: &'a [u32],
    /// Names of those classes.
    pub classes: &'a [String],
    /// Samples of one model; a default of the kind's if absent.
    pub per_model: Option<usize>,
    /// The sweep.
    pub design: Design<'a>,
    /// The point of it.
    pub place: Place,
}

/// What the samples and classes of a data set are called.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Training samples.
    pub samples: &'static str,
    /// One class.
    pub class: &'static str,
    /// Classes.
    pub classes: &'static str,
}

/// How a kind is spoken of in sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// With more of it, such as `More data overlap makes`.
    pub more: String,
    /// Whether it is of importance, such as `data overlap matters`.
    pub matters: String,
    /// It, again, such as `more of it makes`.
    pub again: &'static str,
}

/// A kind of axis. Only its name, its explanation and what it does to a pair are its own to
/// write; the rest is that of an overlap between 0 and 1 unless it says otherwise.
pub trait Cause: Sync {
    /// The name in experiment files and results.
    fn name(&self) -> &'static str;

    /// Whether its levels are overlaps in 0..=1.
    fn is_overlap(&self) -> bool {
        true
    }

    /// Whether it may stand alone, as an `[[axis]]`.
    fn stands_alone(&self) -> bool {
        true
    }

    /// Whether it lists pairs of tasks (`pairs`) where others have levels.
    fn lists_pairs(&self) -> bool {
        false
    }

    /// Overlaps that it can be crossed with in a grid, whose samples it then divides.
    fn crosses(&self) -> &'static [&'static str] {
        &[]
    }

    /// Which of the keys `factors` and `factors_per_task` it takes.
    fn settings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether models learn different classes of the data set's label: probes by classes are
    /// for its sweeps.
    fn divides_classes(&self) -> bool {
        false
    }

    /// Whether models of one point learn different tasks, made of label factors.
    fn draws_tasks(&self) -> bool {
        false
    }

    /// Refuses what cannot be reached or makes no sense.
    ///
    /// # Errors
    /// The first thing that is wrong.
    fn check(&self, _asked: &Asked<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// Training samples that two models at this level need together, of `per_model` each;
    /// to be refused where a training part is smaller.
    fn needed(&self, per_model: usize, _lowest: f64) -> usize {
        per_model
    }

    /// Which samples and labels each model gets; `None` if it leaves them alone.
    ///
    /// # Errors
    /// Those of the split.
    fn split(
        &self,
        _request: &SplitRequest<'_>,
        _rng: &mut dyn Rng,
    ) -> Option<Result<PairSplit, DataError>> {
        None
    }

    /// The architecture of both models at a level of a sweep; `None` where there is none such, or the
    /// axis leaves it alone.
    fn model(
        &self,
        _model: &ModelConfig,
        _level: f64,
        _design: &Design<'_>,
    ) -> Option<ModelConfig> {
        None
    }

    /// Whether a grid lists architectures (`models` of the sweep) under its name where others have
    /// levels; their levels are then [`Self::level_of`] them.
    fn lists_models(&self) -> bool {
        false
    }

    /// The level of an architecture, of an axis that lists them.
    fn level_of(&self, _model: &ModelConfig) -> Option<f64> {
        None
    }

    /// Whether models at its levels are of another architecture than the experiment's, so
    /// that untrained pairs are no floor for them.
    fn changes_model(&self) -> bool {
        false
    }

    /// The level as it was really reached, counted from the split; `None` where the level is
    /// exact.
    fn reached(&self, _place: &Place, _reached: Reached) -> Option<f64> {
        None
    }

    /// Whether at this level everything that it varies is shared (or it varies nothing that
    /// could be): pairs there are the ceiling.
    fn is_ceiling(&self, level: f64) -> bool {
        level == 1.0
    }

    /// The level on the scale on which lines are fitted.
    fn scale(&self, level: f64) -> f64 {
        level
    }

    /// What its level is called over a figure.
    fn title(&self) -> String {
        format!("{} overlap", self.name())
    }

    /// What a slope is the change of similarity over.
    fn step(&self) -> &'static str {
        "from overlap 0 to 1"
    }

    /// How it is spoken of.
    fn subject(&self) -> Subject {
        let title = self.title();
        Subject {
            more: format!("More {title} makes"),
            matters: format!("{title} matters"),
            again: "more of it makes",
        }
    }

    /// What it does, for a reader of the report.
    fn explanation(&self, words: Words, design: &Design<'_>) -> String;
}
