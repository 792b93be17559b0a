//! Distances between all samples of a part: what topology is told by.

use rand::seq::SliceRandom;
use rayon::prelude::*;
use reprsim_base::Stream;

use crate::lanes::square_apart;
use crate::null::Part;
use crate::pair::DistancePair;
use crate::permutations::Permutations;
use crate::view::{ColumnMap, RowMap, Transform, View};
use crate::{MetricError, Undefined, Value};

/// Samples of a part at most: what is computed of its distances takes time by their number's third power
/// and more.
const MOST: usize = 128;

/// Parts at most.
const PARTS: usize = 4;

/// Parts of `n` samples, of equal size, each sample in one at most; all samples in their order where
/// they are few.
fn parts(n: usize) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    if n <= MOST {
        return vec![order];
    }
    order.shuffle(&mut Stream::new(0).child("parts").rng());
    let size = n / n.div_ceil(MOST);
    let parts = order.chunks_exact(size).take(PARTS);
    parts.map(<[u32]>::to_vec).collect()
}

/// The layers of a set whose distances are looked at.
pub(crate) struct DistanceStage {
    layers: Vec<Result<View, Undefined>>,
}

impl DistanceStage {
    /// How it sees activations.
    pub fn transform() -> Transform {
        Transform {
            rows: RowMap::AsIs,
            columns: ColumnMap::Located,
        }
    }

    pub fn new(
        views: impl Iterator<Item = Result<View, MetricError>>,
    ) -> Result<Self, MetricError> {
        let sound = |view: View| match view.degenerate {
            Some(reason) => Err(reason),
            None => Ok(view),
        };
        let layers = views.map(|view| view.map(sound));
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
        })
    }

    /// Tells `heard` what `of` makes of each of `pairs`, the mean over parts of the samples, as it is and
    /// under permutations, until it says that no more are needed.
    pub fn compare(
        &self,
        pairs: &[(usize, usize)],
        permutations: &Permutations,
        of: impl Fn(&DistancePair) -> Vec<Value> + Sync,
        heard: &mut dyn FnMut(Part<'_, Vec<Value>>) -> bool,
    ) -> Result<(), MetricError> {
        let rows = self.layers.iter().flatten().map(View::rows).next();
        let parts = rows.map_or(vec![], parts);
        let distances = |view: &View, map: Option<&[u32]>| -> Result<Vec<Vec<f64>>, MetricError> {
            let of_part = |part: &Vec<u32>| match map {
                Some(map) => {
                    let moved: Vec<u32> = part.iter().map(|i| map[*i as usize]).collect();
                    between(view, &moved)
                }
                None => between(view, part),
            };
            parts.par_iter().map(of_part).collect()
        };
        // Those of first layers stay as they are under every permutation.
        let mut firsts: Vec<Option<Vec<Vec<f64>>>> = self.layers.iter().map(|_| None).collect();
        for (i, _) in pairs {
            if let (None, Ok(view)) = (&firsts[*i], &self.layers[*i]) {
                firsts[*i] = Some(distances(view, None)?);
            }
        }
        let one = |(i, j): &(usize, usize), map: Option<&[u32]>| {
            let ((Ok(_), Ok(b)), Some(a)) = ((&self.layers[*i], &self.layers[*j]), &firsts[*i])
            else {
                return Ok(None);
            };
            let b = distances(b, map)?;
            let of_parts: Vec<Vec<Value>> = (a.par_iter().zip(&b).zip(&parts))
                .map(|((a, b), part)| {
                    of(&DistancePair {
                        n: part.len(),
                        a,
                        b,
                    })
                })
                .collect();
            Ok::<_, MetricError>(Some(means(&of_parts)))
        };
        let observed = (pairs.iter())
            .map(|(i, j)| match (&self.layers[*i], &self.layers[*j]) {
                (Err(reason), _) | (_, Err(reason)) => Ok(Err(*reason)),
                _ => Ok(Ok(one(&(*i, *j), None)?.unwrap_or_default())),
            })
            .collect::<Result<Vec<_>, MetricError>>()?;
        heard(Part::Observed(&observed));
        for batch in permutations.batches() {
            let permuted = (pairs.iter())
                .map(|pair| {
                    let of_maps = batch.maps.par_iter().map(|map| one(pair, Some(map)));
                    let of_maps: Vec<Option<Vec<Value>>> = of_maps.collect::<Result<_, _>>()?;
                    Ok(of_maps.into_iter().flatten().collect())
                })
                .collect::<Result<Vec<Vec<Vec<Value>>>, MetricError>>()?;
            if !heard(Part::Permuted(&permuted)) {
                break;
            }
        }
        Ok(())
    }
}

/// The Euclidean distances of some samples from each other.
fn between(view: &View, samples: &[u32]) -> Result<Vec<f64>, MetricError> {
    let (n, rows) = (samples.len(), view.read_each(samples)?);
    let row = |i: usize| &rows[i * view.width()..][..view.width()];
    let mut out = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            let distance = square_apart(row(i), row(j)).sqrt();
            (out[i * n + j], out[j * n + i]) = (distance, distance);
        }
    }
    Ok(out)
}

/// The mean over parts of each value.
fn means(of_parts: &[Vec<Value>]) -> Vec<Value> {
    let count = of_parts.first().map_or(0, Vec::len);
    (0..count)
        .map(|at| {
            let values = of_parts.iter().map(|values| values[at]);
            let sum = values.sum::<Result<f64, Undefined>>()?;
            Ok(sum / of_parts.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_one_size_and_hold_a_sample_once() {
        assert_eq!(parts(5), [[0, 1, 2, 3, 4]]);
        for n in [MOST, MOST + 1, 1000, 20_000] {
            let parts = parts(n);
            let size = parts[0].len();
            assert!(size <= MOST && parts.len() <= PARTS);
            assert!(parts.iter().all(|part| part.len() == size));
            let mut all = parts.concat();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), size * parts.len());
            // But for less than one sample a part all are in one, as far as they may be.
            assert!(all.len() + parts.len() > n.min(PARTS * size));
        }
    }
}
