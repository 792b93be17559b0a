//! The answer: two models, their pairs of layers, a row a measure.

use reprsim_metrics::{Calibration, Form, Interval, Layer, Measure, Scale, Score, Undefined};

/// What was found of two models.
#[derive(Clone, Debug)]
pub struct PairResult {
    /// The first model.
    pub model_a: String,
    /// The second.
    pub model_b: String,
    /// Names of the layers of the first, in order.
    pub layers_a: Vec<String>,
    /// Names of the layers of the second, in order.
    pub layers_b: Vec<String>,
    /// One a measure, in the order of the question.
    pub measures: Vec<MeasureResult>,
}

impl PairResult {
    /// All rows: of each measure its pairs of layers, then their maximum.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        (self.measures.iter()).flat_map(|m| m.pairs.iter().chain(&m.maximum))
    }
}

/// What one measure says of two models.
#[derive(Clone, Debug)]
pub struct MeasureResult {
    /// The measure's name in results.
    pub measure: String,
    /// A row a pair of layers: those of the first model in order, and for each those of
    /// the second.
    pub pairs: Vec<Row>,
    /// The largest of several pairs, tested against the largest under each permutation
    /// (Groeger et al. 2026, algorithm 2), which is what a search over layers must be
    /// tested against; its interval is left out. `None` of one pair, or where no pair has a
    /// value.
    pub maximum: Option<Row>,
}

/// One measure of one pair of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The first model.
    pub model_a: String,
    /// The second.
    pub model_b: String,
    /// The layer of the first.
    pub layer_a: String,
    /// The layer of the second.
    pub layer_b: String,
    /// The measure's name in results: with the number of neighbours where it uses one.
    pub measure: String,
    /// The value, or why there is none.
    pub value: Result<f64, Undefined>,
    /// What the measure's values are, which says how they become distances.
    pub scale: Scale,
    /// Samples.
    pub n: usize,
    /// Dimensions of the first layer.
    pub d_a: usize,
    /// Dimensions of the second.
    pub d_b: usize,
    /// The chance level: the mean over all permutations of the samples where that is
    /// known in closed form and samples have no blocks, else over those drawn.
    pub null_mean: Option<f64>,
    /// Share of permutations that reach the value, itself counted in.
    pub p: Option<f64>,
    /// The value on a scale from what chance gives (0) to identity (1); absent for
    /// measures without an upper end.
    pub calibrated: Option<f64>,
    /// 95 % interval over samples.
    pub interval: Option<Interval>,
    /// The sample that the pair of layers depends on most, of linear CKA alone.
    pub influence: Option<Influence>,
}

impl Row {
    /// The value as a similarity, a distance or an angle; `None` where there is none
    /// ([`Form::check`]). p and the calibrated score are those of the similarity.
    pub fn value_as(&self, form: Form) -> Option<f64> {
        self.scale.told(form, self.value.ok()?)
    }

    /// The interval in the same form: of distances its lower end comes from the upper one.
    pub fn interval_as(&self, form: Form) -> Option<Interval> {
        let interval = self.interval?;
        let [low, high] = [interval.low, interval.high].map(|end| self.scale.told(form, end));
        let (low, high) = (low?, high?);
        Some(Interval {
            low: low.min(high),
            high: low.max(high),
        })
    }
}

/// The sample whose absence changes a score most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Influence {
    /// The row, from 0.
    pub row: usize,
    /// The score without it.
    pub value_without: f64,
}

/// Makes rows of scores: the one place that knows which chance level holds.
pub(crate) struct Rows<'a> {
    pub models: [&'a str; 2],
    pub k: usize,
    /// Whether rows have blocks.
    pub blocks: bool,
}

impl Rows<'_> {
    pub fn row(&self, measure: &dyn Measure, layers: [&Layer; 2], score: &Score) -> Row {
        let calibration = score.calibration(measure.largest(self.k));
        let [a, b] = layers;
        Row {
            model_a: self.models[0].to_string(),
            model_b: self.models[1].to_string(),
            layer_a: a.name.clone(),
            layer_b: b.name.clone(),
            measure: measure.full_name(self.k),
            value: score.value,
            scale: Scale::of(measure, self.k),
            n: a.rows(),
            d_a: a.width(),
            d_b: b.width(),
            null_mean: self.null_mean(score, calibration),
            p: calibration.map(|c| c.p),
            calibrated: calibration.and_then(|c| c.calibrated),
            interval: None,
            influence: None,
        }
    }

    /// What is known in closed form is the mean over all permutations of samples, not of
    /// blocks.
    fn null_mean(&self, score: &Score, calibration: Option<Calibration>) -> Option<f64> {
        (score.null_mean.filter(|_| !self.blocks)).or(calibration.map(|c| c.null_mean))
    }
}
