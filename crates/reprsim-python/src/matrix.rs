//! Models compared each with each.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use reprsim::answers::model_panels;
use reprsim_report::clustermap;
use reprsim_similarity::{Comparison, SimilarityMatrix, Stop};

use crate::comparison::{Asked, dict};
use crate::models::{Model, Preparation, Which, prepared};
use crate::work::interruptible;

/// Of each measure its matrix of models: cells row by row, q-values, the tree, a picture.
#[pyfunction]
pub(crate) fn matrix<'py>(
    py: Python<'py>,
    models: Vec<Model>,
    preparation: Preparation,
    asked: Asked,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let stop = Stop::default();
    let prepared = prepared(py, models, None, preparation, Which::One)?;
    let (question, models) = (asked.question(prepared.blocks, &stop)?, prepared.models);
    let (found, pictures) = interruptible(py, &stop, move || {
        let device = asked.device()?;
        let comparison = Comparison::new(models, question)?;
        let found = SimilarityMatrix::of(&comparison, &device, &mut |_| ())?;
        let panels = model_panels(&comparison, &found);
        let pictures: Vec<String> = (panels.chunks(1)).map(clustermap).collect();
        Ok((found, pictures))
    })?;
    (found.measures.iter().zip(pictures))
        .map(|(measure, picture)| {
            let out = PyDict::new(py);
            out.set_item("measure", &measure.measure)?;
            out.set_item("symmetric", measure.symmetric)?;
            let cells = measure.cells.iter().map(|row| dict(py, "pair", row));
            out.set_item("cells", cells.collect::<PyResult<Vec<_>>>()?)?;
            out.set_item("q", &measure.q)?;
            out.set_item("svg", picture)?;
            let tree = measure.clustering.as_ref();
            out.set_item("order", tree.map(|tree| tree.order.clone()).ok())?;
            let merges = tree.map(|tree| {
                let merges = tree.merges.iter();
                merges
                    .map(|m| (m.a, m.b, m.distance, m.size))
                    .collect::<Vec<_>>()
            });
            out.set_item("merges", merges.ok())?;
            out.set_item("why", tree.err().map(ToString::to_string))?;
            Ok(out)
        })
        .collect()
}
