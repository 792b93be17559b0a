//! R² of every subset of columns.

use crate::project::{centred, dot};

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
    /// Gain of each term, averaged over all orders.
    pub(crate) shares: Vec<f64>,
    /// Share of what all other columns leave that each term explains.
    pub(crate) partial: Vec<f64>,
}

/// Divides R² among the first `terms` columns, after the rest, which are covariates, on
/// the points given, of which some may occur often. `None` where y or a column does not
/// vary or columns depend on each other, and for more than [`MAX_TERMS`] terms.
pub(crate) fn decompose(
    columns: &[Vec<f64>],
    terms: usize,
    y: &[f64],
    points: &[usize],
) -> Option<Decomposition> {
    if terms > MAX_TERMS {
        return None;
    }
    let unit = |values: &[f64]| {
        let picked: Vec<f64> = points.iter().map(|&p| values[p]).collect();
        let mut v = centred(&picked);
        let length = dot(&v, &v).sqrt();
        v.iter_mut().for_each(|v| *v /= length);
        (length.is_finite() && length > 0.0).then_some(v)
    };
    let mut vectors: Vec<Vec<f64>> = columns.iter().map(|c| unit(c)).collect::<Option<_>>()?;
    vectors.push(unit(y)?);
    let mut matrix: Vec<Vec<f64>> = vectors
        .iter()
        .map(|a| vectors.iter().map(|b| dot(a, b)).collect())
        .collect();
    for covariate in terms..columns.len() {
        matrix = without(&matrix, covariate)?;
    }
    let mut r_squared = vec![0.0; 1 << terms];
    subsets(&matrix, terms, 0, 0, &mut r_squared)?;

    let full = r_squared.len() - 1;
    let mut shares = vec![0.0; terms];
    let mut partial = vec![0.0; terms];
    for term in 0..terms {
        let bit = 1 << term;
        for set in (0..r_squared.len()).filter(|set| set & bit == 0) {
            let gain = r_squared[set | bit] - r_squared[set];
            shares[term] += gain * weight(set.count_ones() as usize, terms);
        }
        let left = 1.0 - r_squared[full ^ bit];
        if left > DEPENDENT {
            partial[term] = ((r_squared[full] - r_squared[full ^ bit]) / left).clamp(0.0, 1.0);
        }
    }
    Some(Decomposition {
        r_squared: r_squared[full],
        covariates: r_squared[0],
        shares,
        partial,
    })
}

/// Fills in R² of each subset of the terms from `next` on, joined to `set`.
fn subsets(
    matrix: &[Vec<f64>],
    terms: usize,
    next: usize,
    set: usize,
    r_squared: &mut [f64],
) -> Option<()> {
    if next == terms {
        let last = matrix.len() - 1;
        r_squared[set] = (1.0 - matrix[last][last]).clamp(0.0, 1.0);
        return Some(());
    }
    subsets(matrix, terms, next + 1, set, r_squared)?;
    let swept = without(matrix, next)?;
    subsets(&swept, terms, next + 1, set | 1 << next, r_squared)
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
