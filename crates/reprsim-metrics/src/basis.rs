//! Orthonormal bases of layers, and from which products they are told.
//!
//! X'X, which costs least, tells singular vectors and, by its Cholesky factor, an orthonormal basis in less
//! time than these, as far as squares of singular values leave digits; the samples themselves tell the rest.
//! X'X is taken in f32 first, which runs twice as fast. That is all where an estimate
//! of what its rounding does to a mean of canonical correlations ([`moved`]) says that it is far behind the
//! digits that count; else it is taken again in f64.

use faer::{Mat, MatRef, Scale};

use crate::MetricError;
use crate::host;
use crate::linalg::{self, thin_qr, thin_svd};
use crate::rows::Dense;
use crate::view::View;

/// Directions with a singular value below this share of the largest are noise of computing.
const RANK: f64 = 1e-10;

/// Squared singular values above this share of the largest have, as eigenvalues of X'X, digits enough:
/// rounding moves what is made of their directions by 1e-16 over it.
const SOUND: f64 = 1e-8;

/// A mean of canonical correlations may be moved so much by products in f32.
const UNSEEN: f64 = 3e-8;

/// How many leading directions, given all singular values.
type Count = fn(&[f64]) -> usize;

/// Which directions of a layer a measure looks at.
#[derive(Clone, Copy)]
pub enum Directions {
    /// All of them, in whichever orthonormal basis.
    All,
    /// As many leading left singular vectors as this says, given all singular values.
    Leading(Count),
}

/// The directions that all measures of a stage ask for together.
pub(crate) struct Asked {
    /// `None` if any basis of all will do.
    leading: Option<Vec<Count>>,
}

impl Asked {
    /// Those of all of them.
    pub fn by(directions: &[Directions]) -> Self {
        let is_any = |of: &Directions| matches!(of, Directions::All);
        let leading = directions.iter().map(|of| match of {
            Directions::All => <[f64]>::len,
            Directions::Leading(count) => *count,
        });
        Self {
            leading: (!directions.iter().all(is_any)).then(|| leading.collect()),
        }
    }

    /// How many, of a layer with these singular values.
    fn count(&self, singular: &[f64]) -> usize {
        match &self.leading {
            None => singular.len(),
            Some(leading) => leading.iter().map(|of| of(singular)).max().unwrap_or(0),
        }
    }
}

/// X = U S V', without the directions that are noise, or X = Q R.
pub(crate) struct Basis {
    pub view: View,
    /// None of X = Q R.
    pub singular: Vec<f64>,
    /// S V' or R.
    pub loadings: Mat<f64>,
    /// As many leading directions as were asked for.
    pub left: Left,
    /// Whether products in f32 told it, and tell its products with others.
    pub in_single: bool,
}

/// Left singular vectors, or Q.
pub(crate) enum Left {
    /// X times this.
    Turned(Mat<f64>),
    /// These, where X'X does not tell them.
    Columns(Mat<f64>),
}

impl Basis {
    /// That of a view that is not degenerate.
    pub fn new(view: View, asked: &Asked) -> Result<Self, MetricError> {
        if view.rows() < view.width() {
            return Self::of_samples(view, asked);
        }
        let single = Square {
            lower: host::own(&view)?,
            single: true,
        };
        let view = match Self::of_square(view, single, asked)? {
            Ok(basis) => return Ok(basis),
            Err(view) => view,
        };
        let double = Square {
            lower: host::own_in_double(&view)?,
            single: false,
        };
        match Self::of_square(view, double, asked)? {
            Ok(basis) => Ok(basis),
            Err(view) => Self::of_samples(view, asked),
        }
    }

