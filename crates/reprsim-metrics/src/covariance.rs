//! Cross-covariances of layers: what Procrustes and matchings of units are made of.

use std::borrow::Cow;
use std::ops::Range;

use faer::MatRef;

use crate::host;
use crate::linalg::thin_qr;
use crate::null::Part;
use crate::pair::CovariancePair;
use crate::permutations::Permutations;
use crate::rows::{Dense, Rows};
use crate::view::View;
use crate::{MetricError, Undefined};

/// Whether a measure sees the dimensions of a layer themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axes {
    /// It does.
    Kept,
    /// It does not: turning a layer leaves the singular values of its products.
    Free,
}

/// The prepared rows of a layer, where axes are free in as many dimensions as there are samples at
/// most.
enum Turned {
    /// As they are.
    Kept(Box<View>),
    /// Of one that is wider, or not kept, in memory; and the length of all of it.
    Held(Dense, f64),
}

impl Turned {
    fn new(view: View, axes: Axes) -> Result<Self, MetricError> {
        let (n, d) = (view.rows(), view.width());
        let length = length(&view);
        if d > n && axes == Axes::Free {
            // X' = QR: X turned by Q is R'.
            let values = view.read(0..n)?;
            let (_, r) = thin_qr(MatRef::from_row_major_slice(&values, n, d).transpose());
            let entry = |at: usize| r[(at % n, at / n)] as f32;
            let held = Dense {
                values: (0..n * n).map(entry).collect(),
                count: n,
                width: n,
            };
            Ok(Self::Held(held, length))
        } else if view.is_kept() {
            Ok(Self::Kept(Box::new(view)))
        } else {
            let held = Dense {
                values: view.near(0..n)?.into_owned(),
                count: n,
                width: d,
            };
            Ok(Self::Held(held, length))
        }
    }

    fn length(&self) -> f64 {
        match self {
            Self::Kept(view) => length(view),
            Self::Held(_, length) => *length,
        }
    }
}

/// |X|.
fn length(view: &View) -> f64 {
    view.squares.iter().sum::<f64>().sqrt()
}

impl Rows for Turned {
    fn count(&self) -> usize {
        match self {
            Self::Kept(view) => view.count(),
            Self::Held(held, _) => held.count,
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Kept(view) => Rows::width(view.as_ref()),
            Self::Held(held, _) => held.width,
        }
    }

    fn near(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>, MetricError> {
        match self {
            Self::Kept(view) => view.near(rows),
            Self::Held(held, _) => held.near(rows),
        }
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
        axes: Axes,
    ) -> Result<Self, MetricError> {
        let mut layers = Vec::new();
        for view in views {
            let view = view?;
            layers.push(match view.degenerate {
                Some(reason) => Err(reason),
                None => Ok(Turned::new(view, axes)?),
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
                    Ok((a, b)) => Ok(of(&terms(a, b, &host::cross(&[a], &[b])?))),
                    Err(reason) => Err(reason),
                })
            })
            .collect::<Result<Vec<_>, MetricError>>()?;
        heard(Part::Observed(&observed));
        for batch in permutations.batches() {
            let permuted = (pairs.iter())
                .map(|pair| match self.both(*pair) {
                    Ok((a, b)) => host::permuted(&[a], &[b], &batch.maps, |covariance| {
                        of(&terms(a, b, covariance))
                    }),
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
        covariance: MatRef::from_row_major_slice(covariance, a.width(), b.width()),
        lengths: (a.length(), b.length()),
        n: a.count(),
    }
}
