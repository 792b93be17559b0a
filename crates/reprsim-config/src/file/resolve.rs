//! From the file to an [`Experiment`].

use std::path::Path;

use reprsim_models::Pooling;
use serde::Deserialize;

use super::reader::Reader;
use super::sections::ExperimentFile;
use crate::error::ConfigError;
use crate::evaluation::EvaluationSettings;
use crate::experiment::{Experiment, swept_models};

/// Reads and checks an experiment file, which may ask for any of `evaluations`. (Whether its
/// data sets are on this machine is found out when they are opened, before the run directory
/// is touched.)
///
/// # Errors
/// [`ConfigError::File`] with file, line and remedy for anything wrong in the file.
pub fn read_experiment(
    path: &Path,
    evaluations: &[&dyn EvaluationSettings],
) -> Result<Experiment, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|e| ConfigError::File {
        path: path.to_path_buf(),
        line: None,
        reason: match e.kind() {
            std::io::ErrorKind::NotFound => "no such experiment file".to_string(),
            _ => e.to_string(),
        },
        source: Some(e.into()),
    })?;
    let reader = Reader::new(path, &text)?;
    let file = reader.file()?;
    reader.resolve(file, evaluations)
}

impl Reader<'_> {
    /// The sections, whatever they say.
    fn file(&self) -> Result<ExperimentFile, ConfigError> {
        let table = toml::de::Deserializer::from(self.root.clone());
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(table, &mut track);
        ExperimentFile::deserialize(tracked).map_err(|error| {
            // `axis[1].levels[2]`, in this module's way of writing it.
            let place = track.path().to_string().replace('[', ".").replace(']', "");
            let place = place.trim_start_matches('.').to_string();
            self.mistake(if place == "?" { "" } else { &place }, error)
        })
    }

    fn resolve(
        &self,
        file: ExperimentFile,
        evaluations: &[&dyn EvaluationSettings],
    ) -> Result<Experiment, ConfigError> {
        self.file_name("name", &file.name)?;
        let device = file.device.as_deref().unwrap_or("auto");
        let known = reprsim_device::NAMES.map(|name| (name, ()));
        self.pick("device", "device", device, &known)?;
        let dataset = self.dataset(&file.dataset)?;
        let (model, task) = self.model(&file, &dataset)?;
        let training = self.training(&file, &model, dataset.text.is_some())?;
        let initial = self.initial(file.initial.as_ref(), &model)?;
        let labels = self.labels(&file.dataset, &dataset)?;
        let sweeps = self.sweeps(&file, &labels, &model)?;
        self.enough_samples(&dataset, &sweeps)?;
        let probes = self.probes(&file.probe, &dataset)?;
        let models = swept_models(&model, &sweeps);
        let analysis = self.analysis(&file.analysis, &models, &probes)?;
        let pooling = file.analysis.pooling;
        if let (Pooling::Last | Pooling::Tokens, None) = (pooling, &dataset.text) {
            let name = match pooling {
                Pooling::Last => "last",
                _ => "tokens",
            };
            return Err(self.at(
                "analysis.pooling",
                format!("pooling '{name}' is for text only"),
            ));
        }
        Ok(Experiment {
            seeds: self.positive("seeds", file.seeds)?,
            name: file.name,
            description: file.description,
            root_seed: file.root_seed,
            device: device.to_string(),
            pairing: file.pairing,
            dataset,
            model,
            initial,
            task,
            training,
            sweeps,
            probes,
            pooling,
            analysis,
            evaluations: self.evaluations(&file.evaluation, evaluations)?,
            keep: file.keep,
        })
    }
}
