//! How many seeds an effect needs, from a pilot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

use crate::error::StatsError;
use crate::project::{Basis, EXACT, Scaled, dot, in_units, is_constant};

/// Level of the two-sided test.
const ALPHA: f64 = 0.05;
/// Most seeds that [`seeds_for`] considers.
const MOST_SEEDS: usize = 10_000;
/// Intervals of the numerical integral over the chi distribution.
const INTERVALS: usize = 2_000;

/// Where the error of a slope comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Noise {
    /// Independent points.
    Independent {
        /// Standard deviation of the residuals, in units of y.
        residual_sd: f64,
        /// Sum of squares over the points of one seed of the column, less what the other
        /// columns explain of it.
        sum_of_squares: f64,
    },
    /// Points of one seed are correlated and each seed has all levels.
    Clustered {
        /// Standard deviation over seeds of the slopes of single seeds.
        slope_sd: f64,
    },
}

/// What a pilot says of a design that is repeated with more seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pilot {
    /// Where the error of the slope comes from.
    pub noise: Noise,
    /// Points of one seed.
    pub points_per_seed: usize,
    /// Coefficients of the fit, the intercept included.
    pub coefficients: usize,
}

/// Learns from a pilot: the noise of the slope of one column among others. `seeds` holds
/// the seed of each point; `clustered` says whether points of one seed are correlated.
/// Each seed is taken to have the same points.
///
/// # Errors
/// [`StatsError`] for `tested` out of range, one seed where clustered, and as
/// [`fit_linear`](crate::fit_linear).
pub fn pilot(
    columns: &[Vec<f64>],
    tested: usize,
    y: &[f64],
    seeds: &[u64],
    clustered: bool,
) -> Result<Pilot, StatsError> {
    let scaled = Scaled::of(columns, y, Some(seeds))?;
    let columns = &scaled.columns;
    let column = columns.get(tested).ok_or(StatsError::NoSuchColumn)?;
    let coefficients = columns.len() + 1;
    if y.len() <= coefficients {
        let needed = coefficients + 1;
        return Err(StatsError::TooFewPoints { needed });
    }
    let residuals = Basis::of(columns)?.residual(&scaled.y);
    if is_constant(&scaled.y) {
        return Err(StatsError::Constant);
    }
    if dot(&residuals, &residuals) <= EXACT * dot(&scaled.y, &scaled.y) {
        return Err(StatsError::NoNoise);
    }
    let others = columns.iter().enumerate().filter(|(i, _)| *i != tested);
    let column = Basis::of(others.map(|(_, column)| column))?.residual_levels(column);
    let squares = dot(&column, &column);
    let (x_unit, y_unit) = (scaled.column_units[tested], scaled.y_unit);
    let mut scores: BTreeMap<u64, f64> = BTreeMap::new();
    for ((seed, x), e) in seeds.iter().zip(&column).zip(&residuals) {
        *scores.entry(*seed).or_default() += x * e;
    }
    let g = scores.len() as f64;
    let noise = if clustered {
        if scores.len() < 2 {
            return Err(StatsError::TooFewClusters);
        }
        // A seed's slope less the mean slope is g times its score over all squares.
        let spread: f64 = scores.values().map(|s| (g * s / squares).powi(2)).sum();
        Noise::Clustered {
            slope_sd: in_units((spread / (g - 1.0)).sqrt(), y_unit - x_unit)?,
        }
    } else {
        let df = (y.len() - coefficients) as f64;
        Noise::Independent {
            residual_sd: in_units((dot(&residuals, &residuals) / df).sqrt(), y_unit)?,
            sum_of_squares: in_units(squares / g, 2 * x_unit)?,
        }
    };
    Ok(Pilot {
        noise,
        points_per_seed: y.len() / scores.len(),
        coefficients,
    })
}

/// The chance, up to 1, that the two-sided t test at level 0.05 finds a slope of
/// this size (in units of y over those of the column) with so many seeds: from the
/// noncentral t distribution, for normal errors as large as those of the pilot.
///
/// With clusters the test is that of [`fit_linear`](crate::fit_linear), which in a balanced
/// design is the t test of the slopes of single seeds.
///
/// # Errors
/// [`StatsError::NoSuchDesign`] for a spread or sum of squares that is not positive,
/// [`StatsError::NonFinite`] for a slope that is not finite,
/// [`StatsError::TooFewPoints`] or [`StatsError::TooFewClusters`] for too few seeds.
pub fn power(pilot: &Pilot, slope: f64, seeds: usize) -> Result<f64, StatsError> {
    if !slope.is_finite() {
        return Err(StatsError::NonFinite);
    }
    let test = Test::of(pilot, seeds)?;
    Ok(test.power(slope))
}

