//! Tests that take no distribution for granted.

use std::collections::BTreeSet;

use rand::Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use reprsim_base::Stream;
use serde::{Deserialize, Serialize};

use crate::cluster::Clusters;
use crate::error::StatsError;
use crate::project::{Basis, EXACT, Scaled, dot, is_constant};

/// Up to so many clusters all sign flips are enumerated.
const EXACT_CLUSTERS: usize = 14;
/// Sign flips drawn for more clusters.
const FLIPS: usize = 9_999;
/// Statistics closer than this share are equal, whatever the order of summation.
const TIE: f64 = 1e-10;

/// P-value of no effect of one column among others on independent points, by
/// permutation of the residuals of the model without it (Freedman and Lane 1983); with
/// one column, of y. The statistic is the size of the classical t. The sample itself
/// counts (Phipson and Smyth 2010): the least attainable p is 1 / (draws + 1).
///
/// # Errors
/// [`StatsError`] for `tested` out of range, a y of which the other columns leave nothing, and
/// as [`fit_linear`](crate::fit_linear).
pub fn permutation_p_value(
    columns: &[Vec<f64>],
    tested: usize,
    y: &[f64],
    draws: usize,
    seed: u64,
) -> Result<f64, StatsError> {
    let (others, column, residuals) = partial(columns, tested, y, None)?;
    let total = dot(&residuals, &residuals);
    let squares = dot(&column, &column);
    // The squared partial correlation, which rises with the size of t.
    let statistic = |e: &[f64]| {
        let taken: f64 = others.directions.iter().map(|u| squared(u, e)).sum();
        let left = total - taken;
        // Nothing is left of a draw that the other columns explain.
        if left <= TIE * total {
            return 0.0;
        }
        dot(&column, e).powi(2) / squares / left
    };
    let least = statistic(&residuals) * (1.0 - TIE);
    let stream = Stream::new(seed).child("permutations of residuals");
    let at_least = |shuffled: &mut Vec<f64>, draw: usize| {
        shuffled.copy_from_slice(&residuals);
        shuffled.shuffle(&mut stream.rng_at(draw as u64));
        usize::from(statistic(shuffled) >= least)
    };
    let at_least: usize = (0..draws)
        .into_par_iter()
        .with_min_len(16)
        .map_init(|| residuals.clone(), at_least)
        .sum();
    Ok((at_least + 1) as f64 / (draws + 1) as f64)
}

/// P-value of no effect of one column among others on points correlated within
/// clusters, by flipping the signs of the scores of whole clusters (Hemerik, Goeman
/// and Finos 2020). The score of a cluster is the sum over its points of the column,
/// less what the other columns explain of it, times the residual of the model without
/// it; the statistic is the size of the sum of scores. All flips are enumerated for up
/// to 14 clusters, else 9 999 are drawn and the sample itself counts.
///
/// In a balanced design in which each cluster has all levels, this is the sign-flip
/// test of the slopes of the clusters. It takes the scores as independent and
/// symmetric, not as normal or alike. The least attainable p is `2 / 2^clusters`
/// ([`sign_flip_least_p`]): 0.0625 for 5 clusters, 0.0078 for 8.
///
/// # Errors
/// [`StatsError`] for `tested` out of range, fewer than 2 clusters, a y of which the other
/// columns leave nothing, and as [`fit_linear`](crate::fit_linear).
pub fn sign_flip_p_value(
    columns: &[Vec<f64>],
    tested: usize,
    y: &[f64],
    clusters: &[u64],
    seed: u64,
) -> Result<f64, StatsError> {
    let (_, column, residuals) = partial(columns, tested, y, Some(clusters))?;
    let clusters = Clusters::of(clusters)?;
    let mut scores = vec![0.0; clusters.count];
    for ((cluster, x), e) in clusters.of.iter().zip(&column).zip(&residuals) {
        scores[*cluster] += x * e;
    }
    let size: f64 = scores.iter().map(|s| s.abs()).sum();
    let least = scores.iter().sum::<f64>().abs() - TIE * size;
    if scores.len() <= EXACT_CLUSTERS {
        // A flip of all signs has the same size: the last cluster need not flip.
        let flips = 1u32 << (scores.len() - 1);
        let at_least = (0..flips).filter(|flip| {
            let signed = |(i, s): (usize, &f64)| if flip >> i & 1 == 1 { -s } else { *s };
            scores.iter().enumerate().map(signed).sum::<f64>().abs() >= least
        });
        return Ok(at_least.count() as f64 / f64::from(flips));
    }
    let stream = Stream::new(seed).child("sign flips");
    let at_least = (0..FLIPS).into_par_iter().filter(|flip| {
        let mut rng = stream.rng_at(*flip as u64);
        let sum: f64 = scores
            .chunks(64)
            .map(|scores| flipped(scores, rng.next_u64()))
            .sum();
        sum.abs() >= least
    });
    Ok((at_least.count() + 1) as f64 / (FLIPS + 1) as f64)
}

