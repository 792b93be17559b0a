//! Ordinary least squares with several regressors and an intercept, with classical
//! or cluster-robust errors.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::cluster::{Clusters, Variance, bias_reduced};
use crate::describe::mean;
use crate::error::StatsError;
use crate::project::{Basis, EXACT, ROUNDED, Scaled, centred, dot, in_units, is_constant};

/// How the errors of the coefficients were computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// Independent points of equal variance; t with n - p degrees of freedom for p
    /// coefficients, the intercept included.
    Classical,
    /// Points correlated within clusters: the bias-reduced sandwich estimator (CR2, Bell and
    /// McCaffrey 2002), t with the degrees of freedom of Satterthwaite, which each coefficient
    /// has of its own (Imbens and Kolesár 2016; Pustejovsky and Tipton 2018): G - 1 where each
    /// cluster has the same columns, fewer where few clusters decide.
    ClusterRobust {
        /// Number of clusters G.
        clusters: usize,
    },
}

/// One coefficient. Its error and test are absent where nothing can be known of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// The coefficient.
    pub coefficient: f64,
    /// Its standard error.
    pub stderr: Option<f64>,
    /// Degrees of freedom of its t test.
    pub df: Option<f64>,
    /// Lower end of its 95 % interval.
    pub ci_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub ci_high: Option<f64>,
    /// Two-sided p-value of coefficient = 0 by the t test.
    pub p_value: Option<f64>,
    /// Why there is no error or no test.
    pub undefined: Option<String>,
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
/// other, a `y` that does not vary, non-finite values, unequal lengths, fewer than 2 clusters
/// or a result that no number holds.
pub fn fit_linear(
    columns: &[Vec<f64>],
    y: &[f64],
    clusters: Option<&[u64]>,
) -> Result<LinearFit, StatsError> {
    let (n, k) = (y.len(), columns.len());
    let scaled = Scaled::of(columns, y, clusters)?;
    if k == 0 || n < k + 2 {
        return Err(StatsError::TooFewPoints {
            needed: k.max(1) + 2,
        });
    }
    let (nf, p) = (n as f64, (k + 1) as f64);
    let basis = Basis::of(&scaled.columns)?;
    if is_constant(&scaled.y) {
        return Err(StatsError::Constant);
    }
    let dy = centred(&scaled.y);
    let residuals = basis.residual(&scaled.y);
    let rss = dot(&residuals, &residuals);
    let tss = dot(&dy, &dy);
    let along = basis.along(&dy);
    let coefficients = basis.solve(&along);
    let lengths: Vec<f64> = (basis.directions.iter())
        .map(|u| dot(u, u).sqrt())
        .collect();
    // Rows of R^-1: a coefficient is so much of what y has along each direction of length 1.
    let mut contrasts = vec![vec![0.0; k]; k];
    for (direction, length) in lengths.iter().enumerate() {
        let mut unit = vec![0.0; k];
        unit[direction] = length.recip();
        for (contrast, weight) in contrasts.iter_mut().zip(basis.solve(&unit)) {
            contrast[direction] = weight;
        }
    }
    let (variances, errors) = match clusters {
        None => {
            let df = nf - p;
            let of = |contrast: &Vec<f64>| Variance {
                variance: rss / df * dot(contrast, contrast),
                df,
            };
            let variances: Vec<_> = contrasts.iter().map(|c| Some(of(c))).collect();
            (variances, Errors::Classical)
        }
        Some(ids) => {
            let clusters = Clusters::of(ids)?;
            let variances = bias_reduced(&basis, &residuals, &clusters, &contrasts);
            let clusters = clusters.count;
            (variances, Errors::ClusterRobust { clusters })
        }
    };
    // Where nothing is left, a coefficient that explains no more than that is rounding, too.
    let raw = dot(&scaled.y, &scaled.y);
    let is_exact = rss <= EXACT * raw;
    let terms = (0..k).map(|j| {
        let length = dot(&contrasts[j], &contrasts[j]);
        let explained = coefficients[j].powi(2) / length;
        // Of independent points that is their residuals; slopes of clusters may agree though heights
        // do not.
        let no_error = |found: Variance| found.variance * found.df <= ROUNDED * raw * length;
        let found = match variances[j] {
            None => Err(StatsError::OneCluster),
            Some(_) if is_exact && explained <= EXACT * tss => Err(StatsError::NothingLeft),
            Some(variance) if no_error(variance) => Err(StatsError::NoError),
            Some(variance) => Ok(variance),
        };
        let unit = scaled.y_unit - scaled.column_units[j];
        Term::tested(coefficients[j], found).in_units(unit)
    });
    let means = scaled.columns.iter().map(|x| mean(x));
    let intercept = mean(&scaled.y) - means.zip(&coefficients).map(|(m, c)| m * c).sum::<f64>();
    Ok(LinearFit {
        terms: terms.collect::<Result<_, _>>()?,
        intercept: in_units(intercept, scaled.y_unit)?,
        r_squared: 1.0 - rss / tss,
        n,
        errors,
    })
}

