//! What a report says, ready to be drawn.

/// The whole report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The experiment's name.
    pub title: String,
    /// One line on what it shows.
    pub description: String,
    /// What was declared as the result that counts, in words.
    pub primary: String,
    /// A warning shown at the top, such as missing cells.
    pub warnings: Vec<String>,
    /// One section an axis.
    pub axes: Vec<AxisSection>,
    /// All effects.
    pub effects: Vec<EffectRow>,
    /// What was run, on what: name and value.
    pub facts: Vec<(String, String)>,
    /// Methods, one paragraph each.
    pub methods: Vec<String>,
    /// Name and content of the table offered for download.
    pub csv: Option<(String, String)>,
}

/// What the primary result of an axis comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Similarity rises with overlap, p < 0.05.
    Rises,
    /// Similarity falls with overlap, p < 0.05.
    Falls,
    /// No slope can be told from zero.
    #[default]
    Undecided,
}

/// One axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisSection {
    /// `data`, `class` or `task`.
    pub name: String,
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
    /// Accuracy beside similarity, a row a level.
    pub accuracy: Vec<AccuracyRow>,
}

/// Mean and spread at a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelSummary {
    /// The overlap.
    pub level: f64,
    /// Number of pairs.
    pub n: usize,
    /// Mean similarity.
    pub mean: f64,
    /// Standard deviation over pairs.
    pub sd: Option<f64>,
}

/// A fitted line with the interval of its slope.
#[derive(Clone, Copy, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Its name, such as `untrained pair`.
    pub name: String,
    /// Its height.
    pub value: f64,
}

/// A slope with its interval.
#[derive(Clone, Debug, PartialEq)]
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

/// Accuracy and similarity at a level, means over pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccuracyRow {
    /// The overlap.
    pub level: f64,
    /// Mean training accuracy of the last epoch.
    pub train: Option<f64>,
    /// Mean held-out accuracy.
    pub test: Option<f64>,
    /// Mean primary similarity.
    pub similarity: Option<f64>,
}

/// A line of the table of all effects.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectRow {
    /// Axis.
    pub axis: String,
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
