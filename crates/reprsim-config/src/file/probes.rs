//! The `[[probe]]` sections.

use reprsim_data::{FOLDER, Part, TEXT, color_shape_digit, content_of, dataset_names, part_len};
use toml::Spanned;

use super::raw::RawProbe;
use super::reader::Reader;
use crate::ExperimentError;
use crate::experiment::{DatasetConfig, ProbeConfig, ProbeKind};

impl Reader<'_> {
    pub(super) fn probes(
        &self,
        raw: &Spanned<Vec<RawProbe>>,
        dataset: &DatasetConfig,
    ) -> Result<Vec<ProbeConfig>, ExperimentError> {
        let mut probes: Vec<ProbeConfig> = Vec::new();
        for probe in raw.get_ref() {
            let name = probe.name.get_ref().clone();
            self.file_name(&probe.name)?;
            if probes.iter().any(|p| p.name == name) {
                return Err(self.at(&probe.name, format!("a second probe '{name}'")));
            }
            let kind = match &probe.kind {
                None => ProbeKind::Fixed,
                Some(text) => self.pick(
                    "probe kind",
                    text,
                    &[
                        ("fixed", ProbeKind::Fixed),
                        ("common-classes", ProbeKind::CommonClasses),
                        ("one-model-classes", ProbeKind::OneModelClasses),
                        ("unseen-classes", ProbeKind::UnseenClasses),
                    ],
                )?,
            };
            if let (Some(corpora), false) = (
                &probe.corpora,
                dataset.text.is_some() && kind == ProbeKind::Fixed,
            ) {
                return Err(self.at(
                    corpora,
                    "'corpora' is a setting of fixed probes of text only",
                ));
            }
            if let Some(other) = &probe.dataset {
                if dataset.text.is_some() || other.get_ref() == TEXT {
                    return Err(self.at(
                        other,
                        "images and text cannot be probed by each other's models\n  \
                         a probe of other text names its 'corpora'",
                    ));
                }
                let names = dataset_names();
                let known: Vec<(&str, ())> = names.iter().map(|n| (*n, ())).collect();
                self.pick("data set", other, &known)?;
            }
            if let (Some(classes), true) = (&probe.classes, kind == ProbeKind::Fixed) {
                return Err(self.at(classes, "'classes' is a setting of probes by classes only"));
            }
            if let Some(classes) = &probe.classes {
                let few = probe
                    .samples
                    .as_ref()
                    .map(|s| *s.get_ref() < *classes.get_ref());
                if few != Some(false) {
                    return Err(self.at(
                        classes,
                        "a matched probe needs 'samples', at least one for each of its 'classes'",
                    ));
                }
            }
            let foreign = probe.dataset.as_ref().or(probe.preset.as_ref());
            if let (Some(value), true) = (foreign, kind != ProbeKind::Fixed) {
                return Err(self.at(
                    value,
                    "a probe by classes is of the experiment's own data set and preset",
                ));
            }
            let source = probe
                .dataset
                .as_ref()
                .map_or(&dataset.name, |d| d.get_ref());
            if let (Some(preset), true) = (&probe.preset, source != color_shape_digit::NAME) {
                return Err(self.at(
                    preset,
                    format!("'preset' is a setting of {} only", color_shape_digit::NAME),
                ));
            }
            if dataset.text.is_some() && probe.samples.is_none() {
                return Err(self.at(
                    &probe.name,
                    "a probe of text needs 'samples': the number of windows",
                ));
            }
            if let Some(samples) = &probe.samples
                && *samples.get_ref() < 4
            {
                return Err(self.at(samples, "a probe needs at least 4 samples"));
            }
            if source == FOLDER && dataset.name != FOLDER {
                return Err(self.at(
                    &probe.name,
                    format!(
                        "a probe can be of a '{FOLDER}' only where the experiment's data set is it"
                    ),
                ));
            }
            if let (Some(samples), ProbeKind::Fixed) = (&probe.samples, kind) {
                let mut spec = dataset.spec(0);
                spec.name.clone_from(source);
                if source != &dataset.name {
                    spec.path = None;
                }
                let there =
                    part_len(&spec, Part::Test).map_err(|e| self.at(samples, e.to_string()))?;
                // Of text, how much there is shows once it is tokenised.
                if let Some(there) = there
                    && *samples.get_ref() > there
                {
                    return Err(self.at(
                        samples,
                        format!(
                            "samples = {}: the test part of {source} has {there}",
                            samples.get_ref()
                        ),
                    ));
                }
            }
            probes.push(ProbeConfig {
                name,
                kind,
                dataset: probe.dataset.as_ref().map(|d| d.get_ref().clone()),
                corpora: probe.corpora.as_ref().map(|c| self.corpora(c)),
                content: self.probe_content(probe, dataset)?,
                preset: match &probe.preset {
                    Some(_) => self.preset(probe.preset.as_ref())?,
                    None => dataset.preset,
                },
                samples: probe.samples.as_ref().map(|s| *s.get_ref()),
                classes: match &probe.classes {
                    Some(classes) => Some(self.positive("classes", classes)?),
                    None => None,
                },
            });
        }
        Ok(probes)
    }

    /// What names the content of a probe's own corpora.
    fn probe_content(
        &self,
        probe: &RawProbe,
        dataset: &DatasetConfig,
    ) -> Result<Option<String>, ExperimentError> {
        let Some(corpora) = &probe.corpora else {
            return Ok(None);
        };
        let mut spec = dataset.spec(0);
        if let Some(text) = &mut spec.text {
            text.corpora = self.corpora(corpora);
        }
        content_of(&spec).map_err(|e| self.at(corpora, e.to_string()))
    }
}
