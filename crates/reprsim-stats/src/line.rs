//! A straight line by ordinary least squares, with classical or cluster-robust
//! errors.

use serde::{Deserialize, Serialize};

use crate::error::StatsError;
use crate::linear::{Errors, fit_linear};

/// `y = intercept + slope x`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineFit {
    /// The slope.
    pub slope: f64,
    /// The intercept.
    pub intercept: f64,
    /// Standard error of the slope.
    pub stderr: f64,
    /// Lower end of the slope's 95 % interval.
    pub ci_low: f64,
    /// Upper end of the slope's 95 % interval.
    pub ci_high: f64,
    /// Two-sided p-value of slope = 0 by the t test.
    pub p_value: f64,
    /// Share of the variance of y that the line explains; 1 where y does not
    /// vary at all and is met exactly.
    pub r_squared: f64,
    /// Number of points.
    pub n: usize,
    /// Which errors these are.
    pub errors: Errors,
}

/// Fits a line through the points; with `clusters` (one id a point) the errors
/// are cluster-robust.
///
/// # Errors
/// [`StatsError`] for fewer than 3 points, a single level of x, non-finite
/// values, unequal lengths or fewer than 2 clusters.
pub fn fit_line(x: &[f64], y: &[f64], clusters: Option<&[u64]>) -> Result<LineFit, StatsError> {
    let fit = fit_linear(&[x.to_vec()], y, clusters)?;
    let term = fit.terms[0];
    Ok(LineFit {
        slope: term.coefficient,
        intercept: fit.intercept,
        stderr: term.stderr,
        ci_low: term.ci_low,
        ci_high: term.ci_high,
        p_value: term.p_value,
        r_squared: fit.r_squared,
        n: fit.n,
        errors: fit.errors,
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
        close(fit.slope, 1.002_116_818_020_45, 1e-12);
        close(fit.intercept, -0.262_323_073_774_029, 1e-9);
        close(fit.stderr, 0.000_429_796_848_199_937, 1e-9);
        close(fit.r_squared, 0.999_993_745_883_712, 1e-12);
    }

    /// Against statsmodels 0.15.0: `OLS(y, [1, x]).fit()` and
    /// `.fit(cov_type="cluster", cov_kwds={"groups": g}, use_t=True)`.
    #[test]
    fn classical_and_clustered_against_statsmodels() {
        let x = [0.0, 0.5, 1.0, 0.0, 0.5, 1.0, 0.0, 0.5, 1.0];
        let y = [0.10, 0.22, 0.35, 0.12, 0.20, 0.41, 0.05, 0.19, 0.30];
        let g = [0, 0, 0, 1, 1, 1, 2, 2, 2];
        let check = |fit: &LineFit, stderr: f64, p: f64, low: f64, high: f64| {
            close(fit.slope, 0.263_333_333_333_333_4, 1e-12);
            close(fit.r_squared, 0.913_852_010_933_229_2, 1e-12);
            close(fit.stderr, stderr, 1e-10);
            close(fit.p_value, p, 1e-9);
            close(fit.ci_low, low, 1e-9);
            close(fit.ci_high, high, 1e-9);
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
            significant += usize::from(fit_line(&x, &y, None).unwrap().p_value < 0.05);
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
            prop_assert!((fit.slope - b).abs() < 1e-9);
            prop_assert!((fit.intercept - a).abs() < 1e-9);
            prop_assert!(fit.ci_low <= fit.slope && fit.slope <= fit.ci_high);
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
                .map(|(v, w)| ((v - mx) * (w - my - fit.slope * (v - mx))).powi(2)).sum();
            let hc1 = (10.0 / 8.0 * meat).sqrt() / sxx;
            prop_assert!((fit.stderr - hc1).abs() < 1e-12);
        }
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
