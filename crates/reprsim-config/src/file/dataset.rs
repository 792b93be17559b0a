//! The `[dataset]` section.

use std::ops::RangeInclusive;
use std::path::Path;

use reprsim_base::unknown;
use reprsim_data::color_shape_digit;
use reprsim_data::{
    DataError, FOLDER, TEXT, TextSettings, Tokenizer, content_of_text, corpus_names, dataset_names,
    factors_of, label_of,
};
use reprsim_train::Normalization;

use super::reader::Reader;
use super::sections::DatasetSection;
use crate::axis::LabelSpace;
use crate::error::ConfigError;
use crate::experiment::DatasetConfig;

/// Tokens in a window, and chunks of a corpus, beyond which a number is a slip of the keyboard.
const MOST_TOKENS: usize = 1 << 24;

/// Means of values from 0 to 1.
const MEANS: RangeInclusive<f64> = 0.0..=1.0;
/// Their deviations are at most 0.5; 1 leaves the scale alone, and one level of 255 is 0.004.
const DEVIATIONS: RangeInclusive<f64> = 1e-3..=1.0;

impl Reader<'_> {
    pub(super) fn dataset(&self, given: &DatasetSection) -> Result<DatasetConfig, ConfigError> {
        let names = dataset_names();
        let known: Vec<(&str, ())> = names.iter().map(|n| (*n, ())).collect();
        self.pick("data set", "dataset.name", &given.name, &known)?;
        self.only_settings_of(given)?;
        if given.name == FOLDER && given.path.is_none() {
            return Err(self.at(
                "dataset.name",
                format!(
                    "'{FOLDER}' needs a path: a folder that holds one folder of images a class"
                ),
            ));
        }
        self.centre(given)?;
        let normalization = given.normalization.as_ref().map(|n| n.values());
        if let Some(Normalization { mean, std }) = &normalization {
            let fail = |reason: &str| Err(self.at("dataset.normalization", reason));
            if mean.len() != std.len() || ![1, 3].contains(&mean.len()) {
                return fail("normalization needs 1 or 3 means and as many stds");
            }
            for (name, values, range) in [("mean", mean, MEANS), ("std", std, DEVIATIONS)] {
                // Also what is no number.
                if let Some(value) = values.iter().find(|value| !range.contains(value)) {
                    return Err(self.at(
                        "dataset.normalization",
                        format!(
                            "{name} = {value:?} of the normalization is out of range: values of samples \
                             are from 0 to 1, so a {name} is from {} to {} (on the scale to 255, \
                             divide it by 255)",
                            range.start(),
                            range.end()
                        ),
                    ));
                }
            }
        }
        let positive = |key: &str, value: Option<usize>| {
            value
                .map(|value| self.positive(&format!("dataset.{key}"), value))
                .transpose()
        };
        let mut config = DatasetConfig {
            text: self.text(given)?,
            // A path is meant from where the experiment file is.
            path: given.path.as_ref().map(|path| self.folder().join(path)),
            content: None,
            size: positive("size", given.size)?,
            resize: given.resize,
            filter: given.resize.map(|_| given.filter.unwrap_or_default()),
            grayscale: given.grayscale,
            duplicates: given.duplicates.unwrap_or_default(),
            normalization,
            preset: given.preset.unwrap_or_default(),
            factor_classes: match given.factor_classes {
                None => 0,
                Some(0 | 1) => {
                    let reason = "factor_classes must be at least 2";
                    return Err(self.at("dataset.factor_classes", reason));
                }
                Some(classes) => classes,
            },
            label: given.label.clone().unwrap_or_default(),
            train_samples: positive("train_samples", given.train_samples)?,
            train_per_model: positive("train_per_model", given.train_per_model)?,
            name: given.name.clone(),
        };
        if let Some(text) = &config.text {
            let content = content_of_text(text).map_err(|e| self.caused("dataset.name", e))?;
            config.content = Some(content);
        }
        Ok(config)
    }

    /// Refuses what this data set has no use for.
    fn only_settings_of(&self, given: &DatasetSection) -> Result<(), ConfigError> {
        let (built_in, text) = (color_shape_digit::NAME, given.name == TEXT);
        let settings = [
            ("preset", given.preset.is_some(), built_in),
            ("factor_classes", given.factor_classes.is_some(), built_in),
            ("train_samples", given.train_samples.is_some(), built_in),
            ("path", given.path.is_some(), FOLDER),
            ("resize", given.resize.is_some(), FOLDER),
            ("filter", given.filter.is_some(), FOLDER),
        ];
        for (key, is_given, owner) in settings {
            if is_given && given.name != owner {
                return Err(self.at(
                    &format!("dataset.{key}"),
                    format!("'{key}' is a setting of {owner} only"),
                ));
            }
        }
        let of_text = [
            ("corpora", given.corpora.is_some()),
            ("tokenizer", given.tokenizer.is_some()),
            ("window", given.window.is_some()),
            ("chunks", given.chunks.is_some()),
            ("field", given.field.is_some()),
        ];
        let of_images = [
            ("size", given.size.is_some()),
            ("normalization", given.normalization.is_some()),
            ("grayscale", given.grayscale),
            ("duplicates", given.duplicates.is_some()),
        ];
        let (misplaced, owner) = match text {
            true => (&of_images[..], "images".to_string()),
            false => (&of_text[..], format!("the data set {TEXT}")),
        };
        match misplaced.iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) => Err(self.at(
                &format!("dataset.{key}"),
                format!("'{key}' is a setting of {owner} only"),
            )),
            None => Ok(()),
        }
    }

    /// The settings of text.
    fn text(&self, given: &DatasetSection) -> Result<Option<TextSettings>, ConfigError> {
        if given.name != TEXT {
            return Ok(None);
        }
        let Some(corpora) = &given.corpora else {
            return Err(self.at(
                "dataset.name",
                format!(
                    "'{TEXT}' needs corpora: names or paths; known: {}",
                    corpus_names().join(", ")
                ),
            ));
        };
        let defaults = TextSettings::default();
        let or = |key: &str, value: Option<usize>, default: usize| match value {
            Some(value) => self.count(&format!("dataset.{key}"), value, MOST_TOKENS),
            None => Ok(default),
        };
        Ok(Some(TextSettings {
            corpora: self.corpora("dataset.corpora", corpora)?,
            tokenizer: match &given.tokenizer {
                Some(name) => {
                    Tokenizer::named(name).map_err(|e| self.caused("dataset.tokenizer", e))?
                }
                None => defaults.tokenizer,
            },
            window: or("window", given.window, defaults.window)?,
            chunks: or("chunks", given.chunks, defaults.chunks)?,
            field: given.field.clone(),
        }))
    }

    /// The folder of the experiment file.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Names as they are, paths from where the experiment file is.
    pub(super) fn corpora(&self, at: &str, names: &[String]) -> Result<Vec<String>, ConfigError> {
        let known = corpus_names();
        let placed = |name: &String| {
            let path = self.folder().join(name);
            if known.contains(&name.as_str()) || !path.exists() {
                return Ok(name.clone());
            }
            path.to_str().map(String::from).ok_or_else(|| {
                let reason = format!(
                    "{}: the name of a folder on the way there is not UTF-8; rename it",
                    path.display()
                );
                self.at(at, reason)
            })
        };
        names.iter().map(placed).collect()
    }

    /// Names and class counts of the data set's factors, and those of its label.
    pub(super) fn labels(
        &self,
        given: &DatasetSection,
        dataset: &DatasetConfig,
    ) -> Result<LabelSpace, ConfigError> {
        let mut spec = dataset.spec(0);
        spec.built_in.label = vec![];
        let known = |e: DataError| self.caused("dataset.name", e);
        let factors = factors_of(&spec).map_err(known)?;
        let own_label = label_of(&spec).map_err(known)?;
        let wanted = match dataset.label.is_empty() {
            true => &own_label,
            false => &dataset.label,
        };
        let place = match given.label {
            Some(_) => "dataset.label",
            None => "dataset.name",
        };
        let mut label = Vec::new();
        for name in wanted {
            match factors.iter().find(|(n, _)| n == name) {
                Some(found) if label.contains(found) => {
                    return Err(self.at(place, format!("'{name}' is listed twice")));
                }
                Some(found) => label.push(found.clone()),
                None => {
                    let names: Vec<&str> = factors.iter().map(|(n, _)| n.as_str()).collect();
                    return Err(self.at(place, unknown("label factor", name, &names)));
                }
            }
        }
        Ok(LabelSpace { factors, label })
    }
}