/// The fewest seeds whose [`power`] for this slope is at least `target`; `None` where
/// 10 000 are not enough, as for no slope.
///
/// # Errors
/// [`StatsError::NoSuchDesign`] for a target not between 0.05 and 1, else as [`power`]
/// but for too few seeds.
pub fn seeds_for(pilot: &Pilot, slope: f64, target: f64) -> Result<Option<usize>, StatsError> {
    check_target(target)?;
    // A design without degrees of freedom finds nothing.
    let enough = |seeds: usize| match power(pilot, slope, seeds) {
        Ok(power) => Ok(power >= target),
        Err(StatsError::TooFewPoints { .. } | StatsError::TooFewClusters) => Ok(false),
        Err(error) => Err(error),
    };
    if !enough(MOST_SEEDS)? {
        return Ok(None);
    }
    // More seeds never find less.
    let (mut too_few, mut found) = (0, MOST_SEEDS);
    while found - too_few > 1 {
        let middle = too_few + (found - too_few) / 2;
        match enough(middle)? {
            true => found = middle,
            false => too_few = middle,
        }
    }
    Ok(Some(found))
}

/// The least slope, not below 0, that so many seeds find with this power.
///
/// # Errors
/// [`StatsError::NoSuchDesign`] for a target not between 0.05 and 1, else as [`power`].
pub fn detectable_slope(pilot: &Pilot, seeds: usize, target: f64) -> Result<f64, StatsError> {
    check_target(target)?;
    let test = Test::of(pilot, seeds)?;
    let (mut low, mut high) = (0.0, test.stderr);
    while test.power(high) < target {
        (low, high) = (high, 2.0 * high);
        if !high.is_finite() {
            return Err(StatsError::NonFinite);
        }
    }
    // The digits of a double are spent by then.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        match test.power(middle) < target {
            true => low = middle,
            false => high = middle,
        }
    }
    Ok(high)
}

fn check_target(target: f64) -> Result<(), StatsError> {
    match target > ALPHA && target < 1.0 {
        true => Ok(()),
        false => Err(StatsError::NoSuchDesign),
    }
}

/// A t test of one slope.
struct Test {
    /// True standard error of the slope.
    stderr: f64,
    df: f64,
    /// Size of t beyond which the slope is found.
    critical: f64,
}

impl Test {
    fn of(pilot: &Pilot, seeds: usize) -> Result<Self, StatsError> {
        let (s, coefficients) = (seeds as f64, pilot.coefficients as f64);
        let n = s * pilot.points_per_seed as f64;
        if n <= coefficients {
            let needed = pilot.coefficients + 1;
            return Err(StatsError::TooFewPoints { needed });
        }
        let (stderr, df) = match pilot.noise {
            Noise::Independent {
                residual_sd,
                sum_of_squares,
            } => (residual_sd / (s * sum_of_squares).sqrt(), n - coefficients),
            Noise::Clustered { .. } if seeds < 2 => return Err(StatsError::TooFewClusters),
            Noise::Clustered { slope_sd } => (slope_sd / s.sqrt(), s - 1.0),
        };
        if !stderr.is_finite() || stderr <= 0.0 {
            return Err(StatsError::NoSuchDesign);
        }
        let t = StudentsT::new(0.0, 1.0, df).map_err(|_| StatsError::NoSuchDesign)?;
        Ok(Self {
            stderr,
            df,
            critical: t.inverse_cdf(1.0 - ALPHA / 2.0),
        })
    }

    fn power(&self, slope: f64) -> f64 {
        let shift = slope.abs() / self.stderr;
        let above = noncentral_t_cdf(-self.critical, self.df, -shift);
        let below = noncentral_t_cdf(-self.critical, self.df, shift);
        (above + below).min(1.0)
    }
}

/// P(T <= t) of the noncentral t distribution: the mean of `Phi(t u - shift)` over u,
/// the root of a chi square over its degrees of freedom (Johnson, Kotz and Balakrishnan
/// 1995, ch. 31), by Simpson's rule.
fn noncentral_t_cdf(t: f64, df: f64, shift: f64) -> f64 {
    // The density of u is below e^-40 of its peak outside.
    let reach = 9.0 / df.sqrt();
    let (from, to) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let scale = std::f64::consts::LN_2 + 0.5 * df * (0.5 * df).ln() - ln_gamma(0.5 * df);
    let normal = Normal::standard();
    let integrand = |u: f64| {
        let power = if df == 1.0 { 0.0 } else { (df - 1.0) * u.ln() };
        (scale + power - 0.5 * df * u * u).exp() * normal.cdf(t * u - shift)
    };
    let step = (to - from) / INTERVALS as f64;
    let sum: f64 = (0..=INTERVALS)
        .map(|i| {
            let weight = match i {
                0 | INTERVALS => 1.0,
                i if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            weight * integrand(from + i as f64 * step)
        })
        .sum();
    sum * step / 3.0
}
