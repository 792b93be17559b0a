//! Models and a question in, rows out.

use burn::tensor::Device;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use reprsim_similarity::{
    Comparison, Exchange, Form, LayerPairs, Mode, PairResult, Question, Row, Stop,
};

use crate::errors::Failed;
use crate::models::{Model, Preparation, Which, prepared};
use crate::work::interruptible;

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
    /// Whether samples change places within their groups, instead of groups as a whole.
    #[pyo3(item)]
    within: bool,
    #[pyo3(item)]
    bootstrap: usize,
    #[pyo3(item)]
    leverage: bool,
    #[pyo3(item)]
    same_name: bool,
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
    covariate: Option<Model>,
    preparation: Preparation,
    asked: Asked,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let stop = Stop::default();
    let prepared = prepared(py, models, covariate, preparation, Which::All)?;
    let question = Question {
        covariate: prepared.covariate,
        ..asked.question(prepared.blocks, &stop)?
    };
    let models = prepared.models;
    let results = interruptible(py, &stop, move || {
        let device = asked.device()?;
        let comparison = Comparison::new(models, question)?;
        Ok(comparison.run(&device, &mut |_| ())?)
    })?;
    rows(&results)
        .map(|(scope, row)| dict(py, scope, row))
        .collect()
}

impl Asked {
    /// The question, of models whose rows have these blocks.
    pub fn question(&self, blocks: Vec<u32>, stop: &Stop) -> Result<Question, Failed> {
        let mode = match self.mode.as_str() {
            "exact" => Mode::Exact,
            "paper" => Mode::Paper,
            other => {
                return Err(Failed::input(format!(
                    "mode '{other}': it is 'exact' or 'paper'"
                )));
            }
        };
        let measures = reprsim_similarity::measures(&self.measures, mode, self.k)
            .map_err(|unknown| Failed::input(unknown.to_string()))?;
        Ok(Question {
            k: self.k,
            permutations: self.null,
            blocks,
            exchange: match self.within {
                true => Exchange::Within,
                false => Exchange::Whole,
            },
            half_samples: self.bootstrap,
            leverage: self.leverage,
            layers: match self.same_name {
                true => LayerPairs::SameName,
                false => LayerPairs::All,
            },
            seed: self.seed,
            stop: stop.clone(),
            ..Question::new(measures)
        })
    }

    /// What is computed on.
    pub fn device(&self) -> Result<Device, Failed> {
        let chosen = reprsim_device::choose(&self.device);
        let chosen = chosen.map_err(|error| Failed::input(crate::errors::whole(&error)))?;
        Ok(chosen.device)
    }
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
pub(crate) fn dict<'py>(py: Python<'py>, scope: &str, row: &Row) -> PyResult<Bound<'py, PyDict>> {
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
    dict.set_item("distance", row.value_as(Form::Distance))?;
    dict.set_item("angle", row.value_as(Form::Angular))?;
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
