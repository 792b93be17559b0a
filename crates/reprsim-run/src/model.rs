//! One model: from its checkpoint, or trained now.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use reprsim_base::{Stream, give_back_memory};
use reprsim_config::Cell;
use reprsim_data::split::{ModelSamples, PairSplit};
use reprsim_models::{ModelConfig, ModelShape, Network};
use reprsim_train::{
    Epoch, HeldOut, Initial, Job, Resume, TaskConfig, TrainError, TrainingSet, initial_network,
    load_own_checkpoint, read_epochs, save_checkpoint, train, write_epochs,
};

use crate::context::Context;
use crate::error::RunError;
use crate::store::{owner, put_aside};

/// The ending of the file that holds a training under way.
pub(crate) const SNAPSHOT: &str = "snapshot";
/// Least time between two snapshots of a training.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// One model, of a cell or by itself.
pub(crate) struct ModelJob<'a> {
    pub context: &'a Context,
    /// The key of what determines it, or its cell.
    pub key: &'a str,
    /// `a` or `b` in a cell.
    pub name: &'a str,
    /// How it begins.
    pub initial: Initial,
    /// What it learns.
    pub task: TaskConfig,
    /// Whether it is trained, or stays as it begins.
    pub is_trained: bool,
    pub samples: &'a ModelSamples,
    pub config: &'a ModelConfig,
    pub stream: Stream,
    pub directory: &'a Path,
}

/// A model in the host's memory with its history, which is empty for an untrained one.
pub(crate) type Made = (Network, Vec<Epoch>);

impl<'a> ModelJob<'a> {
    /// Model 0 or 1 of a cell.
    pub fn of_cell(
        context: &'a Context,
        cell: &'a Cell,
        number: usize,
        (split, config): (&'a PairSplit, &'a ModelConfig),
        (stream, directory): (&Stream, &'a Path),
    ) -> Self {
        let (name, samples) = match number {
            0 => ("a", &split.a),
            _ => ("b", &split.b),
        };
        let experiment = &context.experiment;
        let [a, b] = cell.initial(experiment);
        let initial = if number == 0 { a } else { b };
        Self {
            context,
            key: &cell.hash,
            name,
            initial,
            task: experiment.task.of_model(cell.seed, number),
            is_trained: cell.point().is_some(),
            samples,
            config,
            stream: stream.child(name),
            directory,
        }
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}.{ending}", self.name))
    }

    /// The model that was trained before, if it was. An untrained one is made in no time
    /// and always the same: it counts as stored.
    pub fn stored(&self) -> Result<Option<Made>, RunError> {
        if !self.is_trained {
            return self.made(&|_, _| ()).map(Some);
        }
        let (checkpoint, history) = (self.file("safetensors"), self.file("train.jsonl"));
        let is_there = checkpoint.try_exists();
        if !is_there.map_err(|e| RunError::store(&checkpoint, e))? {
            return Ok(None);
        }
        let shape = ModelShape {
            input: self.context.train_supply()?.shape(),
            classes: self.samples.classes,
        };
        // What is damaged or another's is set aside, and the model trained anew.
        let network = load_own_checkpoint(&checkpoint, self.config, shape, &self.identity());
        let network = match network {
            Ok(network) => network,
            Err(error) if error.is_of_system() => return Err(error.into()),
            Err(error) => {
                put_aside(&checkpoint, &error)?;
                return Ok(None);
            }
        };
        let epochs = match read_epochs(&history, &owner(self.key, self.name)) {
            Ok(epochs) => epochs,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                log::warn!(
                    "{} is missing beside its checkpoint; the model is trained anew",
                    history.display()
                );
                return Ok(None);
            }
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                put_aside(&history, &format!("{}: {e}", history.display()))?;
                return Ok(None);
            }
            Err(e) => return Err(RunError::store(&history, e)),
        };
        if !self.context.experiment.training.is_whole(epochs.len()) {
            return Ok(None);
        }
        // Left by a process that was killed just before it took it away.
        let _ = std::fs::remove_file(self.file(SNAPSHOT));
        Ok(Some((network, epochs)))
    }

    /// What its checkpoint says of itself.
    fn identity(&self) -> [(&'static str, &str); 3] {
        [
            ("cell", self.key),
            ("model", self.name),
            ("architecture", self.config.name()),
        ]
    }

    /// The model as it is before it is trained.
    pub fn begun(&self) -> Result<Network, RunError> {
        Ok(initial_network(&self.job()?, &Device::flex())?)
    }

    /// Its training, without what it is judged by.
    fn job(&self) -> Result<Job<'_>, RunError> {
        let experiment = &self.context.experiment;
        Ok(Job {
            name: self.name,
            model: self.config,
            initial: &self.initial,
            task: &self.task,
            config: &experiment.training,
            set: TrainingSet {
                supply: self.context.train_supply()?,
                indices: &self.samples.indices,
                labels: &self.samples.labels,
                classes: self.samples.classes,
                held_out: None,
            },
            stream: &self.stream,
            resume: None,
            stacks: &self.context.stacks,
            stop: Some(&self.context.stop),
        })
    }

    /// The model, trained now unless its cell is an untrained pair.
    pub fn made(&self, on_epoch: &(dyn Fn(&str, &Epoch) + Sync)) -> Result<Made, RunError> {
        if !self.is_trained {
            return Ok((self.begun()?, vec![]));
        }
        let experiment = &self.context.experiment;
        let device = &self.context.chosen.device;
        let mut job = self.job()?;
        let held_out = self.context.held_out(self.samples)?;
        job.set.held_out = held_out.as_ref().map(|(supply, judging)| HeldOut {
            supply,
            indices: &judging.indices,
            labels: &judging.labels,
        });
        let (history, snapshot) = (self.file("train.jsonl"), self.file(SNAPSHOT));
        let owner = owner(self.key, self.name);
        job.resume = Some(Resume {
            path: &snapshot,
            key: &owner,
            every: SNAPSHOT_EVERY,
        });
        let mut epochs = Vec::new();
        let trained = train(&job, device, &mut |epoch| {
            on_epoch(self.name, epoch);
            epochs.push(epoch.clone());
        });
        if let Err(TrainError::Stopped) = trained {
            // The snapshot has the history.
            return Err(TrainError::Stopped.into());
        }
        // The history first: a checkpoint without one is trained anew, and
        // one that diverged can be looked at.
        write_epochs(&history, &epochs, &owner).map_err(|e| RunError::store(&history, e))?;
        let network = trained?;
        // Gradients and the like, before the copies that writing makes.
        give_back_memory();
        if experiment.keep.checkpoints {
            save_checkpoint(&network, &self.file("safetensors"), &self.identity())?;
        }
        // Whoever goes on from here has the checkpoint, or trains anew.
        let _ = std::fs::remove_file(snapshot);
        Ok((network, epochs))
    }
}
