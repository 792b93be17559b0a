//! Ordinary least squares with several regressors and an intercept, with classical
//! or cluster-robust errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::error::StatsError;

/// How the errors of the coefficients were computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// Independent points of equal variance; t with n - p degrees of freedom for p
    /// coefficients, the intercept included.
    Classical,
    /// Points correlated within clusters: the sandwich estimator with the
    /// small-sample factor `G/(G-1) (n-1)/(n-p)` (CR1), t with G - 1 degrees of
    /// freedom (Liang and Zeger 1986; Cameron and Miller 2015, eq. 11-12).
    ClusterRobust {
        /// Number of clusters G.
        clusters: usize,
    },
}

/// One coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// The coefficient.
    pub coefficient: f64,
    /// Its standard error.
    pub stderr: f64,
    /// Lower end of its 95 % interval.
    pub ci_low: f64,
    /// Upper end of its 95 % interval.
    pub ci_high: f64,
    /// Two-sided p-value of coefficient = 0 by the t test.
    pub p_value: f64,
}

/// `y = intercept + sum of coefficient times column`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearFit {
    /// The intercept.
    pub intercept: f64,
    /// One term a column, in their order.
    pub terms: Vec<Term>,
    /// Share of the variance of y that the columns explain; 1 where y does not vary
    /// at all and is met exactly.
    pub r_squared: f64,
    /// Number of points.
    pub n: usize,
    /// Which errors these are.
    pub errors: Errors,
}

