//! Arrays as Python hands them over.

use std::path::Path;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};
use reprsim_activations::{Element, LayerMatrix, Pool, Reading, StoredLayer};
use reprsim_similarity::SimilarityError;

use crate::errors::Failed;
use crate::memory::Lent;

/// An array that another library lends, of a type that activations have.
#[pyclass(frozen, module = "reprsim._reprsim")]
pub(crate) struct Array {
    lent: Arc<Lent>,
    element: Element,
}

fn element(name: &str) -> PyResult<Element> {
    let mut known = Element::ALL.into_iter();
    let found = known.find(|element| element.name() == name);
    Ok(found.ok_or_else(|| {
        Failed::input(format!(
            "an array of {name}: activations are floating-point or whole numbers; convert it first"
        ))
    })?)
}

#[pymethods]
impl Array {
    /// Of an object and what it said by numpy's array interface, little-endian.
    #[staticmethod]
    fn of_interface(
        object: &Bound<'_, PyAny>,
        interface: &Bound<'_, PyAny>,
        dtype: &str,
    ) -> PyResult<Self> {
        let element = element(dtype)?;
        let lent = Arc::new(Lent::of_interface(object, interface, element.bytes())?);
        Ok(Self { lent, element })
    }

    /// Of a DLPack capsule.
    #[staticmethod]
    fn of_dlpack(capsule: &Bound<'_, PyCapsule>) -> PyResult<Self> {
        let (lent, element) = Lent::of_dlpack(capsule)?;
        Ok(Self {
            lent: Arc::new(lent),
            element,
        })
    }

    /// Of bytes in C order, little-endian.
    #[staticmethod]
    fn of_bytes(bytes: &Bound<'_, PyBytes>, dtype: &str, shape: Vec<usize>) -> PyResult<Self> {
        let element = element(dtype)?;
        let lent = Arc::new(Lent::of_bytes(bytes, shape, element.bytes())?);
        Ok(Self { lent, element })
    }

    #[getter]
    fn shape(&self) -> Vec<usize> {
        self.lent.shape().to_vec()
    }

    #[getter]
    fn dtype(&self) -> &'static str {
        self.element.name()
    }
}

/// Whether it is read as maps of channels, and has equal sides where those of maps of positions that
/// hold channels would be, as files are looked at.
fn looks_channels_last(shape: &[usize], reading: &Reading) -> bool {
    let is_pooled = matches!(reading.pool, Some(Pool::Mean | Pool::Max));
    let said = reading.axes.iter().any(|axes| axes.count() == 4);
    matches!(*shape, [_, h, w, c] if h == w && w != c && h > 1 && c > 1) && is_pooled && !said
}

impl Array {
    /// How many axes.
    pub fn axes(&self) -> usize {
        self.lent.shape().len()
    }

    /// The array as a layer's matrix; errors call it `origin`.
    pub fn matrix(
        &self,
        name: &str,
        origin: &Path,
        reading: &Reading,
    ) -> Result<LayerMatrix, Failed> {
        let shape = self.lent.shape().to_vec();
        if looks_channels_last(&shape, reading) {
            log::warn!(
                "{}: array '{name}' of shape {shape:?} is read as [samples, channels, height, width]; if \
                 its channels are last, as in Keras and JAX, say axes=\"nhwc\", else axes=\"nchw\"",
                origin.display()
            );
        }
        let layer = StoredLayer::lent(name, origin, shape, self.element, self.lent.clone());
        layer.matrix(reading).map_err(|error| {
            let failed = Failed::from(SimilarityError::Activations(error));
            Failed::input(failed.message)
        })
    }
}
