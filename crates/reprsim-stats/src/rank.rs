//! Correlation of ranks.

use crate::error::StatsError;
use crate::project::{Scaled, centred, dot, is_constant, is_one_level};

/// Spearman's rank correlation: Pearson's correlation of the ranks, equal values
/// sharing the average of their ranks (Spearman 1904). From -1 to 1.
///
/// # Errors
/// [`StatsError`] for unequal lengths, non-finite values, fewer than 3 points,
/// all x equal but for rounding ([`StatsError::OneLevel`]) or all y
/// ([`StatsError::Constant`]).
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64, StatsError> {
    let scaled = Scaled::of(&[x.to_vec()], y, None)?;
    if y.len() < 3 {
        return Err(StatsError::TooFewPoints { needed: 3 });
    }
    if is_one_level(&scaled.columns[0]) {
        return Err(StatsError::OneLevel);
    }
    if is_constant(&scaled.y) {
        return Err(StatsError::Constant);
    }
    let (rx, ry) = (centred(&ranks(x)), centred(&ranks(y)));
    let (sxx, syy) = (dot(&rx, &rx), dot(&ry, &ry));
    Ok((dot(&rx, &ry) / (sxx * syy).sqrt()).clamp(-1.0, 1.0))
}

/// Ranks from 1, equal values sharing their average.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    // Not by total_cmp: -0 and 0 are equal.
    for run in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = from as f64 + (run.len() as f64 + 1.0) / 2.0;
        run.iter().for_each(|&i| ranks[i] = rank);
        from += run.len();
    }
    ranks
}
