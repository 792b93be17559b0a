//! Errors of coefficients where points are correlated within clusters.

use crate::error::StatsError;
use crate::project::{Basis, dot};
use crate::symmetric::{Eigen, eigen};

/// A cluster of which less than this is left by the fit tells nothing in that direction.
const SATURATED: f64 = 1e-9;
/// Of a coefficient whose square rests by no more than this on what such clusters hold, it is
/// rounding.
const ROUNDING: f64 = 1e-14;

/// The cluster of each point.
pub(crate) struct Clusters {
    /// Numbers from 0, in the order of the ids.
    pub(crate) of: Vec<usize>,
    /// How many there are.
    pub(crate) count: usize,
}

impl Clusters {
    /// Each point is one.
    pub(crate) fn single(points: usize) -> Self {
        Self {
            of: (0..points).collect(),
            count: points,
        }
    }

    /// # Errors
    /// [`StatsError::TooFewClusters`] for fewer than 2.
    pub(crate) fn of(ids: &[u64]) -> Result<Self, StatsError> {
        let mut known = ids.to_vec();
        known.sort_unstable();
        known.dedup();
        if known.len() < 2 {
            return Err(StatsError::TooFewClusters);
        }
        let place = |id: &u64| known.partition_point(|known| known < id);
        Ok(Self {
            of: ids.iter().map(place).collect(),
            count: known.len(),
        })
    }
}

/// The variance of a coefficient and the degrees of freedom of its t test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Variance {
    pub(crate) variance: f64,
    pub(crate) df: f64,
}

/// The bias-reduced variance of each contrast (CR2: Bell and McCaffrey 2002), with the degrees
/// of freedom of Satterthwaite for errors that are independent and alike (Imbens and Kolesár
/// 2016, eq. 13; Pustejovsky and Tipton 2018, eq. 11). A contrast has one weight a direction of
/// `basis`, as if that were of unit length. `None` where it rests on one cluster alone in some
/// direction: of the error of that cluster the residuals, which are 0, tell nothing.
///
/// With `X = Q R` the definition's matrices of points become those of coefficients: of a
/// cluster with rows Q, `(I - Q Q')^-1/2 Q` is `Q (I - Q'Q)^-1/2`.
pub(crate) fn bias_reduced(
    basis: &Basis,
    residuals: &[f64],
    clusters: &Clusters,
    contrasts: &[Vec<f64>],
) -> Vec<Option<Variance>> {
    // The intercept is a direction, too.
    let size = basis.directions.len() + 1;
    let n = residuals.len() as f64;
    let lengths: Vec<f64> = (basis.directions.iter())
        .map(|u| dot(u, u).sqrt())
        .collect();
    let mut squares = vec![0.0; clusters.count * size * size];
    let mut scores = vec![0.0; clusters.count * size];
    let mut row = vec![n.sqrt().recip(); size];
    for (point, (&cluster, residual)) in clusters.of.iter().zip(residuals).enumerate() {
        for (q, (u, length)) in row[1..]
            .iter_mut()
            .zip(basis.directions.iter().zip(&lengths))
        {
            *q = u[point] / length;
        }
        let squares = &mut squares[cluster * size * size..][..size * size];
        for (sums, q) in squares.chunks_mut(size).zip(&row) {
            sums.iter_mut().zip(&row).for_each(|(s, r)| *s += q * r);
        }
        let scores = &mut scores[cluster * size..][..size];
        scores
            .iter_mut()
            .zip(&row)
            .for_each(|(s, q)| *s += residual * q);
    }

    let weights = |contrast: &Vec<f64>| [&[0.0], contrast.as_slice()].concat();
    let weights: Vec<Vec<f64>> = contrasts.iter().map(weights).collect();
    let mut sums: Vec<Sums> = contrasts.iter().map(|_| Sums::new(size)).collect();
    for (squares, score) in squares.chunks(size * size).zip(scores.chunks(size)) {
        let eigen = eigen(squares.chunks(size).map(<[f64]>::to_vec).collect());
        for (sums, weights) in sums.iter_mut().zip(&weights) {
            sums.add(&eigen, score, weights);
        }
    }
    sums.iter().map(Sums::variance).collect()
}

/// What the clusters add up to, for one contrast.
struct Sums {
    variance: f64,
    /// Trace of the matrix whose quadratic form the variance is.
    trace: f64,
    /// Squares of that matrix on the diagonal, and the diagonal of `outer` squared.
    diagonal: f64,
    own: f64,
    /// What stands beside the diagonal, over all pairs of clusters.
    outer: Vec<Vec<f64>>,
    rests_on_one: bool,
}

impl Sums {
    fn new(size: usize) -> Self {
        Self {
            variance: 0.0,
            trace: 0.0,
            diagonal: 0.0,
            own: 0.0,
            outer: vec![vec![0.0; size]; size],
            rests_on_one: false,
        }
    }

    /// Adds a cluster: its `Q'Q` and the sum of its rows times their residuals.
    fn add(&mut self, of: &Eigen, score: &[f64], weights: &[f64]) {
        let total = dot(weights, weights);
        let mut adjusted = vec![0.0; weights.len()];
        let mut along = vec![0.0; weights.len()];
        let mut length = 0.0;
        for (value, vector) in of.values.iter().zip(&of.vectors) {
            let weight = dot(vector, weights);
            let left = 1.0 - value;
            if left <= SATURATED {
                self.rests_on_one |= weight * weight > ROUNDING * total;
                continue;
            }
            let weight = weight / left.sqrt();
            length += weight * weight * value;
            for (i, v) in vector.iter().enumerate() {
                adjusted[i] += weight * v;
                along[i] += weight * value * v;
            }
        }
        self.variance += dot(&adjusted, score).powi(2);
        let own = dot(&along, &along);
        self.trace += length - own;
        self.diagonal += (length - own).powi(2);
        self.own += own * own;
        for (sums, a) in self.outer.iter_mut().zip(&along) {
            sums.iter_mut().zip(&along).for_each(|(s, b)| *s += a * b);
        }
    }

    fn variance(&self) -> Option<Variance> {
        let pairs: f64 = self.outer.iter().map(|row| dot(row, row)).sum();
        let squares = self.diagonal + (pairs - self.own).max(0.0);
        let df = self.trace * self.trace / squares;
        (!self.rests_on_one && df > 0.0).then_some(Variance {
            variance: self.variance,
            df,
        })
    }
}
