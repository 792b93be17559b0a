//! What is said of one column of a fit.

use serde::{Deserialize, Serialize};

use crate::error::StatsError;
use crate::linear::{Errors, LinearFit, Term, fit_linear};
use crate::multiple::holm;
use crate::randomisation::{Randomisation, randomisation, sign_flip_least_p};

/// A coefficient with its tests, or why there is none: what a table of effects says of
/// each, whatever the fit is of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FittedTerm {
    /// The coefficient, in units of y over those of the column.
    pub slope: Option<f64>,
    /// Its standard error.
    pub stderr: Option<f64>,
    /// Degrees of freedom of its t test.
    pub df: Option<f64>,
    /// Lower end of its 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub ci_high: Option<f64>,
    /// Two-sided p-value of no effect, by the t test.
    pub p_value: Option<f64>,
    /// That p-value corrected for all that were asked with it; filled in by [`correct`].
    pub p_holm: Option<f64>,
    /// P-value of no effect that takes no normal distribution for granted: sign flips of
    /// clusters, else permutation.
    pub randomisation_p: Option<f64>,
    /// The least that p-value could have been with so many points or clusters.
    pub randomisation_least_p: Option<f64>,
    /// Share of the variance of y that the whole fit explains.
    pub r_squared: Option<f64>,
    /// Value of the line at 0; of a fit of one column alone.
    pub intercept: Option<f64>,
    /// How the errors behind interval and p-value were computed.
    pub errors: Option<Errors>,
    /// Number of points.
    pub n: usize,
    /// Why there is no fit, or no error or test of the coefficient.
    pub undefined: Option<String>,
}

/// A test that cannot give a smaller p-value finds nothing.
const ALPHA: f64 = 0.05;

impl FittedTerm {
    /// The coefficient `term` of a fit of `n` points.
    pub fn new(
        term: &Term,
        randomisation: Option<Randomisation>,
        n: usize,
        r_squared: f64,
        errors: Errors,
    ) -> Self {
        Self {
            slope: Some(term.coefficient),
            stderr: term.stderr,
            df: term.df,
            ci_low: term.ci_low,
            ci_high: term.ci_high,
            p_value: term.p_value,
            randomisation_p: randomisation.map(|r| r.p_value),
            randomisation_least_p: randomisation.map(|r| r.least),
            r_squared: Some(r_squared),
            errors: Some(errors),
            n,
            undefined: term.undefined.clone(),
            ..Self::default()
        }
    }

    /// How many clusters the errors rest on, and the least p-value of their sign flips, where
    /// that cannot be below 0.05: of fewer than 6.
    pub fn few_clusters(&self) -> Option<(usize, f64)> {
        let Some(Errors::ClusterRobust { clusters }) = self.errors else {
            return None;
        };
        let least = sign_flip_least_p(clusters);
        (least >= ALPHA).then_some((clusters, least))
    }

    /// No coefficient of `n` points, and why.
    pub fn undefined(reason: StatsError, n: usize) -> Self {
        Self {
            n,
            undefined: Some(reason.to_string()),
            ..Self::default()
        }
    }
}

/// Fits `y` on `columns` as [`fit_linear`] does and tests each column as
/// [`randomisation`] does, with so many `draws` from `seed` where points are
/// independent: one entry a column, in their order. Where nothing can be fitted, each
/// entry says why.
pub fn fit_terms(
    columns: &[Vec<f64>],
    y: &[f64],
    clusters: Option<&[u64]>,
    draws: usize,
    seed: u64,
) -> Vec<FittedTerm> {
    let fit = fit_linear(columns, y, clusters);
    let of = |place: usize, fit: &LinearFit| {
        let test = randomisation(columns, place, y, clusters, draws, seed);
        let reason = test.err().map(|reason| reason.to_string());
        let term = FittedTerm::new(
            &fit.terms[place],
            test.ok(),
            fit.n,
            fit.r_squared,
            fit.errors,
        );
        FittedTerm {
            intercept: (columns.len() == 1).then_some(fit.intercept),
            undefined: term.undefined.clone().or(reason),
            ..term
        }
    };
    (0..columns.len())
        .map(|place| match &fit {
            Ok(fit) => of(place, fit),
            Err(reason) => FittedTerm::undefined(*reason, y.len()),
        })
        .collect()
}

