//! Representational similarity measures as batched matrix products on the
//! device.
//!
//! One file a measure. Activations are centred on the device; products that
//! scale with the data stay there, and final sums are taken in f64 on the host.

mod cka;
mod layer;
mod measure;

pub use cka::{CkaTable, linear_cka};
pub use layer::{Layer, MetricError};
pub use measure::{Measure, Score, Undefined};
