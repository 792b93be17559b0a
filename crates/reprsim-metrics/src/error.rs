//! What can go wrong, and why a measure may have no value.

use std::fmt;

/// A failure that is not a property of the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Two layers have different numbers of rows.
    #[error("layer '{a}' has {n_a} rows and layer '{b}' has {n_b}: they must be the same samples")]
    RowsDiffer {
        /// One layer.
        a: String,
        /// Its rows.
        n_a: usize,
        /// The other.
        b: String,
        /// Its rows.
        n_b: usize,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
    /// Activations cannot be read.
    #[error("cannot read layer '{layer}': {reason}")]
    Source {
        /// The layer.
        layer: String,
        /// What is wrong.
        reason: String,
    },
    /// A decomposition did not converge.
    #[error("the singular value decomposition of layer '{0}' did not converge")]
    Decomposition(String),
}

/// Why a measure has no value for an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undefined {
    /// A layer does not vary over the samples.
    ConstantLayer,
    /// An activation is NaN or infinite.
    NonFinite,
    /// Fewer samples than the estimator needs.
    TooFewSamples {
        /// What it needs.
        needed: usize,
    },
    /// The layer has no dimension.
    NoDimensions,
    /// Fewer dimensions than the estimator needs.
    TooFewDimensions {
        /// What it needs.
        needed: usize,
    },
    /// A sample has the same activation in every dimension, so that its
    /// correlation with others has no meaning.
    ConstantSample,
    /// More than half of all pairs of samples are at distance zero, so that the
    /// median distance is no bandwidth.
    ZeroMedianDistance,
    /// The estimate of a layer's own variance is not positive: the samples say
    /// too little about it for a ratio to mean anything.
    NoVariance,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConstantLayer => f.write_str("constant layer"),
            Self::NonFinite => f.write_str("activation is not finite"),
            Self::TooFewSamples { needed } => write!(f, "fewer than {needed} samples"),
            Self::NoDimensions => f.write_str("layer has no dimension"),
            Self::TooFewDimensions { needed } => write!(f, "fewer than {needed} dimensions"),
            Self::ConstantSample => f.write_str("a sample is the same in every dimension"),
            Self::ZeroMedianDistance => f.write_str("half of all samples are equal"),
            Self::NoVariance => f.write_str("estimated variance is not positive"),
        }
    }
}

/// The value of a measure, or why there is none.
pub type Value = Result<f64, Undefined>;
