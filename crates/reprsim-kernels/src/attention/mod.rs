//! Attention of a sequence to itself (Vaswani et al. 2017), with its derivative, without the maps of
//! all positions by all positions in memory.

mod heads;
mod operation;

pub use operation::attention;
