//! Statistics of similarity against overlap. Knows nothing of models.

mod describe;
mod error;
mod line;
mod linear;

pub use describe::{Level, describe_levels, mean, standard_deviation};
pub use error::StatsError;
pub use line::{LineFit, fit_line};
pub use linear::{Errors, LinearFit, Term, fit_linear};
