//! Centring and projections: the arithmetic below every fit.

use crate::error::StatsError;

/// Share of a column's squares below which what is left of it is rounding.
const ROUNDING: f64 = 1e-20;
/// Share of the squares of y below which residuals are rounding.
pub(crate) const EXACT: f64 = 1e-24;
/// Share of the squares of y below which no digit of residuals is more than rounding: some fifty
/// times the distance between neighbouring numbers.
pub(crate) const ROUNDED: f64 = 1e-28;

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Share of the squares of measured values below which their deviations are rounding: what is
/// computed is seldom better than that.
const ONE_VALUE: f64 = 1e-26;
/// The same of levels, which somebody wrote down: four times the distance between neighbouring
/// numbers, so that 0.3 and 0.1 + 0.2 are one.
const ONE_LEVEL: f64 = 16.0 * f64::EPSILON * f64::EPSILON;

/// Deviations of measured values from their mean; exactly zero where all that varies is rounding, so
/// that nothing but 0.1 counts as constant although 0.1 is not its mean.
pub(crate) fn centred(values: &[f64]) -> Vec<f64> {
    less_mean(values, values, ONE_VALUE)
}

/// Deviations of levels from their mean; exactly zero where they are one. They are taken from one of
/// them first, which loses no digit of levels far from zero.
pub(crate) fn centred_levels(levels: &[f64]) -> Vec<f64> {
    let first = levels.first().copied().unwrap_or_default();
    let from_first: Vec<f64> = levels.iter().map(|v| v - first).collect();
    less_mean(&from_first, levels, ONE_LEVEL)
}

/// `values` less their mean; zeros where the squares of that are no more than the share `least` of
/// those of `size`.
fn less_mean(values: &[f64], size: &[f64], least: f64) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviations: Vec<f64> = values.iter().map(|v| v - mean).collect();
    match dot(&deviations, &deviations) <= least * dot(size, size) {
        true => vec![0.0; values.len()],
        false => deviations,
    }
}

/// Columns orthogonalised by modified Gram-Schmidt with a second pass, so that the
/// digits of the data are kept: `X = Q R`, the intercept taken out by centring
/// (Frisch, Waugh and Lovell).
#[derive(Default)]
pub(crate) struct Basis {
    /// Q: orthogonal, but not of unit length.
    pub(crate) directions: Vec<Vec<f64>>,
    /// What stands above the diagonal of R, a column each; the diagonal is 1.
    triangle: Vec<Vec<f64>>,
}

impl Basis {
    /// Of all `columns`.
    pub(crate) fn of<'a>(
        columns: impl IntoIterator<Item = &'a Vec<f64>>,
    ) -> Result<Self, StatsError> {
        let mut basis = Self::default();
        for column in columns {
            basis.add(column, ROUNDING)?;
        }
        Ok(basis)
    }

    /// Adds a column, or refuses it where the share of its squares that the others
    /// do not hold already is no more than `least`.
    pub(crate) fn add(&mut self, column: &[f64], least: f64) -> Result<(), StatsError> {
        let mut v = centred_levels(column);
        let before = dot(&v, &v);
        let mut above = vec![0.0; self.directions.len()];
        for _ in 0..2 {
            for (c, u) in above.iter_mut().zip(&self.directions) {
                let along = dot(u, &v) / dot(u, u);
                *c += along;
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= along * u);
            }
        }
        // True of a column that overflows, too.
        let left = dot(&v, &v);
        if before <= 0.0 || !left.is_finite() || left <= least * before {
            return Err(StatsError::OneLevel);
        }
        self.directions.push(v);
        self.triangle.push(above);
        Ok(())
    }

    /// The coefficient of `v` along each direction.
    pub(crate) fn along(&self, v: &[f64]) -> Vec<f64> {
        self.directions
            .iter()
            .map(|u| dot(u, v) / dot(u, u))
            .collect()
    }

    /// What the columns leave of `v`, which is centred first.
    pub(crate) fn residual(&self, v: &[f64]) -> Vec<f64> {
        let mut left = centred(v);
        let along = self.along(&left);
        for (u, c) in self.directions.iter().zip(&along) {
            left.iter_mut().zip(u).for_each(|(e, u)| *e -= c * u);
        }
        left
    }

    /// What the columns leave of another one.
    pub(crate) fn residual_levels(&self, levels: &[f64]) -> Vec<f64> {
        self.residual(&centred_levels(levels))
    }

    /// Solves `R b = right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut b = right.to_vec();
        for j in (0..b.len()).rev() {
            let known = b[j];
            for (i, above) in self.triangle[j].iter().enumerate() {
                b[i] -= above * known;
            }
        }
        b
    }
}

