//! What a measure is called and what it may return.

use std::fmt;

/// A similarity measure; larger is more alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Measure {
    /// Linear CKA with the biased HSIC estimator (Kornblith et al. 2019); in
    /// 0..=1; its chance level grows with d / n.
    CkaLinearBiased,
    /// Linear CKA with the debiased HSIC estimator of Song et al. (2012), as in
    /// Nguyen et al. (2021); at most 1, chance level 0, may be negative.
    CkaLinearDebiased,
}

impl Measure {
    /// All measures.
    pub const ALL: [Self; 2] = [Self::CkaLinearDebiased, Self::CkaLinearBiased];

    /// The name in experiment files and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::CkaLinearBiased => "cka_linear_biased",
            Self::CkaLinearDebiased => "cka_linear_debiased",
        }
    }

    /// The measure called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
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
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConstantLayer => f.write_str("constant layer"),
            Self::NonFinite => f.write_str("activation is not finite"),
            Self::TooFewSamples { needed } => write!(f, "fewer than {needed} samples"),
            Self::NoDimensions => f.write_str("layer has no dimension"),
        }
    }
}

/// The value of a measure for one pair of layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The value, or why there is none.
    pub value: Result<f64, Undefined>,
    /// The mean of the measure over all permutations of the samples of one
    /// side, where it is known in closed form: its chance level on these data.
    pub null_mean: Option<f64>,
}
