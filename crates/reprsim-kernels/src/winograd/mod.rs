//! 3x3 convolutions of stride 1 with a quarter of the multiplications: the minimal filtering
//! F(4x4, 3x3) of Winograd (1980) as Lavin and Gray (arXiv 1509.09308) apply it, and its adjoints.

mod convolution;
mod points;
mod tiles;
mod transforms;

pub(crate) use convolution::{convolve, convolve_back, correlate, suits};
