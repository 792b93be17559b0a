//! One model: its layers, wherever they are, and which samples their rows are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use reprsim_activations::{ActivationFile, Axes, Labels, LayerMatrix, Reading, SampleIds};
use reprsim_base::listed;
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
    /// What else is known of each row, by name: the group that it belongs to.
    pub columns: Vec<(String, Labels)>,
    /// The layers, in order.
    pub layers: Vec<Layer>,
    /// Arrays that were no matrices, and what became of them.
    pub shaped: Vec<Shaped>,
}

/// How an array of a file became a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaped {
    /// The layer.
    pub layer: String,
    /// The shape as it is stored.
    pub shape: Vec<usize>,
    /// What its axes were taken for and what became of them, in a few words.
    pub how: String,
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
            columns: Vec::new(),
            layers: Vec::new(),
            shaped: Vec::new(),
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

    /// The model in a file, or in a folder of files, called by its stem. Layers are read by rows when
    /// they are measured; `reading` says which, and how arrays of more than two axes become matrices.
    ///
    /// # Errors
    /// [`SimilarityError::Activations`] if the file cannot be used.
    pub fn open(path: &Path, reading: &Reading) -> Result<Self, SimilarityError> {
        Self::of_file(ActivationFile::open(path)?, reading)
    }

    fn of_file(file: ActivationFile, reading: &Reading) -> Result<Self, SimilarityError> {
        let mut model = Self {
            ids: file.ids.clone(),
            ..Self::new(stem(&file.path))
        };
        for (name, matrix) in file.matrices(reading)? {
            let how = matrix.shaping();
            if !how.is_empty() {
                let shape = matrix.stored_shape().to_vec();
                let layer = name.clone();
                model.shaped.push(Shaped { layer, shape, how });
            }
            model.layers.push(Layer::new(name, Stored(matrix)));
        }
        // Names of classes, say, are not one a sample.
        let rows = model.rows();
        let columns = file.columns.into_iter();
        model.columns = columns.filter(|(_, labels)| labels.len() == rows).collect();
        Ok(model)
    }

    /// The models in several files, called by the files' stems, or by whole paths where
    /// stems are the same; `readings` are one for all, or one a file.
    ///
    /// # Errors
    /// As [`ModelActivations::open`], [`SimilarityError::Readings`], and
    /// [`SimilarityError::AxesUnused`] for an order of axes of which no file it is for has an array, and
    /// [`SimilarityError::LayerUnused`] for a name or pattern that means a layer of none.
    pub fn open_all(paths: &[PathBuf], readings: &[Reading]) -> Result<Vec<Self>, SimilarityError> {
        let (files, given) = (paths.len(), readings.len());
        if given != 1 && given != files {
            return Err(SimilarityError::Readings { given, files });
        }
        let opened = (paths.iter())
            .map(|path| Ok(ActivationFile::open(path)?))
            .collect::<Result<Vec<_>, SimilarityError>>()?;
        let of = |at: usize| &readings[if given == 1 { 0 } else { at }];
        let read = || opened.iter().enumerate().map(|(at, file)| (file, of(at)));
        let is_used = |axes: &Axes| {
            let mut those = read().filter(|(_, reading)| reading.axes.contains(axes));
            those.any(|(file, reading)| file.has_axes(reading, axes))
        };
        let mut axes = readings.iter().flat_map(|reading| &reading.axes);
        if let Some(axes) = axes.find(|axes| !is_used(axes)) {
            return Err(SimilarityError::AxesUnused(axes.clone()));
        }
        if read().any(|(file, reading)| file.may_pool_padding(reading)) {
            // Padding that a model has worked on is another vector at each place: no look at the
            // values tells it from tokens.
            log::info!(
                "all tokens of a sample are pooled: if samples were padded to one length, say which \
                 tokens are real with --mask"
            );
        }
        let unused = unused_layer(&opened, &of);
        let mut models = (opened.into_iter().enumerate())
            .map(|(at, file)| Self::of_file(file, of(at)))
            .collect::<Result<Vec<_>, _>>()?;
        // Behind what is told of one file.
        unused.map_or(Ok(()), Err)?;
        let stems: Vec<String> = models.iter().map(|m| m.name.clone()).collect();
        for (model, path) in models.iter_mut().zip(paths) {
            if stems.iter().filter(|stem| **stem == model.name).count() > 1 {
                model.name = path.display().to_string();
            }
        }
        Ok(models)
    }

    /// The model with some of its rows alone, in the order given.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let ids = self.ids.as_ref().and_then(SampleIds::labels);
        Self {
            name: self.name.clone(),
            // Of some rows a hash over all says nothing.
            ids: ids.map(|ids| ids.select(rows).into()),
            columns: (self.columns.iter())
                .map(|(name, labels)| (name.clone(), labels.select(rows)))
                .collect(),
            layers: self.layers.iter().map(|layer| layer.select(rows)).collect(),
            shaped: self.shaped.clone(),
        }
    }

    /// The model with a label for each row, under a name.
    ///
    /// # Errors
    /// [`SimilarityError::ColumnAndRows`] if there is not one a row.
    pub fn labelled(
        mut self,
        name: impl Into<String>,
        labels: Labels,
    ) -> Result<Self, SimilarityError> {
        let (name, rows) = (name.into(), self.rows());
        if labels.len() != rows {
            return Err(SimilarityError::ColumnAndRows {
                model: self.name,
                column: name,
                labels: labels.len(),
                rows,
            });
        }
        self.columns.retain(|(known, _)| *known != name);
        self.columns.push((name, labels));
        Ok(self)
    }

    /// A label of each row by its name.
    pub fn column(&self, name: &str) -> Option<&Labels> {
        let found = self.columns.iter().find(|(column, _)| column == name);
        found.map(|(_, labels)| labels)
    }

    /// Number of samples, by the first layer.
    pub fn rows(&self) -> usize {
        self.layers.first().map_or(0, Layer::rows)
    }

    /// Checks that there is an id for each row, if there are any.
    pub(crate) fn check_ids(&self) -> Result<(), SimilarityError> {
        let (ids, rows) = (self.ids.as_ref().and_then(SampleIds::count), self.rows());
        match ids.filter(|ids| *ids != rows) {
            Some(ids) => Err(SimilarityError::IdsAndRows {
                model: self.name.clone(),
                ids,
                rows,
            }),
            None => Ok(()),
        }
    }
}

