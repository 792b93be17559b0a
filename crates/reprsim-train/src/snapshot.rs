//! A training that is under way, and the file from which it goes on after a crash.

use std::error::Error;

use reprsim_base::{check_safetensors, seal_safetensors, set_aside, write_whole};
use reprsim_models::Network;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{packed, unpacked};
use crate::config::TrainingConfig;
use crate::error::TrainError;
use crate::history::{Epoch, best};
use crate::job::Resume;
use crate::learner::Learner;
use crate::sums::Kept;

/// Version of the layout of a snapshot.
const SCHEMA: u32 = 3;

/// How far a training is.
#[derive(Default)]
pub(crate) struct Progress {
    /// Steps taken.
    pub step: usize,
    /// All lines so far.
    pub history: Vec<Epoch>,
    /// The network of the least validation loss, ready for inference.
    pub best: Option<Network>,
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
    /// Keeps a line of history; whether it was evaluated and none was better.
    pub fn report(&mut self, epoch: Epoch) -> bool {
        let (step, evaluated) = (epoch.step, epoch.validation_loss.is_some());
        self.history.push(epoch);
        evaluated && best(&self.history).is_some_and(|best| best.step == step)
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
}

fn failed(resume: &Resume<'_>, reason: impl Into<Box<dyn Error + Send + Sync>>) -> TrainError {
    TrainError::Checkpoint {
        path: resume.path.to_path_buf(),
        reason: reason.into(),
    }
}

/// Writes the snapshot, whole or not at all.
pub(crate) fn save(
    resume: &Resume<'_>,
    progress: &Progress,
    learner: &mut Learner<'_>,
) -> Result<(), TrainError> {
    let head = serde_json::to_vec(&Head {
        schema: SCHEMA,
        key: resume.key.to_string(),
        step: progress.step,
        history: progress.history.clone(),
        sums: learner.sums()?,
    })
    .map_err(|e| failed(resume, e))?;
    let mut parts = vec![("head", head)];
    parts.extend(learner.parts().map_err(|e| failed(resume, e))?);
    if let Some(best) = &progress.best {
        parts.push(("best", packed(best).map_err(|e| failed(resume, e))?));
    }
    let mut views = Vec::new();
    for (name, bytes) in &parts {
        let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
        views.push((*name, view.map_err(|e| failed(resume, e))?));
    }
    let bytes = safetensors::serialize(views, None).map_err(|e| failed(resume, e))?;
    let bytes = seal_safetensors(&bytes).map_err(|e| failed(resume, e))?;
    write_whole(resume.path, &bytes).map_err(|e| failed(resume, e))
}

/// Brings `learner` to where the snapshot left off; `None`, and it is as it was, if there
/// is none, or one of another training: it only saves time. One that is damaged is set aside.
pub(crate) fn resumed(resume: &Resume<'_>, learner: &mut Learner<'_>) -> Option<Progress> {
    let bytes = std::fs::read(resume.path).ok()?;
    if let Err(error) = check_safetensors(&bytes) {
        let path = resume.path.display();
        log::warn!("{path}: {error}; the training begins again");
        let _ = set_aside(resume.path);
        return None;
    }
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let part = |name: &str| file.tensor(name).ok().map(|part| part.data().to_vec());
    let head: Head = serde_json::from_slice(&part("head")?).ok()?;
    if head.schema != SCHEMA || head.key != resume.key {
        return None;
    }
    let best = match part("best") {
        Some(bytes) => Some(unpacked(bytes, learner.network().ok()?)?),
        None => None,
    };
    learner.restore(&part, &head.sums)?;
    Some(Progress {
        step: head.step,
        history: head.history,
        best,
    })
}
