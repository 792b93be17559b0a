//! Simulated tables with known truth: does an interval cover it as often as it says, and
//! is nothing found as rarely as it should be?

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use reprsim_stats::{
    Errors, Noise, Pilot, fit_linear, permutation_p_value, power, sign_flip_p_value,
};

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
    fn rate(&self, tables: usize, stream: u64, of: impl Fn(&[f64]) -> bool) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        rng.set_stream(stream);
        let found = (0..tables).filter(|_| of(&self.draw(&mut rng)));
        found.count() as f64 / tables as f64
    }

    /// How often the interval of the last coefficient covers it.
    fn coverage(&self, tables: usize, errors: Errors) -> f64 {
        let (columns, clusters) = (self.all_columns(), self.clusters());
        let truth = self.coefficients[self.coefficients.len() - 1];
        let clusters = (errors != Errors::Classical).then_some(clusters.as_slice());
        self.rate(tables, 1, |y| {
            let fit = fit_linear(&columns, y, clusters).unwrap();
            let term = fit.terms[columns.len() - 1];
            (term.ci_low..=term.ci_high).contains(&truth)
        })
    }
}

#[test]
fn explore() {
    use std::io::Write;
    let t0 = std::time::Instant::now();
    let say = |s: String| writeln!(std::io::stderr(), "{:?} {s}", t0.elapsed()).unwrap();
    let cr1 = Errors::ClusterRobust { clusters: 0 };
    let n = 20_000;
    say(format!("line indep {}", Truth::line(5, 0.5, 3).coverage(n, Errors::Classical)));
    for seeds in [3, 5, 8] {
        say(format!("line nested {seeds}: CR1 {} classical {}", Truth::line(5, 0.5, seeds).nested().coverage(n, cr1), Truth::line(5, 0.5, seeds).nested().coverage(n, Errors::Classical)));
        say(format!("fact nested {seeds}: CR1 {} classical {}", Truth::factorial(0.1, seeds).nested().coverage(n, cr1), Truth::factorial(0.1, seeds).nested().coverage(n, Errors::Classical)));
        say(format!("fact indep {seeds}: CR1 {} classical {}", Truth::factorial(0.1, seeds).coverage(n, cr1), Truth::factorial(0.1, seeds).coverage(n, Errors::Classical)));
    }
    let t = Truth::line(5, 0.0, 3);
    let c = t.all_columns();
    say(format!("perm indep {}", t.rate(n, 2, |y| permutation_p_value(&c, 0, y, 199, 7).unwrap() < 0.05)));
    let t = Truth::factorial(0.0, 3);
    let c = t.all_columns();
    say(format!("perm fact {}", t.rate(n, 2, |y| permutation_p_value(&c, 2, y, 199, 7).unwrap() < 0.05)));
    for seeds in [5, 6, 7, 8, 10, 16] {
        let t = Truth::line(5, 0.0, seeds).nested();
        let (c, g) = (t.all_columns(), t.clusters());
        let k = if seeds > 10 { 200 } else { n };
        say(format!("flip nested {seeds} {}", t.rate(k, 2, |y| sign_flip_p_value(&c, 0, y, &g, 7).unwrap() < 0.05)));
        let t = Truth::factorial(0.0, seeds).nested();
        let (c, g) = (t.all_columns(), t.clusters());
        say(format!("flip fact {seeds} {}", t.rate(k, 2, |y| sign_flip_p_value(&c, 2, y, &g, 7).unwrap() < 0.05)));
        let t = Truth::line(5, 0.0, seeds).nested();
        let c = t.all_columns();
        say(format!("perm nested {seeds} {}", t.rate(k.min(2000), 2, |y| permutation_p_value(&c, 0, y, 199, 7).unwrap() < 0.05)));
    }
    // Unbalanced
    for seeds in [5, 8] {
    for (name, t) in [("line", Truth::line(5, 0.0, seeds).nested()), ("fact", Truth::factorial(0.0, seeds).nested())] {
        let keep: Vec<usize> = (0..seeds * t.points()).filter(|i| (i * i * 7919 + i * 104_729) % 1009 > 250).collect();
        let pick = |v: &[f64]| keep.iter().map(|&i| v[i]).collect::<Vec<_>>();
        let c: Vec<Vec<f64>> = t.all_columns().iter().map(|v| pick(v)).collect();
        let g: Vec<u64> = keep.iter().map(|&i| t.clusters()[i]).collect();
        let last = c.len() - 1;
        say(format!("unbalanced {name} {seeds} n {} of {}: CR1 {} flip {}", keep.len(), seeds * t.points(),
            t.rate(n, 2, |y| fit_linear(&c, &pick(y), Some(&g)).unwrap().terms[last].p_value < 0.05),
            t.rate(n, 2, |y| sign_flip_p_value(&c, last, &pick(y), &g, 7).unwrap() < 0.05)));
    }
    }
    for seeds in [3, 5, 8] {
        let t = Truth::line(5, 0.15, seeds).nested();
        let (c, g) = (t.all_columns(), t.clusters());
        let p = Pilot { noise: Noise::Clustered { slope_sd: (0.01f64 + 0.0025 / 0.625).sqrt() }, points_per_seed: 5, coefficients: 2 };
        say(format!("power {seeds}: {} {}", power(&p, 0.15, seeds).unwrap(), t.rate(n, 3, |y| fit_linear(&c, y, Some(&g)).unwrap().terms[0].p_value < 0.05)));
    }
}
