//! What can go wrong with graphs.

/// An error of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// An operation that is not among those that graphs are made of.
    #[error("{0} is not among the operations of a graph")]
    Operation(String),
    /// The recording itself failed.
    #[error("the computation could not be recorded: {0}")]
    Capture(String),
    /// The device failed, or there is none.
    #[error("the GPU failed: {0}")]
    Gpu(String),
    /// The device does not allow so large an array.
    #[error("an array of {needed} bytes is needed, of which the GPU allows {largest}")]
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        largest: u64,
    },
}
