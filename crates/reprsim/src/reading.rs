//! From arguments to models: what is read of files, and which samples.

use std::path::{Path, PathBuf};

use reprsim_activations::{Labels, Layers, Mask, Pool, Reading};
use reprsim_similarity::{
    Alignment, Exchange, ModelActivations, SimilarityError, align, blocks, draw,
};

use crate::args::{MeasuringArgs, PermuteArg, ReadingArgs};
use crate::exit::UsageError;
use crate::measuring::told;

/// What was read.
pub(crate) struct Models {
    pub models: Vec<ModelActivations>,
    /// What is held fixed, on the same samples.
    pub covariate: Option<ModelActivations>,
    /// The group of each row; empty: none.
    pub blocks: Vec<u32>,
    pub exchange: Exchange,
    /// What became of arrays and samples, for whoever reads the result.
    pub notes: Vec<String>,
}

/// Reads `files` as the arguments say, of each the layers that are there for it: one for all, or one
/// a file. A covariate is read with the pool and axes that are there for all, and of the same samples.
pub(crate) fn read(
    files: &[PathBuf],
    layers: &[Layers],
    covariate: Option<&Path>,
    reading: &ReadingArgs,
    measuring: &MeasuringArgs,
) -> anyhow::Result<Models> {
    let pool: Option<Pool> = (reading.pool.as_deref().map(str::parse).transpose())
        .map_err(|unknown: <Pool as std::str::FromStr>::Err| UsageError(unknown.to_string()))?;
    let masks = (reading.mask.iter())
        .map(|path| Mask::open(path))
        .collect::<Result<Vec<_>, _>>()?;
    let count = files.len();
    let masks = each("masks", &masks, count)?;
    let axes = each("orders of axes", &reading.axes, count)?;
    let layers = each("layers", layers, count)?;
    let readings: Vec<Reading> = (0..count)
        .map(|at| Reading {
            layers: layers[at].cloned().unwrap_or_default(),
            axes: axes[at].map_or(Vec::new(), |axes| axes.0.clone()),
            pool,
            mask: masks[at].cloned(),
        })
        .collect();
    let mut models = ModelActivations::open_all(files, &readings).map_err(told)?;
    if let Some(path) = covariate {
        let axes = match reading.axes.as_slice() {
            [all] => all.0.clone(),
            _ => Vec::new(),
        };
        let reading = Reading {
            axes,
            pool,
            ..Reading::default()
        };
        models.push(ModelActivations::open(path, &reading).map_err(told)?);
    }
    let mut notes = shapes(&models);
    if let Some(name) = &measuring.group
        && let Some((path, column)) = source(name)
    {
        let labels = Labels::read(&path, column.as_deref())?;
        models[0] = models[0].clone().labelled(name, labels).map_err(told)?;
    }
    if !reading.ids.is_empty() {
        for (model, ids) in models.iter_mut().zip(ids(&reading.ids, count)?) {
            if let Some(ids) = ids {
                model.ids = Some(ids.into());
            }
        }
        let (aligned, found) = align(&models).map_err(told)?;
        models = aligned;
        notes.extend(alignment(&found));
    }
    let exchange = match measuring.permute.unwrap_or_default() {
        PermuteArg::Whole => Exchange::Whole,
        PermuteArg::Within => Exchange::Within,
    };
    let groups = |models: &[ModelActivations]| match &measuring.group {
        Some(name) => blocks(models, name).map_err(|error| match error {
            error @ SimilarityError::NoColumn { .. } => UsageError(format!(
                "--group {name}: there is no such file, and {error}"
            ))
            .into(),
            error => told(error),
        }),
        None => Ok(Vec::new()),
    };
    let mut found = groups(&models)?;
    if let Some(most) = reading.max_samples {
        let all = models.first().map_or(0, ModelActivations::rows);
        let whole = match exchange {
            Exchange::Whole => found.as_slice(),
            Exchange::Within => &[],
        };
        models = draw(&models, most.get() as usize, whole, measuring.seed).map_err(told)?;
        found = groups(&models)?;
        let rows = models.first().map_or(0, ModelActivations::rows);
        if rows < all {
            let seed = measuring.seed;
            notes.push(format!(
                "{rows} of {all} samples, the same of every model, drawn without replacement (seed {seed})"
            ));
        }
    }
    let covariate = covariate.and_then(|_| models.pop());
    Ok(Models {
        models,
        covariate,
        blocks: found,
        exchange,
        notes,
    })
}

