//! Samples and labels: data sets, overlap splits and probe sets; and where published weights are.
//!
//! Data goes one way: a [`Dataset`] is opened from its name, a [`split`]
//! decides which of its samples each model of a pair sees and with which
//! labels, and a [`Probe`] fixes the held-out samples both are compared on.

mod adapt;
mod array_file;
mod bytes;
mod card;
mod catalog;
mod check;
mod checksum;
mod clean;
pub mod color_shape_digit;
mod content;
mod dataset;
mod error;
mod fetch;
mod file_state;
mod open;
pub mod preview;
mod probe;
mod readers;
mod resample;
mod samples;
mod skipped;
mod spec;
pub mod split;
mod tensor_file;
mod text;
mod weights;

pub use bytes::Bytes;
pub use card::{Card, CardFactor, CardFile, CardFormat, CardText, Source, cards};
pub use catalog::{FATHER_BROWN, FOLDER, TEXT, corpus_names, dataset_names, find_card};
pub use check::{Checked, CheckedPart, SampleCopy, check};
pub use clean::{Freeable, Spare, Spares, free, spares};
pub use content::first_of_each;
pub use dataset::{Dataset, Factor, Part};
pub use error::{Cause, DataError};
pub use fetch::{Attempt, Attempts, FetchError, FetchEvent, fetch, fetch_weights};
pub use open::{content_of, is_of_image_files, open};
pub use probe::{Probe, ProbeClasses, draw_probe};
pub use reprsim_base::SampleShape;
pub use resample::{Filter, Resampling, Taps};
pub use samples::{SampleDigest, Samples};
pub use skipped::Skipped;
pub use spec::{DatasetSpec, factors_of, label_of, part_len};
pub use text::{TextSettings, Tokenizer, content_of_text, is_folder_of_text};
pub use weights::{WeightsCard, WeightsError, find_weights_card, locate_weights, weights_cards};
