//! Models that train side by side.

#[cfg(feature = "wgpu")]
use reprsim_graph::{Gpu, GraphError, Load, Seat, Shapes, Tally};

/// Models that train side by side on one GPU, each in a thread of its own: those of equal shapes
/// share its launches. A processor trains each by itself.
#[derive(Debug)]
pub struct Stacks {
    #[cfg(feature = "wgpu")]
    of_gpu: reprsim_graph::Stacks,
}

impl Stacks {
    /// None yet. A stack has at most `models` models, and `bytes` bytes of the GPU's memory if it
    /// has more than one model.
    #[cfg_attr(
        not(feature = "wgpu"),
        expect(unused_variables, reason = "no GPU to share")
    )]
    pub fn new(models: usize, bytes: u64) -> Self {
        Self {
            #[cfg(feature = "wgpu")]
            of_gpu: reprsim_graph::Stacks::new(models, bytes),
        }
    }

    /// A model by itself.
    pub fn alone() -> Self {
        Self::new(1, 0)
    }

    /// Steps of all models that have ended, and launches that it took.
    #[cfg(feature = "wgpu")]
    pub fn tally(&self) -> Tally {
        self.of_gpu.tally()
    }

    /// A place for a model.
    #[cfg(feature = "wgpu")]
    pub(crate) fn seat(
        &self,
        gpu: &Gpu,
        shapes: &Shapes,
        programs: Vec<Load>,
    ) -> Result<Seat, GraphError> {
        self.of_gpu.seat(gpu, shapes, programs)
    }
}
