//! Samples and labels: data sets, overlap splits, probe sets and the named
//! random streams that drive them.
//!
//! Data goes one way: a [`Dataset`] is opened from its name, a [`split`]
//! decides which of its samples each model of a pair sees and with which
//! labels, and a [`Probe`] fixes the held-out samples both are compared on.

mod adapt;
mod array_file;
mod bytes;
mod card;
mod checksum;
pub mod color_shape_digit;
mod dataset;
mod error;
mod fetch;
mod open;
pub mod preview;
mod probe;
mod readers;
mod spec;
pub mod split;
mod tensor_file;
mod text;

pub use bytes::Bytes;
pub use card::{Card, CardFactor, CardFile, CardFormat, CardText, Source, cards, find_card};
pub use dataset::{Dataset, Factor, Part, SampleShape, Samples, Skipped};
pub use error::DataError;
pub use fetch::{FetchEvent, fetch};
pub use open::{FOLDER, dataset_names, open};
pub use probe::{Probe, ProbeClasses, draw_probe};
pub use spec::{DatasetSpec, content_of, factors_of, label_of, part_len};
pub use text::{FATHER_BROWN, TEXT, TextSamples, TextSettings, Tokenizer, corpus_names};
