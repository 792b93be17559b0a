//! What can go wrong, and why a measure may have no value.

use std::fmt;

use faer::linalg::svd::SvdError;

/// What stands behind an error, whoever made it.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure that is not a property of the data.
#[derive(Debug, thiserror::Error)]
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
    /// More rows than can be numbered.
    #[error("layer '{layer}' has {rows} rows; the most is {}", u32::MAX)]
    TooManyRows {
        /// The layer.
        layer: String,
        /// Its rows.
        rows: usize,
    },
    /// Values that are no matrix.
    #[error("{values} values are not a matrix of {n} x {d}")]
    Shape {
        /// How many values there are.
        values: usize,
        /// Rows.
        n: usize,
        /// Columns.
        d: usize,
    },
    /// Rows that a matrix does not have, or a place that does not hold them.
    #[error("rows {start} to {end} of a matrix of {n} x {d} do not fit into {room} values")]
    Rows {
        /// The first row asked for.
        start: usize,
        /// The row after the last.
        end: usize,
        /// Rows of the matrix.
        n: usize,
        /// Its columns.
        d: usize,
        /// Values that there is room for.
        room: usize,
    },
    /// A number that no layer of the set has.
    #[error("layer number {layer} of a set of {layers}")]
    NoSuchLayer {
        /// The number.
        layer: usize,
        /// How many layers there are.
        layers: usize,
    },
    /// Permutations of another number of samples.
    #[error("permutations of {permuted} samples do not permute {rows} rows")]
    Permutations {
        /// The samples that are permuted.
        permuted: usize,
        /// The rows of the layers.
        rows: usize,
    },
    /// Blocks of another number of samples.
    #[error("{blocks} rows have a block and the layers have {rows} rows")]
    Blocks {
        /// The rows that have a block.
        blocks: usize,
        /// The rows of the layers.
        rows: usize,
    },
    /// Neighbours were asked for, and none.
    #[error("k = 0: at least one neighbour is needed")]
    NoNeighbors,
    /// The device failed.
    #[error("the device failed")]
    Device(#[source] Cause),
    /// Activations cannot be read.
    #[error("cannot read layer '{layer}'")]
    Source {
        /// The layer.
        layer: String,
        /// What is wrong.
        source: Cause,
    },
    /// A decomposition did not converge.
    #[error("the singular value decomposition of layer '{0}' did not converge")]
    Decomposition(String),
}

/// A name that no measure has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reprsim_base::unknown("measure", name, known))]
pub struct UnknownMeasure {
    /// The name.
    pub name: String,
    /// The names that would do.
    pub known: Vec<&'static str>,
}

/// Why a measure has no value for an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undefined {
    /// A layer does not vary over the samples.
    ConstantLayer,
    /// A layer varies over the samples by no more than neighbouring numbers of the type in which it
    /// is stored lie apart.
    OnlyRounding,
    /// The directions of all samples are one and the same, as far as cosines can tell.
    EqualCosines,
    /// Samples are of so many orders of magnitude that no number holds sums of their products.
    TooFarApart,
    /// An activation is NaN or infinite.
    NonFinite,
    /// Fewer samples than the estimator needs.
    TooFewSamples {
        /// What it needs.
        needed: usize,
    },
    /// More samples than the estimator can take.
    TooManySamples {
        /// What it can.
        most: usize,
    },
    /// The layer has no dimension.
    NoDimensions,
    /// Fewer dimensions than the estimator needs.
    TooFewDimensions {
        /// What it needs.
        needed: usize,
    },
    /// More dimensions than the estimator can take.
    TooManyDimensions {
        /// What it can.
        most: usize,
    },
    /// A sample has the same activation in every dimension, but for rounding, so that its
    /// correlation with others has no meaning.
    ConstantSample,
    /// More than half of all pairs of samples are at distance zero, so that the
    /// median distance is no bandwidth.
    ZeroMedianDistance,
    /// The estimate of a layer's own variance is not positive: the samples say
    /// too little about it for a ratio to mean anything.
    NoVariance,
    /// A singular value decomposition did not converge.
    NoConvergence,
    /// The formula has no finite value here.
    NoFiniteValue,
}

impl From<SvdError> for Undefined {
    fn from(_: SvdError) -> Self {
        Self::NoConvergence
    }
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConstantLayer => f.write_str("constant layer"),
            Self::OnlyRounding => {
                f.write_str("layer varies only by the rounding of the type in which it is stored")
            }
            Self::EqualCosines => f.write_str("cosines of all samples are equal but for rounding"),
            Self::TooFarApart => {
                f.write_str("samples are too many orders of magnitude apart for their products")
            }
            Self::NonFinite => f.write_str("activation is not finite"),
            Self::TooFewSamples { needed } => write!(f, "fewer than {needed} samples"),
            Self::TooManySamples { most } => write!(f, "more than {most} samples"),
            Self::NoDimensions => f.write_str("layer has no dimension"),
            Self::TooFewDimensions { needed } => write!(f, "fewer than {needed} dimensions"),
            Self::TooManyDimensions { most } => write!(f, "more than {most} dimensions"),
            Self::ConstantSample => {
                f.write_str("a sample is the same in every dimension, but for rounding")
            }
            Self::ZeroMedianDistance => f.write_str("half of all samples are equal"),
            Self::NoVariance => f.write_str("estimated variance is not positive"),
            Self::NoConvergence => f.write_str("a singular value decomposition did not converge"),
            Self::NoFiniteValue => f.write_str("the formula has no finite value"),
        }
    }
}

/// The value of a measure, or why there is none.
pub type Value = Result<f64, Undefined>;
