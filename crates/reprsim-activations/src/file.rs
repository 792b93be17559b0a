//! A file of activations, whatever its format.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprsim_base::listed;

use crate::axes::Axes;
use crate::contents::Contents;
use crate::elements::{Array, open};
use crate::error::{ActivationError, Problem};
use crate::ids::{ARRAY, SampleIds};
use crate::labels::Labels;
use crate::matrix::LayerMatrix;
use crate::padding::{Padding, Said};
use crate::pool::Pool;
use crate::quantized::Quantized;
use crate::reading::Reading;
use crate::shaping::Shaping;
use crate::{npy, npz, safetensors_file};

/// The activations of one model on one probe.
#[derive(Clone, Debug)]
pub struct ActivationFile {
    /// The file, or the folder of files.
    pub path: PathBuf,
    /// What it says of its samples, if anything.
    pub ids: Option<SampleIds>,
    /// What else it says of each sample, by name: whole numbers or texts.
    pub columns: Vec<(String, Labels)>,
    /// Its layers, in order.
    pub layers: Vec<StoredLayer>,
}

/// A layer as it is stored.
#[derive(Clone, Debug)]
pub struct StoredLayer {
    /// Its name.
    pub name: String,
    pub(crate) path: PathBuf,
    array: Array,
    quantized: Option<Arc<Quantized>>,
    padding: Padding,
}

/// Endings of files that are read.
pub(crate) const ENDINGS: [&str; 3] = ["safetensors", "npy", "npz"];

