//! Centring and projections: the arithmetic below every fit.

use crate::error::StatsError;

/// Share of a column's squares below which what is left of it is rounding.
const ROUNDING: f64 = 1e-20;

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Deviations from the mean; exactly zero where all that varies is rounding, so that
/// a column of nothing but 0.1 counts as constant although 0.1 is not its mean.
pub(crate) fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviations: Vec<f64> = values.iter().map(|v| v - mean).collect();
    match dot(&deviations, &deviations) <= 1e-26 * dot(values, values) {
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
        let mut v = centred(column);
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

/// Refuses columns, values and clusters of different lengths, and values that are
/// not finite.
pub(crate) fn check(
    columns: &[Vec<f64>],
    y: &[f64],
    clusters: Option<&[u64]>,
) -> Result<(), StatsError> {
    let n = y.len();
    if columns.iter().any(|x| x.len() != n) || clusters.is_some_and(|c| c.len() != n) {
        return Err(StatsError::LengthsDiffer);
    }
    if columns.iter().flatten().chain(y).any(|v| !v.is_finite()) {
        return Err(StatsError::NonFinite);
    }
    Ok(())
}
