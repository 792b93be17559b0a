//! What a report says, ready to be drawn.

use crate::value_scale::{ValueScale, Verdict};

/// The whole report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The experiment's name.
    pub title: String,
    /// What tells this run from others of the same title, such as the name of its
    /// directory; the title if empty.
    pub name: String,
    /// One line on what it shows.
    pub description: String,
    /// The answers, a sentence each: shown first.
    pub summary: Vec<String>,
    /// What was declared as the result that counts, in words.
    pub primary: String,
    /// What a value of the declared measure means, in words: what its ends stand for, and
    /// what may be done to a layer without changing it.
    pub meaning: String,
    /// How values of the declared measure are read.
    pub scale: ValueScale,
    /// A warning shown at the top, such as missing cells.
    pub warnings: Vec<String>,
    /// What the health checks found, a sentence each.
    pub caveats: Vec<String>,
    /// Whether the health checks were made.
    pub checked: bool,
    /// One section a single-axis sweep.
    pub axes: Vec<AxisSection>,
    /// One section a factorial design.
    pub grids: Vec<GridSection>,
    /// What was there before training, sweep by sweep; empty where models begin with random weights.
    pub starts: Vec<StartRow>,
    /// Layer by layer values at both ends of an axis.
    pub heatmaps: Vec<HeatmapPair>,
    /// Training curves.
    pub curves: Vec<CurvePanel>,
    /// All effects.
    pub effects: Vec<EffectRow>,
    /// What was run, on what: name and value.
    pub facts: Vec<(String, String)>,
    /// Methods, one paragraph each.
    pub methods: Vec<String>,
    /// Name and content of the table offered for download.
    pub csv: Option<(String, String)>,
}

/// One axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisSection {
    /// `data`, `class`, `task`, ...: also the name of its colour.
    pub name: String,
    /// What it is called over a figure, such as `data overlap`.
    pub title: String,
    /// The lowest and the highest level.
    pub range: (f64, f64),
    /// What a slope is, such as `change of similarity from overlap 0 to 1`.
    pub slope_label: String,
    /// What overlaps, in words.
    pub explanation: String,
    /// The answer in one sentence.
    pub sentence: String,
    /// Its direction.
    pub verdict: Verdict,
    /// Label of the vertical axis.
    pub y_label: String,
    /// Level and value of each pair of models.
    pub points: Vec<(f64, f64)>,
    /// Mean and spread at each level.
    pub levels: Vec<LevelSummary>,
    /// The fitted line.
    pub fit: Option<Fit>,
    /// Horizontal reference lines.
    pub references: Vec<Reference>,
    /// Slopes of every layer and probe by the primary measure.
    pub layers: Vec<ForestRow>,
    /// Slopes of the primary layer and probe by every measure.
    pub measures: Vec<MeasureRow>,
    /// Level and mean of a published experiment.
    pub published: Vec<(f64, f64)>,
    /// Where it was published.
    pub published_label: String,
    /// Further statistics of the primary result: name and value.
    pub statistics: Vec<(String, String)>,
    /// Accuracy beside similarity, a row a level.
    pub skill: Vec<SkillRow>,
}

/// One factorial design.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridSection {
    /// The sweep's name, such as `data × task`.
    pub name: String,
    /// What is crossed, in words.
    pub explanation: String,
    /// The answers: term, slope if there is one, and a sentence.
    pub answers: Vec<GridAnswer>,
    /// Label of the vertical axis.
    pub y_label: String,
    /// Label of the horizontal axis.
    pub x_label: String,
    /// A line for each level of the second axis, over those of the first.
    pub lines: Vec<GridLine>,
    /// Horizontal reference lines.
    pub references: Vec<Reference>,
    /// Where sizes are crossed with overlaps: the slope on each overlap over the size.
    pub slopes: Vec<SizeSlopes>,
    /// For each term its slopes, layer by layer, by the primary measure.
    pub terms: Vec<GridTerm>,
    /// Means at all points: names of the axes, then a row a point.
    pub axes: Vec<String>,
    /// Levels, pairs, mean and spread.
    pub points: Vec<(Vec<f64>, LevelSummary)>,
    /// What the axes are called over a figure; their names if empty.
    pub axis_titles: Vec<String>,
    /// What each term accounts for.
    pub attribution: Vec<AttributionRow>,
    /// What a share of the attribution is of; `share of variance` if empty.
    pub share_label: String,
    /// Share of variance that terms and covariates explain.
    pub total_r2: Option<f64>,
    /// What is held fixed beside the terms; rows without shares.
    pub covariates: Vec<AttributionRow>,
    /// Share of variance that the covariates explain before the terms.
    pub covariate_share: Option<f64>,
    /// Covariates that could not be held fixed.
    pub dropped: Vec<String>,
    /// Why there is no attribution.
    pub attribution_note: String,
}

