//! Layers in their bases of left singular vectors, in f64 on the host: what
//! canonical correlations, Procrustes and regression are made of.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use crate::host;
use crate::linalg::{self, thin_qr, thin_svd};
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

/// Squared singular values above this share of the largest have, as eigenvalues of X'X, digits enough:
/// rounding moves what is made of their directions by 1e-16 over it.
const SOUND: f64 = 1e-8;

/// X = U S V', without the directions that are noise.
struct Basis {
    view: View,
    singular: Vec<f64>,
    /// S V'.
    loadings: Mat<f64>,
    /// As many leading directions as were asked for.
    left: Left,
}

/// Left singular vectors.
enum Left {
    /// X times this.
    Turned(Mat<f64>),
    /// These, where X'X does not tell them.
    Columns(Mat<f64>),
}

impl Basis {
    /// That of a view that is not degenerate; `asked` says how many leading directions are needed.
    fn new(view: View, asked: &(impl Fn(&[f64]) -> usize + Sync)) -> Result<Self, MetricError> {
        match view.rows() >= view.width() {
            true => match Self::of_covariance(view, asked)? {
                Ok(basis) => Ok(basis),
                Err(view) => Self::of_samples(view, asked),
            },
            false => Self::of_samples(view, asked),
        }
    }

    /// From the eigenvectors of X'X, which cost d x d; gives the view back where one of the directions
    /// that are asked for is too small beside the largest for its square to have digits left.
    fn of_covariance(
        view: View,
        asked: &impl Fn(&[f64]) -> usize,
    ) -> Result<Result<Self, View>, MetricError> {
        let d = view.width();
        let failed = |_| MetricError::Decomposition(view.name().to_string());
        let lower = host::own_in_double(&view)?;
        let (squares, vectors) =
            linalg::eigen(MatRef::from_row_major_slice(&lower, d, d)).map_err(failed)?;
        let largest = squares.first().copied().unwrap_or_default();
        let singular: Vec<f64> = squares.iter().map(|s| s.max(0.0).sqrt()).collect();
        let kept = directions(&singular, &vectors, &view)?;
        let sizes: Vec<f64> = kept.iter().map(|at| singular[*at]).collect();
        let asked = asked(&sizes);
        // Where all are asked for, those that are noise by their squares may be none.
        let sound = |at: &usize| squares[*at] >= SOUND * largest;
        let all_sound = match asked == kept.len() {
            true => (0..d).all(|at| sound(&at)),
            false => kept[..asked].iter().all(sound),
        };
        if !all_sound {
            return Ok(Err(view));
        }
        let turn = Mat::from_fn(d, asked, |i, j| vectors[(i, kept[j])] / sizes[j]);
        Ok(Ok(Self {
            loadings: Mat::from_fn(kept.len(), d, |i, j| sizes[i] * vectors[(j, kept[i])]),
            singular: sizes,
            left: Left::Turned(turn),
            view,
        }))
    }

    /// From the singular value decomposition of X itself.
    fn of_samples(view: View, asked: &impl Fn(&[f64]) -> usize) -> Result<Self, MetricError> {
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
        let kept = directions(&singular, &right, &view)?;
        let sizes: Vec<f64> = kept.iter().map(|at| singular[*at]).collect();
        let loadings = Mat::from_fn(kept.len(), d, |i, j| sizes[i] * right[(j, kept[i])]);
        let asked = asked(&sizes);
        Ok(Self {
            left: Left::Columns(Mat::from_fn(n, asked, |i, j| left[(i, kept[j])])),
            singular: sizes,
            loadings,
            view,
        })
    }

    /// How many directions were asked for.
    fn asked(&self) -> usize {
        match &self.left {
            Left::Turned(turn) => turn.ncols(),
            Left::Columns(columns) => columns.ncols(),
        }
    }

    /// Left singular vectors, a row a sample.
    fn samples(&self) -> Result<Vec<f64>, MetricError> {
        match &self.left {
            Left::Turned(turn) => host::turned(&self.view, turn.as_ref()),
            Left::Columns(columns) => Ok((0..columns.nrows())
                .flat_map(|i| columns.row(i).iter().copied())
                .collect()),
        }
    }

    /// The same in f32, which moves a product of two of them by less than 1e-7.
    fn rows(&self) -> Result<Dense, MetricError> {
        Ok(Dense {
            values: self.samples()?.iter().map(|v| *v as f32).collect(),
            count: self.view.rows(),
            width: self.asked(),
        })
    }
}

/// Which singular values of a view are no noise; `vectors` has its right singular vectors as columns.
fn directions(
    singular: &[f64],
    vectors: &Mat<f64>,
    view: &View,
) -> Result<Vec<usize>, MetricError> {
    let rounding = view.rounding()?;
    let computing = RANK * singular.first().copied().unwrap_or_default();
    let floor = |at: usize| computing.max(rounding.of(vectors.col(at).iter().copied()));
    Ok((0..singular.len())
        .filter(|at| singular[*at] > floor(*at))
        .collect())
}

/// The bases of all layers of a set.
pub(crate) struct SubspaceStage {
    layers: Vec<Result<Basis, Undefined>>,
}

impl SubspaceStage {
    /// Decomposes the `count` layers of which `view` gives the views; `asked` says of a layer's
    /// singular values how many leading directions are looked at.
    ///
    /// Layers run in parallel and each decomposition on one thread.
    pub fn new(
        count: usize,
        view: impl Fn(usize) -> Result<View, MetricError> + Sync,
        asked: impl Fn(&[f64]) -> usize + Sync,
    ) -> Result<Self, MetricError> {
        let layers = (0..count)
            .into_par_iter()
            .map(|i| {
                let view = view(i)?;
                if let Some(reason) = view.degenerate {
                    return Ok(Err(reason));
                }
                let basis = Basis::new(view, &asked)?;
                Ok(match basis.singular.is_empty() {
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
            // U_a'U_b = S_a V_a' (X'Y) V_b S_b, each S to the power of -1.
            (Left::Turned(left), Left::Turned(right)) => {
                let cross = host::cross_in_double(&a.view, &b.view)?;
                let cross = MatRef::from_row_major_slice(&cross, a.view.width(), b.view.width());
                let half = product(cross.transpose(), right.as_ref());
                product(left.as_ref(), half.as_ref())
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

/// A'B, a few columns a task: the same on any number of threads.
fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    const COLUMNS: usize = 64;
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

fn pair<'a>(a: &'a Basis, b: &'a Basis, product: MatRef<'a, f64>) -> SubspacePair<'a> {
    SubspacePair {
        singular_a: &a.singular,
        singular_b: &b.singular,
        loadings_a: &a.loadings,
        product,
    }
}
