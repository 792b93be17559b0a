//! The data set that a name on the command line means.

use std::path::Path;

use reprsim_data::color_shape_digit::{Preset, Settings};
use reprsim_data::{
    DataError, DatasetSpec, FOLDER, Resampling, TEXT, TextSettings, corpus_names, dataset_names,
    factors_of, is_folder_of_text,
};
use reprsim_run::read_experiment;

use crate::output::note;

/// Side of the pictures of a folder whose images differ in size.
const FOLDER_SIDE: usize = 64;

/// The data set that a name on the command line means.
pub(super) fn spec_of(name: &str, preset: &str) -> anyhow::Result<DatasetSpec> {
    let path = Path::new(name);
    let is_known = dataset_names().contains(&name);
    if !is_known && path.extension().is_some_and(|e| e == "toml") {
        let experiment = read_experiment(path)?;
        return Ok(experiment.dataset.spec(experiment.root_seed));
    }
    let text = DatasetSpec {
        name: TEXT.to_string(),
        text: Some(TextSettings {
            corpora: vec![name.to_string()],
            ..TextSettings::default()
        }),
        ..DatasetSpec::default()
    };
    if corpus_names().contains(&name) || path.is_file() {
        return Ok(text);
    }
    // Anything else that is a folder is shown as one: of pictures, unless it is none of these.
    if !is_known && path.is_dir() {
        let pictures = DatasetSpec {
            name: FOLDER.to_string(),
            path: Some(name.into()),
            ..DatasetSpec::default()
        };
        return Ok(match factors_of(&pictures) {
            Err(_) if is_folder_of_text(path) => text,
            _ => pictures,
        });
    }
    Ok(DatasetSpec {
        name: name.to_string(),
        built_in: Settings {
            preset: Preset::ALL
                .iter()
                .find(|(name, _)| *name == preset)
                .map_or(Preset::Plain, |(_, preset)| *preset),
            ..Settings::default()
        },
        ..DatasetSpec::default()
    })
}

/// What models of an experiment see of its images, if not all of them as they are stored; nothing of
/// other names.
pub(super) fn input_of(name: &str) -> anyhow::Result<Option<Resampling>> {
    match Path::new(name).extension().is_some_and(|e| e == "toml") {
        true => Ok(read_experiment(Path::new(name))?.input),
        false => Ok(None),
    }
}

/// What `look` finds, and of what; images of a folder that differ in size become squares, which is said.
pub(super) fn at_one_size<T>(
    mut spec: DatasetSpec,
    look: impl Fn(&DatasetSpec) -> Result<T, DataError>,
) -> Result<(DatasetSpec, T), DataError> {
    match look(&spec) {
        Err(DataError::Setting { .. }) if spec.path.is_some() && spec.size.is_none() => {
            spec.size = Some(FOLDER_SIDE);
        }
        found => return found.map(|found| (spec, found)),
    }
    let found = look(&spec)?;
    note(&format!(
        "images differ in size or are large: shown as size = {FOLDER_SIDE} makes them"
    ));
    Ok((spec, found))
}
