//! The files of a model become one.

use std::path::Path;

use reprsim_base::listed;

use crate::error::{ActivationError, Problem};
use crate::file::{ActivationFile, StoredLayer};
use crate::ids::{ARRAY, SampleIds};
use crate::padding::Padding;
use crate::part::Part;
use crate::quantized::Quantized;
use crate::said::Said;

/// The model at `path` of one file or several, in their order. Layers of files that have one of the same
/// name are called `STEM/NAME`.
pub(crate) fn merge(path: &Path, mut parts: Vec<Part>) -> Result<ActivationFile, ActivationError> {
    let ids = ids(path, &mut parts)?;
    let mut quantized = Quantized::take_all(&mut parts)?;
    let count = |name: &str| {
        let layers = parts.iter().flat_map(|part| &part.contents.layers);
        layers.filter(|(layer, _)| layer == name).count()
    };
    let mut whole = ActivationFile {
        path: path.to_path_buf(),
        ids,
        columns: Vec::new(),
        layers: Vec::new(),
    };
    for (at, part) in parts.iter().enumerate() {
        let [padded, layout] = <[Said; 2]>::default();
        for (own, array) in &part.contents.layers {
            let name = match count(own) {
                1 => own.clone(),
                _ => format!("{}/{own}", part.stem()),
            };
            if whole.layers.iter().any(|known| known.name == name) {
                return Err(ActivationError::new(path, Problem::LayerTwice(name)));
            }
            whole.layers.push(StoredLayer {
                name,
                path: part.path.clone(),
                array: array.clone(),
                quantized: quantized.remove(&(at, own.clone())),
                padding: Padding::new(&padded),
                layout: layout.clone(),
            });
        }
        for (column, labels) in &part.contents.columns {
            if whole.columns.iter().all(|(known, _)| known != column) {
                whole.columns.push((column.clone(), labels.clone()));
            }
        }
    }
    tell(&whole);
    Ok(whole)
}

/// The ids of the samples, taken from among what the files say of them.
fn ids(path: &Path, parts: &mut [Part]) -> Result<Option<SampleIds>, ActivationError> {
    let mut found: Option<(SampleIds, &Path)> = None;
    for Part { path: by, contents } in parts {
        let columns = &mut contents.columns;
        let ids = match columns.iter().position(|(name, _)| name == ARRAY) {
            Some(at) => Some(columns.remove(at).1.into()),
            None => contents.hash.take(),
        };
        match (&found, ids) {
            (_, None) => {}
            (None, Some(ids)) => found = Some((ids, by)),
            (Some((known, first)), Some(ids)) => known.check(&ids).map_err(|difference| {
                let problem = Problem::FolderSamples {
                    a: name(first),
                    b: name(by),
                    difference: Box::new(difference),
                };
                ActivationError::new(path, problem)
            })?,
        }
    }
    Ok(found.map(|(ids, _)| ids))
}

/// Says what was taken for something else than it may be.
fn tell(whole: &ActivationFile) {
    let mut layers = whole.layers.iter();
    if let Some(layer) =
        layers.find(|layer| layer.array.element.is_integer() && layer.quantized.is_none())
    {
        log::info!(
            "{}: layer '{name}' holds whole numbers, which are taken as they are: no array \
             '{name}_scale' says what they stand for",
            layer.path.display(),
            name = layer.name
        );
    }
    if !whole.columns.is_empty() && !whole.layers.is_empty() {
        let names: Vec<&str> = (whole.columns.iter())
            .map(|(name, _)| name.as_str())
            .collect();
        log::info!(
            "{}: one whole number or text a sample is no layer but what is said of the samples \
             (--group): {}",
            whole.path.display(),
            listed(&names)
        );
    }
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
