//! The results of a grid, as `analysis.json` holds them.

use reprsim_config::{AxisKind, Term};
use reprsim_stats::{Attribution, FittedTerm};
use serde::{Deserialize, Serialize};

/// Means of the primary result over a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The sweep.
    pub sweep: Term,
    /// Its axes.
    pub axes: Vec<AxisKind>,
    /// Its points.
    pub points: Vec<GridPoint>,
    /// Where sizes are crossed with overlaps: the slope on each overlap among the models of each
    /// size.
    pub slopes: Vec<SlopeAtSize>,
}

/// The slope of similarity on an overlap among pairs of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlopeAtSize {
    /// The axis of sizes.
    pub size: AxisKind,
    /// The size.
    pub level: f64,
    /// The overlap.
    pub overlap: AxisKind,
    /// The slope, averaged over the levels of further axes.
    #[serde(flatten)]
    pub fit: FittedTerm,
}

/// Mean and spread at a point of a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridPoint {
    /// The level of each axis.
    pub levels: Vec<f64>,
    /// Number of pairs.
    pub n: usize,
    /// Mean similarity.
    pub mean: f64,
    /// Standard deviation over pairs.
    pub sd: Option<f64>,
}

/// What explains similarity over a grid, at the declared probe and layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridAttribution {
    /// The sweep.
    pub sweep: Term,
    /// The measure.
    pub measure: String,
    /// Whether it is the declared one.
    pub primary: bool,
    /// The division of the variance; absent where it cannot be made.
    pub attribution: Option<Attribution>,
    /// Why it cannot.
    pub undefined: Option<String>,
}
