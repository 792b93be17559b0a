//! Cosines between samples and the neighbours that they have in either of two layers.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::MetricError;
use crate::lanes::dot_in_single;
use crate::neighbors::{NeighborStage, Space};
use crate::null::Part;
use crate::pair::{CosinePair, Cosines};
use crate::permutations::Permutations;
use crate::rows::Rows;
use crate::view::{ColumnMap, Transform, View};

/// How activations are seen whose neighbours are found in `space`: as they are told by cosines.
pub(crate) fn transform(space: Space, threshold: f64) -> Transform {
    Transform {
        columns: ColumnMap::AsIs,
        ..space.transform(threshold)
    }
}

/// Tells `heard` what `of` makes of each of `pairs`, as it is and under permutations, until it says that
/// no more are needed. `views` are of rows of length 1.
pub(crate) fn compare<T: Send>(
    lists: &NeighborStage,
    views: &[View],
    pairs: &[(usize, usize)],
    permutations: &Permutations,
    of: impl Fn(&CosinePair) -> T + Sync,
    heard: &mut dyn FnMut(Part<'_, T>) -> bool,
) -> Result<(), MetricError> {
    let observed = (pairs.iter())
        .map(|(i, j)| {
            let (a, b) = match lists.both(*i, *j) {
                Ok(both) => both,
                Err(reason) => return Ok(Err(reason)),
            };
            let [rows_a, rows_b] = [i, j].map(|layer| rows(&views[*layer]));
            let (rows_a, rows_b) = (rows_a?, rows_b?);
            Ok(Ok(of(&CosinePair {
                lists: lists.pair(a, b),
                a: Cosines::new(&rows_a, views[*i].width(), None),
                b: Cosines::new(&rows_b, views[*j].width(), None),
            })))
        })
        .collect::<Result<Vec<_>, MetricError>>()?;
    heard(Part::Observed(&observed));
    for batch in permutations.batches() {
        let permuted = (pairs.iter())
            .map(|(i, j)| {
                let Ok((a, b)) = lists.both(*i, *j) else {
                    return Ok(vec![]);
                };
                // Read again where they are not kept: of all layers at once there may be too many.
                let [rows_a, rows_b] = [i, j].map(|layer| rows(&views[*layer]));
                let (rows_a, rows_b) = (rows_a?, rows_b?);
                let one = |map: &&[u32]| {
                    let b = b.permuted(map, lists.k());
                    of(&CosinePair {
                        lists: lists.pair(a, &b),
                        a: Cosines::new(&rows_a, views[*i].width(), None),
                        b: Cosines::new(&rows_b, views[*j].width(), Some(map)),
                    })
                };
                Ok(batch.maps.par_iter().map(one).collect())
            })
            .collect::<Result<Vec<Vec<T>>, MetricError>>()?;
        if !heard(Part::Permuted(&permuted)) {
            break;
        }
    }
    Ok(())
}

fn rows(view: &View) -> Result<Cow<'_, [f32]>, MetricError> {
    view.near(0..view.rows())
}

impl<'a> Cosines<'a> {
    /// Those of `rows` of length 1 and this width, sample i being row `map[i]`.
    pub(crate) fn new(rows: &'a [f32], width: usize, map: Option<&'a [u32]>) -> Self {
        Self { rows, width, map }
    }

    /// The cosine of two samples.
    pub fn of(&self, i: usize, j: usize) -> f64 {
        let row = |sample: usize| {
            let row = self.map.map_or(sample, |map| map[sample] as usize);
            &self.rows[row * self.width..][..self.width]
        };
        dot_in_single(row(i), row(j))
    }
}
