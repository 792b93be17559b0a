//! One effect, as `analysis.json` holds it (docs/analysis.md).

use reprsim_config::Term;
use reprsim_stats::{FittedTerm, Level};
use serde::{Deserialize, Serialize};

/// The effect of one axis, or of an interaction of two, on the similarity of one
/// layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The sweep, by its axes.
    pub sweep: Term,
    /// The axis, or those of an interaction.
    pub axis: Term,
    /// The probe.
    pub probe: String,
    /// Whether the probe's samples change with the overlap (the paper's own
    /// class-overlap probes), which confounds the slope.
    pub probe_varies: bool,
    /// The layer, of both models.
    pub layer: String,
    /// The measure.
    pub measure: String,
    /// Whether this was declared as the primary result.
    pub primary: bool,
    /// Slope of similarity on the level with its errors and tests: on overlap 0 to 1, on the
    /// number of shared factors of a partition, on doublings of size, width and depth. In a grid,
    /// the average over the levels of the other axes; of an interaction, the change of one
    /// slope as the other level goes from 0 to 1, or doubles. Holm's correction is over all
    /// effects that were not declared.
    #[serde(flatten)]
    pub fit: FittedTerm,
    /// Slope over the distance from untrained pairs to overlap 1; of overlaps alone,
    /// and where untrained pairs are less alike than those trained at the lowest level.
    pub share_of_range: Option<f64>,
    /// P-value of no quadratic term; of one axis alone.
    pub curvature_p: Option<f64>,
    /// Rank correlation of similarity and level; of one axis alone.
    pub spearman: Option<f64>,
    /// Mutual information of similarity and level; of one axis, at the declared probe
    /// and layer.
    pub information: Option<Information>,
    /// Mean and spread at each level of the experiment file; empty in a grid.
    pub levels: Vec<Level>,
    /// The points: overlap really reached (which the line is fitted on), value,
    /// seed; empty in a grid.
    pub points: Vec<(f64, f64, usize)>,
    /// Mean similarity of untrained pairs.
    pub floor: Option<f64>,
    /// Mean similarity at overlap 1; absent where the sweep has no such level.
    pub ceiling: Option<f64>,
    /// Mean over cells of the permutation mean: the chance level.
    pub chance: Option<f64>,
}

/// Mutual information of similarity and level, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Information {
    /// As published: the estimator of Kraskov et al. (2004) with k = 3, which takes the
    /// level as continuous and can exceed the entropy of few levels.
    pub ksg: Option<f64>,
    /// The estimator of Ross (2014), for levels.
    pub nats: f64,
    /// Entropy of the levels, which information cannot exceed.
    pub entropy: f64,
    /// `nats` over `entropy`.
    pub share: Option<f64>,
    /// P-value of no information, levels permuted.
    pub p_value: f64,
}
