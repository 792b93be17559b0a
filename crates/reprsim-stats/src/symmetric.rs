//! Eigenvalues of small symmetric matrices, of which clusters have one each: a crate of
//! decompositions would be the better part of what this one is built of.

use crate::project::dot;

/// Rounds of rotations; five or six are enough for any matrix that fits here.
const ROUNDS: usize = 40;

/// Eigenvalues and unit eigenvectors.
pub(crate) struct Eigen {
    /// In no order.
    pub(crate) values: Vec<f64>,
    /// One a value.
    pub(crate) vectors: Vec<Vec<f64>>,
}

/// Of a symmetric matrix, by Jacobi's rotations in rows (Golub and Van Loan 2013, 8.5).
pub(crate) fn eigen(mut matrix: Vec<Vec<f64>>) -> Eigen {
    let n = matrix.len();
    let unit = |i: usize| (0..n).map(|j| f64::from(u8::from(i == j))).collect();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(unit).collect();
    for _ in 0..ROUNDS {
        let (mut off, mut all) = (0.0, 0.0);
        for (i, row) in matrix.iter().enumerate() {
            all += dot(row, row);
            off += dot(&row[..i], &row[..i]);
        }
        if off <= f64::EPSILON * f64::EPSILON * all {
            break;
        }
        for i in 0..n {
            for j in i + 1..n {
                rotate(&mut matrix, &mut vectors, i, j);
            }
        }
    }
    Eigen {
        values: (0..n).map(|i| matrix[i][i]).collect(),
        vectors,
    }
}

/// Turns directions i and j so that nothing is left between them.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], i: usize, j: usize) {
    let between = matrix[i][j];
    if between == 0.0 {
        return;
    }
    let ratio = (matrix[j][j] - matrix[i][i]) / (2.0 * between);
    let tangent = ratio.signum() / (ratio.abs() + ratio.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = tangent * cosine;
    let turn = |a: f64, b: f64| (cosine * a - sine * b, sine * a + cosine * b);
    for row in matrix.iter_mut() {
        (row[i], row[j]) = turn(row[i], row[j]);
    }
    for rows in [matrix, vectors] {
        let (above, below) = rows.split_at_mut(j);
        for (a, b) in above[i].iter_mut().zip(&mut below[0]) {
            (*a, *b) = turn(*a, *b);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_are_stretched_by_their_values(
            entries in prop::collection::vec(-2.0f64..2.0, 36),
            n in 1usize..6,
        ) {
            let matrix: Vec<Vec<f64>> = (0..n)
                .map(|i| (0..n).map(|j| entries[6 * i.min(j) + i.max(j)]).collect())
                .collect();
            let Eigen { values, vectors } = eigen(matrix.clone());
            for (value, vector) in values.iter().zip(&vectors) {
                prop_assert!((dot(vector, vector) - 1.0).abs() < 1e-13);
                for (row, v) in matrix.iter().zip(vector) {
                    prop_assert!((dot(row, vector) - value * v).abs() < 1e-12);
                }
            }
            let trace: f64 = (0..n).map(|i| matrix[i][i]).sum();
            prop_assert!((values.iter().sum::<f64>() - trace).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_diagonal_stays_as_it_is() {
        let found = eigen(vec![vec![0.5, 0.0], vec![0.0, 0.5]]);
        assert_eq!(found.values, [0.5, 0.5]);
        assert_eq!(found.vectors, [[1.0, 0.0], [0.0, 1.0]]);
        assert!(eigen(vec![]).values.is_empty());
    }
}
