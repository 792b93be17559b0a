//! All that is said of one series of values against a level.

use serde::{Deserialize, Serialize};

use crate::curvature::curvature;
use crate::describe::distinct;
use crate::error::StatsError;
use crate::fitted::{FittedTerm, fit_terms};
use crate::mutual_information::{
    DiscreteInformation, mutual_information_discrete, mutual_information_ksg,
};
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
    /// The line; a slope is in units of y over those of x.
    #[serde(flatten)]
    pub line: FittedTerm,
    /// Number of distinct levels.
    pub levels: usize,
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
/// seed) errors are clustered (CR2) and signs of clusters are flipped, else points are
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
    // One column, one term.
    let fitted = fit_terms(&[x.to_vec()], y, clusters, draws, seed);
    let line = fitted.into_iter().next().unwrap_or_default();
    let absent = [
        ("fit", line.slope.is_none()),
        ("p_value", line.slope.is_some() && line.p_value.is_none()),
        ("randomisation_p", line.randomisation_p.is_none()),
    ];
    for (statistic, _) in absent.into_iter().filter(|(_, absent)| *absent) {
        missing.extend(line.undefined.iter().map(|reason| Missing {
            statistic: statistic.into(),
            reason: reason.clone(),
        }));
    }
    let bend = keep(&mut missing, "curvature_p", curvature(x, y, clusters));
    if let Some(reason) = bend.as_ref().and_then(|bend| bend.undefined.as_ref()) {
        missing.push(Missing {
            statistic: "curvature_p".into(),
            reason: reason.clone(),
        });
    }
    Series {
        line,
        levels: distinct(x).len(),
        curvature_p: bend.and_then(|bend| bend.p_value),
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
