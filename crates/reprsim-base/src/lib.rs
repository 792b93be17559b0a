//! What every other crate stands on: named random streams, files that are there whole or
//! not at all, digests, names that are nearly right, and where things are kept.
//!
//! Of samples it knows the shape, of models and measures nothing.

mod digest;
mod header;
mod leftovers;
mod memory;
mod names;
mod paths;
mod sealed;
mod settings;
mod shape;
mod stream;
mod text;
mod whole;

pub use digest::{Digest, sha256, sum_while_copying};
pub use header::sorted_header;
pub use leftovers::{TEMPORARY, entries, leftovers, remove, size_of, sweep};
pub use memory::{
    OverBudget, ask_memory, give_back_memory, host_memory, memory_budget, set_give_back,
    set_memory_budget,
};
pub use names::{hint, listed, twice, unknown};
pub use paths::{default_cache, default_hub};
pub use sealed::{
    SealError, check_lines, check_safetensors, check_safetensors_stream, check_seal, seal,
    seal_lines, seal_safetensors,
};
pub use settings::{SettingsError, named, settings};
pub use shape::SampleShape;
pub use stream::Stream;
pub use text::{csv_field, printable, printable_json, printable_line};
pub use whole::{in_the_way, read_stored, set_aside, sync_folder, temporary_beside, write_whole};
