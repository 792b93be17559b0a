//! Simulated tables with known truth: does an interval cover it as often as it says, and
//! is nothing found as rarely as it should be?

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use reprsim_stats::{
    Design, Interval, Noise, Pilot, Term, attribute, fit_linear, mean, mutual_information_discrete,
    permutation_p_value, power, sign_flip_p_value, standard_deviation,
};

use crate::noise;

/// How tables are made: columns of one seed, repeated for each seed.
struct Truth {
    /// Columns of a single seed.
    columns: Vec<Vec<f64>>,
    /// Their coefficients.
    coefficients: Vec<f64>,
    seeds: usize,
    /// Standard deviation over seeds of the intercept.
    intercept_sd: f64,
    /// Standard deviation over seeds of each coefficient.
    slope_sd: f64,
    /// Standard deviation of the points.
    noise_sd: f64,
}

impl Truth {
    /// Levels 0 to 1 with a slope.
    fn line(levels: usize, slope: f64, seeds: usize) -> Self {
        let step = 1.0 / (levels as f64 - 1.0);
        Self {
            columns: vec![(0..levels).map(|i| i as f64 * step).collect()],
            coefficients: vec![slope],
            seeds,
            intercept_sd: 0.0,
            slope_sd: 0.0,
            noise_sd: 0.1,
        }
    }

    /// A 3 x 3 factorial with main effects of 0.2 and 0.4 and an interaction.
    fn factorial(interaction: f64, seeds: usize) -> Self {
        let level = |i: usize| i as f64 / 2.0 - 0.5;
        let a: Vec<f64> = (0..9).map(|p| level(p / 3)).collect();
        let b: Vec<f64> = (0..9).map(|p| level(p % 3)).collect();
        let ab = a.iter().zip(&b).map(|(a, b)| a * b).collect();
        Self {
            columns: vec![a, b, ab],
            coefficients: vec![0.2, 0.4, interaction],
            ..Self::line(2, 0.0, seeds)
        }
    }

    /// Seeds that differ in intercept and in slopes.
    fn nested(self) -> Self {
        Self {
            intercept_sd: 0.1,
            slope_sd: 0.1,
            noise_sd: 0.05,
            ..self
        }
    }

    fn points(&self) -> usize {
        self.columns[0].len()
    }

    fn all_columns(&self) -> Vec<Vec<f64>> {
        self.columns.iter().map(|c| c.repeat(self.seeds)).collect()
    }

    fn clusters(&self) -> Vec<u64> {
        (0..self.seeds * self.points())
            .map(|i| (i / self.points()) as u64)
            .collect()
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut normal = |sd: f64| -> f64 {
            let z: f64 = StandardNormal.sample(rng);
            sd * z
        };
        let mut y = vec![];
        for _ in 0..self.seeds {
            let intercept = 0.3 + normal(self.intercept_sd);
            let slopes: Vec<f64> = (self.coefficients.iter())
                .map(|c| c + normal(self.slope_sd))
                .collect();
            for point in 0..self.points() {
                let terms = self.columns.iter().zip(&slopes);
                let mean: f64 = terms.map(|(column, slope)| slope * column[point]).sum();
                y.push(intercept + mean + normal(self.noise_sd));
            }
        }
        y
    }

    /// Share of so many tables for which this is true.
    fn rate(&self, tables: usize, stream: u64, of: impl Fn(&Self, &[f64]) -> bool) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        rng.set_stream(stream);
        let found = (0..tables).filter(|_| of(self, &self.draw(&mut rng)));
        found.count() as f64 / tables as f64
    }

    /// The fit of the last coefficient, and whether its interval covers it.
    fn fit(&self, y: &[f64], clusters: Option<&[u64]>) -> (Term, bool) {
        let last = self.columns.len() - 1;
        let fit = fit_linear(&self.all_columns(), y, clusters).unwrap();
        let term = fit.terms[last].clone();
        let interval = term.ci_low.unwrap()..=term.ci_high.unwrap();
        let covered = interval.contains(&self.coefficients[last]);
        (term, covered)
    }
}

const TABLES: usize = 20_000;

#[track_caller]
fn covers(rate: f64) {
    assert!((0.93..=0.97).contains(&rate), "coverage {rate}");
}

#[track_caller]
fn nominal(rate: f64) {
    assert!((0.04..=0.06).contains(&rate), "found in {rate}");
}