/// The sum of up to 64 scores, each flipped where its bit is set.
fn flipped(scores: &[f64], bits: u64) -> f64 {
    let flip = |(i, s): (usize, &f64)| f64::from_bits(s.to_bits() ^ (bits >> i & 1) << 63);
    scores.iter().enumerate().map(flip).sum()
}

/// A test that assumes less than the t test, and the least p-value that it could give.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Randomisation {
    /// Two-sided p-value of no effect.
    pub p_value: f64,
    /// The least that it could have been with so many clusters or draws.
    pub least: f64,
}

/// The randomisation test that fits the design: [`sign_flip_p_value`] where points share
/// clusters, else [`permutation_p_value`] with so many `draws`.
///
/// # Errors
/// Those of the test.
pub fn randomisation(
    columns: &[Vec<f64>],
    tested: usize,
    y: &[f64],
    clusters: Option<&[u64]>,
    draws: usize,
    seed: u64,
) -> Result<Randomisation, StatsError> {
    Ok(match clusters {
        Some(ids) => Randomisation {
            p_value: sign_flip_p_value(columns, tested, y, ids, seed)?,
            least: sign_flip_least_p(ids.iter().collect::<BTreeSet<_>>().len()),
        },
        None => Randomisation {
            p_value: permutation_p_value(columns, tested, y, draws, seed)?,
            least: 1.0 / (draws as f64 + 1.0),
        },
    })
}

/// The least p-value that [`sign_flip_p_value`] can give for so many clusters.
pub fn sign_flip_least_p(clusters: usize) -> f64 {
    match clusters {
        0 => 1.0,
        1..=EXACT_CLUSTERS => 0.5f64.powi(clusters as i32 - 1),
        _ => 1.0 / (FLIPS + 1) as f64,
    }
}

/// The other columns, the tested one less what they explain of it, and what they leave
/// of y: more than rounding.
fn partial(
    columns: &[Vec<f64>],
    tested: usize,
    y: &[f64],
    clusters: Option<&[u64]>,
) -> Result<(Basis, Vec<f64>, Vec<f64>), StatsError> {
    let Scaled { columns, y, .. } = Scaled::of(columns, y, clusters)?;
    let column = columns.get(tested).ok_or(StatsError::NoSuchColumn)?;
    let needed = columns.len() + 2;
    if y.len() < needed {
        return Err(StatsError::TooFewPoints { needed });
    }
    // Refuses dependent columns.
    Basis::of(&columns)?;
    if is_constant(&y) {
        return Err(StatsError::Constant);
    }
    let others = columns.iter().enumerate().filter(|(i, _)| *i != tested);
    let others = Basis::of(others.map(|(_, column)| column))?;
    let column = others.residual_levels(column);
    let residuals = others.residual(&y);
    if dot(&residuals, &residuals) <= EXACT * dot(&y, &y) {
        return Err(StatsError::NothingLeft);
    }
    Ok((others, column, residuals))
}

/// Squared length of `v` along `u`.
fn squared(u: &[f64], v: &[f64]) -> f64 {
    dot(u, v).powi(2) / dot(u, u)
}
