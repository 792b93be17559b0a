//! Mutual information from nearest neighbours.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::digamma;

use crate::describe::{distinct, mean};
use crate::error::StatsError;
use crate::numpy_normal::NumpyNormal;
use crate::project::{centred, check, dot};

/// Nearest neighbours, as in the published analysis.
const NEIGHBOURS: usize = 3;
/// Standard deviation of the jitter, relative to the mean size of the values where
/// that is above 1.
const JITTER: f64 = 1e-10;

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
    check(&[x.to_vec()], y, None)?;
    let n = y.len();
    if n <= NEIGHBOURS {
        return Err(StatsError::TooFewPoints);
    }
    let mut normal = NumpyNormal::new(42);
    let x = jittered(x, || normal.next()).ok_or(StatsError::OneLevel)?;
    let y = jittered(y, || normal.next()).ok_or(StatsError::Constant)?;
    let (sorted_x, sorted_y) = (sorted(&x), sorted(&y));
    let farthest = farthest(&x, &y);
    let mut near = 0.0;
    for i in 0..n {
        let radius = below(farthest[i]);
        // The point itself is counted, which is the + 1 of the formula.
        near += digamma(within(&sorted_x, x[i], radius) as f64)
            + digamma(within(&sorted_y, y[i], radius) as f64);
    }
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
    let mut found = vec![0.0; n];
    for (place, &i) in order.iter().enumerate() {
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
        found[i] = nearest[NEIGHBOURS - 1];
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
/// ([`StatsError::Constant`]) or every point alone on its level
/// ([`StatsError::TooFewPoints`]).
pub fn mutual_information_discrete(
    levels: &[f64],
    y: &[f64],
    permutations: usize,
    seed: u64,
) -> Result<DiscreteInformation, StatsError> {
    check(&[levels.to_vec()], y, None)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Uniform, with a standard deviation of 1.
    let half = 3f64.sqrt();
    let y = jittered(y, || rng.random_range(-half..=half)).ok_or(StatsError::Constant)?;
    let names = distinct(levels);
    let mut sizes = vec![0usize; names.len()];
    let mut points: Vec<(f64, usize)> = Vec::with_capacity(y.len());
    for (level, y) in levels.iter().zip(y) {
        let name = names.partition_point(|name| name < level);
        sizes[name] += 1;
        points.push((y, name));
    }
    points.retain(|(_, name)| sizes[*name] > 1);
    if points.is_empty() {
        return Err(StatsError::TooFewPoints);
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (y, mut names): (Vec<f64>, Vec<usize>) = points.into_iter().unzip();
    let n = y.len() as f64;
    let kept = sizes.iter().filter(|size| **size > 1);
    let entropy: f64 = kept
        .map(|&size| size as f64 / n)
        .map(|share| -share * share.ln())
        .sum::<f64>()
        .max(0.0);
    // Permutations ask for the same few values again and again.
    let psi: Vec<f64> = (0..=y.len()).map(|i| digamma(i as f64)).collect();
    let observed = ross(&names, &y, sizes.len(), &psi);
    let mut at_least = 0;
    for _ in 0..permutations {
        names.shuffle(&mut rng);
        at_least += usize::from(ross(&names, &y, sizes.len(), &psi) >= observed - 1e-12);
    }
    let nats = observed.max(0.0);
    Ok(DiscreteInformation {
        nats,
        entropy,
        share: (entropy > 0.0).then(|| nats / entropy),
        p_value: (at_least + 1) as f64 / (permutations + 1) as f64,
    })
}

/// The estimate for sorted `y`, each with one of so many `levels`; may be negative. `psi`
/// holds the digamma function of 0 to the number of points.
fn ross(names: &[usize], y: &[f64], levels: usize, psi: &[f64]) -> f64 {
    let mut members = vec![vec![]; levels];
    for (name, y) in names.iter().zip(y) {
        members[*name].push(*y);
    }
    let mut sum = 0.0;
    for of_level in members.iter().filter(|m| m.len() > 1) {
        let size = of_level.len();
        let k = NEIGHBOURS.min(size - 1);
        sum += size as f64 * (psi[k] - psi[size]);
        for (place, &value) in of_level.iter().enumerate() {
            sum -= psi[within(y, value, below(nearest(of_level, place, k)))];
        }
    }
    psi[y.len()] + sum / y.len() as f64
}

/// Distance of a sorted value to its k-th nearest neighbour.
fn nearest(sorted: &[f64], place: usize, k: usize) -> f64 {
    let (mut low, mut high) = (place, place);
    let mut distance = 0.0;
    for _ in 0..k {
        let down = match low {
            0 => f64::INFINITY,
            _ => sorted[place] - sorted[low - 1],
        };
        let up = sorted
            .get(high + 1)
            .map_or(f64::INFINITY, |v| v - sorted[place]);
        distance = down.min(up);
        match down <= up {
            true => low = low.saturating_sub(1),
            false => high += 1,
        }
    }
    distance
}

/// How many sorted values lie within a radius, the value itself among them.
fn within(sorted: &[f64], value: f64, radius: f64) -> usize {
    let from = sorted.partition_point(|v| value - v > radius);
    let to = sorted.partition_point(|v| v - value <= radius);
    to.saturating_sub(from).max(1)
}

/// The largest radius that leaves the neighbour at this distance outside.
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
fn jittered(values: &[f64], mut noise: impl FnMut() -> f64) -> Option<Vec<f64>> {
    let deviations = centred(values);
    let sd = (dot(&deviations, &deviations) / values.len() as f64).sqrt();
    if !sd.is_finite() || sd <= 0.0 {
        return None;
    }
    let scaled: Vec<f64> = values.iter().map(|v| v / sd).collect();
    let size = mean(&scaled.iter().map(|v| v.abs()).collect::<Vec<_>>()).max(1.0);
    Some(scaled.iter().map(|v| v + JITTER * size * noise()).collect())
}