/// Degrees of freedom are an approximation: where clusters are unlike, too little is found.
#[track_caller]
fn at_most_nominal(rate: f64) {
    assert!((0.015..=0.055).contains(&rate), "found in {rate}");
}

#[test]
fn classical_errors_of_independent_points() {
    covers(Truth::line(5, 0.5, 3).rate(TABLES, 1, |t, y| t.fit(y, None).1));
    nominal(
        Truth::line(5, 0.0, 3).rate(TABLES, 2, |t, y| t.fit(y, None).0.p_value.unwrap() < 0.05),
    );
}

#[test]
fn clustered_errors_of_nested_seeds() {
    for seeds in [5, 8] {
        let truth = Truth::line(5, 0.5, seeds).nested();
        let clusters = truth.clusters();
        covers(truth.rate(TABLES, 3, |t, y| t.fit(y, Some(&clusters)).1));
        let truth = Truth::line(5, 0.0, seeds).nested();
        nominal(truth.rate(TABLES, 4, |t, y| {
            t.fit(y, Some(&clusters)).0.p_value.unwrap() < 0.05
        }));
    }
}

/// What the clustered errors are for: seeds that differ in their slopes.
#[test]
fn classical_errors_find_too_much_in_nested_seeds() {
    let truth = Truth {
        intercept_sd: 0.0,
        ..Truth::line(5, 0.0, 5).nested()
    };
    let rate = truth.rate(TABLES, 5, |t, y| t.fit(y, None).0.p_value.unwrap() < 0.05);
    assert!(rate > 0.10, "{rate}");
}

#[test]
fn interactions_of_independent_factorials() {
    let truth = Truth::factorial(0.1, 3);
    covers(truth.rate(TABLES, 6, |t, y| t.fit(y, None).1));
    recovers(&truth, None);
    nominal(
        Truth::factorial(0.0, 3).rate(TABLES, 7, |t, y| t.fit(y, None).0.p_value.unwrap() < 0.05),
    );
}

#[test]
fn interactions_of_nested_factorials() {
    for seeds in [5, 8] {
        let truth = Truth::factorial(0.1, seeds).nested();
        let clusters = truth.clusters();
        covers(truth.rate(TABLES, 8, |t, y| t.fit(y, Some(&clusters)).1));
        recovers(&truth, Some(&clusters));
        let truth = Truth::factorial(0.0, seeds).nested();
        nominal(truth.rate(TABLES, 9, |t, y| {
            t.fit(y, Some(&clusters)).0.p_value.unwrap() < 0.05
        }));
    }
}

/// The mean estimate is the truth, within 4 of its standard errors.
#[track_caller]
fn recovers(truth: &Truth, clusters: Option<&[u64]>) {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let tables = 4_000;
    let estimates: Vec<f64> = (0..tables)
        .map(|_| truth.fit(&truth.draw(&mut rng), clusters).0.coefficient)
        .collect();
    let error = standard_deviation(&estimates).unwrap() / f64::from(tables).sqrt();
    let gap = mean(&estimates) - truth.coefficients[2];
    assert!(error < 0.003 && gap.abs() < 4.0 * error, "{gap}, {error}");
}

/// A covariate that each seed has one value of, which few seeds may hold most of: neither the
/// sign flips nor the t test find too much.
#[test]
fn covariates_of_whole_seeds() {
    for seeds in [5, 8] {
        let truth = Truth::line(5, 0.0, seeds).nested();
        let clusters = truth.clusters();
        let mut columns = truth.all_columns();
        columns.push(clusters.iter().map(|&g| noise(g * 3 + 17)).collect());
        let flips = truth.rate(TABLES, 20, |_, y| {
            sign_flip_p_value(&columns, 1, y, &clusters, 1).unwrap() < 0.05
        });
        assert!(flips < 0.06, "{flips}");
        at_most_nominal(truth.rate(TABLES, 20, |_, y| {
            let fit = fit_linear(&columns, y, Some(&clusters)).unwrap();
            fit.terms[1].p_value.unwrap() < 0.05
        }));
    }
}

