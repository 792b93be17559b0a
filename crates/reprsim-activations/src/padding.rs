//! Whether samples look padded to one length, which is said of a file once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::pool::Pool;
use crate::said::Said;

/// Samples that are looked at for tokens which they share.
const SAMPLES: usize = 1024;

/// Tokens at the end of each: what all samples end with (a prompt) may take some of them.
const ENDS: usize = 32;

/// So many equal tokens are padding, where real ones are fewer: stops, ellipses, common words.
const RUN: usize = 3;

/// In one sample of so many, and in as many as [`RUN`], at least.
const ONE_OF: usize = 10;

/// What was seen of a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Padding {
    said: Said,
    seen: Arc<Mutex<Seen>>,
}

/// The first samples of a layer, until it is decided.
#[derive(Debug, Default)]
struct Seen {
    samples: Vec<Sample>,
    /// Samples at which it is asked next.
    next: usize,
    decided: bool,
}

/// What is kept of a sample: its tokens by their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sample {
    /// Of the last tokens, from the end.
    ends: Vec<u64>,
    /// Of all of them.
    whole: u64,
    /// Whether the first, and the last, tokens are one and the same that others are not.
    runs: [bool; 2],
}

/// Where pooled tokens look like padding, and of how many samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First(usize),
    Last(usize),
}

impl Padding {
    /// Of a layer of a file.
    pub fn new(said: &Said) -> Self {
        Self {
            said: said.clone(),
            ..Self::default()
        }
    }

    /// Looks at samples from row `start`, of shape `[_, tokens, d]`, and says it if `pool` takes a
    /// token at an end that is wholly zero while others are not, or tokens that many samples have
    /// in common there.
    pub fn look(
        &self,
        path: &Path,
        pool: Pool,
        [n, tokens, d]: [usize; 3],
        samples: &[f64],
        start: usize,
    ) {
        let [first, last] = match pool {
            Pool::Flatten => return,
            Pool::Mean | Pool::Max => [true, true],
            Pool::First => [true, false],
            Pool::Last => [false, true],
        };
        if tokens < 2 || self.said.is_said() {
            return;
        }
        let is_zero = |token: &[f64]| token.iter().all(|v| *v == 0.0);
        let is_padded = |sample: &[f64]| {
            let ends = (&sample[..d], &sample[(tokens - 1) * d..]);
            (first && is_zero(ends.0) || last && is_zero(ends.1)) && !is_zero(sample)
        };
        if let Some(at) = samples.chunks_exact(tokens * d).position(is_padded) {
            let sample = start + at;
            self.say(
                path,
                &format!("sample {sample} begins or ends with tokens that are wholly zero"),
            );
            return;
        }
        // A lock that a panic left behind guards nothing that another could not see.
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        // Rows come in order, but may come again.
        let Some(known) = seen.samples.len().checked_sub(start) else {
            return;
        };
        if seen.decided || known >= samples.len() / (tokens * d) {
            return;
        }
        let room = SAMPLES - seen.samples.len();
        let more = samples.chunks_exact(tokens * d).skip(known).take(room);
        seen.samples
            .extend(more.map(|sample| Sample::of(sample, d)));
        let count = seen.samples.len();
        let is_all = count >= n.min(SAMPLES);
        if count < seen.next && !is_all {
            return;
        }
        // Not after every few samples again.
        seen.next = 2 * count;
        let found = place(&seen.samples, [first, last]);
        if is_all || found.is_some() {
            *seen = Seen {
                decided: true,
                ..Seen::default()
            };
        }
        drop(seen);
        if let Some(found) = found {
            let (end, of) = match found {
                Place::First(of) => ("first", of),
                Place::Last(of) => ("last", of),
            };
            self.say(
                path,
                &format!(
                    "of {of} of the first {count} samples the {end} tokens are one and the same"
                ),
            );
        }
    }

    fn say(&self, path: &Path, what: &str) {
        if self.said.say() {
            log::warn!(
                "{}: {what}, as padding is, and they are pooled: models then look alike by the lengths \
                 of their samples alone. Say which tokens are real with --mask FILE.npy ([samples, \
                 tokens], 1 for a real one)",
                path.display()
            );
        }
    }
}

impl Sample {
    fn of(sample: &[f64], d: usize) -> Self {
        let token = |sum: u64, v: &f64| {
            // As FxHash does: only what is equal must be told from what is not.
            (sum.rotate_left(5) ^ (v + 0.0).to_bits()).wrapping_mul(0x517c_c1b7_2722_0a95)
        };
        let hashes: Vec<u64> = (sample.chunks_exact(d))
            .map(|of| of.iter().fold(0, token))
            .collect();
        let is_run = |run: &[u64]| {
            run.len() == RUN
                && run.iter().all(|hash| *hash == run[0])
                && hashes.iter().any(|hash| *hash != run[0])
        };
        let from = hashes.len().saturating_sub(RUN);
        let runs = [&hashes[..RUN.min(hashes.len())], &hashes[from..]].map(is_run);
        let whole = hashes.iter().fold(0u64, |sum, hash| {
            (sum.rotate_left(5) ^ hash).wrapping_mul(0x517c_c1b7_2722_0a95)
        });
        Self {
            ends: hashes.into_iter().rev().take(ENDS).collect(),
            whole,
            runs,
        }
    }
}

