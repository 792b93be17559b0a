//! Models as Python hands them over, as the library takes them.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use reprsim_activations::{Axes, Labels, Layers, Mask, Pool, Reading};
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
    listen();
    let pool = pool(how.pool.as_deref())?;
    let axes = (how.axes.iter())
        .map(|axes| axes.parse())
        .collect::<Result<Vec<Axes>, _>>()
        .map_err(|error| Failed::input(error.to_string()))?;
    let has_covariate = covariate.is_some();
    let mut opened = (models.into_iter().chain(covariate))
        .map(|model| {
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
            model.opened(py, reading)
        })
        .collect::<Result<Vec<_>, Failed>>()?;
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
