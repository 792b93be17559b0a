//! Turns the rows of all cells into effects: similarity on overlap, per sweep, probe,
//! layer and measure; what explains it; and what should make a reader doubt it.

mod analyze;
mod effect;
mod grid;
mod health;
mod power;
mod series;
mod start;

pub use analyze::{Analysis, analyze};
pub use effect::{Effect, Information};
pub use grid::{Grid, GridAttribution, GridPoint, SlopeAtSize};
pub use health::{Flag, FlagKind};
pub use power::{PowerRow, power};
pub use start::{Change, Start};
