//! Means and spreads per level.

use crate::project::{times_two_to, to_unit};

/// The points at one level of an axis.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Level {
    /// The level.
    pub level: f64,
    /// Number of points.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n - 1 in the denominator); absent for n < 2.
    pub sd: Option<f64>,
}

/// The arithmetic mean; NaN for no values.
pub fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let sum = values.iter().sum::<f64>();
    // The sum of the largest numbers is none.
    match sum.is_finite() {
        true => sum / n,
        false => values.iter().map(|v| v / n).sum(),
    }
}

/// The sample standard deviation, n - 1 in the denominator; `None` for n < 2.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let (scaled, unit) = to_unit(values);
    let m = mean(&scaled);
    let squares: f64 = scaled.iter().map(|v| (v - m) * (v - m)).sum();
    let sd = (squares / (values.len() as f64 - 1.0)).sqrt();
    Some(times_two_to(sd, unit))
}

/// The median; NaN for no values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// A quantile of sorted values, interpolated between neighbours (type 7 of Hyndman
/// and Fan 1996); NaN for no values.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() as f64 - 1.0);
    let at = |i: f64| sorted.get(i as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    let share = place.fract();
    match (high - low).is_finite() {
        true => low + (high - low) * share,
        false => low * (1.0 - share) + high * share,
    }
}

/// The distinct values, lowest first.
pub(crate) fn distinct(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    sorted
}

/// Groups `y` by its level `x` and describes each group, lowest level first.
pub fn describe_levels(x: &[f64], y: &[f64]) -> Vec<Level> {
    distinct(x)
        .into_iter()
        .map(|level| {
            let values: Vec<f64> = x
                .iter()
                .zip(y)
                .filter(|(xi, _)| **xi == level)
                .map(|(_, yi)| *yi)
                .collect();
            Level {
                level,
                n: values.len(),
                mean: mean(&values),
                sd: standard_deviation(&values),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_described_from_the_lowest() {
        let found = describe_levels(&[1.0, 0.0, 1.0, 0.5], &[2.0, 7.0, 4.0, 5.0]);
        let level = |level, n, mean, sd| Level { level, n, mean, sd };
        assert_eq!(
            found,
            [
                level(0.0, 1, 7.0, None),
                level(0.5, 1, 5.0, None),
                level(1.0, 2, 3.0, Some(2f64.sqrt())),
            ]
        );
        assert!(describe_levels(&[], &[]).is_empty());
    }

    #[test]
    fn the_largest_numbers_have_a_mean_and_a_spread() {
        let far = [1.5e308, 1.7e308, 1.6e308];
        assert!((mean(&far) / 1.6e308 - 1.0).abs() < 1e-15);
        assert!((standard_deviation(&far).unwrap() / 1e307 - 1.0).abs() < 1e-12);
        assert_eq!(median(&[-1.5e308, 1.5e308]), 0.0);
        let near = far.map(|v| v * 1e-300 * 1e-310);
        assert!((standard_deviation(&near).unwrap() / 1e-303 - 1.0).abs() < 1e-9);
        assert_eq!(mean(&[f64::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn medians_and_quantiles_are_of_type_7() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan() && mean(&[]).is_nan());
        // numpy.quantile([1, 2, 4, 8], 0.4)
        assert!((quantile(&[1.0, 2.0, 4.0, 8.0], 0.4) - 2.4).abs() < 1e-12);
        assert_eq!(quantile(&[1.0, 2.0], 1.0), 2.0);
    }
}
