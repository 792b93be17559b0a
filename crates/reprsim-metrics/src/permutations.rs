//! Permutations of the samples, and what they say of a score.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Permutations of n samples. Under permutation p, sample i of one model is
/// matched with sample `p[i]` of the other; all layers of a model move together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permutations {
    maps: Vec<Vec<u32>>,
    /// See [`Permutations::until`].
    until: Option<usize>,
    /// The order and the shifts, if that is what they are.
    cycle: Option<(Vec<u32>, Vec<u32>)>,
}

/// Permutations that are looked at together.
pub(crate) struct Batch<'a> {
    pub maps: Vec<&'a [u32]>,
    /// What they are made of, if they are shifts.
    pub cycle: Option<Cycle<'a>>,
}

/// Shifts of the samples in one order.
pub(crate) struct Cycle<'a> {
    pub order: &'a [u32],
    /// By how many places, more than none and less than there are samples.
    pub shifts: &'a [u32],
}

/// Permutations whose scores are found at once, where all are wanted.
const AT_ONCE: usize = 64;

/// Of shifts, for which all of a kernel matrix is gone through each time.
const SHIFTS_AT_ONCE: usize = 1024;

/// And where fewer may suffice.
const A_FEW: usize = 16;

impl Permutations {
    /// No permutation: only the scores themselves.
    pub fn none() -> Self {
        Self::default()
    }

    /// `count` random permutations of `n` samples, the same for the same seed.
    pub fn random(n: usize, count: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut map: Vec<u32> = (0..n as u32).collect();
        let maps = (0..count)
            .map(|_| {
                map.shuffle(&mut rng);
                map.clone()
            })
            .collect();
        Self {
            maps,
            ..Self::default()
        }
    }

    /// `count` different shifts of `n` samples in one random order, round the end, or all that there
    /// are.
    ///
    /// They are drawn from a group, so that a test against them is as exact as one against any
    /// permutations (Hemerik and Goeman 2018); and the products of kernel matrices under them are the
    /// only ones that need not gather their entries, so that they take a fraction of the time. They
    /// leave no sample in its place.
    pub fn shifts(n: usize, count: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.shuffle(&mut rng);
        let mut shifts: Vec<u32> = (1..n as u32).collect();
        let (drawn, _) = shifts.partial_shuffle(&mut rng, count);
        let shifts = drawn.to_vec();
        let map = |shift: &u32| {
            let mut map = vec![0; n];
            for (t, i) in order.iter().enumerate() {
                map[*i as usize] = order[(t + *shift as usize) % n];
            }
            map
        };
        Self {
            maps: shifts.iter().map(map).collect(),
            until: None,
            cycle: Some((order, shifts)),
        }
    }