/// Fits `y` on `columns` (each one value a point) and an intercept; with `clusters`
/// (one id a point) the errors are cluster-robust.
///
/// Columns and y are centred first, which takes the intercept out (Frisch, Waugh and
/// Lovell), and the columns orthogonalised by modified Gram-Schmidt with a second
/// pass, so that the digits of the data are kept.
///
/// # Errors
/// [`StatsError`] for too few points, columns that do not vary or depend on each
/// other, non-finite values, unequal lengths or fewer than 2 clusters.
pub fn fit_linear(
    columns: &[Vec<f64>],
    y: &[f64],
    clusters: Option<&[u64]>,
) -> Result<LinearFit, StatsError> {
    let (n, k) = (y.len(), columns.len());
    if columns.iter().any(|x| x.len() != n) || clusters.is_some_and(|c| c.len() != n) {
        return Err(StatsError::LengthsDiffer);
    }
    if k == 0 || n < k + 2 {
        return Err(StatsError::TooFewPoints);
    }
    if columns.iter().flatten().chain(y).any(|v| !v.is_finite()) {
        return Err(StatsError::NonFinite);
    }
    let (nf, p) = (n as f64, (k + 1) as f64);
    let mean = |v: &[f64]| v.iter().sum::<f64>() / nf;
    let centred = |v: &[f64]| -> Vec<f64> {
        let m = mean(v);
        v.iter().map(|x| x - m).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();

    // X = Q R with R upper triangular, Q orthogonal but not of unit length.
    let mut q: Vec<Vec<f64>> = Vec::with_capacity(k);
    let mut r = vec![vec![0.0; k]; k];
    for (j, column) in columns.iter().enumerate() {
        let mut v = centred(column);
        let before = dot(&v, &v);
        for _ in 0..2 {
            for (i, u) in q.iter().enumerate() {
                let c = dot(u, &v) / dot(u, u);
                r[i][j] += c;
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= c * u);
            }
        }
        r[j][j] = 1.0;
        // What is left of a column that the others already hold is rounding.
        if before <= 0.0 || dot(&v, &v) <= 1e-20 * before {
            return Err(StatsError::OneLevel);
        }
        q.push(v);
    }
    let dy = centred(y);
    let along: Vec<f64> = q.iter().map(|u| dot(u, &dy) / dot(u, u)).collect();
    let mut residuals = dy.clone();
    for (u, c) in q.iter().zip(&along) {
        residuals.iter_mut().zip(u).for_each(|(e, u)| *e -= c * u);
    }
    let rss = dot(&residuals, &residuals);
    let tss = dot(&dy, &dy);
    // R b = along, and rows of R^-1 for the errors.
    let solve = |right: &[f64]| -> Vec<f64> {
        let mut b = right.to_vec();
        for i in (0..k).rev() {
            for j in i + 1..k {
                b[i] -= r[i][j] * b[j];
            }
        }
        b
    };
    let coefficients = solve(&along);
    let inverse: Vec<Vec<f64>> = (0..k)
        .map(|j| {
            let mut unit = vec![0.0; k];
            unit[j] = 1.0;
            solve(&unit)
        })
        .collect();

    // Covariance of `along`, a k x k matrix.
    let mut inner = vec![vec![0.0; k]; k];
    let (df, errors) = match clusters {
        None => {
            for (i, u) in q.iter().enumerate() {
                inner[i][i] = rss / (nf - p) / dot(u, u);
            }
            (nf - p, Errors::Classical)
        }
        Some(ids) => {
            let mut scores: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for (point, id) in ids.iter().enumerate() {
                let score = scores.entry(*id).or_insert_with(|| vec![0.0; k]);
                for (s, u) in score.iter_mut().zip(&q) {
                    *s += u[point] * residuals[point] / dot(u, u);
                }
            }
            let g = scores.len() as f64;
            if scores.len() < 2 {
                return Err(StatsError::TooFewClusters);
            }
            let correction = g / (g - 1.0) * (nf - 1.0) / (nf - p);
            for score in scores.values() {
                for i in 0..k {
                    for j in 0..k {
                        inner[i][j] += correction * score[i] * score[j];
                    }
                }
            }
            let clusters = scores.len();
            (g - 1.0, Errors::ClusterRobust { clusters })
        }
    };
    let t = StudentsT::new(0.0, 1.0, df).map_err(|_| StatsError::TooFewPoints)?;
    let quantile = t.inverse_cdf(0.975);
    let terms = (0..k).map(|j| {
        let weights: Vec<f64> = inverse.iter().map(|column| column[j]).collect();
        let variance: f64 = (0..k).map(|a| weights[a] * dot(&inner[a], &weights)).sum();
        let (coefficient, stderr) = (coefficients[j], variance.max(0.0).sqrt());
        let half = quantile * stderr;
        Term {
            coefficient,
            stderr,
            ci_low: coefficient - half,
            ci_high: coefficient + half,
            p_value: if stderr > 0.0 {
                2.0 * t.cdf(-(coefficient / stderr).abs())
            } else if coefficient == 0.0 {
                1.0
            } else {
                0.0
            },
        }
    });
    let means = columns.iter().map(|x| mean(x));
    Ok(LinearFit {
        intercept: mean(y) - means.zip(&coefficients).map(|(m, c)| m * c).sum::<f64>(),
        terms: terms.collect(),
        r_squared: if tss > 0.0 { 1.0 - rss / tss } else { 1.0 },
        n,
        errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * b.abs(), "{a} is not {b}");
    }

    /// The design and values that `statsmodels` 0.15 was given for the figures
    /// below: `OLS(y, [1, a, b, a * b])`, classical and clustered by g.
    fn factorial() -> (Vec<Vec<f64>>, Vec<f64>, Vec<u64>) {
        let mut columns = vec![vec![]; 3];
        let (mut y, mut g) = (vec![], vec![]);
        let noise = [
            0.02, -0.01, 0.03, -0.02, 0.01, 0.0, -0.03, 0.02, 0.01, 0.04, -0.02, 0.0, 0.01, -0.01,
            0.02, -0.04, 0.03, 0.01,
        ];
        for seed in 0..2u64 {
            for i in 0..3 {
                for j in 0..3 {
                    let (a, b) = (f64::from(i) / 2.0 - 0.5, f64::from(j) / 2.0 - 0.5);
                    columns[0].push(a);
                    columns[1].push(b);
                    columns[2].push(a * b);
                    y.push(0.5 + 0.2 * a + 0.4 * b + 0.1 * a * b + noise[y.len()]);
                    g.push(seed * 3 + j as u64);
                }
            }
        }
        (columns, y, g)
    }

    #[test]
    fn several_regressors_against_statsmodels() {
        let (columns, y, g) = factorial();
        let fit = fit_linear(&columns, &y, None).unwrap();
        let term = fit.terms[0];
        close(term.coefficient, 0.189_999_999_999_999_97, 1e-8);
        close(term.stderr, 0.011_394_210_912_917_249, 1e-8);
        close(term.ci_low, 0.165_561_848_114_647_3, 1e-8);
        close(term.ci_high, 0.214_438_151_885_352_65, 1e-8);
        close(term.p_value, 1.244_592_564_986_015_8e-10, 1e-8);
        let term = fit.terms[1];
        close(term.coefficient, 0.415_000_000_000_000_2, 1e-8);
        close(term.stderr, 0.011_394_210_912_917_252, 1e-8);
        close(term.ci_low, 0.390_561_848_114_647_5, 1e-8);
        close(term.ci_high, 0.439_438_151_885_352_9, 1e-8);
        close(term.p_value, 2.851_070_546_096_186e-15, 1e-8);
        let term = fit.terms[2];
        close(term.coefficient, 0.159_999_999_999_999_7, 1e-8);
        close(term.stderr, 0.027_910_002_758_298_95, 1e-8);
        close(term.ci_low, 0.100_138_997_624_250_92, 1e-8);
        close(term.ci_high, 0.219_861_002_375_748_46, 1e-8);
        close(term.p_value, 5.179_076_875_623_571_6e-05, 1e-8);
        close(fit.intercept, 0.503_888_888_888_888_7, 1e-12);
        close(fit.r_squared, 0.991_522_788_713_174, 1e-12);
        let robust = fit_linear(&columns, &y, Some(&g)).unwrap();
        let term = robust.terms[0];
        close(term.coefficient, 0.189_999_999_999_999_97, 1e-8);
        close(term.stderr, 0.018_657_310_580_446_437, 1e-8);
        close(term.ci_low, 0.142_039_856_320_079_15, 1e-8);
        close(term.ci_high, 0.237_960_143_679_920_8, 1e-8);
        close(term.p_value, 0.000_156_649_166_440_453_9, 1e-8);
        let term = robust.terms[1];
        close(term.coefficient, 0.415_000_000_000_000_2, 1e-8);
        close(term.stderr, 0.005_875_133_680_793_659_6, 1e-8);
        close(term.ci_low, 0.399_897_488_078_216_9, 1e-8);
        close(term.ci_high, 0.430_102_511_921_783_5, 1e-8);
        close(term.p_value, 1.077_010_687_461_022_5e-08, 1e-8);
        let term = robust.terms[2];
        close(term.coefficient, 0.159_999_999_999_999_7, 1e-8);
        close(term.stderr, 0.035_193_343_526_460_06, 1e-8);
        close(term.ci_low, 0.069_532_630_395_572_59, 1e-8);
        close(term.ci_high, 0.250_467_369_604_426_84, 1e-8);
        close(term.p_value, 0.006_133_146_975_294_181, 1e-8);
    }

    #[test]
    fn dependent_columns_are_refused() {
        let (mut columns, y, _) = factorial();
        let doubled = columns[0].iter().map(|v| 2.0 * v + 1.0).collect();
        columns.push(doubled);
        assert_eq!(fit_linear(&columns, &y, None), Err(StatsError::OneLevel));
    }
}
