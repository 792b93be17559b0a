//! A model in training, whoever computes its steps.

use burn::tensor::Device;
use reprsim_graph::{Dispatch, Hardware, Profile};
use reprsim_models::Network;

use super::eager::Eager;
use super::parts::Parts;
use super::plan::Plan;
#[cfg(feature = "wgpu")]
use super::recorded::Recorded;
use crate::batches::{Batches, Streams};
use crate::config::Precision;
use crate::error::TrainError;
use crate::job::Job;
use crate::sums::Kept;
use crate::validation::HeldOut;

/// A model in training.
#[expect(clippy::large_enum_variant, reason = "there is one a training")]
pub(crate) enum Learner<'a> {
    /// burn computes each operation: the CPU, and whatever cannot be recorded.
    Eager(Eager<'a>),
    /// Its step was recorded and is replayed on a GPU.
    #[cfg(feature = "wgpu")]
    Recorded(Recorded<'a>),
}

macro_rules! either {
    ($self:expr, $learner:ident => $value:expr) => {
        match $self {
            Learner::Eager($learner) => $value,
            #[cfg(feature = "wgpu")]
            Learner::Recorded($learner) => $value,
        }
    };
}

impl<'a> Learner<'a> {
    /// The model of a training as it begins.
    ///
    /// # Errors
    /// Those of building it and of its device.
    pub fn new(
        job: &'a Job<'a>,
        streams: &'a Streams,
        device: &'a Device,
    ) -> Result<Self, TrainError> {
        #[cfg(feature = "wgpu")]
        if let Some(recorded) = Recorded::new(job, streams, device)? {
            return Ok(Self::Recorded(recorded));
        }
        match job.config.precision {
            Precision::F32 => Ok(Self::Eager(Eager::new(job, streams, device)?)),
            other => Err(TrainError::Precision(other.name())),
        }
    }

    pub fn batches(&self) -> &Batches<'a> {
        either!(self, learner => &learner.batches)
    }

    /// Takes step `step` (from 0) and returns how many samples it was of.
    pub fn step(&mut self, step: usize, lr: f64) -> Result<usize, TrainError> {
        either!(self, learner => learner.step(step, lr))
    }

    /// Losses and metrics since they were last cleared.
    pub fn sums(&mut self) -> Result<Kept, TrainError> {
        either!(self, learner => learner.sums())
    }

    pub fn clear_sums(&mut self) -> Result<(), TrainError> {
        either!(self, learner => learner.clear_sums())
    }

    /// The mean loss of a held-out sample.
    pub fn held_out_loss(&mut self, held_out: HeldOut<'_>) -> Result<f64, TrainError> {
        either!(self, learner => learner.held_out_loss(held_out))
    }

    /// The model as it is now, ready for inference.
    pub fn network(&mut self) -> Result<Network, TrainError> {
        match self {
            Self::Eager(learner) => Ok(learner.network()),
            #[cfg(feature = "wgpu")]
            Self::Recorded(learner) => learner.network(),
        }
    }

    pub fn parts(&mut self) -> Parts {
        either!(self, learner => learner.parts())
    }

    /// Goes on from the parts of a snapshot; `None`, and nothing is changed, if one is missing
    /// or cannot be read.
    pub fn restore(&mut self, part: &dyn Fn(&str) -> Option<Vec<u8>>, sums: &Kept) -> Option<()> {
        either!(self, learner => learner.restore(part, sums))
    }
}

/// A training's step as it is replayed.
#[derive(Clone, Debug)]
pub struct RecordedStep {
    /// Its launches.
    pub dispatches: Vec<Dispatch>,
    /// Bytes that the model takes on the device, without samples.
    pub bytes: u64,
}

/// A training's first step where it is recorded and replayed, which needs no
/// device; `None` where burn computes it operation by operation.
///
/// # Errors
/// Those of building the model.
pub fn recorded_step(job: &Job<'_>) -> Result<Option<RecordedStep>, TrainError> {
    let (streams, device) = (Streams::of(job.stream), Device::flex());
    let batches = Batches::new(job, &streams, &device);
    Ok(Plan::new(job, &batches, Hardware::CARD)?.and_then(|plan| {
        let size: usize = batches.sizes(0).iter().sum();
        let (program, _) = plan.steps.get(&size)?;
        let program = &plan.programs[*program];
        Some(RecordedStep {
            dispatches: program.dispatches().to_vec(),
            bytes: program.bytes(),
        })
    }))
}

/// Where the time of a training's step goes, where it is recorded and replayed; `None` where
/// burn computes it operation by operation.
///
/// # Errors
/// Those of building the model and of its device.
pub fn profile_step(job: &Job<'_>, device: &Device) -> Result<Option<Profile>, TrainError> {
    let streams = Streams::of(job.stream);
    match Learner::new(job, &streams, device)? {
        Learner::Eager(_) => Ok(None),
        #[cfg(feature = "wgpu")]
        Learner::Recorded(recorded) => recorded.profile().map(Some),
    }
}