    /// `count` random permutations that move blocks of samples as a whole: `blocks` names
    /// the block of each sample.
    ///
    /// Samples of one block (windows of one document) depend on each other, so that
    /// only the blocks are exchangeable (Winkler et al. 2015). A block changes places
    /// with blocks of its own size alone, its samples in their order, which keeps the
    /// test exact; a block of a size of its own stays.
    pub fn of_blocks(blocks: &[u32], count: usize, seed: u64) -> Self {
        let mut rows: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (row, block) in blocks.iter().enumerate() {
            rows.entry(*block).or_default().push(row as u32);
        }
        let mut sizes: BTreeMap<usize, Vec<Vec<u32>>> = BTreeMap::new();
        for block in rows.into_values() {
            sizes.entry(block.len()).or_default().push(block);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let maps = (0..count).map(|_| {
            let mut map = vec![0; blocks.len()];
            for equals in sizes.values() {
                let mut from: Vec<usize> = (0..equals.len()).collect();
                from.shuffle(&mut rng);
                for (to, from) in equals.iter().zip(from) {
                    for (to, from) in to.iter().zip(&equals[from]) {
                        map[*to as usize] = *from;
                    }
                }
            }
            map
        });
        Self {
            maps: maps.collect(),
            ..Self::default()
        }
    }

    /// `count` random permutations that move samples inside their group alone: `groups` names the group
    /// of each.
    ///
    /// What groups have in common (a class, a session) is then in every permuted score too, so that p
    /// is of what they have beyond it (Winkler et al. 2015, within-block exchangeability).
    pub fn within(groups: &[u32], count: usize, seed: u64) -> Self {
        let mut rows: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (row, group) in groups.iter().enumerate() {
            rows.entry(*group).or_default().push(row as u32);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let maps = (0..count).map(|_| {
            let mut map = vec![0; groups.len()];
            for members in rows.values() {
                let mut from = members.clone();
                from.shuffle(&mut rng);
                for (to, from) in members.iter().zip(from) {
                    map[*to as usize] = from;
                }
            }
            map
        });
        Self {
            maps: maps.collect(),
            ..Self::default()
        }
    }

    /// The same permutations, of which no more are looked at once so many have given each score a value
    /// as large as its own (Besag and Clifford 1991): what is not unusual shows early.
    #[must_use]
    pub fn until(mut self, exceedances: Option<NonZeroUsize>) -> Self {
        self.until = exceedances.map(NonZeroUsize::get);
        self
    }

    /// How many values as large as the score suffice; `None`: all permutations are looked at.
    pub(crate) fn exceedances(&self) -> Option<usize> {
        self.until
    }

    /// The permutations, as many at a time as are looked at before it is asked whether they suffice.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Batch<'_>> {
        let size = match (self.until, &self.cycle) {
            (Some(_), None) => A_FEW,
            (Some(_), Some(_)) | (None, None) => AT_ONCE,
            (None, Some(_)) => SHIFTS_AT_ONCE,
        };
        (self.maps.chunks(size).enumerate()).map(move |(at, maps)| Batch {
            maps: maps.iter().map(Vec::as_slice).collect(),
            cycle: self.cycle.as_ref().map(|(order, shifts)| Cycle {
                order,
                shifts: &shifts[at * size..][..maps.len()],
            }),
        })
    }

    /// How many samples they permute; `None` if there is no permutation.
    pub(crate) fn samples(&self) -> Option<usize> {
        self.maps.first().map(Vec::len)
    }

    /// Whether they are shifts of the samples in one order.
    pub(crate) fn are_shifts(&self) -> bool {
        self.cycle.is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.maps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.maps.iter().map(Vec::as_slice)
    }
}

/// What permutations say of a score (Groeger, Wen, Brbic 2026, arXiv
/// 2602.14486, section "calibration").
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Mean of the permuted scores: the chance level.
    pub null_mean: f64,
    /// `(1 + #{permuted >= observed}) / (K + 1)`, equal to rounding counting as equal; where `h` of
    /// them were to suffice and did after `l` permutations, `h / l`.
    pub p: f64,
    /// The order statistic `ceil((1 - alpha)(K + 1))` of observed and permuted
    /// scores.
    pub threshold: f64,
    /// `max(0, (observed - threshold) / (largest possible - threshold))`: 0 for
    /// what chance gives, 1 for identity. `None` for an unbounded measure.
    pub calibrated: Option<f64>,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Level of the threshold of [`Calibration`].
pub const ALPHA: f64 = 0.05;

impl Calibration {
    /// Calibrates `observed` by the scores under permutation; `largest` is the
    /// largest value of the measure. Of the permutations no more count than were needed for as many
    /// `exceedances`. `None` without permutations.
    pub fn new(
        observed: f64,
        permuted: &[f64],
        largest: f64,
        exceedances: Option<usize>,
    ) -> Option<Self> {
        if permuted.is_empty() {
            return None;
        }
        let stopped = exceedances.and_then(|h| Some((h, stopped(observed, permuted, h)?)));
        let permuted = &permuted[..stopped.map_or(permuted.len(), |(_, after)| after)];
        let count = permuted.len() as f64;
        let size = |v: &f64| v.abs();
        let tie = tie((permuted.iter().map(size)).fold(observed.abs(), f64::max));
        let as_large = permuted.iter().filter(|s| **s >= observed - tie).count() as f64;
        let mut all: Vec<f64> = permuted.to_vec();
        all.push(observed);
        all.sort_by(f64::total_cmp);
        let rank = ((1.0 - ALPHA) * (count + 1.0)).ceil() as usize;
        let threshold = all[rank.clamp(1, all.len()) - 1];
        let (above, room) = (observed - threshold, largest - threshold);
        Some(Self {
            // The one that was waited for is no random one.
            null_mean: mean(match stopped {
                Some(_) if permuted.len() > 1 => &permuted[..permuted.len() - 1],
                _ => permuted,
            }),
            p: match stopped {
                // That the last one is as large was waited for.
                Some((h, _)) => h as f64 / count,
                None => (1.0 + as_large) / (count + 1.0),
            },
            threshold,
            calibrated: largest
                .is_finite()
                .then_some(match above > tie && room > tie {
                    true => above / room,
                    false => 0.0,
                }),
        })
    }
}

/// By how much scores, of which this is the largest in size, may differ that are equal but for
/// rounding: without this the p-value of a saturated measure would be decided by its last digit.
fn tie(largest: f64) -> f64 {
    1e-6 * largest.max(0.1)
}

/// How many scores under permutation were as large as the score itself so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exceedances {
    /// How many.
    pub count: usize,
    largest: f64,
}

