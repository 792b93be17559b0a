//! Statistics of similarity against overlap. Knows nothing of models.

mod describe;
mod error;
mod line;

pub use describe::{Level, describe_levels, mean, standard_deviation};
pub use error::StatsError;
pub use line::{Errors, LineFit, fit_line};