/// 3 to 8 seeds, of as many points each or of one to three times as many. Degrees of freedom are
/// an approximation, which is exact where seeds are alike and errs to the safe side where not.
#[test]
fn few_seeds_are_covered() {
    for seeds in [3, 4, 5, 8] {
        for uneven in [false, true] {
            let truth = Truth::line(5, 0.5, seeds).nested();
            let all = truth.clusters();
            let is_kept = |i: &usize| {
                let (seed, point) = (i / 5, i % 5);
                !uneven
                    || [vec![0, 4], vec![0, 1, 2, 4], vec![0, 1, 2, 3, 4]][seed % 3]
                        .contains(&point)
            };
            let kept: Vec<usize> = (0..all.len()).filter(is_kept).collect();
            let pick = |v: &[f64]| -> Vec<f64> { kept.iter().map(|&i| v[i]).collect() };
            let columns = [pick(&truth.all_columns()[0])];
            let clusters: Vec<u64> = kept.iter().map(|&i| all[i]).collect();
            let rate = truth.rate(TABLES, 21, |_, y| {
                let fit = fit_linear(&columns, &pick(y), Some(&clusters)).unwrap();
                let term = &fit.terms[0];
                (term.ci_low.unwrap()..=term.ci_high.unwrap()).contains(&0.5)
            });
            assert!((0.94..0.975).contains(&rate), "{seeds} seeds: {rate}");
        }
    }
}

/// A quarter of the points lost.
#[test]
fn clustered_errors_of_unbalanced_seeds() {
    for truth in [Truth::line(5, 0.0, 8), Truth::factorial(0.0, 5)] {
        let truth = truth.nested();
        let all = truth.clusters();
        let kept: Vec<usize> = (0..all.len())
            .filter(|&i| noise(i as u64) > -0.25)
            .collect();
        assert!(kept.len() < all.len() * 4 / 5);
        let pick = |v: &[f64]| -> Vec<f64> { kept.iter().map(|&i| v[i]).collect() };
        let columns: Vec<Vec<f64>> = truth.all_columns().iter().map(|c| pick(c)).collect();
        let clusters: Vec<u64> = kept.iter().map(|&i| all[i]).collect();
        at_most_nominal(truth.rate(TABLES, 11, |_, y| {
            let fit = fit_linear(&columns, &pick(y), Some(&clusters)).unwrap();
            fit.terms[columns.len() - 1].p_value.unwrap() < 0.05
        }));
    }
}

#[test]
fn permutations_of_independent_points() {
    let tables = 8_000;
    for (truth, stream) in [(Truth::line(5, 0.0, 3), 12), (Truth::factorial(0.0, 2), 13)] {
        let columns = truth.all_columns();
        let last = columns.len() - 1;
        nominal(truth.rate(tables, stream, |_, y| {
            permutation_p_value(&columns, last, y, 999, 1).unwrap() < 0.05
        }));
    }
}

/// The p-values are multiples of `2 / 2^seeds`, so that below 0.05 there are 0 of 16, 1
/// of 32, 3 of 64 and 6 of 128 (5, 6, 7 and 8 seeds); each is as frequent as it says.
#[test]
fn sign_flips_of_nested_seeds() {
    for (seeds, below) in [(5, 0.0), (6, 1.0 / 32.0), (7, 3.0 / 64.0), (8, 6.0 / 128.0)] {
        for truth in [Truth::line(5, 0.0, seeds), Truth::factorial(0.0, seeds)] {
            let truth = truth.nested();
            let (columns, clusters) = (truth.all_columns(), truth.clusters());
            let last = columns.len() - 1;
            let rate = truth.rate(TABLES, 14, |_, y| {
                sign_flip_p_value(&columns, last, y, &clusters, 1).unwrap() < 0.05
            });
            let error = (below * (1.0 - below) / TABLES as f64).sqrt();
            assert!((rate - below).abs() <= 4.0 * error, "{seeds}: {rate}");
        }
    }
}

/// More clusters than are enumerated.
#[test]
fn drawn_sign_flips() {
    let truth = Truth::line(3, 0.0, 16).nested();
    let (columns, clusters) = (truth.all_columns(), truth.clusters());
    let tables = 2_000;
    let rate = truth.rate(tables, 15, |_, y| {
        sign_flip_p_value(&columns, 0, y, &clusters, 1).unwrap() < 0.05
    });
    // 4 standard errors of the simulation.
    assert!((rate - 0.05).abs() < 0.02, "{rate}");
}

#[test]
fn information_of_nothing() {
    let truth = Truth::line(5, 0.0, 4);
    let levels = truth.all_columns().remove(0);
    nominal(truth.rate(8_000, 16, |_, y| {
        mutual_information_discrete(&levels, y, 99, 1)
            .unwrap()
            .p_value
            <= 0.05
    }));
}

