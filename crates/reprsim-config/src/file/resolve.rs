//! From the file to an [`Experiment`].

use std::path::Path;

use reprsim_models::{Objective, Pooling};

use super::raw::RawFile;
use super::reader::Reader;
use super::sweeps::Labels;
use crate::ExperimentError;
use crate::experiment::{Experiment, Keep, Pairing, swept_models};

/// Reads and checks an experiment file. (Whether its data sets are on this
/// machine is found out when they are opened, before the run directory is
/// touched.)
///
/// # Errors
/// [`ExperimentError::File`] with file, line and remedy for anything wrong in
/// the file.
pub fn read_experiment(path: &Path) -> Result<Experiment, ExperimentError> {
    let text = std::fs::read_to_string(path).map_err(|e| ExperimentError::File {
        path: path.to_path_buf(),
        line: None,
        reason: match e.kind() {
            std::io::ErrorKind::NotFound => "no such experiment file".to_string(),
            _ => e.to_string(),
        },
    })?;
    let reader = Reader { path, text: &text };
    let raw: RawFile = toml::from_str(&text).map_err(|e| reader.syntax(&e))?;
    reader.resolve(raw)
}

impl Reader<'_> {
    fn resolve(&self, raw: RawFile) -> Result<Experiment, ExperimentError> {
        let name = raw.name.get_ref().clone();
        self.file_name(&raw.name)?;
        let pairing = match &raw.pairing {
            None => Pairing::default(),
            Some(text) => self.pick(
                "pairing",
                text,
                &[
                    ("independent", Pairing::Independent),
                    ("nested", Pairing::Nested),
                ],
            )?,
        };
        let device = raw.device.as_ref().map_or("auto", |d| d.get_ref().as_str());
        if let Some(text) = &raw.device {
            let known: Vec<(&str, ())> = reprsim_device::NAMES.iter().map(|n| (*n, ())).collect();
            self.pick("device", text, &known)?;
        }
        let dataset = self.dataset(&raw.dataset)?;
        let model = self.model(&raw.model)?;
        let learns_text = model.objective() == Objective::Predict;
        if learns_text != dataset.text.is_some() {
            return Err(self.at(
                &raw.model.name,
                match learns_text {
                    true => "a gpt learns text: it needs name = \"text\" under [dataset]".into(),
                    false => format!("a {} learns images; text needs a gpt", model.name()),
                },
            ));
        }
        let training = self.training(&raw, model.objective())?;
        let (factors, label) = self.factors(&raw.dataset, &dataset)?;
        let labels = Labels { factors, label };
        let sweeps = self.sweeps(&raw, &labels, &model)?;
        if let (Some(given), Objective::Reconstruct) =
            (&raw.dataset.normalization, model.objective())
        {
            return Err(self.at(
                given,
                format!(
                    "a {} reconstructs images on the 0..1 scale: leave normalization out",
                    model.name()
                ),
            ));
        }
        self.enough_samples(&raw.dataset, &dataset, &sweeps)?;
        let probes = self.probes(&raw.probe, &dataset)?;
        let analysis = self.analysis(&raw.analysis, &swept_models(&model, &sweeps), &probes)?;
        let pooling = match &raw.analysis.pooling {
            None => Pooling::Mean,
            Some(text) => self.pick(
                "pooling",
                text,
                &[
                    ("mean", Pooling::Mean),
                    ("flatten", Pooling::Flatten),
                    ("last", Pooling::Last),
                    ("tokens", Pooling::Tokens),
                ],
            )?,
        };
        if let (Some(text), Pooling::Last | Pooling::Tokens, false) =
            (&raw.analysis.pooling, pooling, learns_text)
        {
            return Err(self.at(
                text,
                format!("pooling '{}' is for text only", text.get_ref()),
            ));
        }
        Ok(Experiment {
            name,
            description: raw.description,
            root_seed: raw.root_seed,
            seeds: self.positive("seeds", &raw.seeds)?,
            device: device.to_string(),
            pairing,
            dataset,
            model,
            training,
            sweeps,
            probes,
            pooling,
            analysis,
            keep: Keep {
                checkpoints: raw.keep.checkpoints.unwrap_or(true),
                activations: raw.keep.activations.unwrap_or(false),
            },
        })
    }
}
