//! Permutations of the samples, and what they say of a score.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Permutations of n samples. Under permutation p, sample i of one model is
/// matched with sample `p[i]` of the other; all layers of a model move together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permutations {
    maps: Vec<Vec<u32>>,
}

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
        Self { maps }
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
        }
    }

    /// How many samples they permute; `None` if there is no permutation.
    pub(crate) fn samples(&self) -> Option<usize> {
        self.maps.first().map(Vec::len)
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
    /// `(1 + #{permuted >= observed}) / (K + 1)`, equal to rounding counting as equal.
    pub p: f64,
    /// The order statistic `ceil((1 - alpha)(K + 1))` of observed and permuted
    /// scores.
    pub threshold: f64,
    /// `max(0, (observed - threshold) / (largest possible - threshold))`: 0 for
    /// what chance gives, 1 for identity. `None` for an unbounded measure.
    pub calibrated: Option<f64>,
}

/// Level of the threshold of [`Calibration`].
pub const ALPHA: f64 = 0.05;

impl Calibration {
    /// Calibrates `observed` by the scores under permutation; `largest` is the
    /// largest value of the measure. `None` without permutations.
    pub fn new(observed: f64, permuted: &[f64], largest: f64) -> Option<Self> {
        if permuted.is_empty() {
            return None;
        }
        let count = permuted.len() as f64;
        // Scores that are equal but for rounding are ties: without this the p-value
        // of a saturated measure would be decided by its last digit.
        let size = |v: &f64| v.abs();
        let scale = (permuted.iter().map(size)).fold(observed.abs(), f64::max);
        let tie = 1e-6 * scale.max(0.1);
        let as_large = permuted.iter().filter(|s| **s >= observed - tie).count() as f64;
        let mut all: Vec<f64> = permuted.to_vec();
        all.push(observed);
        all.sort_by(f64::total_cmp);
        let rank = ((1.0 - ALPHA) * (count + 1.0)).ceil() as usize;
        let threshold = all[rank.clamp(1, all.len()) - 1];
        let (above, room) = (observed - threshold, largest - threshold);
        Some(Self {
            null_mean: permuted.iter().sum::<f64>() / count,
            p: (1.0 + as_large) / (count + 1.0),
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

#[cfg(test)]
mod tests {
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
    fn single_samples_are_blocks_that_move_freely() {
        let permutations = Permutations::of_blocks(&(0..50).collect::<Vec<u32>>(), 20, 1);
        let moved = permutations.iter().flatten().zip((0..50).cycle());
        assert!(moved.filter(|(to, from)| **to != *from).count() > 900);
    }
}
