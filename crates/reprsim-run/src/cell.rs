//! Runs one cell: split, train both models, evaluate the pair.

use std::path::Path;

use reprsim_base::{Stream, give_back_memory};
use reprsim_config::{Cell, Point, Term};
use reprsim_data::split::{Labelling, PairSplit, Reached};
use reprsim_models::SampleShape;
use reprsim_train::{Epoch, Supply, best};
use serde::Serialize;

use crate::context::Context;
use crate::error::RunError;
use crate::evaluation::{Pair, PairEvaluation};
use crate::model::{Made, ModelJob};
use crate::results::{ModelResult, PairResult, RESULT_SCHEMA};
use crate::store::{CellStore, write_json};

/// Images in one forward pass at inference.
pub(crate) const EXTRACT_BATCH: usize = 500;
/// Windows of text in one forward pass at inference.
pub(crate) const EXTRACT_WINDOWS: usize = 50;

/// What `split.json` records.
#[derive(Serialize)]
struct SplitRecord<'a> {
    schema: u32,
    cell: &'a str,
    /// The random stream the split was drawn from.
    stream: String,
    sweep: Option<Term>,
    point: Option<&'a Point>,
    samples_per_model: usize,
    classes_per_model: usize,
    /// Counted from the indices and labels.
    overlap_reached: Option<Reached>,
    a: ModelRecord<'a>,
    b: ModelRecord<'a>,
}

#[derive(Serialize)]
struct ModelRecord<'a> {
    labelling: &'a Labelling,
    indices: &'a [u32],
}

/// Does what is not yet done of `cell`; `on_epoch` hears of each epoch of each model (`a`,
/// `b`). A model whose checkpoint is there already is not trained again, and an evaluation
/// whose rows are there is not computed again.
pub(crate) fn run_cell(
    context: &Context,
    cell: &Cell,
    store: &CellStore,
    evaluations: &[&'static dyn PairEvaluation],
    on_epoch: &(dyn Fn(&str, &Epoch) + Sync),
) -> Result<(), RunError> {
    let experiment = &context.experiment;
    if store.is_done(experiment)? {
        return Ok(());
    }
    let stream = cell.stream(experiment);
    let split = context.training()?.split(experiment, cell)?;
    let reached = cell.sweep(experiment).map(|_| split.reached());
    record_split(context, cell, &stream, &split, reached, &store.directory)?;

    let config = cell.model(experiment);
    let [initial_a, initial_b] = cell.initial(experiment);
    let job = |name: &'static str, samples, initial| ModelJob {
        context,
        cell,
        name,
        samples,
        config: &config,
        initial,
        stream: stream.child(name),
        directory: &store.directory,
    };
    let job_a = job("a", &split.a, &initial_a);
    let job_b = job("b", &split.b, &initial_b);
    let (stored_a, stored_b) = (job_a.stored()?, job_b.stored()?);
    if stored_a.is_none() || stored_b.is_none() {
        // What was found of a pair is of both its models.
        store.forget()?;
    }
    let make = |job: &ModelJob<'_>, stored: Option<Made>| match stored {
        Some(stored) => Ok(stored),
        None => {
            let made = job.made(on_epoch);
            give_back_memory();
            made
        }
    };
    let (made_a, made_b) = match context.chosen.cpu {
        // A thread for each job: both models one after another.
        true => {
            let made_a = make(&job_a, stored_a)?;
            (made_a, make(&job_b, stored_b)?)
        }
        // Both wait for the device most of the time, and share its launches.
        false => std::thread::scope(|scope| {
            let a = scope.spawn(|| make(&job_a, stored_a));
            let made_b = make(&job_b, stored_b);
            let made_a = a
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, RunError>((made_a?, made_b?))
        })?,
    };
    let ((network_a, epochs_a), (network_b, epochs_b)) = (made_a, made_b);
    let pair = Pair {
        context,
        cell,
        model: &config,
        networks: [&network_a, &network_b],
        split: &split,
        stream: &stream,
        directory: &store.directory,
    };
    for evaluation in evaluations {
        context.go_on()?;
        if !store.has(*evaluation, experiment)? {
            let rows = evaluation.rows(&pair)?;
            store.write_rows(*evaluation, experiment, &context.chosen.name, rows)?;
            give_back_memory();
        }
    }
    if store.pair()?.is_some() {
        return Ok(());
    }
    let training = context.training()?;
    let copies = reached
        .map(|_| context.held_out_copies(&split))
        .transpose()?;
    store.write_pair(&PairResult {
        schema: RESULT_SCHEMA,
        cell: cell.hash.clone(),
        device: context.chosen.name.clone(),
        samples_shared: reached.map(|r| r.samples),
        samples_shared_by_content: reached.map(|_| training.shared_by_content(&split)),
        labels_shared: reached.map(|r| r.labels),
        held_out_copies: copies,
        train_samples: split.a.indices.len(),
        a: model_result(&epochs_a),
        b: model_result(&epochs_b),
    })
}

fn record_split(
    context: &Context,
    cell: &Cell,
    stream: &Stream,
    split: &PairSplit,
    reached: Option<Reached>,
    directory: &Path,
) -> Result<(), RunError> {
    let record = SplitRecord {
        schema: 2,
        cell: &cell.hash,
        stream: stream.child("split").id(),
        sweep: cell.sweep(&context.experiment).map(|sweep| sweep.term()),
        point: cell.point().map(|(_, point)| point),
        samples_per_model: split.a.indices.len(),
        classes_per_model: split.a.classes,
        overlap_reached: reached,
        a: ModelRecord {
            labelling: &split.a.labelling,
            indices: &split.a.indices,
        },
        b: ModelRecord {
            labelling: &split.b.labelling,
            indices: &split.b.indices,
        },
    };
    write_json(&directory.join("split.json"), &record)
}

fn model_result(epochs: &[Epoch]) -> ModelResult {
    let kept = best(epochs);
    ModelResult {
        train_loss: kept.map(|e| e.loss),
        train_accuracy: kept.and_then(|e| e.metrics.get("accuracy").copied()),
        validation_loss: kept.and_then(|e| e.validation_loss),
    }
}

/// Samples in one forward pass at inference.
pub(crate) fn extract_batch(samples: &Supply) -> usize {
    match samples.shape() {
        SampleShape::Image { .. } => EXTRACT_BATCH,
        SampleShape::Tokens { .. } => EXTRACT_WINDOWS,
    }
}
