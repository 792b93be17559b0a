//! Mutual information from nearest neighbours.

use pulp::{Arch, Simd, WithSimd};
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use reprsim_base::Stream;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::digamma;

use crate::describe::{distinct, mean};
use crate::error::StatsError;
use crate::neighbourhood::Neighbourhood;
use crate::numpy_normal::NumpyNormal;
use crate::project::{Scaled, centred, centred_levels, dot};

/// Nearest neighbours, as in the published analysis.
const NEIGHBOURS: usize = 3;
/// Standard deviation of the jitter, relative to the mean size of the values where
/// that is above 1.
const JITTER: f64 = 1e-10;
/// Standard deviations that values may be from 0 for the jitter to be that of the published program.
const FARTHEST: f64 = 1e4;

/// Mutual information of a level that takes few values with a continuous one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscreteInformation {
    /// The information, in nats; not below 0.
    pub nats: f64,
    /// Entropy of the level, in nats: what the information of a perfect measure would
    /// be. Of the points that the estimate uses.
    pub entropy: f64,
    /// `nats / entropy`; absent where the entropy is 0. Slightly above 1 where the
    /// estimate, which is not bounded, exceeds the entropy.
    pub share: Option<f64>,
    /// P-value of no information, by permutation of the levels.
    pub p_value: f64,
}

/// Mutual information of two continuous variables in nats, not below 0: the first
/// estimator of Kraskov, Stögbauer and Grassberger (2004) with 3 neighbours and the
/// maximum norm, both variables divided by their standard deviation. This is
/// scikit-learn's `mutual_info_regression`, which the published analysis used on the
/// overlap, although that takes few values; see [`mutual_information_discrete`].
///
/// Its jitter, of 1e-10 standard deviations, is more than a breaker of ties here: points
/// of the next level all lie at the same distance, and the jitter decides which of them
/// count. Another stream moves an estimate from 36 points by up to 0.1 nats. This one is
/// the published stream, numpy's `RandomState(42)`.
///
/// # Errors
/// [`StatsError`] for unequal lengths, non-finite values, fewer than 4 points, all x
/// equal ([`StatsError::OneLevel`]) or all y equal ([`StatsError::Constant`]).
pub fn mutual_information_ksg(x: &[f64], y: &[f64]) -> Result<f64, StatsError> {
    let scaled = Scaled::of(&[x.to_vec()], y, None)?;
    let n = y.len();
    if n <= NEIGHBOURS {
        let needed = NEIGHBOURS + 1;
        return Err(StatsError::TooFewPoints { needed });
    }
    let mut normal = NumpyNormal::new(42);
    let x = jittered(&scaled.columns[0], centred_levels, || normal.next())
        .ok_or(StatsError::OneLevel)?;
    let y = jittered(&scaled.y, centred, || normal.next()).ok_or(StatsError::Constant)?;
    let (near_x, near_y) = (Neighbourhood::of(sorted(&x)), Neighbourhood::of(sorted(&y)));
    let of_point = |(i, farthest): (usize, f64)| {
        let radius = below(farthest);
        // The point itself is counted, which is the + 1 of the formula.
        digamma(near_x.within(x[i], radius) as f64) + digamma(near_y.within(y[i], radius) as f64)
    };
    let near: Vec<f64> = farthest(&x, &y)
        .into_par_iter()
        .enumerate()
        .map(of_point)
        .collect();
    let near: f64 = near.iter().sum();
    let nats = digamma(n as f64) + digamma(NEIGHBOURS as f64) - near / n as f64;
    Ok(nats.max(0.0))
}

/// The distance of each point to its third nearest, by the maximum norm. Points are looked at in the
/// order of their distance in y alone, which is no more than the whole: few are, where those near
/// in y are not all far in x.
fn farthest(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = y.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| y[a].total_cmp(&y[b]));
    let third = |(place, &i): (usize, &usize)| {
        let apart = |at: Option<usize>| {
            let j = *order.get(at?)?;
            Some(((y[j] - y[i]).abs(), (x[j] - x[i]).abs()))
        };
        let mut nearest = [f64::INFINITY; NEIGHBOURS];
        let (mut lower, mut upper) = (place.checked_sub(1), Some(place + 1));
        loop {
            let (down, up) = (apart(lower), apart(upper));
            let is_down = match (down, up) {
                (Some((down, _)), Some((up, _))) => down <= up,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let Some((in_y, in_x)) = (if is_down { down } else { up }) else {
                break;
            };
            let last = &mut nearest[NEIGHBOURS - 1];
            if in_y >= *last {
                break;
            }
            let distance = in_y.max(in_x);
            if distance < *last {
                *last = distance;
                nearest.sort_by(f64::total_cmp);
            }
            match is_down {
                true => lower = lower.and_then(|at| at.checked_sub(1)),
                false => upper = upper.map(|at| at + 1),
            }
        }
        (i, nearest[NEIGHBOURS - 1])
    };
    let thirds: Vec<(usize, f64)> = order.par_iter().enumerate().map(third).collect();
    let mut found = vec![0.0; n];
    for (i, distance) in thirds {
        found[i] = distance;
    }
    found
}

