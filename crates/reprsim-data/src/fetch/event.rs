//! Progress of a fetch.

use std::time::Duration;

/// Progress of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEvent<'a> {
    /// Another process is fetching the data set, and is waited for.
    Waiting,
    /// The file system has no locks, for this reason: nobody else is kept out.
    Unlocked(String),
    /// The file is already here and right.
    Present(&'a str),
    /// A source is being tried for a file.
    Trying(&'a str, String),
    /// The server failed for this reason, and is asked again after this time.
    Again(String, Duration),
    /// What was there from before does not give the file, and is fetched anew.
    Anew(&'a str),
    /// So many bytes of the download are here, of a total if that is known.
    Bytes(u64, Option<u64>),
    /// The file is here and right.
    Done(&'a str),
    /// The file is here, but nothing tells that it is right, since its card knows no
    /// checksum: this one was recorded beside it and holds from now on.
    Recorded(&'a str, String),
}
