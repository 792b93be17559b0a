//! All that is said of one series of values against a level.

use serde::{Deserialize, Serialize};

use crate::curvature::curvature;
use crate::describe::distinct;
use crate::error::StatsError;
use crate::linear::{Errors, LinearFit, fit_linear};
use crate::mutual_information::{
    DiscreteInformation, mutual_information_discrete, mutual_information_ksg,
};
use crate::randomisation::randomisation;
use crate::rank::spearman;

/// Why a statistic of a series is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The statistic, by the name of its field; `fit` for all that the line gives.
    pub statistic: String,
    /// The reason.
    pub reason: String,
}

/// A series of values against a level. What has no value is absent, and `missing` says
/// why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Number of points.
    pub n: usize,
    /// Number of distinct levels.
    pub levels: usize,
    /// Slope of the line, in units of y over those of x.
    pub slope: Option<f64>,
    /// Value of the line at x = 0.
    pub intercept: Option<f64>,
    /// Standard error of the slope.
    pub stderr: Option<f64>,
    /// Lower end of the 95 % interval of the slope.
    pub ci_low: Option<f64>,
    /// Upper end of the 95 % interval of the slope.
    pub ci_high: Option<f64>,
    /// Two-sided p-value of no slope, by the t test.
    pub p_value: Option<f64>,
    /// How the errors behind interval and p-value were computed.
    pub errors: Option<Errors>,
    /// Share of the variance of y that the line explains.
    pub r_squared: Option<f64>,
    /// P-value of no slope that takes no normal distribution for granted: sign flips of
    /// clusters, else permutation.
    pub randomisation_p: Option<f64>,
    /// The least that p-value could have been with so many points or clusters.
    pub randomisation_least_p: Option<f64>,
    /// P-value of no quadratic term, by the t test.
    pub curvature_p: Option<f64>,
    /// Rank correlation.
    pub spearman: Option<f64>,
    /// Mutual information as published, x taken as continuous, in nats.
    pub mi_ksg: Option<f64>,
    /// Mutual information with x taken as levels.
    pub mi_discrete: Option<DiscreteInformation>,
    /// What is absent, and why.
    pub missing: Vec<Missing>,
}

/// Describes the values `y` at levels `x`; with `clusters` (one id a point, such as the
/// seed) errors are clustered (CR1) and signs of clusters are flipped, else points are
/// independent and are permuted. Missing values are for the caller to leave out.
/// `draws` is the number of permutations, of which each test draws its own from `seed`.
pub fn describe_series(
    x: &[f64],
    y: &[f64],
    clusters: Option<&[u64]>,
    draws: usize,
    seed: u64,
) -> Series {
    let mut missing = vec![];
    let columns = [x.to_vec()];
    let fit: Option<LinearFit> = keep(&mut missing, "fit", fit_linear(&columns, y, clusters));
    let term = fit.as_ref().and_then(|fit| fit.terms.first().copied());
    let test = randomisation(&columns, 0, y, clusters, draws, seed);
    let test = keep(&mut missing, "randomisation_p", test);
    let bend = keep(&mut missing, "curvature_p", curvature(x, y, clusters));
    Series {
        n: y.len(),
        levels: distinct(x).len(),
        slope: term.map(|t| t.coefficient),
        intercept: fit.as_ref().map(|f| f.intercept),
        stderr: term.map(|t| t.stderr),
        ci_low: term.map(|t| t.ci_low),
        ci_high: term.map(|t| t.ci_high),
        p_value: term.map(|t| t.p_value),
        errors: fit.as_ref().map(|f| f.errors),
        r_squared: fit.as_ref().map(|f| f.r_squared),
        randomisation_p: test.map(|t| t.p_value),
        randomisation_least_p: test.map(|t| t.least),
        curvature_p: bend.map(|t| t.p_value),
        spearman: keep(&mut missing, "spearman", spearman(x, y)),
        mi_ksg: keep(&mut missing, "mi_ksg", mutual_information_ksg(x, y)),
        mi_discrete: keep(
            &mut missing,
            "mi_discrete",
            mutual_information_discrete(x, y, draws, seed),
        ),
        missing,
    }
}

/// The value, or a note of why there is none.
fn keep<T>(missing: &mut Vec<Missing>, statistic: &str, value: Result<T, StatsError>) -> Option<T> {
    value
        .map_err(|error| {
            missing.push(Missing {
                statistic: statistic.to_string(),
                reason: error.to_string(),
            });
        })
        .ok()
}