/// Mutual information of a level that takes few values with a continuous y (Ross
/// 2014), 3 neighbours or as many as the level has; points alone on their level are
/// left out. The p-value permutes the levels `permutations` times and counts the
/// sample itself (Phipson and Smyth 2010), so it takes points as exchangeable: with
/// nested seeds it is only a guide.
///
/// # Errors
/// [`StatsError`] for unequal lengths, non-finite values, all y equal
/// ([`StatsError::Constant`]), every point alone on its level
/// ([`StatsError::AloneOnLevels`]) or all others on one ([`StatsError::OneLevel`]).
pub fn mutual_information_discrete(
    levels: &[f64],
    y: &[f64],
    permutations: usize,
    seed: u64,
) -> Result<DiscreteInformation, StatsError> {
    let scaled = Scaled::of(&[levels.to_vec()], y, None)?;
    let stream = Stream::new(seed).child("permutations of levels");
    let mut rng = stream.child("jitter").rng();
    // Uniform, with a standard deviation of 1.
    let half = 3f64.sqrt();
    let jitter = || rng.random_range(-half..=half);
    let y = jittered(&scaled.y, centred, jitter).ok_or(StatsError::Constant)?;
    let names = distinct(levels);
    let name = |level: &f64| names.partition_point(|name| name < level);
    let mut sizes = vec![0usize; names.len()];
    for level in levels {
        sizes[name(level)] += 1;
    }
    let shared = levels
        .iter()
        .map(name)
        .zip(y)
        .filter(|(name, _)| sizes[*name] > 1);
    let mut points: Vec<(f64, u32)> = shared.map(|(name, y)| (y, name as u32)).collect();
    match sizes.iter().filter(|size| **size > 1).count() {
        0 => return Err(StatsError::AloneOnLevels),
        1 => return Err(StatsError::OneLevel),
        _ => {}
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (y, names): (Vec<f64>, Vec<u32>) = points.into_iter().unzip();
    sizes
        .iter_mut()
        .filter(|size| **size == 1)
        .for_each(|size| *size = 0);
    let n = y.len() as f64;
    let entropy: f64 = (sizes.iter().filter(|size| **size > 0))
        .map(|&size| size as f64 / n)
        .map(|share| -share * share.ln())
        .sum();
    let ross = Ross::new(sizes, y);
    let bytes: Result<Vec<u8>, _> = names.iter().map(|&name| u8::try_from(name)).collect();
    // Few names are shuffled where they are near.
    let (observed, at_least) = match bytes {
        Ok(names) => ross.test(&names, permutations, &stream),
        Err(_) => ross.test(&names, permutations, &stream),
    };
    let nats = observed.max(0.0);
    Ok(DiscreteInformation {
        nats,
        entropy,
        share: (entropy > 0.0).then(|| nats / entropy),
        p_value: (at_least + 1) as f64 / (permutations + 1) as f64,
    })
}

/// Permutations that share what they fill in.
const IN_A_ROW: usize = 16;

/// What all permutations of levels share.
struct Ross {
    /// Points of each level, none or more than one.
    sizes: Vec<usize>,
    y: Neighbourhood,
    /// The digamma function of 0 to the number of points: the same few values are asked for
    /// again and again.
    psi: Vec<f64>,
}

/// What one permutation fills in.
struct Scratch<N> {
    names: Vec<N>,
    /// Values by their level, sorted within each.
    values: Vec<f64>,
    /// Where the next value of each level goes.
    next: Vec<usize>,
}

/// The estimate of one permutation.
struct Estimate<'a, N>(&'a Ross, &'a mut Scratch<N>);

impl<N: Copy + Into<u32>> WithSimd for Estimate<'_, N> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        self.0.estimate(self.1)
    }
}

impl Ross {
    fn new(sizes: Vec<usize>, sorted: Vec<f64>) -> Self {
        let psi = (0..=sorted.len()).map(|i| digamma(i as f64)).collect();
        let y = Neighbourhood::of(sorted);
        Self { sizes, y, psi }
    }

