//! Samples and labels: data sets, overlap splits, probe sets and the named
//! random streams that drive them.
//!
//! Data goes one way: a [`Dataset`] is opened from its name, a [`split`]
//! decides which of its samples each model of a pair sees and with which
//! labels, and a [`Probe`] fixes the held-out samples both are compared on.

mod adapt;
mod card;
pub mod color_shape_digit;
mod dataset;
mod error;
mod fetch;
mod idx;
mod open;
pub mod preview;
mod probe;
pub mod split;
mod stream;
mod whole;

pub use card::{Card, CardFile, Source, cards, find_card};
pub use dataset::{Dataset, Factor, Part, SampleShape, Samples};
pub use error::DataError;
pub use fetch::{FetchEvent, default_cache, fetch};
pub use idx::{IdxArray, read_idx};
pub use open::{DatasetSpec, dataset_names, open, part_len};
pub use probe::{Probe, ProbeClasses, draw_probe};
pub use stream::Stream;
pub use whole::write_whole;
