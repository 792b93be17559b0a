//! A model whose steps burn computes, operation by operation.

use std::sync::MutexGuard;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bytes, Device, Tensor};
use reprsim_models::{Input, Network, Output, OutputKind, Pass, holding_norms};

use super::parts::Parts;
use crate::batches::{Batches, Streams};
use crate::checkpoint::{packed, unpacked};
use crate::clip::clip;
use crate::error::TrainError;
use crate::freezing::Freezing;
use crate::job::{Job, initial_network, teacher_network};
use crate::sums::{Kept, Sums};
use crate::task::{Batch, Target};
use crate::validation::{HeldOut, held_out_loss};

/// See the module.
pub(crate) struct Eager<'a> {
    job: &'a Job<'a>,
    streams: &'a Streams,
    pub batches: Batches<'a>,
    /// `None` within the optimiser alone: whose parameters no one else holds it changes in place.
    network: Option<Network>,
    /// Whose scores are learned, ready for inference.
    teacher: Option<Network>,
    freezing: Freezing,
    optimizer: ModuleOptimizer,
    sums: Sums,
    _turn: Option<MutexGuard<'a, ()>>,
}

impl<'a> Eager<'a> {
    /// The model as it begins.
    pub fn new(
        job: &'a Job<'a>,
        streams: &'a Streams,
        device: &'a Device,
    ) -> Result<Self, TrainError> {
        let turn = job.stacks.turn();
        let network = initial_network(job, &device.clone().autodiff())?;
        let freezing = Freezing::of(&network, job.config, job.model)?;
        Ok(Self {
            teacher: teacher_network(job.task, job.model, job.shape(), device)?,
            job,
            streams,
            batches: Batches::new(job, streams, device),
            network: Some(freezing.applied(network)),
            freezing,
            optimizer: job.config.optimizer.build(),
            sums: Sums::from_kept(&Kept::default(), device),
            _turn: turn,
        })
    }

    /// Takes a step and returns how many samples it was of.
    pub fn step(&mut self, step: usize, lr: f64) -> Result<usize, TrainError> {
        let before = self.sums.seen;
        let mut gradients = self.gradients(step)?;
        if let Some(norm) = self.job.config.clip {
            clip(self.trained(), &mut gradients, norm);
        }
        // A step changes what it has gradients of.
        for (times, gradients) in self.freezing.by_rate(self.trained(), gradients) {
            let network = self.network.take();
            let step = |network| self.optimizer.step(lr * times, network, gradients);
            self.network = network.map(step);
        }
        Ok(self.sums.seen - before)
    }

    fn trained(&self) -> &Network {
        match &self.network {
            Some(network) => network,
            None => unreachable!("the optimiser gives the network back"),
        }
    }

    /// The gradients of one step. (The place of mixed precision: the model's answer in a
    /// narrower type, its loss scaled, the gradients brought back.)
    fn gradients(&mut self, step: usize) -> Result<GradientsParams, TrainError> {
        let job = self.job;
        let mut draws = self.streams.at(step);
        let sizes = self.batches.sizes(step);
        let all: usize = sizes.iter().sum();
        let mut accumulated = GradientsAccumulator::new();
        for (i, &size) in sizes.iter().enumerate() {
            let drawn = self.batches.draw(step, i, &mut draws).autodiff();
            let batch = self.taught(job.task.batch(drawn, &mut draws.noise)?)?;
            let dropout = draws.dropout(job.config.dropout);
            let mut pass = Pass::training(dropout, &mut draws.noise);
            pass.recompute = job.config.recompute;
            let output = holding_norms(&self.freezing.held, || {
                self.trained().output(batch.input, &mut pass)
            })?;
            let loss = job.task.loss(output, batch.target)?;
            self.sums.add(&loss, size);
            let share = loss.share(size, all);
            let gradients = GradientsParams::from_grads(share.backward(), self.trained());
            if sizes.len() == 1 {
                return Ok(gradients);
            }
            accumulated.accumulate(self.trained(), gradients);
        }
        Ok(accumulated.grads())
    }

    /// The batch with the teacher's scores, where there is one: of the same samples, augmented as the
    /// student sees them.
    fn taught(&self, batch: Batch) -> Result<Batch, TrainError> {
        let Some(teacher) = &self.teacher else {
            return Ok(batch);
        };
        let task = self.job.task.name();
        let labels = match batch.target {
            Target::Labels(labels) => labels,
            other => return Err(TrainError::target(task, "labels", other.name())),
        };
        let seen = match batch.input.clone() {
            Input::Images(images) => Input::Images(images.inner()),
            tokens => tokens,
        };
        let scores = match teacher.output(seen, &mut Pass::inference())? {
            Output::Logits(scores) => Tensor::from_inner(scores),
            other => return Err(TrainError::output(task, OutputKind::Logits, other.kind())),
        };
        Ok(Batch {
            input: batch.input,
            target: Target::Taught { labels, scores },
        })
    }

    pub fn sums(&self) -> Result<Kept, TrainError> {
        self.sums.keep()
    }

    pub fn clear_sums(&mut self) -> Result<(), TrainError> {
        self.sums.clear();
        Ok(())
    }

    pub fn held_out_loss(&self, held_out: HeldOut<'_>) -> Result<f64, TrainError> {
        let network = self.network();
        held_out_loss(&network, self.job.task, held_out, self.job.config.batch)
    }

    pub fn network(&self) -> Network {
        self.trained().valid()
    }

    /// With the parameters' ids, by which the optimiser knows them.
    pub fn parts(&self) -> Parts {
        Ok(vec![
            ("network", packed(self.trained())?),
            ("optimizer", self.optimizer.into_bytes()?.to_vec()),
        ])
    }

    /// `None`, and nothing is changed, if a part is missing or cannot be read.
    pub fn restore(&mut self, part: &dyn Fn(&str) -> Option<Vec<u8>>, sums: &Kept) -> Option<()> {
        let network = unpacked(part("network")?, self.trained().clone())?;
        // Parameters have the names that they had then.
        let freezing = Freezing::of(&network, self.job.config, self.job.model).ok()?;
        let network = freezing.applied(network);
        let state = Bytes::from_bytes_vec(part("optimizer")?);
        let optimizer = self.optimizer.clone().from_bytes(state).ok()?;
        (self.network, self.optimizer) = (Some(network), optimizer);
        self.freezing = freezing;
        self.sums = Sums::from_kept(sums, self.job.set.supply.device());
        Some(())
    }
}
