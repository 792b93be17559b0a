//! Permutations of the samples, and what they say of a score.

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
