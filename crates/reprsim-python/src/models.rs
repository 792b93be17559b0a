//! Models as Python hands them over, as the library takes them.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use reprsim_activations::{ActivationFile, Axes, Labels, Layers, Mask, Pool, Reading};
use reprsim_similarity::{ModelActivations, SimilarityError, align, blocks};

use crate::arrays::Array;
use crate::errors::Failed;
use crate::work::listen;

/// Layers of a model: arrays by name, or a file of them.
#[derive(FromPyObject)]
pub(crate) enum Given {
    Arrays(Vec<(String, Py<Array>)>),
    File(PathBuf),
}

/// A label of each sample.
#[derive(FromPyObject)]
pub(crate) enum GivenLabels {
    Numbers(Vec<i64>),
    Names(Vec<String>),
}

impl From<GivenLabels> for Labels {
    fn from(given: GivenLabels) -> Self {
        match given {
            GivenLabels::Numbers(of) => Self::Numbers(of),
            GivenLabels::Names(of) => Self::Names(of),
        }
    }
}

/// A model: its layers, and what is said of them.
#[derive(FromPyObject)]
pub(crate) struct Model {
    #[pyo3(item)]
    name: String,
    #[pyo3(item)]
    layers: Given,
    /// Names or patterns of the layers that are read; absent: as [`Which`] says.
    #[pyo3(item)]
    read: Option<Vec<String>>,
    #[pyo3(item)]
    ids: Option<GivenLabels>,
    /// Which tokens are real, and their shape.
    #[pyo3(item)]
    mask: Option<(Vec<bool>, [usize; 2])>,
}

/// What is said of all models.
#[derive(FromPyObject)]
pub(crate) struct Preparation {
    #[pyo3(item)]
    pool: Option<String>,
    #[pyo3(item)]
    axes: Vec<String>,
    /// The group of each row of the first model.
    #[pyo3(item)]
    groups: Option<GivenLabels>,
    /// Whether rows are matched by their ids, which all models then have.
    #[pyo3(item)]
    align: bool,
}

/// Layers that are read of a model where none is named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    All,
    /// The one that stands for the model.
    One,
}

/// The pooling of a name.
pub(crate) fn pool(name: Option<&str>) -> Result<Option<Pool>, Failed> {
    let pool = name.map(str::parse::<Pool>).transpose();
    pool.map_err(|unknown| Failed::input(unknown.to_string()))
}

/// Orders of axes, one for each number of them.
pub(crate) fn orders(names: &[String]) -> Result<Vec<Axes>, Failed> {
    if names.is_empty() {
        return Ok(vec![]);
    }
    Axes::several(&names.join(",")).map_err(|error| Failed::input(error.to_string()))
}

/// Orders of axes as they are meant, in small letters.
#[pyfunction]
pub(crate) fn orders_of_axes(names: Vec<String>) -> PyResult<Vec<String>> {
    Ok(orders(&names)?.iter().map(ToString::to_string).collect())
}

/// Refuses an order of axes of which there is no array; `found` are numbers of axes.
pub(crate) fn used(axes: &[Axes], found: &[usize]) -> Result<(), Failed> {
    match axes.iter().find(|axes| !found.contains(&axes.count())) {
        Some(axes) => Err(SimilarityError::AxesUnused(axes.clone()).into()),
        None => Ok(()),
    }
}

/// Models that can be compared, and what is known of their rows.
pub(crate) struct Prepared {
    pub models: Vec<ModelActivations>,
    /// What is held fixed, on the same rows.
    pub covariate: Option<ModelActivations>,
    /// The block of each row; empty: none.
    pub blocks: Vec<u32>,
}