/// Fills in Holm's correction ([`holm`]) over all terms that are `counted`: those that
/// belong to one search. What was declared beforehand, and what is only held fixed, does
/// not; it has no corrected p-value.
pub fn correct<'a>(terms: impl IntoIterator<Item = (&'a mut FittedTerm, bool)>) {
    let mut terms: Vec<(&mut FittedTerm, bool)> = terms.into_iter().collect();
    let p: Vec<Option<f64>> = (terms.iter())
        .map(|(term, counted)| term.p_value.filter(|_| *counted))
        .collect();
    for ((term, _), p) in terms.iter_mut().zip(holm(&p)) {
        term.p_holm = p;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two levels of `a` crossed with three of `b`, twice, with noise of no pattern.
    fn design() -> (Vec<Vec<f64>>, Vec<f64>, Vec<u64>) {
        let points = 0..12u32;
        let a = points.clone().map(|i| f64::from(i % 2)).collect();
        let b = points.clone().map(|i| f64::from(i / 2 % 3)).collect();
        let y = (points.clone())
            .map(|i| 0.3 + 0.2 * f64::from(i % 2) + 0.01 * f64::from(i * i * 7 % 11))
            .collect();
        (vec![a, b], y, points.map(|i| u64::from(i / 3)).collect())
    }

    #[test]
    fn terms_are_those_of_the_fit_and_of_the_test() {
        let (columns, y, ids) = design();
        for clusters in [None, Some(ids.as_slice())] {
            let fit = fit_linear(&columns, &y, clusters).unwrap();
            let terms = fit_terms(&columns, &y, clusters, 99, 3);
            assert_eq!(terms.len(), 2);
            for (place, (found, term)) in terms.iter().zip(&fit.terms).enumerate() {
                let test = randomisation(&columns, place, &y, clusters, 99, 3).unwrap();
                let expected = FittedTerm {
                    slope: Some(term.coefficient),
                    stderr: term.stderr,
                    df: term.df,
                    ci_low: term.ci_low,
                    ci_high: term.ci_high,
                    p_value: term.p_value,
                    p_holm: None,
                    randomisation_p: Some(test.p_value),
                    randomisation_least_p: Some(test.least),
                    r_squared: Some(fit.r_squared),
                    intercept: None,
                    errors: Some(fit.errors),
                    n: 12,
                    undefined: None,
                };
                assert_eq!(*found, expected);
            }
        }
        // A line has a height at 0.
        let line = fit_terms(&columns[..1], &y, None, 9, 3).remove(0);
        let fit = fit_linear(&columns[..1], &y, None).unwrap();
        assert_eq!(line.intercept, Some(fit.intercept));
    }

    #[test]
    fn without_a_fit_each_term_says_why() {
        let (mut columns, y, _) = design();
        columns[1] = columns[0].clone();
        let terms = fit_terms(&columns, &y, None, 9, 1);
        assert_eq!(
            terms,
            vec![FittedTerm::undefined(StatsError::OneLevel, 12); 2]
        );
        let reason = terms[0].undefined.as_deref();
        assert_eq!(
            reason,
            Some("all points are at one level, or the levels move together")
        );
        assert!(fit_terms(&[], &y, None, 9, 1).is_empty());
    }

    #[test]
    fn only_what_is_counted_is_corrected() {
        let term = |p: Option<f64>| FittedTerm {
            p_value: p,
            // What an earlier correction left.
            p_holm: Some(0.7),
            ..FittedTerm::default()
        };
        let mut terms = [Some(0.01), Some(0.001), None, Some(0.02), Some(0.5)].map(term);
        let counted = [true, false, true, true, false];
        correct(terms.iter_mut().zip(counted));
        let found = terms.map(|t| t.p_holm);
        assert_eq!(found, [Some(0.02), None, None, Some(0.02), None]);
    }
}