impl Term {
    /// A coefficient with its t test, or why it has none.
    fn tested(coefficient: f64, variance: Result<Variance, StatsError>) -> Self {
        let t = variance.and_then(|found| {
            // No distribution has such degrees of freedom.
            let t = StudentsT::new(0.0, 1.0, found.df).map_err(|_| StatsError::NonFinite)?;
            Ok((found, t))
        });
        let (Variance { variance, df }, t) = match t {
            Ok(found) => found,
            Err(reason) => {
                return Self {
                    coefficient,
                    stderr: None,
                    df: None,
                    ci_low: None,
                    ci_high: None,
                    p_value: None,
                    undefined: Some(reason.to_string()),
                };
            }
        };
        let stderr = variance.max(0.0).sqrt();
        let half = t.inverse_cdf(0.975) * stderr;
        Self {
            coefficient,
            stderr: Some(stderr),
            df: Some(df),
            ci_low: Some(coefficient - half),
            ci_high: Some(coefficient + half),
            p_value: Some(2.0 * t.cdf(-(coefficient / stderr).abs())),
            undefined: None,
        }
    }

    /// The same in units of 2 to this power.
    ///
    /// # Errors
    /// [`StatsError::OutOfRange`] where no number holds it.
    pub(crate) fn in_units(self, power: i32) -> Result<Self, StatsError> {
        let of = |value: Option<f64>| value.map(|v| in_units(v, power)).transpose();
        Ok(Self {
            coefficient: in_units(self.coefficient, power)?,
            stderr: of(self.stderr)?,
            ci_low: of(self.ci_low)?,
            ci_high: of(self.ci_high)?,
            ..self
        })
    }
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

