//! Statistics of similarity against overlap. Knows nothing of models.

mod attribution;
mod cluster;
mod curvature;
mod decomposition;
mod describe;
mod error;
mod fitted;
mod health;
mod jackknife;
mod linear;
mod multiple;
mod mutual_information;
mod neighbourhood;
mod numpy_normal;
mod power;
mod project;
mod randomisation;
mod rank;
mod series;
mod symmetric;

pub use attribution::{Attribution, Covariate, Design, TermShare, attribute, crossed};
pub use curvature::curvature;
pub use describe::{Level, describe_levels, mean, median, standard_deviation};
pub use error::StatsError;
pub use fitted::{FittedTerm, correct, fit_terms};
pub use health::{BadEnd, outliers};
pub use jackknife::Interval;
pub use linear::{Errors, LinearFit, Term, fit_linear};
pub use multiple::{benjamini_hochberg, holm};
pub use mutual_information::{
    DiscreteInformation, mutual_information_discrete, mutual_information_ksg,
};
pub use power::{Noise, Pilot, detectable_slope, pilot, power, seeds_for};
pub use randomisation::{
    Randomisation, permutation_p_value, randomisation, sign_flip_least_p, sign_flip_p_value,
};
pub use rank::spearman;
pub use series::{Missing, Series, describe_series};
