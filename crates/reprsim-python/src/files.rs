//! Files of activations, read by rows.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use reprsim_activations::{ActivationFile, LayerMatrix, Pool, Reading, SampleIds};
use reprsim_similarity::SimilarityError;

use crate::errors::Failed;

/// A file whose header was read.
#[pyclass(frozen, module = "reprsim._reprsim")]
pub(crate) struct File {
    file: ActivationFile,
    matrices: Vec<LayerMatrix>,
}

#[pymethods]
impl File {
    #[new]
    fn new(path: PathBuf) -> PyResult<Self> {
        let opened = || {
            let file = ActivationFile::open(&path)?;
            // Whatever the axes: each element is read.
            let matrices = (file.layers.iter())
                .map(|layer| layer.matrix(&Reading::pooled(Pool::Flatten)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Self { file, matrices })
        };
        let opened = opened().map_err(SimilarityError::Activations);
        Ok(opened.map_err(Failed::from)?)
    }

    /// Names, shapes and types of elements of the layers.
    #[getter]
    fn layers(&self) -> Vec<(String, Vec<usize>, &'static str)> {
        let layers = self.file.layers.iter();
        layers
            .map(|layer| (layer.name.clone(), layer.shape().to_vec(), layer.element()))
            .collect()
    }

    /// The ids of the samples, if the file has numbers.
    #[getter]
    fn ids(&self) -> Option<Vec<i64>> {
        match &self.file.ids {
            Some(SampleIds::Numbers(ids)) => Some(ids.clone()),
            _ => None,
        }
    }

    /// Samples of a layer, all their elements, as native `f64`.
    fn read<'py>(
        &self,
        py: Python<'py>,
        layer: usize,
        start: usize,
        stop: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let Some(matrix) = self.matrices.get(layer) else {
            return Err(Failed::input(format!("layer number {layer}")).into());
        };
        let [n, d] = matrix.shape();
        if start > stop || stop > n {
            return Err(Failed::input(format!("samples {start} to {stop} of {n}")).into());
        }
        let read = py.detach(|| {
            let mut values = vec![0.0; (stop - start) * d];
            matrix.read(start..stop, &mut values)?;
            Ok(values
                .into_iter()
                .flat_map(f64::to_ne_bytes)
                .collect::<Vec<u8>>())
        });
        let bytes = read
            .map_err(SimilarityError::Activations)
            .map_err(Failed::from)?;
        Ok(PyBytes::new(py, &bytes))
    }
}
