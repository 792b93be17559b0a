//! A file or a folder of activations.

use std::path::Path;

use crate::error::{ActivationError, Problem};
use crate::file::ActivationFile;
use crate::folder;
use crate::ids::ARRAY;
use crate::merge::merge;
use crate::part::Part;

impl ActivationFile {
    /// Opens a file, whose ending says which format it has, or all files of a folder: the layers of
    /// one model.
    ///
    /// # Errors
    /// [`ActivationError`] if the file cannot be read, is not what its ending
    /// says, is damaged, or holds no layers.
    pub fn open(path: &Path) -> Result<Self, ActivationError> {
        if path.is_dir() {
            return folder::open(path);
        }
        let opened = merge(path, vec![Part::open(path)?])?;
        let problem = match (opened.layers.is_empty(), opened.columns.first()) {
            (false, _) => return Ok(opened),
            (true, Some((name, _))) => Problem::LabelsAlone(name.clone()),
            (true, None) if opened.ids.is_some() => Problem::LabelsAlone(ARRAY.into()),
            (true, None) => Problem::NoLayers,
        };
        Err(ActivationError::new(path, problem))
    }
}
