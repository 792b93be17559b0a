//! Models that are trained by themselves, for experiments to begin with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use reprsim_base::{Stream, check_safetensors, sweep};
use reprsim_config::{Experiment, Pretraining};
use reprsim_data::split::{Labelling, ModelSamples};
use reprsim_device::Chosen;
use reprsim_extract::logits;
use reprsim_models::{Output, OutputKind};
use reprsim_train::{Epoch, Initial, best};

use crate::cell::extract_batch;
use crate::context::Context;
use crate::data::Data;
use crate::error::RunError;
use crate::evaluation::hit_rate;
use crate::model::ModelJob;
use crate::run::check_precision;
use crate::store::lock;
use crate::way::default_device_budget;

/// A pretrained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Pretrained {
    /// Its seed.
    pub seed: usize,
    /// Its weights.
    pub path: PathBuf,
    /// Whether it was there before.
    pub was_there: bool,
    /// Training loss of the last epoch, or up to the evaluation whose network was kept.
    pub loss: Option<f64>,
    /// Accuracy on the held-out part, of a classifier.
    pub accuracy: Option<f64>,
}

/// The checkpoint of a seed's model in a directory.
pub fn checkpoint_of(root: &Path, seed: usize) -> PathBuf {
    root.join(format!("{}.safetensors", name(seed)))
}

fn name(seed: usize) -> String {
    format!("seed-{seed}")
}

/// Trains the models that are not there yet, each on the whole training part, and writes them into
/// `root`; `on_epoch` hears of each epoch of a seed's model.
///
/// # Errors
/// [`RunError::Locked`] if another process works there; those of data, models and files.
pub fn pretrain(
    pretraining: &Pretraining,
    root: &Path,
    chosen: &Chosen,
    data: &Arc<Data>,
    stop: Arc<AtomicBool>,
    on_epoch: &(dyn Fn(usize, &Epoch) + Sync),
) -> Result<Vec<Pretrained>, RunError> {
    let experiment = &pretraining.experiment;
    let context = Context::new(experiment, chosen, default_device_budget(chosen), data);
    let context = context.stopped_by(stop);
    check_precision(experiment, std::slice::from_ref(chosen))?;
    context.check()?;
    std::fs::create_dir_all(root).map_err(|e| RunError::store(root, e))?;
    let _lock = lock(root, "pretrain.lock", true)?;
    sweep(root, true);
    let samples = all_samples(&context)?;
    let mut made = vec![];
    for seed in 0..experiment.seeds {
        context.go_on()?;
        let (key, name) = (pretraining.key(seed), name(seed));
        let root_stream = Stream::new(experiment.root_seed).child("pretraining");
        let job = ModelJob {
            context: &context,
            key: &key,
            name: &name,
            initial: first(experiment, seed),
            task: experiment.task.of_model(seed, 0),
            is_trained: true,
            samples: &samples,
            config: &experiment.model,
            stream: root_stream.child(format!("seed {seed}")),
            directory: root,
        };
        refuse_another(&checkpoint_of(root, seed), &key)?;
        let stored = job.stored()?;
        let was_there = stored.is_some();
        let (network, epochs) = match stored {
            Some(stored) => stored,
            None => job.made(&|_, epoch| on_epoch(seed, epoch))?,
        };
        let accuracy = match experiment.task.needs() {
            OutputKind::Logits => {
                let supply = context.test_supply()?;
                let [answers] = logits([&network], supply, extract_batch(supply))?;
                let answers = experiment.task.answers(&Output::Logits(answers));
                let labels = samples.labelling.labels(supply.dataset())?;
                answers.map(|a| hit_rate(a, &labels)).transpose()?.flatten()
            }
            _ => None,
        };
        made.push(Pretrained {
            seed,
            path: checkpoint_of(root, seed),
            was_there,
            loss: best(&epochs).map(|epoch| epoch.loss),
            accuracy,
        });
    }
    Ok(made)
}

/// Refuses to take the place of a model of another pretraining, which experiments may name.
fn refuse_another(path: &Path, key: &str) -> Result<(), RunError> {
    // What is not there is made, and what is damaged is told where it is read.
    let Ok(Ok(found)) = std::fs::read(path).map(|bytes| check_safetensors(&bytes)) else {
        return Ok(());
    };
    match found.get("cell") {
        Some(cell) if cell != key => Err(RunError::Usage(format!(
            "{} is a model of another pretraining, or of an earlier form of this file\n  give this one \
             another directory with --out, or move that away",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// How the model of a seed begins: as model a of a pair would.
fn first(experiment: &Experiment, seed: usize) -> Initial {
    let states = experiment.initial.as_ref();
    let of_pair = states.map(|states| states.of_pair(seed));
    of_pair.map_or(Initial::Random, |[a, _]| a)
}

/// The whole training part, with the data set's own classes.
fn all_samples(context: &Context) -> Result<ModelSamples, RunError> {
    let training = context.training()?;
    let count = training.classes.len();
    Ok(ModelSamples {
        indices: (0..training.dataset.len() as u32).collect(),
        labels: training.labels.clone(),
        classes: count,
        labelling: Labelling::Classes((0..count as u32).collect()),
    })
}
