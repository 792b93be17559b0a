//! A file of activations, whatever its format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reprsim_base::listed;

use crate::axes::Axes;
use crate::elements::{Array, Bytes, Element, Elsewhere};
use crate::error::{ActivationError, Problem};
use crate::ids::SampleIds;
use crate::labels::Labels;
use crate::matrix::LayerMatrix;
use crate::padding::Padding;
use crate::pool::Pool;
use crate::quantized::Quantized;
use crate::reading::Reading;
use crate::said::Said;
use crate::shaping::Shaping;

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
    pub(crate) array: Array,
    pub(crate) quantized: Option<Arc<Quantized>>,
    pub(crate) padding: Padding,
    /// Whether it was said that maps look channels-last.
    pub(crate) layout: Said,
}

impl ActivationFile {
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
            quantized: None,
            padding: Padding::default(),
            layout: Said::default(),
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
    /// pooled. An array whose samples are not its first axis is put in memory. Maps that look
    /// channels-last and are read as channels-first are warned of, once a file.
    ///
    /// # Errors
    /// [`ActivationError`] if the axes have no meaning, `pool` does not say what
    /// to do with them, or the mask is of other axes.
    pub fn matrix(&self, reading: &Reading) -> Result<LayerMatrix, ActivationError> {
        let matrix =
            (self.shaped(reading)).map_err(|problem| ActivationError::new(&self.path, problem))?;
        if self.looks_channels_last(reading) && self.layout.say() {
            log::warn!(
                "{}: layer '{}' of shape {:?} is read as [samples, channels, height, width]; if its \
                 channels are last, as in Keras and JAX, say --axes nhwc",
                self.path.display(),
                self.name,
                self.shape()
            );
        }
        Ok(matrix)
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