/// Data in units of their own, powers of two, so that no sum of their squares overflows or
/// vanishes: to the last bit what they were, at another place of the scale.
pub(crate) struct Scaled {
    pub(crate) columns: Vec<Vec<f64>>,
    /// The unit of each column is 2 to this power.
    pub(crate) column_units: Vec<i32>,
    pub(crate) y: Vec<f64>,
    pub(crate) y_unit: i32,
}

impl Scaled {
    /// Refuses columns, values and clusters of different lengths, and values that are
    /// not finite.
    pub(crate) fn of(
        columns: &[Vec<f64>],
        y: &[f64],
        clusters: Option<&[u64]>,
    ) -> Result<Self, StatsError> {
        let n = y.len();
        if columns.iter().any(|x| x.len() != n) || clusters.is_some_and(|c| c.len() != n) {
            return Err(StatsError::LengthsDiffer);
        }
        if columns.iter().flatten().chain(y).any(|v| !v.is_finite()) {
            return Err(StatsError::NonFinite);
        }
        let (columns, column_units) = columns.iter().map(|column| to_unit(column)).unzip();
        let (y, y_unit) = to_unit(y);
        Ok(Self {
            columns,
            column_units,
            y,
            y_unit,
        })
    }
}

/// The values over a power of two that leaves the largest between 1 and 2, and that power.
pub(crate) fn to_unit(values: &[f64]) -> (Vec<f64>, i32) {
    let largest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let unit = exponent(largest);
    (
        values.iter().map(|v| times_two_to(*v, -unit)).collect(),
        unit,
    )
}

/// Of the largest power of two that is no larger.
fn exponent(value: f64) -> i32 {
    const TO_NORMAL: i32 = 64;
    let of = |value: f64| (value.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    match value {
        0.0 => 0,
        v if v.is_normal() => of(v),
        v => of(times_two_to(v, TO_NORMAL)) - TO_NORMAL,
    }
}

/// The value times a power of two, in steps that are themselves no larger than numbers are.
pub(crate) fn times_two_to(mut value: f64, mut power: i32) -> f64 {
    while power != 0 {
        let step = power.clamp(-1000, 1000);
        value *= 2f64.powi(step);
        power -= step;
    }
    value
}

/// A result in units of 2 to this power, refused where no number holds it.
pub(crate) fn in_units(value: f64, power: i32) -> Result<f64, StatsError> {
    let result = times_two_to(value, power);
    match result.is_normal() || value == 0.0 {
        true => Ok(result),
        false => Err(StatsError::OutOfRange),
    }
}

/// Whether nothing varies but what rounding leaves of one value.
pub(crate) fn is_constant(values: &[f64]) -> bool {
    centred(values).iter().all(|v| *v == 0.0)
}

/// The same of levels.
pub(crate) fn is_one_level(levels: &[f64]) -> bool {
    centred_levels(levels).iter().all(|v| *v == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_exact_at_both_ends() {
        let tiny = f64::from_bits(1);
        for values in [
            vec![1e308, -1.7e308, 3.0],
            vec![tiny, 5e-310, 0.0],
            vec![1.5, -0.75, 1e-300],
            vec![0.0, -0.0],
        ] {
            let (scaled, unit) = to_unit(&values);
            let largest = scaled.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            assert!(
                largest == 0.0 || (1.0..2.0).contains(&largest),
                "{values:?}"
            );
            let back: Vec<f64> = scaled.iter().map(|v| times_two_to(*v, unit)).collect();
            assert_eq!(back, values);
        }
        assert_eq!(in_units(1.5, 1024), Err(StatsError::OutOfRange));
        assert_eq!(in_units(1.5, -1100), Err(StatsError::OutOfRange));
        assert_eq!(in_units(0.0, -1100), Ok(0.0));
        assert_eq!(in_units(-1.5, 2), Ok(-6.0));
    }
}
