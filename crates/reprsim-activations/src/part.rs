//! One file of a model, whatever its format.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::contents::Contents;
use crate::elements::open;
use crate::error::{ActivationError, Problem};
use crate::{npy, npz, safetensors_file};

/// Endings of files that are read.
pub(crate) const ENDINGS: [&str; 3] = ["safetensors", "npy", "npz"];

/// A file of a model, and what is in it, which may be no layers.
pub(crate) struct Part {
    pub path: PathBuf,
    pub contents: Contents,
}

impl Part {
    /// Opens a file, whose ending says which format it has.
    pub fn open(path: &Path) -> Result<Self, ActivationError> {
        let error = |problem: Problem| ActivationError::new(path, problem);
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let file = || open(path).map_err(error);
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(error(Problem::NotAFile));
        }
        let contents = match ending {
            "safetensors" => safetensors_file::read(file()?),
            "npy" => npy::read_file(file()?, stem(path)),
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
        let contents = contents.map_err(error)?;
        contents.check_names().map_err(error)?;
        Ok(Self {
            path: path.to_path_buf(),
            contents,
        })
    }

    /// The name of the file without its ending.
    pub fn stem(&self) -> String {
        stem(&self.path)
    }
}

pub(crate) fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}
