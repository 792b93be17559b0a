//! From the rows of all cells to effects, flags and a report.

mod analysis;
mod covariate;
mod dialect;
mod error;
mod line_ends;
mod others;
mod preamble;
mod result_table;
mod summary;

pub use analysis::{
    Analysis, Change, Effect, Flag, FlagKind, Grid, GridAttribution, GridPoint, Information,
    PowerRow, SlopeAtSize, Start, analyze, power,
};
pub use dialect::{Asked, Decimal, Dialect, TableReader};
pub use error::AnalysisError;
pub use result_table::{table, to_csv};
pub use summary::{Merged, Published, merge, write_events};
