//! A model's training step as one graph of GPU kernels: recorded from burn's operations,
//! differentiated, fused, and replayed.
//!
//! burn launches each operation of a step by itself, and a launch costs the host more than a
//! small kernel costs the device. Here the operations of a step are recorded once
//! ([`record`]), its derivatives are added ([`gradients`]), operations are put together into
//! few kernels ([`Program`]), and a step is then a handful of dispatches whose arrays,
//! bindings and pipelines are there already ([`Session`]).
//!
//! All reductions have a fixed order, which depends on shapes alone: the same step gives the
//! same bits each time, however many models run side by side.

#[cfg(feature = "wgpu")]
mod adapters;
mod bank;
mod capture;
mod emit;
mod error;
mod fuse;
#[cfg(feature = "wgpu")]
mod gpu;
mod gradient;
mod graph;
mod hardware;
mod import;
mod index;
mod interpret;
mod kernels;
mod layout;
mod profile;
mod program;
#[cfg(feature = "wgpu")]
mod session;
#[cfg(feature = "wgpu")]
mod stack;
#[cfg(feature = "wgpu")]
mod timing;

#[cfg(feature = "wgpu")]
pub use adapters::{Adapter, adapters};
pub use capture::{Name, Recorded, RecordedTensor, Tape, custom, is_training, record};
pub use error::GraphError;
#[cfg(feature = "wgpu")]
pub use gpu::{Gpu, Resident};
pub use gradient::gradients;
pub use graph::{Binary, Graph, Id, Leaf, Op, Reduction, Unary, View};
pub use hardware::{Hardware, Precision, Units};
pub use interpret::{Inputs, interpret, mixed};
pub use layout::{Samples, Shapes, Target};
pub use profile::{Ceilings, Profile, Timed};
pub use program::{Computation, Dispatch, FIRST_SCALE, Program, Step, StepRule};
#[cfg(feature = "wgpu")]
pub use session::{Load, Region, Session, Staged};
#[cfg(feature = "wgpu")]
pub use stack::{Seat, Stacks, Tally};
