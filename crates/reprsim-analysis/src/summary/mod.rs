//! Turns a finished run into what people read: tables, statistics, figures, the page.

mod axis;
mod events;
mod grid;
mod heatmaps;
mod merge;
mod methods;
mod published;
mod starts;
mod training;
mod words;

pub use events::write_events;
pub use merge::{Merged, merge};
pub use published::Published;