    /// The design and values of the figures below: classical ones by `OLS(y, [1, a, b, a * b])` of
    /// `statsmodels` 0.15, clustered by g by scripts/check_inference.py.
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
    fn several_regressors_against_other_programs() {
        let (columns, y, g) = factorial();
        // Coefficient, standard error, ends of the interval and p of each term.
        let check = |fit: &LinearFit, expected: [[f64; 5]; 3]| {
            for (term, row) in fit.terms.iter().zip(expected) {
                close(term.coefficient, row[0], 1e-8);
                close(term.stderr.unwrap(), row[1], 1e-8);
                close(term.ci_low.unwrap(), row[2], 1e-8);
                close(term.ci_high.unwrap(), row[3], 1e-8);
                close(term.p_value.unwrap(), row[4], 1e-8);
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
                    0.018_309_508_328_682_545,
                    0.138_719_707_395_019_18,
                    0.241_280_292_604_980_77,
                    0.000_544_404_102_365_066_4,
                ],
                [
                    0.415_000_000_000_000_04,
                    0.006_372_477_195_601_858,
                    0.392_711_838_859_363_5,
                    0.437_288_161_140_636_57,
                    3.219_390_873_463_818_6e-05,
                ],
                [
                    0.160_000_000_000_000_03,
                    0.038_172_540_616_821_13,
                    0.026_489_010_427_153_514,
                    0.293_510_989_572_846_55,
                    0.033_135_753_618_929_37,
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
        close(
            fit.terms[0].stderr.unwrap(),
            0.000_429_796_848_199_937,
            1e-9,
        );
        close(fit.r_squared, 0.999_993_745_883_712, 1e-12);
    }

    /// Against `OLS(y, [1, x]).fit()` of statsmodels 0.15.0 and scripts/check_inference.py.
    #[test]
    fn classical_and_clustered_lines_against_other_programs() {
        let x = [0.0, 0.5, 1.0, 0.0, 0.5, 1.0, 0.0, 0.5, 1.0];
        let y = [0.10, 0.22, 0.35, 0.12, 0.20, 0.41, 0.05, 0.19, 0.30];
        let g = [0, 0, 0, 1, 1, 1, 2, 2, 2];
        let check = |fit: &LinearFit, stderr: f64, p: f64, low: f64, high: f64| {
            close(fit.terms[0].coefficient, 0.263_333_333_333_333_4, 1e-12);
            close(fit.r_squared, 0.913_852_010_933_229_2, 1e-12);
            close(fit.terms[0].stderr.unwrap(), stderr, 1e-10);
            close(fit.terms[0].p_value.unwrap(), p, 1e-9);
            close(fit.terms[0].ci_low.unwrap(), low, 1e-9);
            close(fit.terms[0].ci_high.unwrap(), high, 1e-9);
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
            0.013_333_333_333_333_327,
            0.002_553_874_879_882_577_6,
            0.205_964_630_270_007_17,
            0.320_702_036_396_659_45,
        );
        close(robust.terms[0].df.unwrap(), 2.0, 1e-12);
        let two = fit_line(&[0.0, 0.5, 1.0, 0.0, 1.0], &y[..5], Some(&[0, 0, 0, 1, 1]));
        let two = &two.unwrap().terms[0];
        close(two.stderr.unwrap(), 0.084_999_999_999_999_92, 1e-10);
        close(two.df.unwrap(), 1.0, 1e-12);
        close(two.p_value.unwrap(), 0.302_836_981_943_811_65, 1e-9);
    }

    /// Two groups of independent points, so each a cluster: the degrees of freedom of Imbens and
    /// Kolesár (2016, section 2.3), 2.5 for 27 and 3 points.
    #[test]
    fn degrees_of_freedom_of_two_groups() {
        for (n0, n1) in [(27u32, 3u32), (15, 15), (2, 40)] {
            let x: Vec<f64> = (0..n0 + n1).map(|i| f64::from(u8::from(i < n1))).collect();
            let y: Vec<f64> = (0..n0 + n1).map(|i| f64::from(i * i * 7 % 31)).collect();
            let ids: Vec<u64> = (0..u64::from(n0 + n1)).collect();
            let found = fit_line(&x, &y, Some(&ids)).unwrap().terms[0].df.unwrap();
            let (a, b) = (f64::from(n0), f64::from(n1));
            let expected =
                (a + b).powi(2) * (a - 1.0) * (b - 1.0) / (b * b * (b - 1.0) + a * a * (a - 1.0));
            close(found, expected, 1e-10);
        }
    }

    /// A slope between clusters of which one alone is at its level: the residuals of that one are
    /// 0 whatever its error is.
    #[test]
    fn what_rests_on_one_cluster_has_no_error() {
        let ids: Vec<u64> = (0..12).map(|i| i / 3).collect();
        let treated: Vec<f64> = (0..12).map(|i| f64::from(u8::from(i < 3))).collect();
        let within: Vec<f64> = (0..12).map(|i| f64::from(i % 3)).collect();
        let y: Vec<f64> = (0..12).map(|i| f64::from(i * i * 5 % 13)).collect();
        let fit = fit_linear(&[within.clone(), treated], &y, Some(&ids)).unwrap();
        assert!(fit.terms[0].p_value.is_some());
        let none = &fit.terms[1];
        assert!(none.coefficient.is_finite());
        assert_eq!((none.stderr, none.df, none.p_value), (None, None, None));
        let reason = StatsError::OneCluster.to_string();
        assert_eq!(none.undefined.as_deref(), Some(reason.as_str()));
        // Two clusters, and a slope between them.
        let (x, ids) = ([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], [4, 4, 4, 2, 2, 2]);
        let between = fit_line(&x, &y[..6], Some(&ids)).unwrap();
        assert_eq!(between.terms[0].p_value, None);
        // Each cluster has a height of its own, which the slope does not rest on.
        let mut columns = vec![within];
        columns.extend(
            (1..4).map(|g| -> Vec<f64> {
                (0..12).map(|i| f64::from(u8::from(i / 3 == g))).collect()
            }),
        );
        let ids: Vec<u64> = (0..12).map(|i| i / 3).collect();
        let fit = fit_linear(&columns, &y, Some(&ids)).unwrap();
        close(fit.terms[0].df.unwrap(), 3.0, 1e-9);
        assert!(fit.terms[1..].iter().all(|term| term.stderr.is_none()));
    }

    #[test]
    fn units_change_nothing_but_the_units() {
        let (columns, y, g) = factorial();
        for clusters in [None, Some(g.as_slice())] {
            let plain = fit_linear(&columns, &y, clusters).unwrap();
            for (of_x, of_y) in [
                (0, 1023),
                (0, -1000),
                (1000, 1020),
                (-1000, -1000),
                (-30, 990),
            ] {
                let scale =
                    |v: &f64, power: i32| v * 2f64.powi(power / 2) * 2f64.powi(power - power / 2);
                let far: Vec<Vec<f64>> = (columns.iter())
                    .map(|c| c.iter().map(|v| scale(v, of_x)).collect())
                    .collect();
                let far_y: Vec<f64> = y.iter().map(|v| scale(v, of_y)).collect();
                let fit = fit_linear(&far, &far_y, clusters).unwrap();
                assert_eq!(fit.r_squared.to_bits(), plain.r_squared.to_bits());
                for (far, near) in fit.terms.iter().zip(&plain.terms) {
                    assert_eq!(far.p_value, near.p_value);
                    assert_eq!(far.df, near.df);
                    assert_eq!(far.coefficient, scale(&near.coefficient, of_y - of_x));
                    assert_eq!(far.stderr, near.stderr.map(|e| scale(&e, of_y - of_x)));
                }
            }
        }
        // A slope that no number holds.
        let x = [1e-300, 2e-300, 3e-300, 5e-300];
        let steep = fit_line(&x, &[1e300, 5e300, 2e300, 7e300], None);
        assert_eq!(steep, Err(StatsError::OutOfRange));
        assert_eq!(fit_line(&x, &[1e308; 4], None), Err(StatsError::Constant));
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let ends = [1.7e308, -1.7e308].repeat(4);
        let fit = fit_line(&x, &ends, None).unwrap();
        close(fit.terms[0].coefficient, -4.0 / 42.0 * 1.7e308, 1e-12);
    }

    #[test]
    fn rounding_is_no_effect() {
        let x: Vec<f64> = (0..9).map(|i| f64::from(i % 3) / 10.0).collect();
        let z: Vec<f64> = (0..9).map(|i| f64::from(i * i * 7 % 11)).collect();
        let y: Vec<f64> = x.iter().map(|x| 0.1 + 3.0 * x).collect();
        for ids in [None, Some([0, 0, 0, 1, 1, 1, 2, 2, 2].as_slice())] {
            let fit = fit_linear(&[x.clone(), z.clone()], &y, ids).unwrap();
            close(fit.terms[0].coefficient, 3.0, 1e-12);
            let reasons = [StatsError::NoError, StatsError::NothingLeft];
            for (term, reason) in fit.terms.iter().zip(reasons) {
                assert_eq!((term.p_value, term.stderr), (None, None), "{term:?}");
                assert_eq!(term.undefined, Some(reason.to_string()));
            }
        }
    }

    /// An exact line has no error to test with, however its numbers are written; the least noise
    /// that is more than rounding gives p as small as it is.
    #[test]
    fn what_is_exact_has_no_test_and_what_is_nearly_so_has() {
        let x: Vec<f64> = (0..40).map(|i| f64::from(i) / 10.0).collect();
        let ids: Vec<u64> = (0..40).map(|i| i % 8).collect();
        for (a, b) in [(0.0, 2.0), (0.3, -0.7), (1e3, 1e-3), (1.0 / 3.0, 1e9)] {
            for clusters in [None, Some(ids.as_slice())] {
                let exact: Vec<f64> = x.iter().map(|x| a + b * x).collect();
                let term = fit_line(&x, &exact, clusters).unwrap().terms.remove(0);
                assert_eq!(
                    term.undefined,
                    Some(StatsError::NoError.to_string()),
                    "{term:?}"
                );
                close(term.coefficient, b, 1e-9);
                let noise = |i: usize| 1e-10 * f64::from((i * i * 7 % 11) as u32) * (a + 4.0 * b);
                let nearly: Vec<f64> = (exact.iter().enumerate())
                    .map(|(i, y)| y + noise(i))
                    .collect();
                let term = fit_line(&x, &nearly, clusters).unwrap().terms.remove(0);
                let p = term.p_value.unwrap();
                assert!(p < 1e-10 && term.stderr.unwrap() > 0.0, "{a} {b}: {term:?}");
            }
        }
        // Clusters of different heights whose slopes are one and the same.
        let heights: Vec<f64> = (x.iter().zip(&ids))
            .map(|(x, id)| x + (*id * *id) as f64)
            .collect();
        let of = |id: u64| f64::from((id * 5 % 8) as u32);
        let shifted: Vec<f64> = (0..40u64).map(|i| f64::from((i / 8) as u32)).collect();
        let y: Vec<f64> = (shifted.iter().zip(&ids))
            .map(|(x, id)| 0.3 * x + of(*id))
            .collect();
        let term = fit_line(&shifted, &y, Some(&ids)).unwrap().terms.remove(0);
        assert_eq!(
            term.undefined,
            Some(StatsError::NoError.to_string()),
            "{term:?}"
        );
        assert!(
            fit_line(&x, &heights, Some(&ids)).unwrap().terms[0]
                .p_value
                .is_some()
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
            let p = fit_line(&x, &y, None).unwrap().terms[0].p_value.unwrap();
            significant += usize::from(p < 0.05);
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
            prop_assert_eq!((fit.terms[0].stderr, fit.terms[0].p_value), (None, None));
            prop_assert!(fit.terms[0].undefined.is_some());
            prop_assert!(fit.r_squared > 1.0 - 1e-9 || b.abs() < 1e-3);
        }

        #[test]
        fn clusters_of_one_give_the_robust_hc2_error(seed in 0u64..100) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let x: Vec<f64> = (0..10).map(|_| rng.random_range(0.0..1.0)).collect();
            let y: Vec<f64> = x.iter().map(|v| v + rng.random_range(-0.2..0.2)).collect();
            let ids: Vec<u64> = (0..10).collect();
            let fit = fit_line(&x, &y, Some(&ids)).unwrap();
            // HC2 = sum (dx e)^2 / (1 - h) / sxx^2 (MacKinnon and White 1985).
            let mx = x.iter().sum::<f64>() / 10.0;
            let my = y.iter().sum::<f64>() / 10.0;
            let sxx: f64 = x.iter().map(|v| (v - mx).powi(2)).sum();
            let meat: f64 = x.iter().zip(&y).map(|(v, w)| {
                let e = w - my - fit.terms[0].coefficient * (v - mx);
                ((v - mx) * e).powi(2) / (0.9 - (v - mx).powi(2) / sxx)
            }).sum();
            prop_assert!((fit.terms[0].stderr.unwrap() - meat.sqrt() / sxx).abs() < 1e-12);
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
            Err(StatsError::TooFewPoints { needed: 3 })
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
