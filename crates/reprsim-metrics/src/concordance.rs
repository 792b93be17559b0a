//! Whether pairs of samples are in the same order by their distances in two layers: Kendall's tau-a
//! over all pairs of pairs, by counting inversions (Knight 1966).
//!
//! What does not depend on the permutation is done once: pairs of samples in the order of the first
//! layer, and ranks of distances in the second.

use rayon::prelude::*;

use crate::distances::{InOrder, in_order};
use crate::null::Part;
use crate::permutations::Permutations;
use crate::view::View;
use crate::{MetricError, Undefined};

/// Samples at most: of all pairs 33 MiB of ranks a layer, and half a second a permutation.
const MOST_SAMPLES: usize = 4096;

/// How the distances of two layers are ordered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concordance {
    /// Pairs of distances in the same order in both layers, less those in opposite orders.
    pub difference: f64,
    /// All pairs of distances.
    pub pairs: f64,
    /// Whether distances differ at all in both layers.
    pub varies: bool,
}

impl Concordance {
    /// `(concordant - discordant) / all`.
    pub fn tau_a(&self) -> f64 {
        self.difference / self.pairs
    }
}

/// The distances of a layer.
struct Ordered {
    n: usize,
    /// Pairs of samples from the nearest to the furthest, and where each run of equal ones ends.
    pairs: Vec<(u32, u32)>,
    ends: Vec<usize>,
    /// The run of each pair, `n * n`.
    ranks: Vec<u32>,
}

impl Ordered {
    fn new(view: &View) -> Result<Result<Self, Undefined>, MetricError> {
        let n = view.rows();
        if let Some(reason) = view.degenerate {
            return Ok(Err(reason));
        }
        if n > MOST_SAMPLES {
            return Ok(Err(Undefined::TooManySamples { most: MOST_SAMPLES }));
        }
        let InOrder { pairs, ends } = in_order(view)?;
        let mut ranks = vec![0; n * n];
        let mut start = 0;
        for (rank, end) in ends.iter().enumerate() {
            for (i, j) in &pairs[start..*end] {
                let (i, j) = (*i as usize, *j as usize);
                ranks[i * n + j] = rank as u32;
                ranks[j * n + i] = rank as u32;
            }
            start = *end;
        }
        Ok(Ok(Self {
            n,
            pairs,
            ends,
            ranks,
        }))
    }

    /// Pairs of distances that are equal.
    fn ties(&self) -> u64 {
        let mut start = 0;
        let size = |end: &usize| {
            let size = (end - start) as u64;
            start = *end;
            size * (size - 1) / 2
        };
        self.ends.iter().map(size).sum()
    }

    /// With another layer, whose samples are in the order of `map`.
    fn with(&self, other: &Self, map: Option<&[u32]>) -> Concordance {
        let place = |i: u32| map.map_or(i, |map| map[i as usize]) as usize;
        let mut ranks: Vec<u32> = (self.pairs.iter())
            .map(|(i, j)| other.ranks[place(*i) * self.n + place(*j)])
            .collect();
        // Equal ones in the first layer are no inversions.
        let (mut both, mut start) = (0u64, 0);
        for end in &self.ends {
            let run = &mut ranks[start..*end];
            start = *end;
            if run.len() == 1 {
                continue;
            }
            run.sort_unstable();
            let equal = |same: &[u32]| (same.len() as u64) * (same.len() as u64 - 1) / 2;
            both += run.chunk_by(|x, y| x == y).map(equal).sum::<u64>();
        }
        let count = self.pairs.len() as u64;
        let all = count * count.saturating_sub(1) / 2;
        let (own, others) = (self.ties(), other.ties());
        let ordered = (all - own - (others - both)) as f64;
        Concordance {
            difference: ordered - 2.0 * inversions(&mut ranks) as f64,
            pairs: all as f64,
            varies: own < all && others < all,
        }
    }
}

/// How often a number stands before a smaller one; sorts them.
fn inversions(values: &mut Vec<u32>) -> u64 {
    /// Numbers that are sorted one by one.
    const FEW: usize = 16;
    let mut count = 0u64;
    for few in values.chunks_mut(FEW) {
        for end in 1..few.len() {
            let mut at = end;
            while at > 0 && few[at - 1] > few[at] {
                few.swap(at - 1, at);
                at -= 1;
            }
            count += (end - at) as u64;
        }
    }
    let mut other = vec![0; values.len()];
    let mut width = FEW;
    while width < values.len() {
        for (from, to) in (values.chunks(2 * width)).zip(other.chunks_mut(2 * width)) {
            let (left, right) = from.split_at(width.min(from.len()));
            count += merged(left, right, to);
        }
        std::mem::swap(values, &mut other);
        width *= 2;
    }
    count
}

/// Two sorted parts as one, and how often a number of the left is larger than one of the right. Which
/// comes next is as good as random: there is no branch on it.
fn merged(left: &[u32], right: &[u32], to: &mut [u32]) -> u64 {
    let (mut i, mut j, mut count) = (0, 0, 0);
    while i < left.len() && j < right.len() {
        // Of equals the left one first: they are in order.
        let is_right = right[j] < left[i];
        to[i + j] = if is_right { right[j] } else { left[i] };
        count += if is_right { left.len() - i } else { 0 };
        j += usize::from(is_right);
        i += usize::from(!is_right);
    }
    let rest = &mut to[i + j..];
    match i < left.len() {
        true => rest.copy_from_slice(&left[i..]),
        false => rest.copy_from_slice(&right[j..]),
    }
    count as u64
}

/// Compares `pairs` of `views`; `heard` is told of what is found, and says whether more permutations are
/// needed. A permutation runs on one thread.
pub(crate) fn compare(
    views: impl Iterator<Item = Result<View, MetricError>>,
    pairs: &[(usize, usize)],
    permutations: &Permutations,
    heard: &mut dyn FnMut(Part<'_, Concordance>) -> bool,
) -> Result<(), MetricError> {
    let layers = views
        .map(|view| Ordered::new(&view?))
        .collect::<Result<Vec<_>, MetricError>>()?;
    let both = |(i, j): &(usize, usize)| match (&layers[*i], &layers[*j]) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(reason), _) | (_, Err(reason)) => Err(*reason),
    };
    let observed: Vec<_> = (pairs.par_iter())
        .map(|pair| both(pair).map(|(a, b)| a.with(b, None)))
        .collect();
    heard(Part::Observed(&observed));
    for batch in permutations.batches() {
        let permuted: Vec<Vec<Concordance>> = (pairs.iter())
            .map(|pair| match both(pair) {
                Ok((a, b)) => (batch.maps.par_iter())
                    .map(|map| a.with(b, Some(map)))
                    .collect(),
                Err(_) => vec![],
            })
            .collect();
        if !heard(Part::Permuted(&permuted)) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn inversions_are_counted(values in prop::collection::vec(0u32..9, 0..150)) {
            let mut expected = 0;
            for (i, x) in values.iter().enumerate() {
                expected += values[i..].iter().filter(|y| x > *y).count() as u64;
            }
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let mut counted = values;
            prop_assert_eq!(inversions(&mut counted), expected);
            prop_assert_eq!(counted, sorted);
        }
    }
}