/// Where many samples look padded.
fn place(samples: &[Sample], [first, last]: [bool; 2]) -> Option<Place> {
    let is_many = |count: &usize| *count >= RUN.max(samples.len().div_ceil(ONE_OF));
    let runs = |end: usize| samples.iter().filter(|sample| sample.runs[end]).count();
    let found = |is_asked: bool, count: usize| is_asked.then_some(count).filter(is_many);
    (found(first, runs(0)).map(Place::First))
        .or_else(|| found(last, runs(1)).map(Place::Last))
        .or_else(|| found(last, shared(samples)?).map(Place::Last))
}

/// How many samples, but not all, go on having in common what they end with for some tokens: padding
/// to which positions were added is another vector in each, but the same in all samples. Samples that
/// are copies of each other have everything in common.
fn shared(samples: &[Sample]) -> Option<usize> {
    let mut members: Vec<&Sample> = samples.iter().collect();
    let mut run = 0;
    for from_end in 0..ENDS {
        let token = |sample: &Sample| sample.ends.get(from_end).copied();
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for hash in members.iter().filter_map(|sample| token(sample)) {
            *counts.entry(hash).or_default() += 1;
        }
        let (hash, _) = (counts.into_iter()).max_by_key(|(hash, count)| (*count, *hash))?;
        members.retain(|sample| token(sample) == Some(hash));
        if members.len() == samples.len() {
            continue;
        }
        run += 1;
        if run == RUN {
            let mut different: Vec<u64> = members.iter().map(|sample| sample.whole).collect();
            different.sort_unstable();
            different.dedup();
            return (2 * different.len() > members.len()).then_some(members.len());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: usize = 12;
    const D: usize = 3;

    /// SplitMix64, from 0 to 1.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    /// Samples of tokens of a vocabulary; `of` gives the word at a position of a sample of a length.
    fn samples(
        n: usize,
        positions: bool,
        of: impl Fn(&mut Numbers, usize, usize) -> u32,
    ) -> Vec<Sample> {
        let rng = &mut Numbers(3);
        (0..n)
            .map(|_| {
                let length = 3 + (rng.next() * (TOKENS - 2) as f64) as usize;
                let tokens: Vec<f64> = (0..TOKENS)
                    .flat_map(|t| {
                        let word = f64::from(of(rng, t, length));
                        let place = if positions { t as f64 / 64.0 } else { 0.0 };
                        [word, 1.0 / (1.0 + word), -word].map(|v| v + place)
                    })
                    .collect();
                Sample::of(&tokens, D)
            })
            .collect()
    }

    /// Words as texts have them: some often, most seldom.
    fn word(rng: &mut Numbers) -> u32 {
        2000f64.powf(rng.next()) as u32
    }

    #[test]
    fn padding_is_seen_at_either_end_with_and_without_positions() {
        const PAD: u32 = 7777;
        for positions in [false, true] {
            let right = samples(200, positions, |rng, t, length| match t < length {
                true => word(rng),
                false => PAD,
            });
            let found = place(&right, [true, true]);
            assert!(
                matches!(found, Some(Place::Last(of)) if of > 100),
                "{found:?}"
            );
            assert_eq!(place(&right, [true, false]), None);
            // After a text there is a mark.
            let marked = samples(200, positions, |rng, t, length| match t + 1 {
                at if at < length => word(rng),
                at if at == length => 9999,
                _ => PAD,
            });
            assert!(matches!(
                place(&marked, [false, true]),
                Some(Place::Last(_))
            ));
        }
        let left = samples(200, false, |rng, t, length| match t < TOKENS - length {
            true => PAD,
            false => word(rng),
        });
        assert!(matches!(place(&left, [true, true]), Some(Place::First(of)) if of > 100));
    }

    #[test]
    fn texts_prompts_and_copies_are_not_padded() {
        for positions in [false, true] {
            let texts = samples(1000, positions, |rng, _, _| word(rng));
            assert_eq!(place(&texts, [true, true]), None);
            let prompted = samples(1000, positions, |rng, t, _| match t {
                0..3 => t as u32 + 1,
                3..7 => word(rng),
                _ => t as u32,
            });
            assert_eq!(place(&prompted, [true, true]), None);
            let stops = samples(1000, positions, |rng, t, _| match t {
                11 => 1 + u32::from(rng.next() < 0.5),
                _ => word(rng),
            });
            assert_eq!(place(&stops, [true, true]), None);
            let mut copies = samples(200, positions, |rng, _, _| word(rng));
            for at in 0..60 {
                copies[at] = copies[100].clone();
            }
            assert_eq!(place(&copies, [true, true]), None);
        }
        // The same token everywhere is no padding of anything.
        let same = samples(50, false, |_, _, _| 5);
        assert_eq!(place(&same, [true, true]), None);
    }
}
