//! Models and a question in, rows out.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use reprsim_activations::{Mask, Pool, SampleIds};
use reprsim_similarity::{
    Comparison, LayerPairs, Mode, ModelActivations, PairResult, Question, Row, SimilarityError,
    Stop,
};

use crate::arrays::Array;
use crate::errors::Failed;
use crate::work::interruptible;

/// Layers of a model: arrays by name, or a file of them.
#[derive(FromPyObject)]
pub(crate) enum Layers {
    Arrays(Vec<(String, Py<Array>)>),
    File(PathBuf),
}

/// A model as Python hands it over: its name, its layers, ids of its samples, which tokens are real.
pub(crate) type Model = (
    String,
    Layers,
    Option<Vec<i64>>,
    Option<(Vec<bool>, [usize; 2])>,
);

/// What is asked of models.
#[derive(FromPyObject)]
pub(crate) struct Asked {
    #[pyo3(item)]
    measures: Vec<String>,
    #[pyo3(item)]
    mode: String,
    #[pyo3(item)]
    k: usize,
    #[pyo3(item)]
    null: usize,
    #[pyo3(item)]
    null_stop: Option<usize>,
    #[pyo3(item)]
    blocks: Vec<u32>,
    #[pyo3(item)]
    bootstrap: usize,
    #[pyo3(item)]
    leverage: bool,
    #[pyo3(item)]
    same_name: bool,
    #[pyo3(item)]
    pool: Option<String>,
    #[pyo3(item)]
    device: String,
    #[pyo3(item)]
    seed: u64,
}

/// Rows of each pair of models: one a pair of layers and measure, and of several pairs of layers one
/// of their maximum.
#[pyfunction]
pub(crate) fn compare<'py>(
    py: Python<'py>,
    models: Vec<Model>,
    asked: Asked,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let stop = Stop::default();
    let question = question(&asked, &stop)?;
    let pool = pool(asked.pool.as_deref())?;
    let models = (models.iter())
        .map(|model| opened(py, model, pool))
        .collect::<Result<Vec<_>, Failed>>()?;
    let device = asked.device;
    let results = interruptible(py, &stop, move || {
        let chosen = reprsim_device::choose(&device)
            .map_err(|error| Failed::input(crate::errors::whole(&error)))?;
        let comparison = Comparison::new(models, question)?;
        Ok(comparison.run(&chosen.device, &mut |_| ())?)
    })?;
    rows(&results)
        .map(|(scope, row)| dict(py, scope, row))
        .collect()
}

fn question(asked: &Asked, stop: &Stop) -> Result<Question, Failed> {
    let mode = match asked.mode.as_str() {
        "exact" => Mode::Exact,
        "paper" => Mode::Paper,
        other => {
            return Err(Failed::input(format!(
                "mode '{other}': it is 'exact' or 'paper'"
            )));
        }
    };
    let measures = reprsim_similarity::measures(&asked.measures, mode, asked.k)
        .map_err(|unknown| Failed::input(unknown.to_string()))?;
    Ok(Question {
        k: asked.k,
        permutations: asked.null,
        null_stop: asked.null_stop.and_then(NonZeroUsize::new),
        blocks: asked.blocks.clone(),
        half_samples: asked.bootstrap,
        leverage: asked.leverage,
        layers: match asked.same_name {
            true => LayerPairs::SameName,
            false => LayerPairs::All,
        },
        seed: asked.seed,
        stop: stop.clone(),
        ..Question::new(measures)
    })
}

pub(crate) fn pool(name: Option<&str>) -> Result<Option<Pool>, Failed> {
    let pool = name.map(str::parse::<Pool>).transpose();
    pool.map_err(|unknown| Failed::input(unknown.to_string()))
}

/// A model whose layers are ready to be read.
fn opened(
    py: Python<'_>,
    (name, layers, ids, mask): &Model,
    pool: Option<Pool>,
) -> Result<ModelActivations, Failed> {
    let origin = Path::new(name);
    let mask = match mask {
        None => None,
        Some((real, shape)) => {
            Some(Mask::new(origin, *shape, real.clone()).map_err(SimilarityError::Activations)?)
        }
    };
    let model = match layers {
        Layers::File(path) => ModelActivations {
            name: name.clone(),
            ..ModelActivations::open(path, pool, mask.as_ref())?
        },
        Layers::Arrays(arrays) => {
            let mut model = ModelActivations::new(name);
            for (layer, array) in arrays {
                let matrix = array
                    .bind(py)
                    .get()
                    .matrix(layer, origin, pool, mask.as_ref())?;
                model = model.stored(layer, matrix);
            }
            model
        }
    };
    Ok(match ids {
        Some(ids) => model.ids(SampleIds::Numbers(ids.clone())),
        None => model,
    })
}

/// All rows with their scopes.
fn rows(results: &[PairResult]) -> impl Iterator<Item = (&'static str, &Row)> {
    let measures = results.iter().flat_map(|pair| &pair.measures);
    measures.flat_map(|measure| {
        let pairs = measure.pairs.iter().map(|row| ("pair", row));
        pairs.chain(measure.maximum.iter().map(|row| ("maximum", row)))
    })
}

/// A row under the names that tables of the program have.
fn dict<'py>(py: Python<'py>, scope: &str, row: &Row) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("model_a", &row.model_a)?;
    dict.set_item("model_b", &row.model_b)?;
    dict.set_item("layer_a", &row.layer_a)?;
    dict.set_item("layer_b", &row.layer_b)?;
    dict.set_item("scope", scope)?;
    dict.set_item("measure", &row.measure)?;
    dict.set_item("value", row.value.ok())?;
    dict.set_item("n", row.n)?;
    dict.set_item("d_a", row.d_a)?;
    dict.set_item("d_b", row.d_b)?;
    dict.set_item("null_mean", row.null_mean)?;
    dict.set_item("p", row.p)?;
    dict.set_item("calibrated", row.calibrated)?;
    dict.set_item("interval", row.interval.map(|i| (i.low, i.high)))?;
    dict.set_item("influence", row.influence.map(|i| (i.row, i.value_without)))?;
    dict.set_item(
        "undefined",
        row.value.err().map(|reason| reason.to_string()),
    )?;
    Ok(dict)
}
