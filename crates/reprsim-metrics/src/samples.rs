//! Layers in bases of their singular vectors, sample by sample, on the host: what regressions are
//! made of that look at each sample by itself.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use crate::basis::{Asked, Basis, Directions};
use crate::null::Part;
use crate::pair::SamplesPair;
use crate::permutations::Permutations;
use crate::view::View;
use crate::{MetricError, Undefined};

/// U and S of X = U S V', without the directions that are noise.
struct Layer {
    /// `[n, r]`.
    left: Mat<f64>,
    singular: Vec<f64>,
}

/// The bases of all layers of a set.
pub(crate) struct SamplesStage {
    layers: Vec<Result<Layer, Undefined>>,
}

impl SamplesStage {
    /// Decomposes the `count` layers of which `view` gives the views, whose columns are centred.
    pub fn new(
        count: usize,
        view: impl Fn(usize) -> Result<View, MetricError> + Sync,
    ) -> Result<Self, MetricError> {
        let asked = Asked::by(&[Directions::Leading(<[f64]>::len)]);
        let layers = (0..count)
            .into_par_iter()
            .map(|i| {
                let view = view(i)?;
                if let Some(reason) = view.degenerate {
                    return Ok(Err(reason));
                }
                let basis = Basis::new(view, &asked)?;
                if basis.is_empty() {
                    return Ok(Err(Undefined::OnlyRounding));
                }
                let (n, r) = (basis.view.rows(), basis.asked());
                let left = MatRef::from_row_major_slice(&basis.samples()?, n, r).to_owned();
                let singular = basis.singular;
                Ok(Ok(Layer { left, singular }))
            })
            .collect::<Result<Vec<_>, MetricError>>()?;
        Ok(Self { layers })
    }

    /// Tells `heard` what `of` makes of each of `pairs`, as it is and under permutations, until it says
    /// that no more are needed. A permutation runs on one thread.
    pub fn compare<T: Send>(
        &self,
        pairs: &[(usize, usize)],
        permutations: &Permutations,
        of: impl Fn(&SamplesPair) -> T + Sync,
        heard: &mut dyn FnMut(Part<'_, T>) -> bool,
    ) {
        let both = |(i, j): &(usize, usize)| match (&self.layers[*i], &self.layers[*j]) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(reason), _) | (_, Err(reason)) => Err(*reason),
        };
        let value = |a: &Layer, b: &Layer, moved: MatRef<'_, f64>| {
            of(&SamplesPair {
                a: a.left.as_ref(),
                b: moved,
                singular_a: &a.singular,
                singular_b: &b.singular,
            })
        };
        let observed: Vec<Result<T, Undefined>> = (pairs.par_iter())
            .map(|pair| both(pair).map(|(a, b)| value(a, b, b.left.as_ref())))
            .collect();
        heard(Part::Observed(&observed));
        for batch in permutations.batches() {
            let permuted: Vec<Vec<T>> = (pairs.iter())
                .map(|pair| match both(pair) {
                    Ok((a, b)) => (batch.maps.par_iter())
                        .map(|map| {
                            let (n, r) = b.left.shape();
                            let moved = Mat::from_fn(n, r, |i, j| b.left[(map[i] as usize, j)]);
                            value(a, b, moved.as_ref())
                        })
                        .collect(),
                    Err(_) => vec![],
                })
                .collect();
            if !heard(Part::Permuted(&permuted)) {
                break;
            }
        }
    }
}
