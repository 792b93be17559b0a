//! The `[input]` section, and what `[dataset]` says of how pictures become squares.

use reprsim_data::Resampling;

use super::reader::Reader;
use super::sections::{DatasetSection, ExperimentFile};
use crate::error::ConfigError;

impl Reader<'_> {
    /// How stored images become those that models see.
    pub(super) fn input(
        &self,
        file: &ExperimentFile,
        text: bool,
    ) -> Result<Option<Resampling>, ConfigError> {
        let Some(given) = file.input else {
            return Ok(None);
        };
        if text {
            return Err(self.at("input", "[input] is a section of models of images only"));
        }
        self.sides("input", &given)?;
        // What is default has no line in a key.
        let resize = given.resize.filter(|resize| *resize != given.size);
        Ok(Some(Resampling { resize, ..given }))
    }

    /// Refuses sides of the pictures of a folder that do not go together.
    pub(super) fn centre(&self, given: &DatasetSection) -> Result<(), ConfigError> {
        match (given.resize, given.size) {
            (None, _) if given.filter.is_some() => Err(self.at(
                "dataset.filter",
                "filter goes with resize: without it whole pictures become squares, by a triangle",
            )),
            (None, _) => Ok(()),
            (Some(_), None) => Err(self.at(
                "dataset.resize",
                "resize needs a size, the side of the square that is cut out of the centre",
            )),
            (resize, Some(size)) => {
                let filter = given.filter.unwrap_or_default();
                self.sides(
                    "dataset",
                    &Resampling {
                        size,
                        resize,
                        filter,
                    },
                )
            }
        }
    }

    fn sides(&self, section: &str, given: &Resampling) -> Result<(), ConfigError> {
        let checked = given.check();
        checked.map_err(|(key, reason)| self.at(&format!("{section}.{key}"), reason))
    }
}
