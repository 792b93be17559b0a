//! Ordinary least squares with several regressors and an intercept, with classical
//! or cluster-robust errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::describe::mean;
use crate::error::StatsError;
use crate::project::{Basis, centred, check, dot};

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
    /// Share of the variance of y that the columns explain.
    pub r_squared: f64,
    /// Number of points.
    pub n: usize,
    /// Which errors these are.
    pub errors: Errors,
}

/// Fits `y` on `columns` (each one value a point) and an intercept; with `clusters`
/// (one id a point) the errors are cluster-robust.
///
/// # Errors
/// [`StatsError`] for too few points, columns that do not vary or depend on each
/// other, a `y` that does not vary, non-finite values, unequal lengths or fewer than 2 clusters.
pub fn fit_linear(
    columns: &[Vec<f64>],
    y: &[f64],
    clusters: Option<&[u64]>,
) -> Result<LinearFit, StatsError> {
    let (n, k) = (y.len(), columns.len());
    check(columns, y, clusters)?;
    if k == 0 || n < k + 2 {
        return Err(StatsError::TooFewPoints);
    }
    let (nf, p) = (n as f64, (k + 1) as f64);
    let basis = Basis::of(columns)?;
    let q = &basis.directions;
    let dy = centred(y);
    let residuals = basis.residual(y);
    let rss = dot(&residuals, &residuals);
    let tss = dot(&dy, &dy);
    if !tss.is_finite() {
        return Err(StatsError::NonFinite);
    }
    // What rounding leaves of a constant is no variation.
    let largest = y.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    if tss <= nf * (4.0 * f64::EPSILON * largest).powi(2) {
        return Err(StatsError::Constant);
    }
    // R b = along, and rows of R^-1 for the errors.
    let coefficients = basis.solve(&basis.along(&dy));
    let inverse: Vec<Vec<f64>> = (0..k)
        .map(|j| {
            let mut unit = vec![0.0; k];
            unit[j] = 1.0;
            basis.solve(&unit)
        })
        .collect();

    // Covariance of `along`, a k x k matrix.
    let lengths: Vec<f64> = q.iter().map(|u| dot(u, u)).collect();
    let mut inner = vec![vec![0.0; k]; k];
    let (df, errors) = match clusters {
        None => {
            for (i, length) in lengths.iter().enumerate() {
                inner[i][i] = rss / (nf - p) / length;
            }
            (nf - p, Errors::Classical)
        }
        Some(ids) => {
            let mut scores: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for (point, id) in ids.iter().enumerate() {
                let score = scores.entry(*id).or_insert_with(|| vec![0.0; k]);
                for ((s, u), length) in score.iter_mut().zip(q).zip(&lengths) {
                    *s += u[point] * residuals[point] / length;
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
        r_squared: 1.0 - rss / tss,
        n,
        errors,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1e-300),
            "{a} is not {b}"
        );
    }

    fn fit_line(x: &[f64], y: &[f64], clusters: Option<&[u64]>) -> Result<LinearFit, StatsError> {
        fit_linear(&[x.to_vec()], y, clusters)
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
        // Coefficient, standard error, ends of the interval and p of each term.
        let check = |fit: &LinearFit, expected: [[f64; 5]; 3]| {
            for (term, row) in fit.terms.iter().zip(expected) {
                close(term.coefficient, row[0], 1e-8);
                close(term.stderr, row[1], 1e-8);
                close(term.ci_low, row[2], 1e-8);
                close(term.ci_high, row[3], 1e-8);
                close(term.p_value, row[4], 1e-8);
            }
            assert_eq!(fit.terms.len(), 3);
            close(fit.intercept, 0.503_888_888_888_888_7, 1e-12);
            close(fit.r_squared, 0.991_522_788_713_174, 1e-12);
        };
        check(
            &fit_linear(&columns, &y, None).unwrap(),
            [
                [
                    0.189_999_999_999_999_97,
                    0.011_394_210_912_917_249,
                    0.165_561_848_114_647_3,
                    0.214_438_151_885_352_65,
                    1.244_592_564_986_015_8e-10,
                ],
                [
                    0.415_000_000_000_000_2,
                    0.011_394_210_912_917_252,
                    0.390_561_848_114_647_5,
                    0.439_438_151_885_352_9,
                    2.851_070_546_096_186e-15,
                ],
                [
                    0.159_999_999_999_999_7,
                    0.027_910_002_758_298_95,
                    0.100_138_997_624_250_92,
                    0.219_861_002_375_748_46,
                    5.179_076_875_623_571_6e-05,
                ],
            ],
        );
        check(
            &fit_linear(&columns, &y, Some(&g)).unwrap(),
            [
                [
                    0.189_999_999_999_999_97,
                    0.018_657_310_580_446_437,
                    0.142_039_856_320_079_15,
                    0.237_960_143_679_920_8,
                    0.000_156_649_166_440_453_9,
                ],
                [
                    0.415_000_000_000_000_2,
                    0.005_875_133_680_793_659_6,
                    0.399_897_488_078_216_9,
                    0.430_102_511_921_783_5,
                    1.077_010_687_461_022_5e-08,
                ],
                [
                    0.159_999_999_999_999_7,
                    0.035_193_343_526_460_06,
                    0.069_532_630_395_572_59,
                    0.250_467_369_604_426_84,
                    0.006_133_146_975_294_181,
                ],
            ],
        );
    }

    #[test]
    fn dependent_columns_are_refused() {
        let (mut columns, y, _) = factorial();
        let doubled = columns[0].iter().map(|v| 2.0 * v + 1.0).collect();
        columns.push(doubled);
        assert_eq!(fit_linear(&columns, &y, None), Err(StatsError::OneLevel));
    }

    /// NIST Statistical Reference Datasets, linear regression "Norris", with
    /// its certified values.
    #[test]
    fn norris() {
        let data = [
            (0.1, 0.2),
            (338.8, 337.4),
            (118.1, 118.2),
            (888.0, 884.6),
            (9.2, 10.1),
            (228.1, 226.5),
            (668.5, 666.3),
            (998.5, 996.3),
            (449.1, 448.6),
            (778.9, 777.0),
            (559.2, 558.2),
            (0.3, 0.4),
            (0.1, 0.6),
            (778.1, 775.5),
            (668.8, 666.9),
            (339.3, 338.0),
            (448.9, 447.5),
            (10.8, 11.6),
            (557.7, 556.0),
            (228.3, 228.1),
            (998.0, 995.8),
            (888.8, 887.6),
            (119.6, 120.2),
            (0.3, 0.3),
            (0.6, 0.3),
            (557.6, 556.8),
            (339.3, 339.1),
            (888.0, 887.2),
            (998.5, 999.0),
            (778.9, 779.0),
            (10.2, 11.1),
            (117.6, 118.3),
            (228.9, 229.2),
            (668.4, 669.1),
            (449.2, 448.9),
            (0.2, 0.5),
        ];
        let y: Vec<f64> = data.iter().map(|p| p.0).collect();
        let x: Vec<f64> = data.iter().map(|p| p.1).collect();
        let fit = fit_line(&x, &y, None).unwrap();
        close(fit.terms[0].coefficient, 1.002_116_818_020_45, 1e-12);
        close(fit.intercept, -0.262_323_073_774_029, 1e-9);
        close(fit.terms[0].stderr, 0.000_429_796_848_199_937, 1e-9);
        close(fit.r_squared, 0.999_993_745_883_712, 1e-12);
    }

    /// Against statsmodels 0.15.0: `OLS(y, [1, x]).fit()` and
    /// `.fit(cov_type="cluster", cov_kwds={"groups": g}, use_t=True)`.
    #[test]
    fn classical_and_clustered_against_statsmodels() {
        let x = [0.0, 0.5, 1.0, 0.0, 0.5, 1.0, 0.0, 0.5, 1.0];
        let y = [0.10, 0.22, 0.35, 0.12, 0.20, 0.41, 0.05, 0.19, 0.30];
        let g = [0, 0, 0, 1, 1, 1, 2, 2, 2];
        let check = |fit: &LinearFit, stderr: f64, p: f64, low: f64, high: f64| {
            close(fit.terms[0].coefficient, 0.263_333_333_333_333_4, 1e-12);
            close(fit.r_squared, 0.913_852_010_933_229_2, 1e-12);
            close(fit.terms[0].stderr, stderr, 1e-10);
            close(fit.terms[0].p_value, p, 1e-9);
            close(fit.terms[0].ci_low, low, 1e-9);
            close(fit.terms[0].ci_high, high, 1e-9);
        };
        check(
            &fit_line(&x, &y, None).unwrap(),
            0.030_559_162_846_230_486,
            5.654_487_646_111_142e-5,
            0.191_072_395_758_763_64,
            0.335_594_270_907_903_17,
        );
        let robust = fit_line(&x, &y, Some(&g)).unwrap();
        assert_eq!(robust.errors, Errors::ClusterRobust { clusters: 3 });
        check(
            &robust,
            0.014_253_932_901_995_96,
            0.002_917_119_184_677_277_5,
            0.202_003_610_022_894_85,
            0.324_663_056_643_772,
        );
    }

    #[test]
    fn no_effect_is_significant_at_its_nominal_rate() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let x: Vec<f64> = (0..12).map(|i| f64::from(i % 3) / 2.0).collect();
        let tables = 4000;
        let mut significant = 0;
        for _ in 0..tables {
            // Sum of 12 uniforms: close to normal.
            let y: Vec<f64> = x
                .iter()
                .map(|_| (0..12).map(|_| rng.random_range(-0.5..0.5)).sum())
                .collect();
            significant += usize::from(fit_line(&x, &y, None).unwrap().terms[0].p_value < 0.05);
        }
        let rate = significant as f64 / f64::from(tables);
        assert!((0.04..=0.06).contains(&rate), "{rate}");
    }

    proptest! {
        #[test]
        fn recovers_an_exact_line(a in -5.0f64..5.0, b in -5.0f64..5.0, n in 3usize..30) {
            let x: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
            let y: Vec<f64> = x.iter().map(|v| a + b * v).collect();
            let fit = fit_line(&x, &y, None).unwrap();
            prop_assert!((fit.terms[0].coefficient - b).abs() < 1e-9);
            prop_assert!((fit.intercept - a).abs() < 1e-9);
            // Nothing is left to err by.
            prop_assert!(fit.terms[0].ci_high - fit.terms[0].ci_low < 1e-9);
            prop_assert!(fit.r_squared > 1.0 - 1e-9 || b.abs() < 1e-3);
        }

        #[test]
        fn clusters_of_one_give_the_robust_hc1_error(seed in 0u64..100) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let x: Vec<f64> = (0..10).map(|_| rng.random_range(0.0..1.0)).collect();
            let y: Vec<f64> = x.iter().map(|v| v + rng.random_range(-0.2..0.2)).collect();
            let ids: Vec<u64> = (0..10).collect();
            let fit = fit_line(&x, &y, Some(&ids)).unwrap();
            // HC1 = n / (n - 2) sum (dx e)^2 / sxx^2; CR1 with G = n is the same.
            let mx = x.iter().sum::<f64>() / 10.0;
            let my = y.iter().sum::<f64>() / 10.0;
            let sxx: f64 = x.iter().map(|v| (v - mx).powi(2)).sum();
            let meat: f64 = x.iter().zip(&y)
                .map(|(v, w)| ((v - mx) * (w - my - fit.terms[0].coefficient * (v - mx))).powi(2)).sum();
            let hc1 = (10.0 / 8.0 * meat).sqrt() / sxx;
            prop_assert!((fit.terms[0].stderr - hc1).abs() < 1e-12);
        }
    }

    #[test]
    fn rounding_is_no_variation() {
        // The mean of three times 0.1 is not 0.1 in binary.
        assert_eq!(
            fit_line(&[0.1; 3], &[1.0, 2.0, 4.0], None),
            Err(StatsError::OneLevel)
        );
        let flat = fit_line(&[0.0, 0.5, 1.0], &[0.1; 3], None);
        assert_eq!(flat, Err(StatsError::Constant));
        // Little variation beside a large mean is some.
        let small = fit_line(&[0.0, 0.5, 1.0], &[1e6, 1e6 + 1e-6, 1e6 + 3e-6], None);
        assert!(small.is_ok_and(|fit| fit.terms[0].coefficient > 0.0));
    }

    #[test]
    fn refuses_what_has_no_answer() {
        let same = [0.5; 4];
        assert_eq!(
            fit_line(&same, &[1.0, 2.0, 3.0, 4.0], None),
            Err(StatsError::OneLevel)
        );
        assert_eq!(
            fit_line(&[0.0, 1.0], &[1.0, 2.0], None),
            Err(StatsError::TooFewPoints)
        );
        assert_eq!(
            fit_line(&[0.0, 1.0, 2.0], &[1.0, f64::NAN, 2.0], None),
            Err(StatsError::NonFinite)
        );
        assert_eq!(
            fit_line(&[0.0, 1.0, 2.0], &[1.0, 1.0, 2.0], Some(&[1, 1, 1])),
            Err(StatsError::TooFewClusters)
        );
    }
}
