//! Measures of samples that come batch by batch.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use reprsim_activations::Reading;
use reprsim_metrics::{Form, MetricError, Scale, Stream};
use reprsim_similarity::Mode;

use crate::arrays::Array;
use crate::errors::{Failed, Kind, whole};
use crate::work::{listen, tell};

/// Bytes of rows in f64 that are looked at at once.
const AT_ONCE: usize = 16 << 20;

/// Sums over the samples so far.
#[pyclass(frozen, module = "reprsim._reprsim")]
pub(crate) struct Sums(Mutex<Stream>);

#[pymethods]
impl Sums {
    #[new]
    fn new(names: Vec<String>) -> PyResult<Self> {
        let measures = reprsim_similarity::measures(&names, Mode::Exact, 0)
            .map_err(|unknown| Failed::input(unknown.to_string()))?;
        let stream = Stream::new(measures).map_err(|error| Failed::input(error.to_string()))?;
        Ok(Self(Mutex::new(stream)))
    }

    /// Adds rows of both layers; their dimensions.
    fn update(
        &self,
        py: Python<'_>,
        x: &Array,
        y: &Array,
        pool: Option<&str>,
        axes: Vec<String>,
    ) -> PyResult<(usize, usize)> {
        listen()?;
        let reading = Reading {
            pool: crate::models::pool(pool)?,
            axes: crate::models::orders(&axes)?,
            ..Reading::default()
        };
        let found = [x.axes(), y.axes()];
        crate::models::used(&reading.axes, &found)?;
        let matrix = |array: &Array, name| array.matrix(name, Path::new(name), &reading);
        let (x, y) = (matrix(x, "x")?, matrix(y, "y")?);
        let ([n, p], [rows, q]) = (x.shape(), y.shape());
        if n != rows {
            let message =
                format!("x has {n} rows and y has {rows}: they must be of the same samples");
            return Err(Failed::input(message).into());
        }
        let found: Result<(), Failed> = py.detach(|| {
            let step = (AT_ONCE / (8 * (p + q)).max(1)).max(1);
            let (mut left, mut right) = (vec![], vec![]);
            for start in (0..n).step_by(step) {
                let rows = start..(start + step).min(n);
                left.resize(rows.len() * p, 0.0);
                right.resize(rows.len() * q, 0.0);
                for (matrix, out) in [(&x, &mut left), (&y, &mut right)] {
                    (matrix.read(rows.clone(), out))
                        .map_err(|error| Failed::input(whole(&error)))?;
                }
                let sides = [(&left[..], p, x.epsilon()), (&right[..], q, y.epsilon())];
                (self.stream().update(rows.len(), sides[0], sides[1])).map_err(refused)?;
            }
            Ok(())
        });
        tell(py)?;
        found?;
        Ok((p, q))
    }

    /// The samples so far.
    #[getter]
    fn samples(&self, py: Python<'_>) -> usize {
        py.detach(|| self.stream().samples())
    }

    /// Of each measure its name, value, exact chance level and why there is no value.
    fn scores<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        listen()?;
        let scores = py.detach(|| {
            let stream = self.stream();
            let measures = stream.measures().iter().copied();
            measures.zip(stream.scores()).collect::<Vec<_>>()
        });
        (scores.into_iter())
            .map(|(measure, score)| {
                let dict = PyDict::new(py);
                // No measure of neighbours streams.
                let scale = Scale::of(measure, 0);
                let told = |form| scale.told(form, score.value.ok()?);
                dict.set_item("measure", measure.properties().name)?;
                dict.set_item("value", score.value.ok())?;
                dict.set_item("distance", told(Form::Distance))?;
                dict.set_item("angle", told(Form::Angular))?;
                dict.set_item("null_mean", score.null_mean)?;
                dict.set_item("undefined", score.value.err().map(|why| why.to_string()))?;
                Ok(dict)
            })
            .collect()
    }
}

impl Sums {
    fn stream(&self) -> MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn refused(error: MetricError) -> Failed {
    let kind = match error {
        MetricError::Shape { .. } => {
            return Failed::input("this batch has other dimensions than those before");
        }
        _ => Kind::Failure,
    };
    Failed {
        kind,
        message: whole(&error),
    }
}
