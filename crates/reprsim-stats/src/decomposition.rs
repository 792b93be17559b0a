//! R² of every subset of columns.

use crate::project::{Basis, centred, dot};

/// Terms whose orders can be averaged over: 2^8 fits.
pub(crate) const MAX_TERMS: usize = 8;
/// Share of a column below which the others hold all of it.
const DEPENDENT: f64 = 1e-10;

/// R² and its parts.
pub(crate) struct Decomposition {
    /// Of all columns.
    pub(crate) r_squared: f64,
    /// Of the covariates alone.
    pub(crate) covariates: f64,
    /// What each term gains.
    pub(crate) terms: Vec<Gains>,
}

/// The gains of R² of one term, as roots, which unlike the gains keep the sign of the
/// coefficient and go through 0 without a bend.
pub(crate) struct Gains {
    /// Root of the gain after each set of other terms, times the root of the share of
    /// the orders in which that set comes before the term.
    pub(crate) roots: Vec<f64>,
    /// Partial correlation with y, all other columns held fixed; 0 where they leave
    /// nothing of y.
    pub(crate) partial: f64,
}

impl Gains {
    /// Gain of R², averaged over all orders.
    pub(crate) fn share(&self) -> f64 {
        dot(&self.roots, &self.roots).min(1.0)
    }
}

/// Divides R² among the first `terms` columns, after the rest, which are covariates.
/// `None` where y or a column does not vary or columns depend on each other, and for
/// more than [`MAX_TERMS`] terms.
pub(crate) fn decompose(columns: &[Vec<f64>], terms: usize, y: &[f64]) -> Option<Decomposition> {
    divide(columns, terms, &centred(y), 0.0)
}

/// As [`decompose`], for the coefficients and the variance of residuals that `points`
/// alone give: the columns stay those of all points, for a design is as it is, and only
/// what was measured is uncertain.
pub(crate) fn decompose_from(
    columns: &[Vec<f64>],
    terms: usize,
    y: &[f64],
    points: &[usize],
) -> Option<Decomposition> {
    let pick = |values: &[f64]| -> Vec<f64> { points.iter().map(|&p| values[p]).collect() };
    let mut basis = Basis::default();
    for column in columns {
        basis.add(&pick(column), DEPENDENT).ok()?;
    }
    let picked = pick(y);
    let coefficients = basis.solve(&basis.along(&centred(&picked)));
    let mut fitted = vec![0.0; y.len()];
    for (column, coefficient) in columns.iter().zip(&coefficients) {
        for (sum, value) in fitted.iter_mut().zip(centred(column)) {
            *sum += coefficient * value;
        }
    }
    let left = basis.residual(&picked);
    let rest = dot(&left, &left) * y.len() as f64 / points.len() as f64;
    divide(columns, terms, &fitted, rest)
}

/// Divides R² of y, of which `along` is centred and `rest` the squares of what is at
/// right angles to it and to all columns.
fn divide(columns: &[Vec<f64>], terms: usize, along: &[f64], rest: f64) -> Option<Decomposition> {
    if terms > MAX_TERMS {
        return None;
    }
    let unit = |mut v: Vec<f64>, rest: f64| {
        let length = (dot(&v, &v) + rest).sqrt();
        v.iter_mut().for_each(|v| *v /= length);
        (length.is_finite() && length > 0.0).then_some(v)
    };
    let columns = columns.iter().map(|c| unit(centred(c), 0.0));
    let mut vectors: Vec<Vec<f64>> = columns.collect::<Option<_>>()?;
    let covariates = terms..vectors.len();
    vectors.push(unit(along.to_vec(), rest)?);
    let mut matrix: Vec<Vec<f64>> = vectors
        .iter()
        .map(|a| vectors.iter().map(|b| dot(a, b)).collect())
        .collect();
    matrix[covariates.end][covariates.end] = 1.0;
    for covariate in covariates {
        matrix = without(&matrix, covariate)?;
    }
    let none = |_| Gains {
        roots: vec![],
        partial: 0.0,
    };
    let mut gains: Vec<Gains> = (0..terms).map(none).collect();
    Some(Decomposition {
        covariates: explained(&matrix),
        r_squared: subsets(&matrix, 0, 0, &mut gains)?,
        terms: gains,
    })
}

/// The share of y that the columns taken out hold.
fn explained(matrix: &[Vec<f64>]) -> f64 {
    let last = matrix.len() - 1;
    (1.0 - matrix[last][last]).clamp(0.0, 1.0)
}

/// Fills in the gains after each subset of the terms from `next` on, joined to the terms
/// of `set`, and returns R² of the largest.
fn subsets(matrix: &[Vec<f64>], next: usize, set: usize, gains: &mut [Gains]) -> Option<f64> {
    let (terms, y) = (gains.len(), matrix.len() - 1);
    if next == terms {
        let before = set.count_ones() as usize;
        for (term, gains) in gains.iter_mut().enumerate() {
            if set & 1 << term != 0 {
                continue;
            }
            let (own, left) = (matrix[term][term], matrix[y][y]);
            if own.is_nan() || own <= DEPENDENT {
                return None;
            }
            let root = matrix[term][y] / own.sqrt();
            gains.roots.push(root * weight(before, terms).sqrt());
            if before + 1 == terms && left > DEPENDENT {
                gains.partial = (root / left.sqrt()).clamp(-1.0, 1.0);
            }
        }
        return Some(explained(matrix));
    }
    subsets(matrix, next + 1, set, gains)?;
    let swept = without(matrix, next)?;
    subsets(&swept, next + 1, set | 1 << next, gains)
}

/// The products of what column `pivot` leaves of the others; `None` where nothing is
/// left of the column itself.
fn without(matrix: &[Vec<f64>], pivot: usize) -> Option<Vec<Vec<f64>>> {
    let own = matrix[pivot][pivot];
    if own.is_nan() || own <= DEPENDENT {
        return None;
    }
    let left = |(i, row): (usize, &Vec<f64>)| {
        let factor = matrix[i][pivot] / own;
        row.iter()
            .zip(&matrix[pivot])
            .map(|(value, along)| value - factor * along)
            .collect()
    };
    Some(matrix.iter().enumerate().map(left).collect())
}

/// Share of the orders of `terms` in which a term comes right after a given set of
/// `before` others: `before! (terms - before - 1)! / terms!`.
fn weight(before: usize, terms: usize) -> f64 {
    let factorial = |n: usize| (1..=n).product::<usize>() as f64;
    factorial(before) * factorial(terms - before - 1) / factorial(terms)
}