/// The declared measure of pairs before and after training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartRow {
    /// The sweep.
    pub sweep: String,
    /// What it says, a sentence.
    pub sentence: String,
    /// Mean before training.
    pub before: f64,
    /// Mean after it.
    pub after: f64,
    /// The former over the latter, where that means anything.
    pub share: Option<f64>,
    /// The effect of each term on the change: its name, its coefficient, its 95 % interval, its
    /// p-value.
    pub changes: Vec<ChangeRow>,
}

/// The effect of a term on the change that training made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeRow {
    /// The term.
    pub term: String,
    /// Its coefficient.
    pub slope: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Its p-value.
    pub p_value: Option<f64>,
}

/// What a term of a grid accounts for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttributionRow {
    /// The term.
    pub term: String,
    /// Its coefficient.
    pub coefficient: Option<f64>,
    /// The coefficient's 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Its p-value.
    pub p_value: Option<f64>,
    /// Its p-value from shuffling levels among pairs.
    pub randomisation_p: Option<f64>,
    /// Share explained of the variance that the other terms leave.
    pub partial_r2: Option<f64>,
    /// Its 95 % interval.
    pub partial_r2_interval: Option<(f64, f64)>,
    /// Share of variance attributed to the term.
    pub share: Option<f64>,
    /// Its 95 % interval.
    pub share_interval: Option<(f64, f64)>,
}

/// One matrix of values of a measure: rows are layers of one model, columns those of
/// another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What is compared, such as `a x b`.
    pub title: String,
    /// The measure; panels of one measure share their colours.
    pub measure: String,
    /// How its values are read.
    pub scale: ValueScale,
    /// Names of the row layers.
    pub rows: Vec<String>,
    /// Names of the column layers.
    pub columns: Vec<String>,
    /// Row-major; `None` where the measure is undefined.
    pub values: Vec<Option<f64>>,
}

/// Layer by layer means at the lowest and the highest level of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatmapPair {
    /// `data`, `class`, `task`, ...
    pub name: String,
    /// What it is called over the figure, such as `data overlap`.
    pub title: String,
    /// At the lowest level; its title says which.
    pub low: Panel,
    /// At the highest level.
    pub high: Panel,
}

/// A figure of training curves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurvePanel {
    /// Such as `loss`: also the name of its file.
    pub title: String,
    /// Label of the vertical axis.
    pub y_label: String,
    /// Label of the horizontal axis.
    pub x_label: String,
    /// What a curve's group is the level of, such as `data overlap`.
    pub group_label: String,
    /// A curve a model.
    pub lines: Vec<Curve>,
}

/// The training curve of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The model.
    pub label: String,
    /// The level of its pair.
    pub group: f64,
    /// Epoch and value.
    pub points: Vec<(f64, f64)>,
}

/// The slopes of one term of a grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridTerm {
    /// What it is called, such as `data overlap`.
    pub name: String,
    /// The axis that it is of, or the axes whose product it is; as [`EffectRow::axes`].
    pub axes: Vec<String>,
    /// What a slope is.
    pub slope_label: String,
    /// Layer by layer.
    pub rows: Vec<ForestRow>,
    /// The primary layer and probe by every measure.
    pub measures: Vec<MeasureRow>,
}

