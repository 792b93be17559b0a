//! Layers in their bases of left singular vectors, in f64 on the host: what
//! canonical correlations, Procrustes and regression are made of.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use crate::linalg::{self, thin_qr, thin_svd};
use crate::pair::SubspacePair;
use crate::permutations::Permutations;
use crate::view::{ColumnMap, RowMap, Transform, View};
use crate::{MetricError, Undefined};

/// How columns are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Columns {
    /// Centred.
    Centred,
    /// After the published preprocessing, centred and of standard deviation 1.
    ClampedScaled,
}

impl Columns {
    pub(crate) fn transform(self, threshold: f64) -> Transform {
        match self {
            Self::Centred => Transform {
                rows: RowMap::AsIs,
                columns: ColumnMap::Centred,
            },
            Self::ClampedScaled => Transform {
                rows: RowMap::ClampedUnit { threshold },
                columns: ColumnMap::Scaled,
            },
        }
    }
}

/// Directions with a singular value below this share of the largest are noise of computing.
const RANK: f64 = 1e-10;

/// X = U S V', without the directions that are noise.
struct Basis {
    u: Mat<f64>,
    singular: Vec<f64>,
    /// S V'.
    loadings: Mat<f64>,
}

impl Basis {
    fn new(view: &View) -> Result<Self, MetricError> {
        let (n, d) = (view.rows(), view.width());
        let failed = |_| MetricError::Decomposition(view.name().to_string());
        let values = view.read(0..n)?;
        let x = MatRef::from_row_major_slice(&values, n, d);
        // The singular values of the small triangular factor are those of X, to
        // full precision, which those of X'X are not.
        let (left, singular, right) = if n >= d {
            let (q, r) = thin_qr(x);
            let svd = thin_svd(r.as_ref()).map_err(failed)?;
            let left = linalg::product(q.as_ref(), svd.u.as_ref());
            (left, svd.singular, svd.v)
        } else {
            let (q, r) = thin_qr(x.transpose());
            let svd = thin_svd(r.transpose()).map_err(failed)?;
            let right = linalg::product(q.as_ref(), svd.v.as_ref());
            (svd.u, svd.singular, right)
        };
        let computing = RANK * singular.first().copied().unwrap_or_default();
        let floor = computing.max(view.rounding()?);
        let rank = singular.iter().take_while(|s| **s > floor).count();
        let singular = singular[..rank].to_vec();
        let loadings = Mat::from_fn(rank, d, |i, j| singular[i] * right[(j, i)]);
        Ok(Self {
            u: left.subcols(0, rank).to_owned(),
            singular,
            loadings,
        })
    }
}

/// The bases of all layers of a set.
pub(crate) struct SubspaceStage {
    layers: Vec<Result<Basis, Undefined>>,
}

impl SubspaceStage {
    /// Decomposes the `count` layers of which `view` gives the views.
    ///
    /// Layers run in parallel and each decomposition on one thread.
    pub fn new(
        count: usize,
        view: impl Fn(usize) -> Result<View, MetricError> + Sync,
    ) -> Result<Self, MetricError> {
        let layers = (0..count)
            .into_par_iter()
            .map(|i| {
                let view = view(i)?;
                Ok(match view.degenerate {
                    Some(reason) => Err(reason),
                    None => Ok(Basis::new(&view)?),
                })
            })
            .collect::<Result<Vec<_>, MetricError>>()?;
        Ok(Self { layers })
    }

    /// Calls `with` for the pair as it is.
    pub fn observed<T>(
        &self,
        (i, j): (usize, usize),
        with: impl FnOnce(&SubspacePair) -> T,
    ) -> Result<T, Undefined> {
        let (a, b) = self.both(i, j)?;
        Ok(with(&pair(a, b, &product(&a.u, &b.u))))
    }

    /// Calls `with` for the pairs under each permutation; layers that are
    /// degenerate are passed over.
    pub fn permuted(
        &self,
        pairs: &[(usize, usize)],
        permutations: &Permutations,
        mut with: impl FnMut(usize, &SubspacePair),
    ) {
        for map in permutations.iter() {
            let mut moved: Vec<Option<Mat<f64>>> = self.layers.iter().map(|_| None).collect();
            for (at, (i, j)) in pairs.iter().enumerate() {
                let Ok((a, b)) = self.both(*i, *j) else {
                    continue;
                };
                let u = moved[*j].get_or_insert_with(|| {
                    Mat::from_fn(b.u.nrows(), b.u.ncols(), |r, c| b.u[(map[r] as usize, c)])
                });
                with(at, &pair(a, b, &product(&a.u, u)));
            }
        }
    }

    fn both(&self, i: usize, j: usize) -> Result<(&Basis, &Basis), Undefined> {
        match (&self.layers[i], &self.layers[j]) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(reason), _) | (_, Err(reason)) => Err(*reason),
        }
    }
}

/// A'B, a few columns a task: the same on any number of threads.
fn product(a: &Mat<f64>, b: &Mat<f64>) -> Mat<f64> {
    const COLUMNS: usize = 32;
    let mut out = Mat::zeros(a.ncols(), b.ncols());
    out.as_mut()
        .par_col_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(block, mut out)| {
            let columns = b.subcols(block * COLUMNS, out.ncols());
            out.copy_from(linalg::product(a.transpose(), columns));
        });
    out
}

fn pair<'a>(a: &'a Basis, b: &'a Basis, product: &'a Mat<f64>) -> SubspacePair<'a> {
    SubspacePair {
        singular_a: &a.singular,
        singular_b: &b.singular,
        loadings_a: &a.loadings,
        product,
    }
}
