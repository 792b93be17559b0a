//! Cross-covariances of layers: what Procrustes is made of.

use faer::MatRef;

use crate::host::{self, Dense, Rows};
use crate::linalg::thin_qr;
use crate::null::Part;
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

    /// Tells `heard` what `of` makes of each of `pairs`, as it is and under permutations, until it says
    /// that no more are needed.
    pub fn compare<T: Send>(
        &self,
        pairs: &[(usize, usize)],
        permutations: &Permutations,
        of: impl Fn(&CovariancePair) -> T + Sync,
        heard: &mut dyn FnMut(Part<'_, T>) -> bool,
    ) -> Result<(), MetricError> {
        let observed = (pairs.iter())
            .map(|pair| {
                Ok(match self.both(*pair) {
                    Ok((a, b)) => Ok(of(&terms(a, b, &host::cross(&[&a.rows], &[&b.rows])?))),
                    Err(reason) => Err(reason),
                })
            })
            .collect::<Result<Vec<_>, MetricError>>()?;
        heard(Part::Observed(&observed));
        for batch in permutations.batches() {
            let permuted = (pairs.iter())
                .map(|pair| match self.both(*pair) {
                    Ok((a, b)) => {
                        host::permuted(&[&a.rows], &[&b.rows], &batch.maps, |covariance| {
                            of(&terms(a, b, covariance))
                        })
                    }
                    Err(_) => Ok(vec![]),
                })
                .collect::<Result<Vec<_>, MetricError>>()?;
            if !heard(Part::Permuted(&permuted)) {
                break;
            }
        }
        Ok(())
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