/// One value a file: those that are given, or the one that is there for all; none if there is none.
fn each<'a, T>(
    what: &str,
    values: &'a [T],
    files: usize,
) -> Result<Vec<Option<&'a T>>, UsageError> {
    match values {
        [] => Ok(vec![None; files]),
        [one] => Ok(vec![Some(one); files]),
        values if values.len() == files => Ok(values.iter().map(Some).collect()),
        values => Err(UsageError(format!(
            "{} {what} for {files} files: give one for all of them, or one for each in order",
            values.len()
        ))),
    }
}

/// The ids of the samples of each file, where they are in another one.
fn ids(given: &[String], files: usize) -> anyhow::Result<Vec<Option<Labels>>> {
    if let [all] = given
        && all.is_empty()
    {
        return Ok(vec![None; files]);
    }
    if given.len() != files {
        let count = given.len();
        let reason = format!(
            "{count} files of ids for {files} files: give --ids=FILE for each in order, or --ids alone \
             where the ids are in the files"
        );
        return Err(UsageError(reason).into());
    }
    let read = |name: &String| -> anyhow::Result<Option<Labels>> {
        if name.is_empty() {
            return Ok(None);
        }
        let (path, column) = source(name).unwrap_or((name.into(), None));
        Ok(Some(Labels::read(&path, column.as_deref())?))
    };
    given.iter().map(read).collect()
}

/// The file, and the column of it, that `FILE` or `FILE:COLUMN` names, if there is one.
fn source(name: &str) -> Option<(PathBuf, Option<String>)> {
    if Path::new(name).exists() {
        return Some((name.into(), None));
    }
    let (path, column) = name.rsplit_once(':')?;
    (Path::new(path).exists()).then(|| (path.into(), Some(column.into())))
}

/// What arrays of several axes were taken for: of each model and way the first.
fn shapes(models: &[ModelActivations]) -> Vec<String> {
    let mut notes = Vec::new();
    for model in models {
        let mut hows: Vec<&str> = Vec::new();
        for shaped in &model.shaped {
            if !hows.contains(&shaped.how.as_str()) {
                hows.push(&shaped.how);
            }
        }
        for how in hows {
            let mut those = model.shaped.iter().filter(|shaped| shaped.how == how);
            let (Some(first), others) = (those.next(), those.count()) else {
                continue;
            };
            let more = match others {
                0 => String::new(),
                1 => " and another layer".into(),
                others => format!(" and {others} others"),
            };
            let (layer, shape) = (&first.layer, &first.shape);
            notes.push(format!(
                "{}: {layer} {shape:?}{more} read as {how}",
                model.name
            ));
        }
    }
    notes
}

/// What matching by ids came to.
fn alignment(found: &Alignment) -> Vec<String> {
    let kept = found.kept;
    let mut notes = vec![format!("{kept} samples matched by their ids")];
    for of in &found.left_out {
        let model = &of.model;
        if of.count > 0 {
            let more = if of.count > of.first.len() {
                ", ..."
            } else {
                ""
            };
            notes.push(format!(
                "{model}: {} samples left out that another model lacks: {}{more}",
                of.count,
                of.first.join(", ")
            ));
        }
        if of.reordered {
            notes.push(format!("{model}: put in the order of the first model"));
        }
    }
    notes
}

impl Models {
    /// Notes how many samples permutations leave where they are.
    pub fn note_immovable(&mut self, immovable: usize) {
        if immovable > 0 {
            let (rows, why) = (self.blocks.len(), self.exchange.immovable_because());
            self.notes.push(format!(
                "{immovable} of {rows} samples stay in their place under every permutation: each {why}"
            ));
        }
    }
}

/// Which layers of each file: all, or those that are named.
pub(crate) fn named(names: &[String]) -> Layers {
    match names {
        [] => Layers::All,
        names => Layers::Named(names.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_for_all_files_or_one_each() {
        assert_eq!(each::<u8>("x", &[], 2).ok(), Some(vec![None, None]));
        assert_eq!(each("x", &[1], 2).ok(), Some(vec![Some(&1), Some(&1)]));
        assert_eq!(each("x", &[1, 2], 2).ok(), Some(vec![Some(&1), Some(&2)]));
        let told = each("masks", &[1, 2], 3).map_err(|e| e.to_string());
        assert!(told.is_err_and(|e| e.contains("2 masks for 3 files")));
    }
}
