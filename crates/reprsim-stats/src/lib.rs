//! Statistics of similarity against overlap. Knows nothing of models.

mod describe;
mod error;
mod linear;

pub use describe::{Level, describe_levels, mean, standard_deviation};
pub use error::StatsError;
pub use linear::{Errors, LinearFit, Term, fit_linear};
