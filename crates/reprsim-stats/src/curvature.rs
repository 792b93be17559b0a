//! Whether a line is enough.

use crate::describe::{distinct, mean};
use crate::error::StatsError;
use crate::linear::{Term, fit_linear};
use crate::project::{Scaled, is_constant, is_one_level};

/// The quadratic term of `y ~ x + x²` with x centred on its mean: how far the
/// relation bends, and whether that is more than chance. In units of y over those of
/// x squared; positive where it bends upwards.
///
/// # Errors
/// [`StatsError::TooFewLevels`] for fewer than 3 distinct x, else as [`fit_linear`].
pub fn curvature(x: &[f64], y: &[f64], clusters: Option<&[u64]>) -> Result<Term, StatsError> {
    // Squares of the largest numbers are no numbers.
    let scaled = Scaled::of(&[x.to_vec()], y, clusters)?;
    if y.len() < 4 {
        return Err(StatsError::TooFewPoints { needed: 4 });
    }
    let (x, unit) = (&scaled.columns[0], scaled.column_units[0]);
    if is_one_level(x) {
        return Err(StatsError::OneLevel);
    }
    if is_constant(&scaled.y) {
        return Err(StatsError::Constant);
    }
    if distinct(x).len() < 3 {
        return Err(StatsError::TooFewLevels);
    }
    let middle = mean(x);
    let line: Vec<f64> = x.iter().map(|v| v - middle).collect();
    let square = line.iter().map(|v| v * v).collect();
    let fit = fit_linear(&[line, square], y, clusters)?;
    let bend = fit
        .terms
        .into_iter()
        .nth(1)
        .ok_or(StatsError::NoSuchColumn)?;
    bend.in_units(-2 * unit)
}
