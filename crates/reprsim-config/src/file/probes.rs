//! The `[[probe]]` sections.

use reprsim_data::{
    FOLDER, Part, TEXT, TextSettings, color_shape_digit, content_of_text, dataset_names, part_len,
};

use super::reader::Reader;
use super::sections::ProbeSection;
use crate::error::ConfigError;
use crate::experiment::{DatasetConfig, ProbeConfig, ProbeKind};

impl Reader<'_> {
    pub(super) fn probes(
        &self,
        given: &[ProbeSection],
        dataset: &DatasetConfig,
    ) -> Result<Vec<ProbeConfig>, ConfigError> {
        if given.is_empty() {
            return Err(self.at(
                "probe",
                "no [[probe]]: there is nothing to compare models on",
            ));
        }
        let mut probes: Vec<ProbeConfig> = Vec::new();
        for (i, probe) in given.iter().enumerate() {
            let one = OfProbe {
                reader: self,
                number: i,
                probe,
                dataset,
            };
            if probes.iter().any(|p| p.name == probe.name) {
                return Err(one.at("name", format!("a second probe '{}'", probe.name)));
            }
            probes.push(one.resolve()?);
        }
        Ok(probes)
    }
}

/// One probe that is being read.
struct OfProbe<'a, 'b> {
    reader: &'a Reader<'b>,
    number: usize,
    probe: &'a ProbeSection,
    dataset: &'a DatasetConfig,
}

impl OfProbe<'_, '_> {
    fn place(&self, key: &str) -> String {
        format!("probe.{}.{key}", self.number)
    }

    fn at(&self, key: &str, reason: impl Into<String>) -> ConfigError {
        self.reader.at(&self.place(key), reason)
    }

    fn caused(
        &self,
        key: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ConfigError {
        self.reader.caused(&self.place(key), error)
    }

    /// Refuses `key` where it is given and should not be.
    fn only(&self, key: &str, misplaced: bool, reason: &str) -> Result<(), ConfigError> {
        match misplaced {
            true => Err(self.at(key, reason)),
            false => Ok(()),
        }
    }

    fn resolve(&self) -> Result<ProbeConfig, ConfigError> {
        let (probe, dataset) = (self.probe, self.dataset);
        self.reader.file_name(&self.place("name"), &probe.name)?;
        self.check_source()?;
        self.check_size()?;
        Ok(ProbeConfig {
            name: probe.name.clone(),
            kind: probe.kind,
            dataset: probe.dataset.clone(),
            corpora: match &probe.corpora {
                Some(given) => Some(self.reader.corpora(&self.place("corpora"), given)?),
                None => None,
            },
            content: self.content()?,
            preset: probe.preset.unwrap_or(dataset.preset),
            samples: probe.samples,
            classes: probe.classes,
        })
    }

    /// The name of the data set that the samples are from.
    fn source(&self) -> &str {
        self.probe.dataset.as_ref().unwrap_or(&self.dataset.name)
    }

    fn check_source(&self) -> Result<(), ConfigError> {
        let (probe, dataset) = (self.probe, self.dataset);
        let fixed = probe.kind == ProbeKind::Fixed;
        self.only(
            "corpora",
            probe.corpora.is_some() && !(dataset.text.is_some() && fixed),
            "'corpora' is a setting of fixed probes of text only",
        )?;
        if let Some(other) = &probe.dataset {
            self.only(
                "dataset",
                dataset.text.is_some() || other == TEXT,
                "images and text cannot be probed by each other's models\n  \
                 a probe of other text names its 'corpora'",
            )?;
            let names = dataset_names();
            let known: Vec<(&str, ())> = names.iter().map(|n| (*n, ())).collect();
            self.reader
                .pick("data set", &self.place("dataset"), other, &known)?;
        }
        let own = "a probe by classes is of the experiment's own data set and preset";
        self.only("dataset", probe.dataset.is_some() && !fixed, own)?;
        self.only("preset", probe.preset.is_some() && !fixed, own)?;
        let built_in = color_shape_digit::NAME;
        self.only(
            "preset",
            probe.preset.is_some() && self.source() != built_in,
            &format!("'preset' is a setting of {built_in} only"),
        )?;
        self.only(
            "name",
            self.source() == FOLDER && dataset.name != FOLDER,
            &format!("a probe can be of a '{FOLDER}' only where the experiment's data set is it"),
        )
    }

    fn check_size(&self) -> Result<(), ConfigError> {
        let (probe, dataset) = (self.probe, self.dataset);
        let fixed = probe.kind == ProbeKind::Fixed;
        self.only(
            "classes",
            probe.classes.is_some() && fixed,
            "'classes' is a setting of probes by classes only",
        )?;
        if let Some(classes) = probe.classes {
            self.reader.positive(&self.place("classes"), classes)?;
            self.only(
                "classes",
                probe.samples.is_none_or(|samples| samples < classes),
                "a matched probe needs 'samples', at least one for each of its 'classes'",
            )?;
        }
        self.only(
            "name",
            dataset.text.is_some() && probe.samples.is_none(),
            "a probe of text needs 'samples': the number of windows",
        )?;
        let Some(samples) = probe.samples else {
            return Ok(());
        };
        self.only("samples", samples < 4, "a probe needs at least 4 samples")?;
        if !fixed {
            return Ok(());
        }
        let mut spec = dataset.spec(0);
        spec.name = self.source().to_string();
        if self.source() != dataset.name {
            spec.path = None;
        }
        let there = part_len(&spec, Part::Test).map_err(|e| self.caused("samples", e))?;
        // Of text, how much there is shows once it is tokenised.
        match there {
            Some(there) if samples > there => Err(self.at(
                "samples",
                format!(
                    "samples = {samples}: the test part of {} has {there}",
                    self.source()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// What names the content of a probe's own corpora.
    fn content(&self) -> Result<Option<String>, ConfigError> {
        let (Some(corpora), Some(text)) = (&self.probe.corpora, &self.dataset.text) else {
            return Ok(None);
        };
        let own = TextSettings {
            corpora: self.reader.corpora(&self.place("corpora"), corpora)?,
            ..text.clone()
        };
        let content = content_of_text(&own).map_err(|e| self.caused("corpora", e))?;
        Ok(Some(content))
    }
}