    /// The estimate for the levels of the points, in the order of their y, and how many of so many
    /// permutations give no less.
    fn test<N>(&self, names: &[N], permutations: usize, stream: &Stream) -> (f64, usize)
    where
        N: Copy + Into<u32> + Send + Sync,
    {
        let scratch = || Scratch {
            names: names.to_vec(),
            values: vec![0.0; names.len()],
            next: vec![0; self.sizes.len()],
        };
        // With the processor's own instructions, which compare several values at once.
        let arch = Arch::new();
        let observed = arch.dispatch(Estimate(self, &mut scratch()));
        let at_least = |scratch: &mut Scratch<N>, permutation: usize| {
            scratch.names.copy_from_slice(names);
            scratch
                .names
                .shuffle(&mut stream.rng_at(permutation as u64));
            let estimate = arch.dispatch(Estimate(self, scratch));
            usize::from(estimate >= observed - 1e-12)
        };
        let permutations = (0..permutations).into_par_iter().with_min_len(IN_A_ROW);
        (observed, permutations.map_init(scratch, at_least).sum())
    }

    /// The estimate; may be negative.
    #[inline(always)]
    fn estimate<N: Copy + Into<u32>>(&self, scratch: &mut Scratch<N>) -> f64 {
        let Scratch {
            names,
            values,
            next,
        } = scratch;
        let mut from = 0;
        for (next, size) in next.iter_mut().zip(&self.sizes) {
            *next = from;
            from += size;
        }
        for (name, y) in names.iter().zip(self.y.sorted()) {
            let name: u32 = (*name).into();
            let next = &mut next[name as usize];
            values[*next] = *y;
            *next += 1;
        }
        let mut sum = 0.0;
        let mut rest = values.as_slice();
        for &size in self.sizes.iter().filter(|size| **size > 0) {
            let (of_level, others) = rest.split_at(size);
            rest = others;
            let k = NEIGHBOURS.min(size - 1);
            sum += size as f64 * (self.psi[k] - self.psi[size]);
            for (place, &value) in of_level.iter().enumerate() {
                let radius = below(nearest(of_level, place, k));
                sum -= self.psi[self.y.within(value, radius)];
            }
        }
        self.psi[names.len()] + sum / names.len() as f64
    }
}

/// Distance of a sorted value to its k-th nearest neighbour: the farther end of the nearest of
/// the runs of k + 1 values that hold it.
#[inline(always)]
fn nearest(sorted: &[f64], place: usize, k: usize) -> f64 {
    let value = sorted[place];
    if k == NEIGHBOURS
        && let Some(&[a, b, c, _, d, e, f]) = place
            .checked_sub(NEIGHBOURS)
            .and_then(|from| sorted[from..].first_chunk())
    {
        let runs = [
            value - a,
            (value - b).max(d - value),
            (value - c).max(e - value),
            f - value,
        ];
        return runs[0].min(runs[1]).min(runs[2].min(runs[3]));
    }
    let runs = (place.saturating_sub(k)..=place).filter_map(|from| {
        let last = sorted.get(from + k)?;
        Some((value - sorted[from]).max(last - value))
    });
    runs.fold(f64::INFINITY, f64::min)
}

/// The largest radius that leaves the neighbour at this distance outside.
#[inline(always)]
fn below(distance: f64) -> f64 {
    distance.next_down().max(0.0)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The values over their standard deviation (n in the denominator), with a jitter from
/// a stream of standard deviation 1; `None` where they do not vary.
fn jittered(
    values: &[f64],
    centred: impl Fn(&[f64]) -> Vec<f64>,
    mut noise: impl FnMut() -> f64,
) -> Option<Vec<f64>> {
    let deviations = centred(values);
    let sd = (dot(&deviations, &deviations) / values.len() as f64).sqrt();
    if !sd.is_finite() || sd <= 0.0 {
        return None;
    }
    let scaled = |values: &[f64]| -> (Vec<f64>, f64) {
        let scaled: Vec<f64> = values.iter().map(|v| v / sd).collect();
        let size = mean(&scaled.iter().map(|v| v.abs()).collect::<Vec<_>>()).max(1.0);
        (scaled, size)
    };
    // At a large offset the jitter, whose size is that of the values, would hide what varies.
    let (scaled, size) = match scaled(values) {
        (_, size) if size > FARTHEST => scaled(&deviations),
        found => found,
    };
    Some(scaled.iter().map(|v| v + JITTER * size * noise()).collect())
}