impl ActivationFile {
    /// Opens a file, which may hold no layers.
    pub(crate) fn open_part(path: &Path) -> Result<Self, ActivationError> {
        let error = |problem: Problem| ActivationError::new(path, problem);
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
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
        };
        (contents.and_then(|contents| Self::of(path, contents))).map_err(error)
    }

    fn of(path: &Path, contents: Contents) -> Result<Self, Problem> {
        let Contents {
            hash,
            mut layers,
            mut columns,
        } = contents;
        let mut names = BTreeSet::new();
        let arrays = layers.iter().map(|(name, _)| name);
        for name in arrays.chain(columns.iter().map(|(name, _)| name)) {
            if !names.insert(name.clone()) {
                return Err(Problem::LayerTwice(name.clone()));
            }
        }
        let integers: Vec<String> = (layers.iter())
            .filter(|(_, array)| array.element.is_integer())
            .map(|(name, _)| name.clone())
            .collect();
        let mut quantized = Vec::new();
        for name in &integers {
            if let Some(of) = Quantized::take(name, &mut layers, &mut columns)? {
                quantized.push((name.clone(), Arc::new(of)));
            }
        }
        let as_they_are = |(name, array): &&(String, Array)| {
            array.element.is_integer() && quantized.iter().all(|(of, _)| of != name)
        };
        if let Some((name, _)) = layers.iter().find(as_they_are) {
            log::info!(
                "{}: layer '{name}' holds whole numbers, which are taken as they are: no array \
                 '{name}_scale' says what they stand for",
                path.display()
            );
        }
        let ids = match columns.iter().position(|(name, _)| name == ARRAY) {
            Some(at) => Some(columns.remove(at).1.into()),
            None => hash,
        };
        if !columns.is_empty() && !layers.is_empty() {
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            log::info!(
                "{}: one whole number or text a sample is no layer but what is said of the samples \
                 (--group): {}",
                path.display(),
                listed(&names)
            );
        }
        let said = Said::default();
        let layers = (layers.into_iter()).map(|(name, array)| StoredLayer {
            path: path.to_path_buf(),
            array,
            quantized: (quantized.iter())
                .find(|(of, _)| *of == name)
                .map(|(_, quantized)| quantized.clone()),
            padding: Padding::new(&said),
            name,
        });
        Ok(Self {
            path: path.to_path_buf(),
            ids,
            columns,
            layers: layers.collect(),
        })
    }

    /// Whether tokens of a sample are pooled of which some may be padding, for all that is known.
    pub fn may_pool_padding(&self, reading: &Reading) -> bool {
        // The first token is real, unless samples are padded before.
        let pools = matches!(reading.pool, Some(Pool::Mean | Pool::Max | Pool::Last));
        let has_tokens = |layer: &StoredLayer| {
            let shaping = Shaping::of(layer.shape(), reading);
            shaping.is_ok_and(|shaping| shaping.has_tokens && shaping.positions() > 1)
        };
        pools && reading.mask.is_none() && self.read(reading).any(has_tokens)
    }

    /// Whether one of the layers that are read has as many axes.
    pub fn has_axes(&self, reading: &Reading, axes: &Axes) -> bool {
        (self.read(reading)).any(|layer| layer.shape().len() == axes.count())
    }

    /// The layers that are read.
    fn read<'a>(&'a self, reading: &'a Reading) -> impl Iterator<Item = &'a StoredLayer> {
        let names: Vec<&str> = self.layers.iter().map(|l| l.name.as_str()).collect();
        let places = reading.layers.among(&names);
        places.into_iter().filter_map(|at| self.layers.get(at))
    }

    /// The layers that are read as matrices, in order, with their names.
    ///
    /// # Errors
    /// As [`StoredLayer::matrix`], and if no layer is meant, the mask fits none, or there is not one id
    /// a sample.
    pub fn matrices(
        &self,
        reading: &Reading,
    ) -> Result<Vec<(String, LayerMatrix)>, ActivationError> {
        let error = |problem| ActivationError::new(&self.path, problem);
        if self.read(reading).next().is_none() {
            let known: Vec<&str> = self.layers.iter().map(|l| l.name.as_str()).collect();
            return Err(error(Problem::NoSuchLayer {
                asked: reading.layers.to_string(),
                known: listed(&known),
            }));
        }
        if reading.mask.is_some() && self.read(reading).all(|layer| layer.shape().len() < 3) {
            return Err(error(Problem::MaskUnused));
        }
        if let Some(layer) = self
            .read(reading)
            .find(|layer| layer.looks_channels_last(reading))
        {
            log::warn!(
                "{}: layer '{}' of shape {:?} is read as [samples, channels, height, width]; if its \
                 channels are last, as in Keras and JAX, say --axes nhwc",
                self.path.display(),
                layer.name,
                layer.shape()
            );
        }
        let ids = self.ids.as_ref().and_then(SampleIds::count);
        let matrix = |layer: &StoredLayer| {
            let matrix = layer.matrix(reading)?;
            let [rows, _] = matrix.shape();
            let layer = layer.name.clone();
            match ids.filter(|ids| *ids != rows) {
                Some(ids) => Err(error(Problem::IdsAndRows { ids, layer, rows })),
                None => Ok((layer, matrix)),
            }
        };
        self.read(reading).map(matrix).collect()
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

    /// Whether it is read as maps of channels, and has equal sides where those of maps of positions
    /// that hold channels would be.
    fn looks_channels_last(&self, reading: &Reading) -> bool {
        let is_pooled = matches!(reading.pool, Some(Pool::Mean | Pool::Max));
        let said = reading.axes_of(4).is_some();
        matches!(*self.shape(), [_, h, w, c] if h == w && w != c && h > 1 && c > 1)
            && is_pooled
            && !said
    }

    /// The layer as a matrix. Arrays of one or two axes are one already, and so are those whose other
    /// axes have one element; others need `pool`. Of tokens, those that are real by the mask are
    /// pooled. An array whose samples are not its first axis is put in memory.
    ///
    /// # Errors
    /// [`ActivationError`] if the axes have no meaning, `pool` does not say what
    /// to do with them, or the mask is of other axes.
    pub fn matrix(&self, reading: &Reading) -> Result<LayerMatrix, ActivationError> {
        self.shaped(reading)
            .map_err(|problem| ActivationError::new(&self.path, problem))
    }

    fn shaped(&self, reading: &Reading) -> Result<LayerMatrix, Problem> {
        let layer = || self.name.clone();
        let shaping = Shaping::of(&self.array.shape, reading).map_err(|shape| {
            let layer = layer();
            Problem::Shape { layer, shape }
        })?;
        let mask = reading.mask.as_ref().filter(|_| self.array.shape.len() > 2);
        if let Some(mask) = mask {
            if reading.pool == Some(Pool::Flatten) {
                return Err(Problem::MaskPool { layer: layer() });
            }
            let [n, tokens] = [shaping.shape[0], shaping.positions()];
            if !shaping.has_tokens || [n, tokens] != mask.shape() {
                return Err(Problem::MaskFits {
                    layer: layer(),
                    shape: self.array.shape.clone(),
                    path: mask.path().to_path_buf(),
                    mask: mask.shape(),
                });
            }
        }
        if let Some(quantized) = &self.quantized {
            let channels = shaping.has_channels.then_some(shaping.sample[1]);
            quantized.check(&self.name, channels)?;
        }
        let array = match &shaping.order {
            Some(order) => self.array.arranged(order)?,
            None => self.array.clone(),
        };
        Ok(LayerMatrix {
            path: self.path.clone(),
            name: layer(),
            array,
            stored: self.array.shape.clone(),
            shaping,
            quantized: self.quantized.clone(),
            mask: mask.cloned(),
            padding: self.padding.clone(),
            looked_through: Arc::default(),
        })
    }
}
