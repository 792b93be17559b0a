//! Layers in orthonormal bases, on the host: what canonical correlations and regression are made of.

use faer::{ColRef, Mat, MatRef};
use rayon::prelude::*;

use crate::basis::{Asked, Basis, Directions, Left};
use crate::host;
use crate::linalg;
use crate::null::Part;
use crate::pair::SubspacePair;
use crate::permutations::Permutations;
use crate::rows::Dense;
use crate::view::{ColumnMap, RowMap, Transform, View};
use crate::{MetricError, Undefined};

/// How columns are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Columns {
    /// Centred.
    Centred,
    /// Centred and of standard deviation 1; one that does not vary is zero.
    Scaled,
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
            Self::Scaled => Transform {
                rows: RowMap::AsIs,
                columns: ColumnMap::Scaled,
            },
            Self::ClampedScaled => Transform {
                rows: RowMap::ClampedUnit { threshold },
                columns: ColumnMap::Scaled,
            },
        }
    }
}

/// The bases of all layers of a set.
pub(crate) struct SubspaceStage {
    layers: Vec<Result<Basis, Undefined>>,
}

impl SubspaceStage {
    /// Decomposes the `count` layers of which `view` gives the views, for measures that look at these
    /// directions.
    ///
    /// Layers run in parallel and each decomposition on one thread.
    pub fn new(
        count: usize,
        view: impl Fn(usize) -> Result<View, MetricError> + Sync,
        directions: &[Directions],
    ) -> Result<Self, MetricError> {
        let asked = Asked::by(directions);
        let layers = (0..count)
            .into_par_iter()
            .map(|i| {
                let view = view(i)?;
                if let Some(reason) = view.degenerate {
                    return Ok(Err(reason));
                }
                let basis = Basis::new(view, &asked)?;
                Ok(match basis.is_empty() {
                    true => Err(Undefined::OnlyRounding),
                    false => Ok(basis),
                })
            })
            .collect::<Result<Vec<_>, MetricError>>()?;
        Ok(Self { layers })
    }

    /// Tells `heard` what `of` makes of each of `pairs`, as it is and under permutations, until it says
    /// that no more are needed.
    pub fn compare<T: Send>(
        &self,
        pairs: &[(usize, usize)],
        permutations: &Permutations,
        of: impl Fn(&SubspacePair) -> T + Sync,
        heard: &mut dyn FnMut(Part<'_, T>) -> bool,
    ) -> Result<(), MetricError> {
        let observed = (pairs.iter())
            .map(|pair| self.observed(*pair, &of))
            .collect::<Result<Vec<_>, MetricError>>()?;
        heard(Part::Observed(&observed));
        let mut rows: Vec<Option<Dense>> = self.layers.iter().map(|_| None).collect();
        for batch in permutations.batches() {
            for i in pairs.iter().flat_map(|(i, j)| [*i, *j]) {
                if let (None, Ok(basis)) = (&rows[i], &self.layers[i]) {
                    rows[i] = Some(basis.rows()?);
                }
            }
            let permuted = (pairs.iter())
                .map(|(i, j)| {
                    let (Ok((a, b)), Some(left), Some(right)) =
                        (self.both(*i, *j), &rows[*i], &rows[*j])
                    else {
                        return Ok(vec![]);
                    };
                    let size = (a.asked(), b.asked());
                    host::permuted(&[left], &[right], &batch.maps, |product| {
                        let product = MatRef::from_row_major_slice(product, size.0, size.1);
                        of(&pair(a, b, product))
                    })
                })
                .collect::<Result<Vec<_>, MetricError>>()?;
            if !heard(Part::Permuted(&permuted)) {
                break;
            }
        }
        Ok(())
    }

    fn observed<T>(
        &self,
        (i, j): (usize, usize),
        of: impl FnOnce(&SubspacePair) -> T,
    ) -> Result<Result<T, Undefined>, MetricError> {
        let (a, b) = match self.both(i, j) {
            Ok(both) => both,
            Err(reason) => return Ok(Err(reason)),
        };
        let product = match (&a.left, &b.left) {
            // (X T_a)'(Y T_b) = T_a' (X'Y) T_b.
            (Left::Turned(left), Left::Turned(right)) => {
                let cross = match a.in_single && b.in_single {
                    true => host::cross(&[&a.view], &[&b.view])?,
                    false => host::cross_in_double(&a.view, &b.view)?,
                };
                let cross = MatRef::from_row_major_slice(&cross, a.view.width(), b.view.width());
                let half = product(cross.transpose(), right.as_ref());
                product(half.as_ref(), left.as_ref()).transpose().to_owned()
            }
            _ => {
                let (left, right) = (a.samples()?, b.samples()?);
                let n = a.view.rows();
                let left = MatRef::from_row_major_slice(&left, n, a.asked());
                product(left, MatRef::from_row_major_slice(&right, n, b.asked()))
            }
        };
        Ok(Ok(of(&pair(a, b, product.as_ref()))))
    }

    fn both(&self, i: usize, j: usize) -> Result<(&Basis, &Basis), Undefined> {
        match (&self.layers[i], &self.layers[j]) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(reason), _) | (_, Err(reason)) => Err(*reason),
        }
    }
}

/// A'B, a few columns a task: the same on any number of threads. What B has below the last number that is not
/// zero in these columns is left out, half of a triangle.
fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    const COLUMNS: usize = 64;
    let mut out = Mat::zeros(a.ncols(), b.ncols());
    out.as_mut()
        .par_col_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(block, mut out)| {
            let columns = b.subcols(block * COLUMNS, out.ncols());
            let filled = |column: ColRef<'_, f64>| {
                let values = column.iter().rev();
                column.nrows() - values.take_while(|v| **v == 0.0).count()
            };
            let rows = columns.col_iter().map(filled).max().unwrap_or(0);
            let a = a.subrows(0, rows).transpose();
            out.copy_from(linalg::product(a, columns.subrows(0, rows)));
        });
    out
}

fn pair<'a>(a: &'a Basis, b: &'a Basis, product: MatRef<'a, f64>) -> SubspacePair<'a> {
    SubspacePair {
        singular_a: &a.singular,
        singular_b: &b.singular,
        loadings_a: &a.loadings,
        loadings_b: &b.loadings,
        product,
    }
}
