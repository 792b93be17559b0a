//! One model: its layers, wherever they are, and which samples their rows are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use reprsim_activations::{ActivationFile, LayerMatrix, Mask, Pool, SampleIds};
use reprsim_metrics::{Cause, Layer, Matrix, Source};

use crate::error::SimilarityError;

/// The activations of one model: layers `[n, d]`, a row a sample, the same samples in
/// the same order in all of them.
#[derive(Clone, Debug)]
pub struct ModelActivations {
    /// The model's name, for rows and errors.
    pub name: String,
    /// Which samples the rows are, if that is known: compared with those of every other
    /// model of which it is known too.
    pub ids: Option<SampleIds>,
    /// The layers, in order.
    pub layers: Vec<Layer>,
}

/// A layer in a file, read by rows.
struct Stored(LayerMatrix);

impl Source for Stored {
    fn shape(&self) -> [usize; 2] {
        self.0.shape()
    }

    fn epsilon(&self) -> f64 {
        self.0.epsilon()
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Cause> {
        Ok(self.0.read(rows, out)?)
    }
}

impl ModelActivations {
    /// A model without layers.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ids: None,
            layers: Vec::new(),
        }
    }

    /// The model with the ids of the samples of its rows.
    #[must_use]
    pub fn ids(mut self, ids: SampleIds) -> Self {
        self.ids = Some(ids);
        self
    }

    /// The model with one more layer: `values` of `[n, d]`, row-major, copied unless
    /// they are a vector, of any type that f64 holds exactly (f32, f64, f16).
    ///
    /// # Errors
    /// [`SimilarityError::Metric`] if there are not `n * d` values.
    pub fn layer<T>(
        mut self,
        name: impl Into<String>,
        values: impl Into<Vec<T>>,
        [n, d]: [usize; 2],
    ) -> Result<Self, SimilarityError>
    where
        T: Copy + Into<f64> + Send + Sync + 'static,
    {
        let matrix = Matrix::new(values.into(), n, d)?;
        self.layers.push(Layer::new(name, matrix));
        Ok(self)
    }

    /// The model with one more layer that is read where it is stored or lent, by rows.
    #[must_use]
    pub fn stored(mut self, name: impl Into<String>, matrix: LayerMatrix) -> Self {
        self.layers.push(Layer::new(name, Stored(matrix)));
        self
    }

    /// The model with one more layer from the device, `[n, d]`. It is copied to the
    /// host, where it is centred in f64.
    ///
    /// # Errors
    /// [`SimilarityError::Metric`] if the device fails.
    pub fn tensor(
        mut self,
        name: impl Into<String>,
        values: Tensor<2>,
    ) -> Result<Self, SimilarityError> {
        self.layers.push(Layer::from_tensor(name, values)?);
        Ok(self)
    }

    /// The model in a file, called by the file's stem. Layers are read by rows when
    /// they are measured; arrays of more than two axes need `pool`, and of padded tokens a `mask`
    /// says which are real.
    ///
    /// # Errors
    /// [`SimilarityError::Activations`] if the file cannot be used.
    pub fn open(
        path: &Path,
        pool: Option<Pool>,
        mask: Option<&Mask>,
    ) -> Result<Self, SimilarityError> {
        let (model, _) = Self::opened(path, pool, mask)?;
        Ok(model)
    }

    /// The same, and whether padding may be pooled.
    fn opened(
        path: &Path,
        pool: Option<Pool>,
        mask: Option<&Mask>,
    ) -> Result<(Self, bool), SimilarityError> {
        let file = ActivationFile::open(path)?;
        let may_pool_padding = file.may_pool_padding(pool, mask);
        let layers = (file.matrices(pool, mask)?.into_iter())
            .map(|(name, matrix)| Layer::new(name, Stored(matrix)))
            .collect();
        let model = Self {
            name: stem(path),
            ids: file.ids,
            layers,
        };
        Ok((model, may_pool_padding))
    }

    /// The models in several files, called by the files' stems, or by whole paths where
    /// stems are the same; `masks` are none, one for all, or one a file.
    ///
    /// # Errors
    /// As [`ModelActivations::open`], and [`SimilarityError::Masks`].
    pub fn open_all(
        paths: &[PathBuf],
        pool: Option<Pool>,
        masks: &[Mask],
    ) -> Result<Vec<Self>, SimilarityError> {
        let (files, given) = (paths.len(), masks.len());
        if given > 1 && given != files {
            return Err(SimilarityError::Masks { given, files });
        }
        let mask = |at: usize| masks.get(if given == 1 { 0 } else { at });
        let opened = (paths.iter().enumerate())
            .map(|(at, path)| Self::opened(path, pool, mask(at)))
            .collect::<Result<Vec<_>, _>>()?;
        let (mut models, may_pool_padding): (Vec<Self>, Vec<bool>) = opened.into_iter().unzip();
        if may_pool_padding.contains(&true) {
            // Padding that a model has worked on is another vector at each place: no look at the
            // values tells it from tokens.
            log::info!(
                "all tokens of a sample are pooled: if samples were padded to one length, say which \
                 tokens are real with --mask"
            );
        }
        let stems: Vec<String> = models.iter().map(|m| m.name.clone()).collect();
        for (model, path) in models.iter_mut().zip(paths) {
            if stems.iter().filter(|stem| **stem == model.name).count() > 1 {
                model.name = path.display().to_string();
            }
        }
        Ok(models)
    }

    /// Number of samples, by the first layer.
    pub fn rows(&self) -> usize {
        self.layers.first().map_or(0, Layer::rows)
    }
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// Checks that all `models` can be compared: each has layers, no two of one name, and
/// all rows are the same samples as far as is known.
pub(crate) fn check(models: &[ModelActivations]) -> Result<(), SimilarityError> {
    if models.len() < 2 {
        return Err(SimilarityError::TooFewModels(models.len()));
    }
    for (i, a) in models.iter().enumerate() {
        for b in &models[i + 1..] {
            if let (Some(x), Some(y)) = (&a.ids, &b.ids) {
                x.check(y)
                    .map_err(|difference| SimilarityError::DifferentSamples {
                        a: a.name.clone(),
                        b: b.name.clone(),
                        difference,
                    })?;
            }
        }
    }
    let mut first: Option<(&ModelActivations, &Layer)> = None;
    for model in models {
        if model.layers.is_empty() {
            return Err(SimilarityError::NoLayers(model.name.clone()));
        }
        for (at, layer) in model.layers.iter().enumerate() {
            if model.layers[..at].iter().any(|l| l.name == layer.name) {
                return Err(SimilarityError::LayerTwice {
                    model: model.name.clone(),
                    layer: layer.name.clone(),
                });
            }
            let (other, of) = *first.get_or_insert((model, layer));
            if layer.rows() != of.rows() {
                return Err(SimilarityError::RowsDiffer {
                    model_a: model.name.clone(),
                    layer_a: layer.name.clone(),
                    n_a: layer.rows(),
                    model_b: other.name.clone(),
                    layer_b: of.name.clone(),
                    n_b: of.rows(),
                });
            }
        }
        if let Some(SampleIds::Numbers(ids)) = &model.ids
            && ids.len() != model.rows()
        {
            return Err(SimilarityError::IdsAndRows {
                model: model.name.clone(),
                ids: ids.len(),
                rows: model.rows(),
            });
        }
    }
    Ok(())
}