/// The slope on an overlap, size by size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SizeSlopes {
    /// What the overlap is called, such as `data overlap`.
    pub overlap: String,
    /// What a slope is.
    pub y_label: String,
    /// What the sizes are of.
    pub x_label: String,
    /// The sizes, ascending.
    pub points: Vec<SizeSlope>,
}

/// The slope among pairs of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SizeSlope {
    /// The size, above 0.
    pub size: f64,
    /// The slope.
    pub slope: f64,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Number of pairs.
    pub n: usize,
}

/// What a term of a grid comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridAnswer {
    /// The term.
    pub term: String,
    /// Its coefficient, if it could be fitted.
    pub slope: Option<f64>,
    /// Its direction.
    pub verdict: Verdict,
    /// In one sentence.
    pub sentence: String,
}

/// A line of a grid's figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridLine {
    /// Such as `task 0.5`.
    pub label: String,
    /// Mean and spread at each level of the first axis.
    pub points: Vec<LevelSummary>,
}

/// Mean and spread at a level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LevelSummary {
    /// The overlap.
    pub level: f64,
    /// Number of pairs.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation over pairs.
    pub sd: Option<f64>,
}

/// A fitted line with the interval of its slope.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    /// At overlap 0.
    pub intercept: f64,
    /// Per unit of overlap.
    pub slope: f64,
    /// Lower end of the slope's 95 % interval.
    pub ci_low: f64,
    /// Upper end of the slope's 95 % interval.
    pub ci_high: f64,
    /// Two-sided p-value.
    pub p_value: f64,
}

/// A horizontal reference line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reference {
    /// Its name, such as `untrained pair`.
    pub name: String,
    /// Its height.
    pub value: f64,
}

/// A slope by one measure, with its interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeasureRow {
    /// Measure.
    pub measure: String,
    /// Slope, if a line could be fitted.
    pub slope: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Whether this is the declared primary result.
    pub primary: bool,
}

/// A slope with its interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForestRow {
    /// Layer.
    pub layer: String,
    /// Probe.
    pub probe: String,
    /// Slope, if a line could be fitted.
    pub slope: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Whether this is the declared primary result.
    pub primary: bool,
    /// Whether the probe's samples change with the overlap.
    pub probe_varies: bool,
}

/// What models learned, and the declared measure, at a level: means over pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SkillRow {
    /// The overlap.
    pub level: f64,
    /// Mean training accuracy of the last epoch, of classifiers.
    pub train_accuracy: Option<f64>,
    /// Mean held-out accuracy, of classifiers.
    pub test_accuracy: Option<f64>,
    /// Mean training loss.
    pub train_loss: Option<f64>,
    /// Mean held-out loss, of language models.
    pub validation_loss: Option<f64>,
    /// Mean of the declared measure.
    pub value: Option<f64>,
}

/// A line of the table of all effects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EffectRow {
    /// The sweep: the name of its section.
    pub sweep: String,
    /// The axis, or the axes whose interaction it is.
    pub axes: Vec<String>,
    /// Probe.
    pub probe: String,
    /// Layer.
    pub layer: String,
    /// Measure.
    pub measure: String,
    /// Slope.
    pub slope: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// p-value.
    pub p_value: Option<f64>,
    /// p-value corrected for the number of effects, by Holm's method.
    pub p_holm: Option<f64>,
    /// Share of variance explained.
    pub r_squared: Option<f64>,
    /// Points.
    pub n: usize,
    /// Mean of untrained pairs.
    pub floor: Option<f64>,
    /// Mean at overlap 1.
    pub ceiling: Option<f64>,
    /// Chance level.
    pub chance: Option<f64>,
    /// Whether this is the declared primary result.
    pub primary: bool,
    /// Whether the probe's samples change with the overlap.
    pub probe_varies: bool,
    /// Why there is no fit.
    pub undefined: Option<String>,
}

impl EffectRow {
    /// The axis, or the interaction as `data × task`.
    pub fn term(&self) -> String {
        self.axes.join(" × ")
    }
}
