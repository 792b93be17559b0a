//! Tables: of measures, of runs, of statistics.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use reprsim::answers::{self, AnalysisAsked, Found, Points};
use reprsim_analysis::table;
use reprsim_config::Plan;
use reprsim_report::Column;
use reprsim_run::store::finished;
use reprsim_similarity::Stop;

use crate::errors::{Failed, Kind, whole};
use crate::work::interruptible;

/// All measures and what is known of them, as JSON.
#[pyfunction]
pub(crate) fn measures() -> PyResult<String> {
    json(&answers::measures())
}

fn json(found: &Found) -> PyResult<String> {
    let text = serde_json::to_string(found);
    Ok(text.map_err(|error| Failed {
        kind: Kind::Failure,
        message: error.to_string(),
    })?)
}

/// Points as Python hands them over: columns of text by name, or a file.
#[derive(FromPyObject)]
pub(crate) enum Given {
    Columns(Vec<(String, Vec<String>)>),
    File(PathBuf),
}

/// The options of `reprsim analyze`.
#[derive(FromPyObject)]
pub(crate) struct Options {
    #[pyo3(item)]
    x: Vec<String>,
    #[pyo3(item)]
    y: Vec<String>,
    #[pyo3(item)]
    group: Vec<String>,
    #[pyo3(item("where"))]
    conditions: Vec<(String, String)>,
    #[pyo3(item)]
    cluster: Option<String>,
    #[pyo3(item)]
    covariate: Vec<String>,
    #[pyo3(item)]
    missing: Vec<f64>,
    #[pyo3(item)]
    permutations: u32,
    #[pyo3(item)]
    seed: u64,
}

/// The statistics of points, as JSON.
#[pyfunction]
pub(crate) fn analyze(py: Python<'_>, points: Given, options: Options) -> PyResult<String> {
    let points = match points {
        Given::Columns(columns) => Points::Columns(columns),
        Given::File(file) => Points::File(file),
    };
    let asked = AnalysisAsked {
        x: options.x,
        y: options.y,
        group: options.group,
        conditions: options.conditions,
        cluster: options.cluster,
        covariate: options.covariate,
        missing: options.missing,
        permutations: options.permutations,
        seed: options.seed,
    };
    let found = interruptible(py, &Stop::default(), move || {
        answers::analyze(&points, asked).map_err(|refused| Failed {
            kind: match refused.is_usage {
                true => Kind::Input,
                false => Kind::Failure,
            },
            message: refused.message,
        })
    })?;
    json(&found)
}

/// A column of a run: its name; numbers as native `f64`, whole numbers as native `i64`, or text.
type Named<'py> = (&'static str, &'static str, Bound<'py, PyAny>);

/// All rows of the finished cells of a run.
#[pyfunction]
pub(crate) fn run(py: Python<'_>, root: PathBuf) -> PyResult<Vec<Named<'_>>> {
    let columns = interruptible(py, &Stop::default(), move || {
        let failed = |error: &(dyn std::error::Error + 'static)| Failed {
            kind: Kind::File,
            message: whole(error),
        };
        let plan = Plan::read(&root).map_err(|error| failed(&error))?;
        let results = finished(&root, &plan).map_err(|error| failed(&error))?;
        if results.is_empty() {
            return Err(Failed {
                kind: Kind::File,
                message: format!("no cell of {} is finished yet", root.display()),
            });
        }
        Ok(table(&plan.experiment, &results, |_, _| true))
    })?;
    (columns.into_iter())
        .map(|(name, column)| named(py, name, column))
        .collect()
}

fn named<'py>(py: Python<'py>, name: &'static str, column: Column) -> PyResult<Named<'py>> {
    let floats = |values: &mut dyn Iterator<Item = Option<f64>>| {
        let bytes: Vec<u8> = (values.map(|v| v.unwrap_or(f64::NAN)))
            .flat_map(f64::to_ne_bytes)
            .collect();
        PyBytes::new(py, &bytes).into_any()
    };
    Ok(match column {
        Column::Text(values) => (name, "text", PyList::new(py, values)?.into_any()),
        Column::Number(values) => (name, "d", floats(&mut values.into_iter())),
        Column::Integer(values) if values.contains(&None) => {
            let values = values.into_iter().map(|v| v.map(|v| v as f64));
            (name, "d", floats(&mut values.into_iter()))
        }
        Column::Integer(values) => {
            let values = values.into_iter().flatten();
            let bytes: Vec<u8> = values.flat_map(i64::to_ne_bytes).collect();
            (name, "q", PyBytes::new(py, &bytes).into_any())
        }
    })
}
