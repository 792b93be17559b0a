//! One model of a cell: from its checkpoint, or trained now.

use std::path::Path;
use std::time::Duration;

use reprsim_base::Stream;
use reprsim_config::Cell;
use reprsim_data::split::ModelSamples;
use reprsim_models::{ModelConfig, ModelShape, Network};
use reprsim_train::{
    Epoch, HeldOut, Job, Resume, TrainingSet, initial_network, load_checkpoint, read_epochs,
    save_checkpoint, train, write_epochs,
};

use crate::context::Context;
use crate::error::RunError;

/// Least time between two snapshots of a training.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// One model of a cell.
pub(crate) struct ModelJob<'a> {
    pub context: &'a Context,
    pub cell: &'a Cell,
    /// `a` or `b`.
    pub name: &'static str,
    pub samples: &'a ModelSamples,
    pub config: &'a ModelConfig,
    pub stream: Stream,
}

impl ModelJob<'_> {
    /// The model with its history, which is empty for an untrained one.
    pub fn network(
        &self,
        directory: &Path,
        on_epoch: &mut dyn FnMut(&str, &Epoch),
    ) -> Result<(Network, Vec<Epoch>), RunError> {
        let experiment = &self.context.experiment;
        let device = &self.context.chosen.device;
        let supply = self.context.train_supply()?;
        let held_out = self.context.held_out(self.samples)?;
        let set = TrainingSet {
            supply,
            indices: &self.samples.indices,
            labels: &self.samples.labels,
            classes: self.samples.classes,
            held_out: held_out
                .as_ref()
                .map(|(supply, labels)| HeldOut { supply, labels }),
        };
        let initial = self.cell.initial(experiment);
        let mut job = Job {
            name: self.name,
            model: self.config,
            initial: &initial,
            task: &experiment.task,
            config: &experiment.training,
            set,
            stream: &self.stream,
            resume: None,
        };
        if self.cell.point().is_none() {
            return Ok((initial_network(&job, device)?, vec![]));
        }
        let checkpoint = directory.join(format!("{}.safetensors", self.name));
        let history = directory.join(format!("{}.train.jsonl", self.name));
        if checkpoint.exists() {
            let shape = ModelShape {
                input: supply.shape(),
                classes: self.samples.classes,
            };
            let network = load_checkpoint(&checkpoint, self.config, shape, device);
            // A damaged checkpoint is trained anew.
            if let (Ok(network), Ok(epochs)) = (network, read_epochs(&history))
                && experiment.training.is_whole(epochs.len())
            {
                return Ok((network, epochs));
            }
        }
        let snapshot = directory.join(format!("{}.snapshot", self.name));
        job.resume = Some(Resume {
            path: &snapshot,
            key: &self.cell.hash,
            every: SNAPSHOT_EVERY,
        });
        let mut epochs = Vec::new();
        let trained = train(&job, device, &mut |epoch| {
            on_epoch(self.name, epoch);
            epochs.push(epoch.clone());
        });
        // The history first: a checkpoint without one is trained anew, and
        // one that diverged can be looked at.
        write_epochs(&history, &epochs).map_err(|e| RunError::store(&history, e))?;
        let network = trained?;
        if experiment.keep.checkpoints {
            let info = [
                ("cell", self.cell.hash.as_str()),
                ("model", self.name),
                ("architecture", self.config.name()),
            ];
            save_checkpoint(&network, &checkpoint, &info)?;
        }
        // Whoever goes on from here has the checkpoint, or trains anew.
        let _ = std::fs::remove_file(snapshot);
        Ok((network, epochs))
    }
}
