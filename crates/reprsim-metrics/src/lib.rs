//! Representational similarity measures as batched matrix products on the
//! device.
//!
//! - [`Layer`]: activations of one layer, from memory or a file.
//! - [`Set`]: layers on the same samples; [`Set::compare`] gives every measure for
//!   every pair, alone and under permutations.
//! - [`Measure`]: what a measure declares of itself; [`REGISTRY`] lists them, one
//!   file each in `measures/`.
//! - [`Set::leave_one_out`], [`Set::intervals`]: which samples carry a score, and
//!   how much it would vary with other samples.
//!
//! Activations are centred in f64 on the host; products that scale with the data
//! are taken in f32 on the device, in tiles of bounded size, and added up in f64;
//! eigenvalues and singular values are taken in f64 on the host.

mod affine;
mod basis;
mod concordance;
mod covariance;
mod cycle;
mod descriptors;
mod distance_matrices;
mod distances;
mod entries;
mod error;
mod far;
mod far_products;
mod form;
#[cfg(feature = "wgpu")]
mod gpu;
mod homology;
mod host;
mod influence;
mod intervals;
mod kernel;
mod lanes;
mod layer;
mod linalg;
mod magnitude;
mod measure;
mod measures;
mod minibatch;
mod neighbor_cosines;
mod neighbors;
mod null;
mod options;
mod outputs;
mod pair;
mod permutations;
mod precision;
mod products;
mod rows;
mod samples;
mod score;
mod set;
mod source;
mod square;
mod stop;
mod stream;
mod subspace;
mod tiles;
mod transport;
mod view;
mod whitened;

pub use affine::{Affine, AffineSums};
pub use basis::Directions;
pub use concordance::Concordance;
pub use descriptors::{Describe, Samples};
pub use error::{Cause, MetricError, Undefined, UnknownMeasure, Value};
pub use form::{Form, NoForm, Scale};
pub use influence::LeaveOneOut;
pub use intervals::{HalfSamples, Interval};
pub use kernel::Kernel;
pub use layer::Layer;
pub use measure::{Bound, Definition, Formula, Geometry, Invariances, Measure, Mode, Properties};
pub use measures::{Alias, REGISTRY, aliases, by_name, named, of_mode};
pub use minibatch::MinibatchSums;
pub use neighbors::Space as NeighborSpace;
pub use options::{Options, Space};
pub use outputs::{Agreement, Outputs, accuracy, mean_cross_entropy};
pub use pair::{
    CosinePair, Cosines, CovariancePair, DistancePair, KernelPair, KernelSums, NeighborPair,
    SamplesPair, SubspacePair,
};
pub use permutations::{ALPHA, Calibration, Permutations};
pub use score::Score;
pub use set::{Set, maximum};
pub use source::{Matrix, Source};
pub use stop::Stop;
pub use stream::{NotStreamed, Stream};
pub use subspace::Columns as SubspaceColumns;
