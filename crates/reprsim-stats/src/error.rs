//! Why a statistic has no value.

/// A statistic that cannot be computed from the data given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// The inputs have different lengths.
    #[error("the inputs have different lengths")]
    LengthsDiffer,
    /// Too few points for what is asked of them.
    #[error("too few points: {needed} are needed")]
    TooFewPoints {
        /// The least number that would do.
        needed: usize,
    },
    /// All x are the same.
    #[error("all points are at one level, or the levels move together")]
    OneLevel,
    /// A value is NaN or infinite.
    #[error("a value is not finite")]
    NonFinite,
    /// Errors cannot be clustered.
    #[error("clustered errors need at least 2 clusters")]
    TooFewClusters,
    /// The error of a coefficient cannot be told from others.
    #[error("the coefficient rests on one cluster alone, of whose error the others tell nothing")]
    OneCluster,
    /// The values do not vary.
    #[error("the values do not vary")]
    Constant,
    /// The values are what the other columns say, to the last digit.
    #[error("the other columns leave nothing of the values to explain")]
    NothingLeft,
    /// Residuals are what rounding makes of zero.
    #[error("the fit leaves nothing but rounding: there is no error to test with")]
    NoError,
    /// No two points share a level.
    #[error("every point is alone on its level")]
    AloneOnLevels,
    /// A result that no number holds.
    #[error("a result is too large or too small for a number: give the values in other units")]
    OutOfRange,
    /// Too few levels to tell a curve from a line.
    #[error("a curve needs at least 3 levels")]
    TooFewLevels,
    /// More terms than orders can be averaged over.
    #[error("shares are averaged over the orders of at most 8 terms")]
    TooManyTerms,
    /// The term to test is not among the columns.
    #[error("there is no such column")]
    NoSuchColumn,
    /// A pilot whose fit is exact.
    #[error("the fit leaves no spread by which to judge more points")]
    NoNoise,
    /// A spread, a size or a power that no design has.
    #[error("a spread or size is not positive, or a power not between 0.05 and 1")]
    NoSuchDesign,
}
