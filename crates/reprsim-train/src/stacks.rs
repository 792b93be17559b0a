//! Models that train side by side.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(feature = "wgpu")]
use reprsim_graph::{Gpu, GraphError, Load, Seat, Shapes};

/// Models that train side by side on one GPU, each in a thread of its own: those of equal shapes
/// share its launches. A processor trains each by itself.
#[derive(Debug)]
pub struct Stacks {
    /// What burn computes on a device that models share is computed one model after another: their
    /// memory is nobody's to count.
    turn: Option<Mutex<()>>,
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
            turn: Some(Mutex::default()),
            #[cfg(feature = "wgpu")]
            of_gpu: reprsim_graph::Stacks::new(models, bytes),
        }
    }

    /// Models each by itself.
    pub fn alone() -> Self {
        Self {
            turn: None,
            ..Self::new(1, 0)
        }
    }

    /// The turn of a model that burn trains, until it is dropped.
    pub(crate) fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let turn = self.turn.as_ref()?;
        Some(turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Launches for each step of a model, of all that have ended; `None` where nothing was
    /// replayed.
    pub fn launches_a_step(&self) -> Option<f64> {
        #[cfg(feature = "wgpu")]
        {
            let tally = self.of_gpu.tally();
            (tally.steps > 0).then(|| tally.launches as f64 / tally.steps as f64)
        }
        #[cfg(not(feature = "wgpu"))]
        None
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
