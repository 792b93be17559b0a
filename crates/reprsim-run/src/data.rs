//! The parts of an experiment's data set, each opened once, when it is first asked for.

use std::path::{Path, PathBuf};

use reprsim_config::Experiment;
use reprsim_data::{DataError, Dataset, DatasetSpec, Part, content_of, is_of_image_files, open};

use crate::once::Once;

/// A data set and where it is kept; everybody who works on an experiment shares its parts.
pub struct Data {
    spec: DatasetSpec,
    cache: PathBuf,
    train: Once<Dataset>,
    validation: Once<Dataset>,
    test: Once<Dataset>,
}

impl Data {
    /// That of an experiment; files are looked for in `cache`. Nothing is opened yet.
    pub fn new(experiment: &Experiment, cache: &Path) -> Self {
        Self::of(experiment.dataset.spec(experiment.root_seed), cache)
    }

    /// That of some settings.
    pub(crate) fn of(spec: DatasetSpec, cache: &Path) -> Self {
        Self {
            spec,
            cache: cache.to_path_buf(),
            train: Once::default(),
            validation: Once::default(),
            test: Once::default(),
        }
    }

    /// Where files are looked for.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// A part of it.
    ///
    /// # Errors
    /// Those of opening it.
    pub(crate) fn part(&self, part: Part) -> Result<&Dataset, DataError> {
        let once = match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        };
        once.get(|| open(&self.spec, part, &self.cache))
    }

    /// What names its samples; nothing where its settings do.
    ///
    /// # Errors
    /// Those of opening it.
    pub(crate) fn content(&self) -> Result<Option<String>, DataError> {
        if !is_of_image_files(&self.spec) {
            return Ok(None);
        }
        let (train, test) = (self.part(Part::Train)?, self.part(Part::Test)?);
        Ok(Some(content_of(train, test)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use reprsim_config::Plan;

    use super::*;
    use crate::estimate::Prospect;
    use crate::{read_experiment, with_content};

    /// All that is asked of a plan is answered by parts that were opened once: the files may be gone.
    #[test]
    fn parts_are_opened_once() {
        let dir = tempfile::tempdir().unwrap();
        let notes = dir.path().join("notes");
        fs::create_dir(&notes).unwrap();
        for i in 0..40 {
            fs::write(
                notes.join(format!("{i}.txt")),
                format!("line {i} ").repeat(60),
            )
            .unwrap();
        }
        let path = dir.path().join("x.toml");
        let text = r#"
name = "x"
seeds = 2
dataset = { name = "text", corpora = ["notes"], tokenizer = "bytes", window = 16, chunks = 8 }
model = { name = "gpt", width = 8, depth = 1, heads = 2 }
training = { steps = 2, batch = 2, optimizer = { name = "sgd", lr = 0.1 }, evaluate = { every = 1, samples = 4 } }
axis = [{ kind = "data", levels = [0, 1] }]
probe = [{ name = "test", samples = 4 }]
analysis = { primary = { measure = "cka_linear_debiased", probe = "test", layer = "final_norm" } }
"#;
        fs::write(&path, text).unwrap();
        let experiment = read_experiment(&path).unwrap();
        let data = Arc::new(Data::new(&experiment, &dir.path().join("cache")));
        let plan = Plan::new(&with_content(&experiment, &data).unwrap());
        let chosen = [reprsim_device::choose("cpu").unwrap()];
        for part in [Part::Train, Part::Validation, Part::Test] {
            data.part(part).unwrap();
        }
        fs::remove_dir_all(&notes).unwrap();
        let prospect = Prospect::new(&plan, &chosen, &data).unwrap();
        let sizes = prospect.training_sizes().unwrap();
        assert_eq!((sizes.len(), sizes[0].samples), (1, 4));
        let found = prospect.data_sizes().unwrap();
        assert!(found.training == 8 && found.held_out > 0, "{found:?}");
        // What is not opened yet is no longer there.
        let other = Data::new(&experiment, &dir.path().join("cache"));
        assert!(other.part(Part::Train).is_err());
    }
}
