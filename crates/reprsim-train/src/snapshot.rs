//! A training that is under way, and the file from which it goes on after a crash.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Bytes;
use burn_store::{BurnpackStore, ModuleSnapshot, ModuleStore};
use reprsim_base::write_whole;
use reprsim_models::Network;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::config::TrainingConfig;
use crate::error::TrainError;
use crate::history::{Epoch, best};
use crate::sums::Kept;

/// Version of the layout of a snapshot.
const SCHEMA: u32 = 2;

/// Where and how often a training leaves a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Resume<'a> {
    /// The file.
    pub path: &'a Path,
    /// What determines the training: a snapshot of another is not used.
    pub key: &'a str,
    /// Least time between two snapshots; they are taken after any step.
    pub every: Duration,
}

/// A training under way.
pub(crate) struct Progress {
    pub network: Network,
    pub optimizer: ModuleOptimizer,
    /// Steps taken.
    pub step: usize,
    /// All lines so far.
    pub history: Vec<Epoch>,
    /// What was summed up since the last of them.
    pub sums: Kept,
    /// The network of the least validation loss, ready for inference.
    best: Option<Network>,
}

/// What a snapshot says beside tensors.
#[derive(Serialize, Deserialize)]
struct Head {
    schema: u32,
    key: String,
    step: usize,
    history: Vec<Epoch>,
    sums: Kept,
}

impl Progress {
    pub fn new(network: Network, optimizer: ModuleOptimizer) -> Self {
        Self {
            network,
            optimizer,
            step: 0,
            history: vec![],
            sums: Kept::default(),
            best: None,
        }
    }

    /// Keeps a line of history, and the network if it was evaluated and none was better.
    pub fn report(&mut self, epoch: Epoch) {
        let (step, evaluated) = (epoch.step, epoch.validation_loss.is_some());
        self.history.push(epoch);
        if evaluated && best(&self.history).is_some_and(|best| best.step == step) {
            self.best = Some(self.network.valid());
        }
    }

    /// Whether the loss on held-out samples has not fallen for longer than the patience.
    pub fn is_over(&self, config: &TrainingConfig) -> bool {
        let patience = config.evaluate.as_ref().and_then(|e| e.patience);
        match (patience, best(&self.history), self.history.last()) {
            (Some(patience), Some(best), Some(last)) if best.validation_loss.is_some() => {
                match config.epochs {
                    Some(_) => last.epoch - best.epoch > patience,
                    None => last.step - best.step > patience,
                }
            }
            _ => false,
        }
    }

    /// The best network; without an evaluation the one there is.
    pub fn into_best(self) -> Network {
        match self.best {
            Some(best) => best,
            None => self.network.valid(),
        }
    }
}

impl Resume<'_> {
    fn error(&self, reason: impl Into<Box<dyn Error + Send + Sync>>) -> TrainError {
        TrainError::Checkpoint {
            path: self.path.to_path_buf(),
            reason: reason.into(),
        }
    }

    /// Writes the snapshot, whole or not at all.
    pub(crate) fn save(&self, progress: &Progress) -> Result<(), TrainError> {
        let head = serde_json::to_string(&Head {
            schema: SCHEMA,
            key: self.key.to_string(),
            step: progress.step,
            history: progress.history.clone(),
            sums: progress.sums.clone(),
        })
        .map_err(|e| self.error(e))?;
        // With the parameters' ids, by which the optimiser knows them.
        let packed = |network: &Network| {
            let mut store = BurnpackStore::from_bytes(None);
            store.collect_from(network).map_err(|e| self.error(e))?;
            store.get_bytes().map_err(|e| self.error(e))
        };
        let best = progress.best.as_ref().map(packed).transpose()?;
        let optimizer = progress.optimizer.into_bytes().map_err(|e| self.error(e))?;
        let network = packed(&progress.network)?;
        let parts = [
            ("head", Some(head.as_bytes())),
            ("network", Some(&network[..])),
            ("optimizer", Some(&optimizer[..])),
            ("best", best.as_deref()),
        ];
        let mut views = Vec::new();
        for (name, bytes) in parts {
            if let Some(bytes) = bytes {
                let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
                views.push((name, view.map_err(|e| self.error(e))?));
            }
        }
        let bytes = safetensors::serialize(views, None).map_err(|e| self.error(e))?;
        write_whole(self.path, &bytes).map_err(|e| self.error(e))
    }

    /// Where the snapshot left off; `start` if there is none, or one of another training
    /// or that cannot be read: it only saves time.
    pub(crate) fn load(&self, start: Progress) -> Progress {
        let found = std::fs::read(self.path).ok();
        match found.and_then(|bytes| self.read(&bytes, &start)) {
            Some(progress) => progress,
            None => start,
        }
    }

    fn read(&self, bytes: &[u8], start: &Progress) -> Option<Progress> {
        let file = SafeTensors::deserialize(bytes).ok()?;
        let part = |name: &str| file.tensor(name).ok().map(|part| part.data().to_vec());
        let head: Head = serde_json::from_slice(&part("head")?).ok()?;
        if head.schema != SCHEMA || head.key != self.key {
            return None;
        }
        let unpacked = |bytes: Vec<u8>, mut network: Network| {
            let mut store = BurnpackStore::from_bytes(Some(Bytes::from_bytes_vec(bytes)));
            network.load_from(&mut store).ok()?;
            Some(network)
        };
        let network = unpacked(part("network")?, start.network.clone())?;
        let best = match part("best") {
            Some(bytes) => Some(unpacked(bytes, start.network.valid())?),
            None => None,
        };
        let optimizer = start.optimizer.clone();
        let state = Bytes::from_bytes_vec(part("optimizer")?);
        Some(Progress {
            network,
            optimizer: optimizer.from_bytes(state).ok()?,
            step: head.step,
            history: head.history,
            sums: head.sums,
            best,
        })
    }
}
