//! Experiments for the tests of this crate.

use crate::experiment::Experiment;
use crate::file::read_experiment;

/// A small experiment of one axis.
pub(crate) const SMALL: &str = r#"name = "small"
seeds = 2

[dataset]
name = "color-shape-digit"
label = ["digit"]
train_samples = 400
train_per_model = 64

[model]
name = "cnn"
width = 2

[training]
epochs = 2
batch = 32
optimizer = { name = "sgd", lr = 0.1 }

[[axis]]
kind = "data"
levels = [0, 0.5, 1]

[[probe]]
name = "test"
samples = 60

[analysis]
primary = { measure = "cka_linear_debiased", probe = "test", layer = "penultimate" }
"#;

/// What is read of an experiment file; its error as people see it, after the file's name.
pub(crate) fn read(text: &str) -> Result<Experiment, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, text).unwrap();
    read_experiment(&path, &[]).map_err(|e| {
        let text = e.to_string();
        text.split_once("x.toml")
            .map_or(text.clone(), |(_, rest)| rest.to_string())
    })
}
