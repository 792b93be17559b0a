//! What two layers have in common beyond a covariate: the pixels of the images, say, or labels.
//!
//! A measure that is the cosine of two matrices of similarities, under an inner product of its own,
//! keeps what a covariate's matrix leaves of each: K - a C, a by least squares under that inner product
//! (Cui, Kumar, Marttinen, Kaski 2022, arXiv 2202.00095). With r for the measure itself that is the
//! partial correlation `(r_ab - r_ac r_cb) / sqrt((1 - r_ac^2)(1 - r_cb^2))`, so that it needs no more
//! than the measure of each layer with the covariate. Under permutation what is left of the second layer
//! moves, its part of the covariate with it.

use reprsim_metrics::{Score, Undefined};

/// A share of a layer's variance that is this small is rounding.
const ROUNDING: f64 = 1e-6;

/// Scores of two layers and a covariate under the same permutations of the second of each pair.
pub(crate) struct Scores<'a> {
    /// The two layers.
    pub ab: &'a Score,
    /// The first layer with the covariate.
    pub ac: &'a Score,
    /// The covariate with the second layer.
    pub cb: &'a Score,
    /// The covariate with itself.
    pub cc: &'a Score,
}

impl Scores<'_> {
    /// The score of what the covariate leaves of both layers.
    pub fn partial(&self) -> Score {
        match self.found() {
            Ok(score) => score,
            Err(reason) => Score {
                value: Err(reason),
                null_mean: None,
                permuted: vec![],
                exceedances: None,
            },
        }
    }

    fn found(&self) -> Result<Score, Undefined> {
        let (ab, ac, cb) = (self.ab.value?, self.ac.value?, self.cb.value?);
        let left = [ac, cb].map(|r| 1.0 - r * r);
        if left.iter().any(|left| *left <= ROUNDING) {
            return Err(Undefined::NoVariance);
        }
        let length = (left[0] * left[1]).sqrt();
        let of = |r_ab: f64, r_ac: f64, r_cb: f64, r_cc: f64| {
            (r_ab - ac * r_cb - cb * r_ac + ac * cb * r_cc) / length
        };
        let permuted: Vec<&[f64]> = [self.ab, self.ac, self.cb, self.cc]
            .map(|score| score.permuted.as_slice())
            .to_vec();
        let count = permuted.iter().map(|of| of.len()).min().unwrap_or(0);
        let at = |p: usize| {
            of(
                permuted[0][p],
                permuted[1][p],
                permuted[2][p],
                permuted[3][p],
            )
        };
        let means = [self.ab, self.ac, self.cb, self.cc].map(|score| score.null_mean);
        Ok(Score {
            value: Ok(of(ab, ac, cb, 1.0)),
            null_mean: match means {
                [Some(ab), Some(ac), Some(cb), Some(cc)] => Some(of(ab, ac, cb, cc)),
                _ => None,
            },
            permuted: (0..count).map(at).collect(),
            exceedances: None,
        })
    }
}
