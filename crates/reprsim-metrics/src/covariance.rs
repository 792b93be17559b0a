//! Cross-covariances of layers: what Procrustes is made of.

use faer::MatRef;

use crate::host::{self, Dense, Rows};
use crate::linalg::thin_qr;
use crate::pair::CovariancePair;
use crate::permutations::Permutations;
use crate::view::View;
use crate::{MetricError, Undefined};

/// The centred rows of a layer, in as many dimensions as there are samples at most: turning a layer
/// leaves the singular values of its products.
struct Turned {
    rows: Dense,
    /// Of the whole layer.
    length: f64,
}

impl Turned {
    fn new(view: &View) -> Result<Self, MetricError> {
        let (n, d) = (view.rows(), view.width());
        let rows = if d > n {
            // X' = QR: X turned by Q is R'.
            let values = view.read(0..n)?;
            let (_, r) = thin_qr(MatRef::from_row_major_slice(&values, n, d).transpose());
            let entry = |at: usize| r[(at % n, at / n)] as f32;
            Dense {
                values: (0..n * n).map(entry).collect(),
                count: n,
                width: n,
            }
        } else {
            Dense {
                values: view.near(0..n)?.into_owned(),
                count: n,
                width: d,
            }
        };
        let length = view.squares.iter().sum::<f64>().sqrt();
        Ok(Self { rows, length })
    }
}

/// The rows of all layers of a set.
pub(crate) struct CovarianceStage {
    layers: Vec<Result<Turned, Undefined>>,
}

impl CovarianceStage {
    /// Reads the layers of `views`, whose columns are centred.
    pub fn new(
        views: impl Iterator<Item = Result<View, MetricError>>,
    ) -> Result<Self, MetricError> {
        let mut layers = Vec::new();
        for view in views {
            let view = view?;
            layers.push(match view.degenerate {
                Some(reason) => Err(reason),
                None => Ok(Turned::new(&view)?),
            });
        }
        Ok(Self { layers })
    }

    /// What `of` makes of the pair as it is.
    pub fn observed<T>(
        &self,
        pair: (usize, usize),
        of: impl FnOnce(&CovariancePair) -> T,
    ) -> Result<Result<T, Undefined>, MetricError> {
        let (a, b) = match self.both(pair) {
            Ok(both) => both,
            Err(reason) => return Ok(Err(reason)),
        };
        let covariance = host::cross(&[&a.rows], &[&b.rows])?;
        Ok(Ok(of(&terms(a, b, &covariance))))
    }

    /// What `of` makes of the pair under each permutation; nothing of one that is degenerate.
    pub fn permuted<T: Send>(
        &self,
        pair: (usize, usize),
        permutations: &Permutations,
        of: impl Fn(&CovariancePair) -> T + Sync,
    ) -> Result<Vec<T>, MetricError> {
        let Ok((a, b)) = self.both(pair) else {
            return Ok(vec![]);
        };
        let maps: Vec<&[u32]> = permutations.iter().collect();
        host::permuted(&[&a.rows], &[&b.rows], &maps, |covariance| {
            of(&terms(a, b, covariance))
        })
    }

    fn both(&self, (i, j): (usize, usize)) -> Result<(&Turned, &Turned), Undefined> {
        match (&self.layers[i], &self.layers[j]) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(reason), _) | (_, Err(reason)) => Err(*reason),
        }
    }
}

fn terms<'a>(a: &Turned, b: &Turned, covariance: &'a [f64]) -> CovariancePair<'a> {
    CovariancePair {
        covariance: MatRef::from_row_major_slice(covariance, a.rows.width, b.rows.width),
        lengths: (a.length, b.length),
    }
}
