//! Why a statistic has no value.

/// A statistic that cannot be computed from the data given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// The inputs have different lengths.
    #[error("the inputs have different lengths")]
    LengthsDiffer,
    /// Too few points for the number of parameters.
    #[error("too few points: errors need one more point than coefficients")]
    TooFewPoints,
    /// All x are the same.
    #[error("all points are at one level, or the levels move together")]
    OneLevel,
    /// A value is NaN or infinite.
    #[error("a value is not finite")]
    NonFinite,
    /// Errors cannot be clustered.
    #[error("clustered errors need at least 2 clusters")]
    TooFewClusters,
}
