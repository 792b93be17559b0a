//! Products on a GPU: recorded once, and replayed for each permutation and each tile.

mod gram;
mod products;
mod replay;

pub(crate) use gram::Gram;
pub(crate) use products::{find, profile};
