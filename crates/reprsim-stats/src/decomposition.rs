//! R² of every subset of columns.

use rayon::prelude::*;

use crate::cluster::Clusters;
use crate::project::{Basis, centred, centred_levels, dot};

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
    let unit = |mut v: Vec<f64>| {
        let length = dot(&v, &v).sqrt();
        v.iter_mut().for_each(|v| *v /= length);
        (length.is_finite() && length > 0.0).then_some(v)
    };
    let vectors = columns.iter().map(|v| centred_levels(v));
    let vectors = vectors.chain([centred(y)]).map(unit);
    let vectors: Vec<Vec<f64>> = vectors.collect::<Option<_>>()?;
    let matrix = vectors
        .iter()
        .map(|a| vectors.iter().map(|b| dot(a, b)).collect());
    shares(matrix.collect(), terms)
}

/// As [`decompose`], without each unit in turn, for the coefficients and the variance of residuals
/// that the points of all others give: the columns stay those of all points, for a design is as it
/// is, and only what was measured is uncertain. `None` where one cannot be made, for then a term
/// rests on that unit alone.
///
/// What a unit takes away is subtracted from products of orthogonal directions and of what they
/// leave of y, so that the time is that of one fit, whatever the number of units.
pub(crate) fn decompose_without(
    columns: &[Vec<f64>],
    terms: usize,
    y: &[f64],
    units: &Clusters,
) -> Option<Vec<Decomposition>> {
    let k = columns.len();
    let basis = Basis::of(columns).ok()?;
    let unit = |v: &Vec<f64>| {
        let length = dot(v, v).sqrt();
        v.iter().map(|v| v / length).collect()
    };
    let mut vectors: Vec<Vec<f64>> = basis.directions.iter().map(unit).collect();
    let dy = centred(y);
    let along: Vec<f64> = vectors.iter().map(|q| dot(q, &dy)).collect();
    let mut coordinates = vec![];
    let mut matrix = vec![vec![1.0; k + 1]; k + 1];
    for (i, column) in columns.iter().enumerate() {
        let column = unit(&centred_levels(column));
        // Of column i along the directions up to its own.
        let own: Vec<f64> = vectors[..=i].iter().map(|q| dot(q, &column)).collect();
        coordinates.push(own);
        for j in 0..i {
            let product = dot(&coordinates[i][..=j], &coordinates[j]);
            (matrix[i][j], matrix[j][i]) = (product, product);
        }
    }
    vectors.push(basis.residual(y));
    let rest = dot(&vectors[k], &vectors[k]);

    // Of each unit the number of its points, their sums and their products.
    let size = k + 1;
    let stride = 1 + size + size * size;
    let mut taken = vec![0.0; units.count * stride];
    let mut row = vec![0.0; size];
    for (point, unit) in units.of.iter().enumerate() {
        row.iter_mut()
            .zip(&vectors)
            .for_each(|(r, v)| *r = v[point]);
        let taken = &mut taken[unit * stride..][..stride];
        taken[0] += 1.0;
        taken[1..=size]
            .iter_mut()
            .zip(&row)
            .for_each(|(s, r)| *s += r);
        for (sums, a) in taken[1 + size..].chunks_mut(size).zip(&row) {
            sums.iter_mut().zip(&row).for_each(|(s, b)| *s += a * b);
        }
    }
    let n = y.len() as f64;
    let without_one = |taken: &[f64]| {
        let left = n - taken[0];
        // As many points as coefficients leave nothing to tell an error from.
        if left <= (k + 1) as f64 {
            return None;
        }
        let (sums, products) = taken[1..].split_at(size);
        let mut others: Vec<Vec<f64>> = (products.chunks(size).zip(sums).enumerate())
            .map(|(i, (products, a))| {
                let of = |(j, (product, b)): (usize, (&f64, &f64))| {
                    let whole = match (i == j, i < k) {
                        (true, true) => 1.0,
                        (true, false) => rest,
                        (false, _) => 0.0,
                    };
                    whole - product - a * b / left
                };
                products.iter().zip(sums).enumerate().map(of).collect()
            })
            .collect();
        let whole = others.clone();
        for (i, own) in coordinates.iter().enumerate() {
            let length = |r: &[f64]| -> f64 {
                r.iter()
                    .zip(&whole)
                    .map(|(a, row)| a * dot(&row[..r.len()], r))
                    .sum()
            };
            let pivot = others[i][i];
            // Not of a unit that holds all points, either.
            let is_left = own[i].powi(2) * pivot > DEPENDENT * length(own);
            if !is_left {
                return None;
            }
            let (above, below) = others.split_at_mut(i + 1);
            for row in below {
                let factor = row[i] / pivot;
                row.iter_mut()
                    .zip(&above[i])
                    .for_each(|(v, a)| *v -= factor * a);
            }
        }
        // What the fit of the others has more along each direction.
        let mut fitted = vec![0.0; k];
        for i in (0..k).rev() {
            let known = dot(&others[i][i + 1..k], &fitted[i + 1..]);
            fitted[i] = (others[i][k] - known) / others[i][i];
        }
        fitted
            .iter_mut()
            .zip(&along)
            .for_each(|(f, along)| *f += along);
        let rest = others[k][k].max(0.0) * n / left;
        let length = (dot(&fitted, &fitted) + rest).sqrt();
        if !length.is_finite() || length <= 0.0 {
            return None;
        }
        let mut matrix = matrix.clone();
        for (i, own) in coordinates.iter().enumerate() {
            let product = dot(own, &fitted) / length;
            (matrix[i][k], matrix[k][i]) = (product, product);
        }
        shares(matrix, terms)
    };
    taken.par_chunks(stride).map(without_one).collect()
}

