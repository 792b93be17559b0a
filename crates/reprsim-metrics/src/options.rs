//! How to compute.

use crate::Stop;

/// How to compute.
#[derive(Clone, Debug)]
pub struct Options {
    /// Neighbours of the measures that use them.
    pub k: usize,
    /// Bytes of transformed activations kept in the host's memory at a time; what is beyond is read
    /// again from its source whenever it is needed.
    pub resident_bytes: usize,
    /// Bytes of n x n kernel matrices kept for permutations; what is beyond is
    /// computed again for each.
    pub kernel_bytes: usize,
    /// The way to the products of linear kernels; absent: the cheaper.
    pub space: Option<Space>,
    /// What ends it before it is done.
    pub stop: Stop,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            k: 10,
            resident_bytes: 1 << 30,
            kernel_bytes: 1 << 30,
            space: None,
            stop: Stop::default(),
        }
    }
}

/// The way to the products of linear kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// d x d cross-covariances.
    Feature,
    /// n x n Gram matrices, in tiles.
    Gram,
}
