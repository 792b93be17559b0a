//! The `[initial]` section.

use std::fs::File;
use std::path::{Path, PathBuf};

use reprsim_base::sum_while_copying;
use reprsim_models::ModelConfig;
use reprsim_train::{Foreign, Head, Reference};

use super::reader::Reader;
use crate::error::ConfigError;

impl Reader<'_> {
    /// How models begin, with what names the content of the checkpoint.
    pub(super) fn initial(
        &self,
        given: Option<&Foreign>,
        model: &ModelConfig,
    ) -> Result<Option<Foreign>, ConfigError> {
        let Some(given) = given else {
            return Ok(None);
        };
        if !given.content.is_empty() {
            return Err(self.at("initial.content", "'content' is found out, not given"));
        }
        if given.head == Head::File && model.head().is_empty() {
            return Err(self.at("initial.head", format!("a {} has no head", model.name())));
        }
        let same = given.head == Head::File || model.head().is_empty();
        if same && given.reference == Reference::Initial {
            return Err(self.at(
                "initial.reference",
                "pairs as they begin would be one network twice: take reference = \"random\", or a \
                 fresh head",
            ));
        }
        let (checkpoint, content) = self.weights("initial.checkpoint", &given.checkpoint)?;
        Ok(Some(Foreign {
            checkpoint,
            content,
            ..given.clone()
        }))
    }

    /// Where a file of weights is, and what names its content.
    pub(super) fn weights(
        &self,
        place: &str,
        given: &Path,
    ) -> Result<(PathBuf, String), ConfigError> {
        // A path is meant from where the experiment file is.
        let path = self.folder().join(given);
        let (_, content) = File::open(&path)
            .and_then(|mut file| sum_while_copying(&mut file, &mut std::io::sink()))
            .map_err(|e| self.at(place, format!("{}: {e}", path.display())))?;
        Ok((path, content))
    }
}