/// Prepares models, and what is held fixed, to be compared.
pub(crate) fn prepared(
    py: Python<'_>,
    models: Vec<Model>,
    covariate: Option<Model>,
    how: Preparation,
    which: Which,
) -> Result<Prepared, Failed> {
    listen()?;
    let pool = pool(how.pool.as_deref())?;
    let axes = orders(&how.axes)?;
    let has_covariate = covariate.is_some();
    let compared = models.len();
    // How many axes the arrays have.
    let mut found = vec![];
    let mut opened = (models.into_iter().chain(covariate).enumerate())
        .map(|(at, mut model)| {
            let reading = Reading {
                layers: match (&model.read, which) {
                    (Some(names), _) => Layers::Named(names.clone()),
                    (None, Which::All) => Layers::All,
                    (None, Which::One) => Layers::Representative,
                },
                axes: axes.clone(),
                pool,
                mask: None,
            };
            if !axes.is_empty() || model.mask.is_some() {
                let those = model.axes(py, &reading.layers)?;
                if at == compared && those.iter().all(|count| *count < 3) {
                    // It has the mask of the first model, whose samples and tokens it may have.
                    model.mask = None;
                }
                found.extend(those);
            }
            model.opened(py, reading)
        })
        .collect::<Result<Vec<_>, Failed>>()?;
    used(&axes, &found)?;
    /// The name of the labels that say the groups.
    const GROUP: &str = "groups";
    let has_groups = how.groups.is_some();
    if let (Some(groups), Some(first)) = (how.groups, opened.first_mut()) {
        *first = first.clone().labelled(GROUP, groups.into())?;
    }
    if how.align {
        let (aligned, found) = align(&opened)?;
        for of in found.left_out.iter().filter(|of| of.count > 0) {
            log::info!(
                "{}: {} samples left out that another model lacks: {}{}",
                of.model,
                of.count,
                of.first.join(", "),
                if of.count > of.first.len() {
                    ", ..."
                } else {
                    ""
                }
            );
        }
        opened = aligned;
    }
    let blocks = match has_groups {
        true => blocks(&opened, GROUP)?,
        false => vec![],
    };
    Ok(Prepared {
        covariate: has_covariate.then(|| opened.pop()).flatten(),
        models: opened,
        blocks,
    })
}

impl Model {
    /// How many axes each layer has that is read.
    fn axes(&self, py: Python<'_>, layers: &Layers) -> Result<Vec<usize>, Failed> {
        let all: Vec<(String, usize)> = match &self.layers {
            Given::File(path) => {
                let file = ActivationFile::open(path).map_err(SimilarityError::Activations)?;
                (file.layers.iter())
                    .map(|layer| (layer.name.clone(), layer.shape().len()))
                    .collect()
            }
            Given::Arrays(arrays) => (arrays.iter())
                .map(|(name, array)| (name.clone(), array.bind(py).get().axes()))
                .collect(),
        };
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let read = layers.among(&names).into_iter();
        Ok(read.filter_map(|at| Some(all.get(at)?.1)).collect())
    }

    /// The model with its layers ready to be read.
    fn opened(self, py: Python<'_>, reading: Reading) -> Result<ModelActivations, Failed> {
        let origin = Path::new(&self.name);
        let mask = match self.mask {
            None => None,
            Some((real, shape)) => {
                let mask = Mask::new(origin, shape, real);
                Some(mask.map_err(SimilarityError::Activations)?)
            }
        };
        let reading = Reading { mask, ..reading };
        let model = match &self.layers {
            Given::File(path) => ModelActivations {
                name: self.name.clone(),
                ..ModelActivations::open(path, &reading)?
            },
            Given::Arrays(arrays) => {
                let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
                let mut model = ModelActivations::new(&self.name);
                let read = reading.layers.among(&names);
                if read.is_empty() && !arrays.is_empty() {
                    let known = names.join(", ");
                    let message = format!("{}: no such layer; it has: {known}", self.name);
                    return Err(Failed::input(message));
                }
                let axes = |at: &usize| {
                    arrays
                        .get(*at)
                        .map_or(0, |(_, of)| of.bind(py).get().axes())
                };
                if reading.mask.is_some() && read.iter().all(|at| axes(at) < 3) {
                    return Err(Failed::input(format!(
                        "{}: no layer has samples, tokens and dimensions, which a mask is for: leave it \
                         out (of two models one may have None)",
                        self.name
                    )));
                }
                for (name, array) in read.iter().filter_map(|at| arrays.get(*at)) {
                    let matrix = array.bind(py).get().matrix(name, origin, &reading)?;
                    model = model.stored(name, matrix);
                }
                model
            }
        };
        Ok(match self.ids {
            Some(ids) => model.ids(Labels::from(ids).into()),
            None => model,
        })
    }
}
