//! A model's batches, wherever they come from.

use burn::tensor::Device;
use reprsim_models::SampleShape;

use super::{Draws, Passes, Streams, Windows};
use crate::job::{Job, TrainingSet};
use crate::supply::Drawn;

/// Where batches come from.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a training, on the stack"
)]
pub(crate) enum Batches<'a> {
    Passes(Passes<'a>),
    Windows {
        windows: Windows<'a>,
        batch: usize,
        accumulate: usize,
    },
}

impl<'a> Batches<'a> {
    /// The batches of a training.
    pub fn new(job: &'a Job<'_>, streams: &'a Streams, device: &'a Device) -> Self {
        let TrainingSet {
            supply,
            indices,
            labels,
            ..
        } = job.set;
        match supply.shape() {
            SampleShape::Image { .. } => Self::Passes(Passes::new(
                supply,
                indices,
                labels,
                job.config,
                &streams.order,
            )),
            SampleShape::Tokens { window, .. } => Self::Windows {
                windows: Windows {
                    dataset: supply.dataset(),
                    chunks: indices,
                    window,
                    device,
                },
                batch: job.config.batch,
                accumulate: job.config.accumulate.max(1),
            },
        }
    }

    /// All numbers of samples that steps are of.
    pub fn all_sizes(&self) -> std::collections::BTreeSet<usize> {
        let steps = match self {
            Self::Passes(passes) => passes.steps(),
            Self::Windows { .. } => 1,
        };
        (0..steps)
            .map(|step| self.sizes(step).iter().sum())
            .collect()
    }

    /// Samples in each batch of a step.
    pub fn sizes(&self, step: usize) -> Vec<usize> {
        match self {
            Self::Passes(passes) => passes.ranges(step).iter().map(|r| r.len()).collect(),
            Self::Windows {
                batch, accumulate, ..
            } => vec![*batch; *accumulate],
        }
    }

    /// The `i`-th batch of a step; to be called in order.
    pub fn draw(&mut self, step: usize, i: usize, draws: &mut Draws) -> Drawn {
        match self {
            Self::Passes(passes) => {
                let range = passes.ranges(step)[i].clone();
                passes.draw(step, range, draws)
            }
            Self::Windows { windows, batch, .. } => {
                Drawn::Windows(windows.draw(*batch, &mut draws.order))
            }
        }
    }
}
