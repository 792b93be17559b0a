//! What a cell found.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the layout of `result.json`.
pub const RESULT_SCHEMA: u32 = 6;

/// One row of what an evaluation found of a pair: names and JSON scalars.
pub type Row = Map<String, Value>;

/// One similarity: a pair of layers, a probe, a measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The probe.
    pub probe: String,
    /// Layer of model a.
    pub layer_a: String,
    /// Layer of model b.
    pub layer_b: String,
    /// The measure.
    pub measure: String,
    /// The value; absent where it is undefined.
    pub value: Option<f64>,
    /// Why it is undefined.
    pub undefined: Option<String>,
    /// Samples.
    pub n: usize,
    /// Dimensions of layer a.
    pub d_a: usize,
    /// Dimensions of layer b.
    pub d_b: usize,
    /// Mean over permutations of the samples, over all of them where that is
    /// known in closed form: the chance level here.
    pub null_mean: Option<f64>,
    /// Share of permutations that reach the value.
    pub p_permutation: Option<f64>,
    /// The value on a scale from what chance gives (0) to identity (1).
    pub calibrated: Option<f64>,
}

/// How one model of a pair trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelResult {
    /// Training loss of the last epoch, or up to the evaluation whose network was kept;
    /// absent for an untrained model.
    pub train_loss: Option<f64>,
    /// Training accuracy there; absent for an untrained model and where there is none.
    pub train_accuracy: Option<f64>,
    /// Least loss on held-out samples, where training was judged by it.
    pub validation_loss: Option<f64>,
}

/// How the pair of a cell came about. Its file is written last: with those of the
/// evaluations it means that the cell is done. Nothing in it depends on time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairResult {
    /// Version of the layout of this file.
    pub schema: u32,
    /// The cell's key.
    pub cell: String,
    /// The device.
    pub device: String,
    /// Shared samples over samples per model, counted; absent for untrained pairs.
    pub samples_shared: Option<f64>,
    /// The same where a copy counts as what it is a copy of.
    pub samples_shared_by_content: Option<f64>,
    /// Shared classes or label factors over those of one model, counted.
    pub labels_shared: Option<f64>,
    /// Held-out images that are copies of training images of one of the models; absent for
    /// untrained pairs.
    pub held_out_copies: Option<usize>,
    /// Samples each model was trained on.
    pub train_samples: usize,
    /// Model a.
    pub a: ModelResult,
    /// Model b.
    pub b: ModelResult,
}

/// Everything a finished cell found.
#[derive(Clone, Debug, PartialEq)]
pub struct CellResult {
    /// How the pair came about.
    pub pair: PairResult,
    /// Where it was trained and where its rows were computed.
    pub devices: BTreeSet<String>,
    /// All similarities.
    pub scores: Vec<Score>,
    /// Accuracy of each model on held-out samples of the classes that it knows, in its own
    /// labels; absent where it has none.
    pub accuracy: [Option<f64>; 2],
    /// The rows of all other evaluations, by their names.
    pub others: BTreeMap<String, Vec<Row>>,
}
