//! The `[dataset]` section.

use std::path::Path;

use reprsim_data::color_shape_digit::{self, Preset};
use reprsim_data::{
    DataError, FOLDER, TEXT, TextSettings, Tokenizer, content_of, corpus_names, dataset_names,
    factors_of, label_of,
};
use reprsim_train::Normalization;
use toml::Spanned;

use super::raw::RawDataset;
use reprsim_base::unknown;
use super::reader::Reader;
use crate::ExperimentError;
use crate::experiment::DatasetConfig;

/// Names and numbers of classes of label factors.
pub(super) type Factors = Vec<(String, usize)>;

impl Reader<'_> {
    pub(super) fn dataset(&self, raw: &RawDataset) -> Result<DatasetConfig, ExperimentError> {
        let names = dataset_names();
        let known: Vec<(&str, ())> = names.iter().map(|n| (*n, ())).collect();
        self.pick("data set", &raw.name, &known)?;
        let name = raw.name.get_ref().clone();
        let built_in = name == color_shape_digit::NAME;
        if !built_in {
            let offset = [
                raw.preset.as_ref().map(|v| ("preset", v.span())),
                raw.factor_classes
                    .as_ref()
                    .map(|v| ("factor_classes", v.span())),
                raw.train_samples
                    .as_ref()
                    .map(|v| ("train_samples", v.span())),
            ];
            if let Some((key, span)) = offset.into_iter().flatten().next() {
                return Err(self.error(
                    span.start,
                    format!("'{key}' is a setting of {} only", color_shape_digit::NAME),
                ));
            }
        }
        let positive = |what: &str, value: &Option<Spanned<usize>>| {
            value.as_ref().map(|v| self.positive(what, v)).transpose()
        };
        if name == FOLDER && raw.path.is_none() {
            return Err(self.at(
                &raw.name,
                format!(
                    "'{FOLDER}' needs a path: a folder that holds one folder of images a class"
                ),
            ));
        }
        if let (Some(path), true) = (&raw.path, name != FOLDER) {
            return Err(self.at(path, format!("'path' is a setting of {FOLDER} only")));
        }
        if let Some(given) = &raw.normalization {
            let Normalization { mean, std } = given.get_ref();
            if mean.len() != std.len() || ![1, 3].contains(&mean.len()) {
                return Err(self.at(given, "normalization needs 1 or 3 means and as many stds"));
            }
            if mean.iter().chain(std).any(|v| !v.is_finite()) || std.iter().any(|&s| s <= 0.0) {
                return Err(self.at(
                    given,
                    "normalization needs finite means and stds above 0, on the 0..1 scale",
                ));
            }
        }
        let text = self.text(raw)?;
        let mut config = DatasetConfig {
            text,
            // A path is meant from where the experiment file is.
            path: raw.path.as_ref().map(|path| {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                folder.join(path.get_ref())
            }),
            content: None,
            size: positive("size", &raw.size)?,
            grayscale: raw.grayscale,
            normalization: raw.normalization.as_ref().map(|n| n.get_ref().clone()),
            preset: self.preset(raw.preset.as_ref())?,
            factor_classes: match &raw.factor_classes {
                None => 0,
                Some(v) if *v.get_ref() < 2 => {
                    return Err(self.at(v, "factor_classes must be at least 2"));
                }
                Some(v) => *v.get_ref(),
            },
            label: raw
                .label
                .as_ref()
                .map(|l| l.get_ref().clone())
                .unwrap_or_default(),
            train_samples: positive("train_samples", &raw.train_samples)?,
            train_per_model: positive("train_per_model", &raw.train_per_model)?,
            name,
        };
        let content = content_of(&config.spec(0));
        config.content = content.map_err(|e| self.at(&raw.name, e.to_string()))?;
        Ok(config)
    }

    /// The settings of text, and none of images beside them.
    fn text(&self, raw: &RawDataset) -> Result<Option<TextSettings>, ExperimentError> {
        if raw.name.get_ref() != TEXT {
            let misplaced = [
                ("corpora", raw.corpora.as_ref().map(Spanned::span)),
                ("tokenizer", raw.tokenizer.as_ref().map(Spanned::span)),
                ("window", raw.window.as_ref().map(Spanned::span)),
                ("chunks", raw.chunks.as_ref().map(Spanned::span)),
                ("field", raw.field.as_ref().map(Spanned::span)),
            ];
            return match misplaced.into_iter().find_map(|(k, s)| Some((k, s?))) {
                Some((key, span)) => {
                    let reason = format!("'{key}' is a setting of the data set {TEXT} only");
                    Err(self.error(span.start, reason))
                }
                None => Ok(None),
            };
        }
        let misplaced = [
            ("size", raw.size.as_ref().map(Spanned::span)),
            (
                "normalization",
                raw.normalization.as_ref().map(Spanned::span),
            ),
            ("grayscale", raw.grayscale.then(|| raw.name.span())),
        ];
        if let Some((key, span)) = misplaced.into_iter().find_map(|(k, s)| Some((k, s?))) {
            return Err(self.error(span.start, format!("'{key}' is a setting of images only")));
        }
        let Some(corpora) = &raw.corpora else {
            return Err(self.at(
                &raw.name,
                format!(
                    "'{TEXT}' needs corpora: names or paths; known: {}",
                    corpus_names().join(", ")
                ),
            ));
        };
        let defaults = TextSettings::default();
        let or = |what: &str, value: &Option<Spanned<usize>>, default: usize| match value {
            Some(value) => self.positive(what, value),
            None => Ok(default),
        };
        let settings = TextSettings {
            corpora: self.corpora(corpora),
            tokenizer: match &raw.tokenizer {
                Some(name) => {
                    Tokenizer::named(name.get_ref()).map_err(|e| self.at(name, e.to_string()))?
                }
                None => defaults.tokenizer,
            },
            window: or("window", &raw.window, defaults.window)?,
            chunks: or("chunks", &raw.chunks, defaults.chunks)?,
            field: raw.field.as_ref().map(|f| f.get_ref().clone()),
        };
        Ok(Some(settings))
    }

    /// Names as they are, paths from where the experiment file is.
    pub(super) fn corpora(&self, raw: &Spanned<Vec<Spanned<String>>>) -> Vec<String> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let names = raw.get_ref().iter().map(Spanned::get_ref);
        names
            .map(|name| {
                let path = folder.join(name);
                match !corpus_names().contains(&name.as_str()) && path.exists() {
                    true => path.to_string_lossy().into_owned(),
                    false => name.clone(),
                }
            })
            .collect()
    }

    pub(super) fn preset(&self, raw: Option<&Spanned<String>>) -> Result<Preset, ExperimentError> {
        raw.map_or(Ok(Preset::default()), |text| {
            self.pick("preset", text, &Preset::ALL)
        })
    }

    /// Names and class counts of the data set's factors, and those of its label.
    pub(super) fn factors(
        &self,
        raw: &RawDataset,
        dataset: &DatasetConfig,
    ) -> Result<(Factors, Factors), ExperimentError> {
        let mut spec = dataset.spec(0);
        spec.built_in.label = vec![];
        let known = |e: DataError| self.at(&raw.name, e.to_string());
        let factors = factors_of(&spec).map_err(known)?;
        let own_label = label_of(&spec).map_err(known)?;
        let wanted = if dataset.label.is_empty() {
            &own_label
        } else {
            &dataset.label
        };
        let names: Vec<&str> = factors.iter().map(|(n, _)| n.as_str()).collect();
        let mut label = Factors::new();
        for name in wanted {
            match factors.iter().find(|(n, _)| n == name) {
                Some(found) if label.contains(found) => {
                    let offset = raw
                        .label
                        .as_ref()
                        .map_or(raw.name.span(), Spanned::span)
                        .start;
                    return Err(self.error(offset, format!("'{name}' is listed twice")));
                }
                Some(found) => label.push(found.clone()),
                None => {
                    let offset = raw
                        .label
                        .as_ref()
                        .map_or(raw.name.span(), Spanned::span)
                        .start;
                    return Err(self.error(offset, unknown("label factor", name, &names)));
                }
            }
        }
        Ok((factors, label))
    }
}