    /// From X'X; gives the view back where that does not tell what is asked for to enough digits.
    fn of_square(
        view: View,
        square: Square,
        asked: &Asked,
    ) -> Result<Result<Self, View>, MetricError> {
        let view = match asked.leading {
            None => match Self::by_cholesky(view, &square)? {
                Ok(basis) => return Ok(Ok(basis)),
                // Of directions that f32 does not tell apart it tells nothing else either.
                Err(view) if square.single => return Ok(Err(view)),
                Err(view) => view,
            },
            Some(_) => view,
        };
        Self::by_eigenvectors(view, &square, asked)
    }

    /// X = (X L^-T) L', L L' = X'X, if it is certain that no direction is noise.
    fn by_cholesky(view: View, square: &Square) -> Result<Result<Self, View>, MetricError> {
        let d = view.width();
        let Some(factor) = linalg::cholesky(square.matrix(d)) else {
            return Ok(Err(view));
        };
        let inverse = linalg::inverse_of_lower(factor.as_ref());
        // The sum of all eigenvalues, and of one over each.
        let sum: f64 = square.diagonal(d).sum();
        let inverses = inverse.squared_norm_l2();
        let rounding = view.rounding()?.most();
        let is_certain = sum * inverses * SOUND <= 1.0 && rounding * rounding * inverses < 1.0;
        let turn = inverse.transpose().to_owned();
        if !is_certain || !square.tells(&view, turn.as_ref()) {
            return Ok(Err(view));
        }
        Ok(Ok(Self {
            view,
            singular: vec![],
            loadings: factor.transpose().to_owned(),
            left: Left::Turned(turn),
            in_single: square.single,
        }))
    }

    /// X = (X V S^-1) S V'. Gives the view back where one of the directions that are asked for is too small
    /// beside the largest for its square to have digits left.
    fn by_eigenvectors(
        view: View,
        square: &Square,
        asked: &Asked,
    ) -> Result<Result<Self, View>, MetricError> {
        let d = view.width();
        let failed = |_| MetricError::Decomposition(view.name().to_string());
        let (squares, vectors) = linalg::eigen(square.matrix(d)).map_err(failed)?;
        let largest = squares.first().copied().unwrap_or_default();
        let singular: Vec<f64> = squares.iter().map(|s| s.max(0.0).sqrt()).collect();
        let kept = directions(&singular, &vectors, &view)?;
        let sizes: Vec<f64> = kept.iter().map(|at| singular[*at]).collect();
        let asked = asked.count(&sizes);
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
        // Directions next to each other turn into each other, the last that is asked for into the first that
        // is not.
        let size = |at: usize| sizes.get(at).map_or(0.0, |size| size * size);
        let apart = asked
            .checked_sub(1)
            .map_or(0.0, |last| size(last) - size(asked));
        if !square.tells(&view, turn.as_ref()) || !square.parts(&view, apart, asked) {
            return Ok(Err(view));
        }
        Ok(Ok(Self {
            loadings: Mat::from_fn(kept.len(), d, |i, j| sizes[i] * vectors[(j, kept[i])]),
            singular: sizes,
            left: Left::Turned(turn),
            in_single: square.single,
            view,
        }))
    }

    /// From the singular value decomposition of X itself.
    fn of_samples(view: View, asked: &Asked) -> Result<Self, MetricError> {
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
        let asked = asked.count(&sizes);
        Ok(Self {
            left: Left::Columns(Mat::from_fn(n, asked, |i, j| left[(i, kept[j])])),
            singular: sizes,
            loadings,
            in_single: false,
            view,
        })
    }

    /// Whether all directions are noise.
    pub fn is_empty(&self) -> bool {
        self.loadings.nrows() == 0
    }

    /// How many directions were asked for.
    pub fn asked(&self) -> usize {
        match &self.left {
            Left::Turned(turn) => turn.ncols(),
            Left::Columns(columns) => columns.ncols(),
        }
    }

    /// Left singular vectors, or Q, a row a sample.
    pub fn samples(&self) -> Result<Vec<f64>, MetricError> {
        match &self.left {
            Left::Turned(turn) => host::turned(&self.view, turn.as_ref()),
            Left::Columns(columns) => Ok((0..columns.nrows())
                .flat_map(|i| columns.row(i).iter().copied())
                .collect()),
        }
    }

