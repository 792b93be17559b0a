//! A file of activations, whatever its format.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::elements::Array;
use crate::error::{ActivationError, Problem};
use crate::ids::SampleIds;
use crate::matrix::LayerMatrix;
use crate::pool::Pool;
use crate::{npy, npz, safetensors_file};

/// The activations of one model on one probe.
#[derive(Clone, Debug)]
pub struct ActivationFile {
    /// The file.
    pub path: PathBuf,
    /// What it says of its samples, if anything.
    pub ids: Option<SampleIds>,
    /// Its layers, in order.
    pub layers: Vec<StoredLayer>,
}

/// A layer as it is stored.
#[derive(Clone, Debug)]
pub struct StoredLayer {
    /// Its name.
    pub name: String,
    path: PathBuf,
    array: Array,
}

impl ActivationFile {
    /// Opens a file; its ending says which format it has.
    ///
    /// # Errors
    /// [`ActivationError`] if the file cannot be read, is not what its ending
    /// says, is damaged, or holds no layers.
    pub fn open(path: &Path) -> Result<Self, ActivationError> {
        let error = |problem: Problem| ActivationError::new(path, problem);
        let ending = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        let file = || File::open(path).map_err(|e| error(e.into()));
        let stem = || {
            let stem = path.file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        };
        let contents = match ending {
            "safetensors" => safetensors_file::read(file()?),
            "npy" => npy::read_file(file()?, stem()),
            "npz" => npz::read(file()?),
            "pt" | "pth" => Err(Problem::Format(
                "is a PyTorch pickle, which cannot be opened without running it; \
                 save the activations with safetensors.torch.save_file or numpy.savez"
                    .into(),
            )),
            _ => Err(Problem::Format(format!(
                "'.{ending}' is not a known ending; known: .safetensors, .npy, .npz"
            ))),
        }
        .map_err(error)?;
        let mut names = BTreeSet::new();
        for (name, _) in &contents.layers {
            if !names.insert(name.as_str()) {
                return Err(error(Problem::LayerTwice(name.clone())));
            }
        }
        if contents.layers.is_empty() {
            return Err(error(Problem::NoLayers));
        }
        let ids = match contents.integers {
            Some(integers) => Some(integers.ids().map_err(error)?),
            None => contents.ids,
        };
        if let Some(SampleIds::Numbers(ids)) = &ids {
            for (name, array) in &contents.layers {
                let rows = array.shape.first().copied().unwrap_or_default();
                if rows != ids.len() {
                    return Err(error(Problem::IdsAndRows {
                        ids: ids.len(),
                        layer: name.clone(),
                        rows,
                    }));
                }
            }
        }
        let layers = (contents.layers.into_iter())
            .map(|(name, array)| StoredLayer {
                name,
                path: path.to_path_buf(),
                array,
            })
            .collect();
        Ok(Self {
            path: path.to_path_buf(),
            ids,
            layers,
        })
    }
}

impl StoredLayer {
    /// The shape as stored.
    pub fn shape(&self) -> &[usize] {
        &self.array.shape
    }

    /// The type of its elements.
    pub fn element(&self) -> &'static str {
        self.array.element.name()
    }

    /// The layer as a matrix. Arrays of two axes are one already; others need
    /// `pool`.
    ///
    /// # Errors
    /// [`ActivationError`] if the axes have no meaning or `pool` does not say what
    /// to do with them.
    pub fn matrix(&self, pool: Option<Pool>) -> Result<LayerMatrix, ActivationError> {
        let shape = Pool::matrix_shape(pool, &self.array.shape).map_err(|shape| {
            let layer = self.name.clone();
            ActivationError::new(&self.path, Problem::Shape { layer, shape })
        })?;
        Ok(LayerMatrix {
            path: self.path.clone(),
            array: self.array.clone(),
            pool,
            shape,
        })
    }
}