/// The error of a name or pattern of layers that means none in any file that it is for: those of several
/// files are given together.
fn unused_layer<'a>(
    files: &[ActivationFile],
    reading: &dyn Fn(usize) -> &'a Reading,
) -> Option<SimilarityError> {
    for at in 0..files.len() {
        let layers = &reading(at).layers;
        let those = files.iter().enumerate();
        let mut known: Vec<&str> = those
            .filter(|(of, _)| reading(*of).layers == *layers)
            .flat_map(|(_, file)| file.layers.iter().map(|layer| layer.name.as_str()))
            .collect();
        if let Some(name) = layers.missing(&known) {
            let name = name.to_string();
            known.sort_unstable();
            known.dedup();
            let known = listed(&known);
            return Some(SimilarityError::LayerUnused { name, known });
        }
    }
    None
}

fn stem(path: &Path) -> String {
    let stem = match path.is_dir() {
        true => path.file_name(),
        false => path.file_stem(),
    };
    match stem {
        Some(stem) => stem.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    }
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
                        difference: Box::new(difference),
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
        model.check_ids()?;
        for (column, labels) in &model.columns {
            if labels.len() != model.rows() {
                return Err(SimilarityError::ColumnAndRows {
                    model: model.name.clone(),
                    column: column.clone(),
                    labels: labels.len(),
                    rows: model.rows(),
                });
            }
        }
    }
    Ok(())
}