    /// The same in f32, which moves a product of two of them by less than 1e-7.
    pub fn rows(&self) -> Result<Dense, MetricError> {
        Ok(Dense {
            values: self.samples()?.iter().map(|v| *v as f32).collect(),
            count: self.view.rows(),
            width: self.asked(),
        })
    }
}

/// X'X on and below its diagonal, row-major.
struct Square {
    lower: Vec<f64>,
    /// Whether it was taken in f32.
    single: bool,
}

impl Square {
    fn matrix(&self, d: usize) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.lower, d, d)
    }

    fn diagonal(&self, d: usize) -> impl Iterator<Item = f64> + '_ {
        self.lower.iter().step_by(d + 1).copied()
    }

    /// What rounding moves its entries by, over the lengths of the two columns.
    fn rounding(&self, n: usize, d: usize) -> f64 {
        let diagonal: Vec<f64> = self.diagonal(d).collect();
        let mut sum = d as f64;
        for (i, row) in self.lower.chunks_exact(d).enumerate() {
            for (entry, own) in row[..i].iter().zip(&diagonal) {
                let size = own * diagonal[i];
                if size > 0.0 {
                    sum += 2.0 * entry * entry / size;
                }
            }
        }
        host::rounding(n, sum / (d * d) as f64)
    }

    /// Whether it tells the product of X times `turn`, of orthonormal columns, with others.
    fn tells(&self, view: &View, turn: MatRef<'_, f64>) -> bool {
        let (n, d) = (view.rows(), view.width());
        let lengths: Vec<f64> = self.diagonal(d).map(f64::sqrt).collect();
        !self.single || moved(&lengths, turn, self.rounding(n, d)) <= UNSEEN
    }

    /// Whether it tells `asked` leading directions from the next one, whose squared singular value is less
    /// by so much.
    fn parts(&self, view: &View, apart: f64, asked: usize) -> bool {
        let (n, d) = (view.rows(), view.width());
        let largest = self.diagonal(d).fold(0.0, f64::max);
        // Each of those that are asked for turns by rounding / apart, independently: of their mean that
        // is a share of one over the square root of how many they are.
        !self.single || self.rounding(n, d) * largest <= UNSEEN * (asked as f64).sqrt() * apart
    }
}

/// What independent rounding of the entries of X'X, by this share of the `lengths` of their columns, moves
/// the mean of the canonical correlations of X `turn` = X T by, about.
///
/// With E for the rounding, D for the lengths on a diagonal and W = U C V' for the product of two layers so
/// turned, their mean moves by `<D T_a U V' T_b' D, E> / d` to first order (and by as much for E in X'X and
/// Y'Y). Of independent entries that is `|D T_a U V' T_b' D| / d` in the root mean square, which is at most
/// the Frobenius norm of D T_a times the spectral norm of D T_b: for one layer with itself here, as the
/// geometric mean of both layers' bounds that of the pair.
fn moved(lengths: &[f64], turn: MatRef<'_, f64>, rounding: f64) -> f64 {
    let (d, count) = turn.shape();
    if count == 0 {
        return 0.0;
    }
    let scaled = Mat::from_fn(d, count, |i, j| lengths[i] * turn[(i, j)]);
    let frobenius = scaled.norm_l2();
    // By iteration from below: a factor of two is little here.
    let mut direction = Mat::<f64>::from_fn(count, 1, |_, _| 1.0);
    let mut spectral = 0.0;
    for _ in 0..6 {
        let length = direction.norm_l2();
        let along = linalg::product(scaled.as_ref(), direction.as_ref());
        direction = linalg::product(scaled.transpose(), along.as_ref());
        direction *= Scale(1.0 / length);
        spectral = direction.norm_l2().sqrt();
    }
    let spectral = frobenius.min(2.0 * spectral);
    rounding * frobenius * spectral / count as f64
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
