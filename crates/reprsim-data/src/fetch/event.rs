//! Progress of a fetch.

/// Progress of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEvent<'a> {
    /// The file is already here and right.
    Present(&'a str),
    /// A source is being tried for a file.
    Trying(&'a str, String),
    /// So many bytes of the download are here, of a total if that is known.
    Bytes(u64, Option<u64>),
    /// The file is here and right.
    Done(&'a str),
    /// The file is here, but nothing tells that it is right, since its card knows no
    /// checksum: this one was recorded beside it and holds from now on.
    Recorded(&'a str, String),
}