impl Exceedances {
    /// One more score: as large or not by what is known up to it, so that later ones change nothing.
    pub fn add(&mut self, observed: f64, score: f64) {
        self.largest = self.largest.max(observed.abs()).max(score.abs());
        self.count += usize::from(score >= observed - tie(self.largest));
    }
}

/// After how many permutations so many scores, `wanted`, were as large as `observed`, if ever.
fn stopped(observed: f64, permuted: &[f64], wanted: usize) -> Option<usize> {
    let mut found = Exceedances::default();
    let reached = permuted.iter().position(|score| {
        found.add(observed, *score);
        found.count >= wanted
    });
    reached.map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_move_whole_and_in_order(sizes in prop::collection::vec(1usize..5, 1..12), seed in 0u64..100) {
            // Blocks are not contiguous: sample i belongs to block i modulo their number,
            // as long as that one is not full.
            let mut left = sizes.clone();
            let mut blocks = Vec::new();
            while left.iter().any(|&n| n > 0) {
                for (block, n) in left.iter_mut().enumerate().filter(|(_, n)| **n > 0) {
                    *n -= 1;
                    blocks.push(block as u32);
                }
            }
            let of = |block: u32| -> Vec<usize> {
                (0..blocks.len()).filter(|&i| blocks[i] == block).collect()
            };
            let permutations = Permutations::of_blocks(&blocks, 5, seed);
            prop_assert_eq!(&permutations, &Permutations::of_blocks(&blocks, 5, seed));
            for map in permutations.iter() {
                let mut sorted = map.to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..blocks.len() as u32).collect::<Vec<_>>());
                for block in 0..sizes.len() as u32 {
                    let to: Vec<usize> = of(block).iter().map(|&i| map[i] as usize).collect();
                    prop_assert_eq!(&to, &of(blocks[to[0]]), "a whole block in its order");
                }
            }
        }
    }

    #[test]
    fn shifts_are_different_and_move_every_sample() {
        for (n, count) in [(7, 3), (50, 49), (50, 80)] {
            let shifts = Permutations::shifts(n, count, 4);
            assert_eq!(shifts, Permutations::shifts(n, count, 4));
            assert_eq!(shifts.len(), count.min(n - 1));
            let maps: BTreeSet<&[u32]> = shifts.iter().collect();
            assert_eq!(maps.len(), shifts.len());
            // One after the other is a third, or none at all: they are a group.
            let all: BTreeSet<Vec<u32>> =
                (Permutations::shifts(n, n, 4).iter().map(<[u32]>::to_vec))
                    .chain([(0..n as u32).collect()])
                    .collect();
            assert_eq!(all.len(), n);
            for map in &maps {
                assert!(map.iter().enumerate().all(|(i, to)| i != *to as usize));
                let twice: Vec<u32> = map.iter().map(|i| map[*i as usize]).collect();
                assert!(all.contains(&twice));
            }
        }
        assert!(Permutations::shifts(1, 5, 0).is_empty());
        assert!(Permutations::shifts(0, 5, 0).is_empty());
    }

    #[test]
    fn no_more_permutations_than_it_takes() {
        let scores = [0.1, 0.9, 0.2, 0.8, 0.7, 0.95];
        let p = |observed, exceedances| {
            Calibration::new(observed, &scores, 1.0, exceedances).map(|c| c.p)
        };
        // As large as 0.75: the second, the fourth, the sixth.
        assert_eq!(p(0.75, None), Some(4.0 / 7.0));
        assert_eq!(p(0.75, Some(1)), Some(1.0 / 2.0));
        assert_eq!(p(0.75, Some(2)), Some(2.0 / 4.0));
        assert_eq!(p(0.75, Some(3)), Some(3.0 / 6.0));
        assert_eq!(p(0.75, Some(4)), Some(4.0 / 7.0));
    }

    #[test]
    fn samples_stay_inside_their_groups() {
        let groups: Vec<u32> = (0..60).map(|i| i * i % 5).collect();
        let permutations = Permutations::within(&groups, 30, 3);
        assert_eq!(permutations, Permutations::within(&groups, 30, 3));
        let mut moved = 0;
        for map in permutations.iter() {
            let mut sorted = map.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..60).collect::<Vec<u32>>());
            for (to, from) in map.iter().enumerate() {
                assert_eq!(groups[to], groups[*from as usize]);
                moved += usize::from(to != *from as usize);
            }
        }
        assert!(moved > 1500, "{moved}");
    }

    #[test]
    fn single_samples_are_blocks_that_move_freely() {
        let permutations = Permutations::of_blocks(&(0..50).collect::<Vec<u32>>(), 20, 1);
        let moved = permutations.iter().flatten().zip((0..50).cycle());
        assert!(moved.filter(|(to, from)| **to != *from).count() > 900);
    }
}