/// From the products of columns and y, of unit length, of which the last is y.
fn shares(mut matrix: Vec<Vec<f64>>, terms: usize) -> Option<Decomposition> {
    let y = matrix.len() - 1;
    if terms > MAX_TERMS {
        return None;
    }
    matrix[y][y] = 1.0;
    for covariate in terms..y {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By a fit of the other points alone.
    fn without_unit(
        columns: &[Vec<f64>],
        terms: usize,
        y: &[f64],
        points: &[usize],
    ) -> Option<Decomposition> {
        if points.len() <= columns.len() + 1 {
            return None;
        }
        let pick = |values: &[f64]| -> Vec<f64> { points.iter().map(|&p| values[p]).collect() };
        let mut basis = Basis::default();
        for column in columns {
            basis.add(&pick(column), DEPENDENT).ok()?;
        }
        let picked = pick(y);
        let coefficients = basis.solve(&basis.along(&centred(&picked)));
        let mut fitted = vec![0.0; y.len()];
        for (column, coefficient) in columns.iter().zip(&coefficients) {
            for (sum, value) in fitted.iter_mut().zip(centred_levels(column)) {
                *sum += coefficient * value;
            }
        }
        let left = basis.residual(&picked);
        // At right angles to all columns, and as long as the residuals of as many points.
        let rest = dot(&left, &left) * y.len() as f64 / points.len() as f64;
        let across = Basis::of(columns).ok()?.residual(y);
        let factor = (rest / dot(&across, &across)).sqrt();
        let y: Vec<f64> = fitted
            .iter()
            .zip(across)
            .map(|(f, a)| f + factor * a)
            .collect();
        decompose(columns, terms, &y)
    }

    proptest! {
        #[test]
        fn units_are_left_out_as_by_a_fit_of_the_others(
            values in prop::collection::vec(-1.0f64..1.0, 80),
            sizes in prop::collection::vec(1usize..6, 4..7),
            covariates in 0usize..2,
            offset in prop_oneof![Just(0.0), Just(1e6)],
        ) {
            let of: Vec<usize> = (sizes.iter().enumerate())
                .flat_map(|(unit, size)| vec![unit; *size])
                .take(20)
                .collect();
            let n = of.len();
            let count = of[n - 1] + 1;
            let columns: Vec<Vec<f64>> = (0..2 + covariates)
                .map(|c| values[20 * c..][..n].iter().map(|v| v + offset).collect())
                .collect();
            let y = values[60..][..n].to_vec();
            let units = Clusters { of: of.clone(), count };
            let found = decompose_without(&columns, 2, &y, &units);
            let expected: Option<Vec<Decomposition>> = (0..count)
                .map(|unit| {
                    let points: Vec<usize> = (0..n).filter(|&p| of[p] != unit).collect();
                    without_unit(&columns, 2, &y, &points)
                })
                .collect();
            prop_assert_eq!(found.is_some(), expected.is_some());
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                prop_assert!((found.r_squared - expected.r_squared).abs() < 1e-7);
                for (found, expected) in found.terms.iter().zip(&expected.terms) {
                    prop_assert!((found.partial - expected.partial).abs() < 1e-6);
                    for (a, b) in found.roots.iter().zip(&expected.roots) {
                        prop_assert!((a - b).abs() < 1e-6);
                    }
                }
            }
        }
    }
}
