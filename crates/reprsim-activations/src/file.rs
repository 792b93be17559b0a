//! A file of activations, whatever its format.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::elements::{Array, Bytes, Element, Elsewhere, open};
use crate::error::{ActivationError, Problem};
use crate::ids::SampleIds;
use crate::mask::Mask;
use crate::matrix::LayerMatrix;
use crate::padding::{Padding, Said};
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
    padding: Padding,
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
        let file = || open(path).map_err(error);
        let stem = || {
            let stem = path.file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        };
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(error(Problem::NotAFile));
        }
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
        let said = Said::default();
        let layers = (contents.layers.into_iter())
            .map(|(name, array)| StoredLayer {
                name,
                path: path.to_path_buf(),
                array,
                padding: Padding::new(&said),
            })
            .collect();
        Ok(Self {
            path: path.to_path_buf(),
            ids,
            layers,
        })
    }

    /// Whether tokens of a sample are pooled of which some may be padding, for all that is known.
    pub fn may_pool_padding(&self, pool: Option<Pool>, mask: Option<&Mask>) -> bool {
        let has_tokens =
            |layer: &StoredLayer| matches!(*layer.shape(), [_, tokens, _] if tokens > 1);
        // The first token is real, unless samples are padded before.
        let pools = matches!(pool, Some(Pool::Mean | Pool::Max | Pool::Last));
        pools && mask.is_none() && self.layers.iter().any(has_tokens)
    }

    /// All layers as matrices, in order, with their names; of tokens those that are real by `mask`.
    ///
    /// # Errors
    /// As [`StoredLayer::matrix`], and if the mask fits no layer.
    pub fn matrices(
        &self,
        pool: Option<Pool>,
        mask: Option<&Mask>,
    ) -> Result<Vec<(String, LayerMatrix)>, ActivationError> {
        if mask.is_some() && self.layers.iter().all(|layer| layer.shape().len() == 2) {
            return Err(ActivationError::new(&self.path, Problem::MaskUnused));
        }
        let matrix = |layer: &StoredLayer| Ok((layer.name.clone(), layer.matrix(pool, mask)?));
        self.layers.iter().map(matrix).collect()
    }
}

impl StoredLayer {
    /// A layer that is in no file: an array of `shape`, little-endian in C order, whose bytes are
    /// lent; errors call it `origin`.
    pub fn lent(
        name: impl Into<String>,
        origin: &Path,
        shape: Vec<usize>,
        element: Element,
        bytes: Arc<dyn Elsewhere>,
    ) -> Self {
        Self {
            name: name.into(),
            path: origin.to_path_buf(),
            array: Array {
                element,
                big_endian: false,
                shape,
                bytes: Bytes::Elsewhere(bytes),
            },
            padding: Padding::new(&Said::default()),
        }
    }

    /// The shape as stored.
    pub fn shape(&self) -> &[usize] {
        &self.array.shape
    }

    /// The type of its elements.
    pub fn element(&self) -> &'static str {
        self.array.element.name()
    }

    /// The layer as a matrix. Arrays of two axes are one already; others need
    /// `pool`. Of tokens, those that are real by `mask` are pooled.
    ///
    /// # Errors
    /// [`ActivationError`] if the axes have no meaning, `pool` does not say what
    /// to do with them, or `mask` is of other axes.
    pub fn matrix(
        &self,
        pool: Option<Pool>,
        mask: Option<&Mask>,
    ) -> Result<LayerMatrix, ActivationError> {
        let error = |problem| ActivationError::new(&self.path, problem);
        let layer = || self.name.clone();
        let shape = Pool::matrix_shape(pool, &self.array.shape).map_err(|shape| {
            let layer = layer();
            error(Problem::Shape { layer, shape })
        })?;
        let mask = mask.filter(|_| self.array.shape.len() > 2);
        if let Some(mask) = mask {
            if self.array.shape.len() != 3 || self.array.shape[..2] != mask.shape() {
                return Err(error(Problem::MaskFits {
                    layer: layer(),
                    shape: self.array.shape.clone(),
                    path: mask.path().to_path_buf(),
                    mask: mask.shape(),
                }));
            }
            if pool == Some(Pool::Flatten) {
                return Err(error(Problem::MaskPool { layer: layer() }));
            }
        }
        Ok(LayerMatrix {
            path: self.path.clone(),
            name: self.name.clone(),
            array: self.array.clone(),
            pool,
            mask: mask.cloned(),
            padding: self.padding.clone(),
            shape,
            looked_through: Arc::default(),
        })
    }
}
