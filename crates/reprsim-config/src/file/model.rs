//! The `[model]` and `[task]` sections.

use reprsim_models::{InputKind, ModelConfig};
use reprsim_train::{TASKS, TaskConfig};

use super::reader::Reader;
use super::sections::ExperimentFile;
use crate::error::ConfigError;
use crate::experiment::DatasetConfig;

impl Reader<'_> {
    /// The architecture, and what it learns.
    pub(super) fn model(
        &self,
        file: &ExperimentFile,
        dataset: &DatasetConfig,
    ) -> Result<(ModelConfig, TaskConfig), ConfigError> {
        let model = file.model.clone();
        let name = model.name();
        model.check().map_err(|e| self.caused("model", e))?;
        let given = match dataset.text {
            Some(_) => InputKind::Text,
            None => InputKind::Images,
        };
        if given != model.takes() {
            return Err(self.at(
                "model.name",
                match given {
                    InputKind::Images => {
                        format!("a {name} learns text: it needs name = \"text\" under [dataset]")
                    }
                    InputKind::Text => format!("a {name} learns images; text needs a gpt"),
                },
            ));
        }
        let fits = TASKS.iter().filter(|task| task.needs == model.gives());
        let names: Vec<&str> = fits.clone().map(|task| task.name).collect();
        let task = match &file.task {
            Some(task) if names.contains(&task.name()) => task.clone(),
            Some(task) => {
                return Err(self.at(
                    "task.name",
                    format!(
                        "the task {} needs {}; a {name} gives {}, for the tasks {}",
                        task.name(),
                        task.needs().name(),
                        model.gives().name(),
                        names.join(", ")
                    ),
                ));
            }
            None => match fits.clone().next() {
                Some(task) => (task.default)(),
                None => return Err(self.at("model.name", format!("no task is for a {name}"))),
            },
        };
        task.check()
            .map_err(|wrong| self.at(&format!("task.{}", wrong.key), wrong.reason))?;
        let mut found = (vec![], vec![]);
        for (i, path) in task.files().iter().enumerate() {
            let (path, content) = self.weights(&format!("task.teachers.{i}"), path)?;
            found.0.push(path);
            found.1.push(content);
        }
        let task = task.with_files(found.0, found.1);
        if task.unit_scale() && dataset.normalization.is_some() {
            return Err(self.at(
                "dataset.normalization",
                format!("a {name} reconstructs images on the 0..1 scale: leave normalization out"),
            ));
        }
        Ok((model, task))
    }
}