/// Partial R² and shares, which are no linear functions of the data and cannot be below
/// 0: their intervals are less exact than those of coefficients, but not too narrow.
#[test]
fn intervals_of_shares() {
    let tables = 1_000;
    // One large term and two small ones.
    let uneven = |interaction: f64, seeds: usize| Truth {
        coefficients: vec![0.1, 0.635, interaction],
        noise_sd: 0.12,
        ..Truth::factorial(0.0, seeds)
    };
    let only_intercepts = Truth {
        slope_sd: 0.0,
        ..Truth::factorial(0.1, 8).nested()
    };
    let nearly_exact = Truth {
        noise_sd: 0.03,
        ..uneven(0.1, 4)
    };
    for (truth, nested) in [
        (Truth::factorial(0.0, 3), false),
        (Truth::factorial(0.1, 4), false),
        (uneven(0.0, 4), false),
        (uneven(0.1, 4), false),
        (uneven(0.3, 4), false),
        (nearly_exact, false),
        (Truth::factorial(0.0, 5).nested(), true),
        (Truth::factorial(0.1, 5).nested(), true),
        (Truth::factorial(0.3, 8).nested(), true),
        (uneven(0.1, 8).nested(), true),
        (only_intercepts, true),
    ] {
        let variance = |c: &Vec<f64>| c.iter().map(|v| v * v).sum::<f64>() / 9.0;
        let variances: Vec<f64> = truth.columns.iter().map(variance).collect();
        let explained: Vec<f64> = (variances.iter().zip(&truth.coefficients))
            .map(|(v, c)| v * c * c)
            .collect();
        let seeds: f64 = variances.iter().map(|v| v * truth.slope_sd.powi(2)).sum();
        let rest = truth.noise_sd.powi(2) + truth.intercept_sd.powi(2) + seeds;
        let total = rest + explained.iter().sum::<f64>();
        let mut covered = [[0; 2]; 3];
        let mut rng = ChaCha8Rng::seed_from_u64(17);
        for _ in 0..tables {
            let design = Design {
                names: vec![String::new(); 3],
                columns: truth.all_columns(),
                y: truth.draw(&mut rng),
                clusters: nested.then(|| truth.clusters()),
                covariates: vec![],
            };
            let terms = attribute(&design, 0, 1).unwrap().terms;
            for (term, (count, e)) in terms.iter().zip(covered.iter_mut().zip(&explained)) {
                let within = |i: Option<Interval>, share: f64| {
                    let i = i.unwrap();
                    assert!(0.0 <= i.low && i.low < i.high && i.high <= 1.0);
                    usize::from(i.low <= share && share <= i.high)
                };
                count[0] += within(term.share_interval, e / total);
                count[1] += within(term.partial_interval, e / (e + rest));
            }
        }
        for rate in covered
            .as_flattened()
            .iter()
            .map(|c| *c as f64 / f64::from(tables))
        {
            assert!(rate > 0.92 && rate < 1.0, "{covered:?} of {tables}");
        }
    }
}

#[test]
fn power_is_how_often_an_effect_is_found() {
    for seeds in [3, 5, 8] {
        let truth = Truth::line(5, 0.15, seeds).nested();
        let clusters = truth.clusters();
        // The sum of squares of a seed's levels is 0.625.
        let pilot = Pilot {
            noise: Noise::Clustered {
                slope_sd: (truth.slope_sd.powi(2) + truth.noise_sd.powi(2) / 0.625).sqrt(),
            },
            points_per_seed: 5,
            coefficients: 2,
        };
        let found = truth.rate(TABLES, 18, |t, y| {
            t.fit(y, Some(&clusters)).0.p_value.unwrap() < 0.05
        });
        let expected = power(&pilot, 0.15, seeds).unwrap();
        // 4 standard errors of the simulation at most.
        assert!((found - expected).abs() < 0.014, "{found}, {expected}");
    }
    let truth = Truth::line(5, 0.1, 3);
    let pilot = Pilot {
        noise: Noise::Independent {
            residual_sd: truth.noise_sd,
            sum_of_squares: 0.625,
        },
        points_per_seed: 5,
        coefficients: 2,
    };
    let found = truth.rate(TABLES, 19, |t, y| t.fit(y, None).0.p_value.unwrap() < 0.05);
    assert!((found - power(&pilot, 0.1, 3).unwrap()).abs() < 0.014);
}
