//! Which data set, and what can be said of it without reading it.

use std::path::PathBuf;

use crate::catalog::{FATHER_BROWN, FOLDER, TEXT, card_of};
use crate::color_shape_digit::{self, Settings, generate};
use crate::readers::listing::{self, Listing};
use crate::resample::LARGEST_SIDE;
use crate::text::{self, TextSettings};
use crate::{DataError, Filter, Part, Resampling};

/// Samples of the built-in data set when nothing else is asked.
const BUILT_IN_TRAIN: usize = 16_000;
const BUILT_IN_TEST: usize = 8_000;

/// Which data set, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetSpec {
    /// Its name.
    pub name: String,
    /// Settings of the built-in images. Of these, data sets from files take the
    /// label alone.
    pub built_in: Settings,
    /// Size of the generated training part, if generated.
    pub train_samples: Option<usize>,
    /// Seed of the generated images, if generated.
    pub seed: u64,
    /// The folder of class folders, for `folder`.
    pub path: Option<PathBuf>,
    /// Resample to a square of this side.
    pub size: Option<usize>,
    /// Of `folder`: the shorter side becomes this, and the square is cut out of the centre; absent:
    /// the whole image becomes the square.
    pub resize: Option<usize>,
    /// What pixels are then made of.
    pub filter: Filter,
    /// Colour becomes its luma.
    pub grayscale: bool,
    /// Which corpora and how they are read, for `text`.
    pub text: Option<TextSettings>,
}

impl DatasetSpec {
    /// What the settings add to the identity of the samples; nothing where none
    /// is given, so that ids stay what they are.
    pub(crate) fn suffix(&self) -> String {
        let mut suffix = String::new();
        if let Some(size) = self.size {
            suffix.push_str(&format!(" size {size}"));
        }
        if let Some(resize) = self.resize {
            suffix.push_str(&format!(" resize {resize} {}", self.filter.name()));
        }
        if self.grayscale {
            suffix.push_str(" grayscale");
        }
        suffix
    }

    /// Refuses settings that make no sense.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if let Some(size) = self.size
            && !(1..=LARGEST_SIDE).contains(&size)
        {
            return Err(self.setting(format!(
                "size = {size}; a side has 1 to {LARGEST_SIDE} pixels"
            )));
        }
        for (key, given) in [
            ("path", self.path.is_some()),
            ("resize", self.resize.is_some()),
        ] {
            if given && self.name != FOLDER {
                return Err(self.setting(format!("only '{FOLDER}' takes a {key}")));
            }
        }
        if self.resize.is_some() && self.size.is_none() {
            return Err(self.setting(
                "resize needs a size, the side of the square that is cut out of the centre".into(),
            ));
        }
        if let Some(centre) = self.centre() {
            centre.check().map_err(|(_, reason)| self.setting(reason))?;
        }
        if self.name != TEXT {
            return match self.text {
                Some(_) => Err(self.setting(format!("only '{TEXT}' takes corpora"))),
                None => Ok(()),
            };
        }
        if self.size.is_some() || self.grayscale {
            return Err(self.setting("size and grayscale are for images".into()));
        }
        self.text()?.check()
    }

    /// How images of a folder become squares without being squeezed, where that is asked for.
    pub(crate) fn centre(&self) -> Option<Resampling> {
        Some(Resampling {
            resize: Some(self.resize?),
            size: self.size?,
            filter: self.filter,
        })
    }

    /// Refuses the part that only text has.
    pub(crate) fn check_part(&self, part: Part) -> Result<(), DataError> {
        if part == Part::Validation && self.name != TEXT {
            return Err(self.setting(format!(
                "images have no validation part, only '{TEXT}' has; use the test part"
            )));
        }
        Ok(())
    }

    /// The settings of `text`.
    pub(crate) fn text(&self) -> Result<&TextSettings, DataError> {
        self.text.as_ref().ok_or_else(|| {
            self.setting(format!(
                "no corpora; name one or more, such as corpora = [\"{}\"]",
                FATHER_BROWN
            ))
        })
    }

    pub(crate) fn setting(&self, reason: String) -> DataError {
        DataError::Setting {
            dataset: self.name.clone(),
            reason,
        }
    }

    /// The listed folder of a `folder`.
    pub(crate) fn listing(&self) -> Result<Listing, DataError> {
        let path = self.path.as_ref().ok_or_else(|| {
            self.setting(
                "no path; it must name a folder that holds one folder of images per class".into(),
            )
        })?;
        listing::list(path)
    }
}

/// Samples in a part of a data set, known without opening it; `None` for the
/// held-out parts of text, which are known once it is tokenised. For a folder these
/// are the files that are images by their names: damaged ones, which are left
/// out, make the part smaller.
///
/// # Errors
/// [`DataError::UnknownDataset`]; for a folder that it is none or that it cannot
/// be listed; for text that a corpus is not known.
pub fn part_len(spec: &DatasetSpec, part: Part) -> Result<Option<usize>, DataError> {
    spec.check()?;
    spec.check_part(part)?;
    match spec.name.as_str() {
        color_shape_digit::NAME => Ok(Some(match part {
            Part::Train => spec.train_samples.unwrap_or(BUILT_IN_TRAIN),
            Part::Validation | Part::Test => BUILT_IN_TEST,
        })),
        FOLDER => Ok(Some(spec.listing()?.len(part))),
        TEXT => {
            let settings = spec.text()?;
            let chunks = text::corpora(settings)?
                .len()
                .saturating_mul(settings.chunks);
            Ok((part == Part::Train).then_some(chunks))
        }
        name => Ok(Some(card_of(name)?.len(part))),
    }
}

/// Names and numbers of classes of a data set's label factors, known without
/// opening it.
///
/// # Errors
/// As [`part_len`].
pub fn factors_of(spec: &DatasetSpec) -> Result<Vec<(String, usize)>, DataError> {
    spec.check()?;
    match spec.name.as_str() {
        color_shape_digit::NAME => {
            // One sample tells which factors are on.
            let settings = Settings {
                label: vec![],
                ..spec.built_in.clone()
            };
            let factors = generate(&settings, Part::Train, 1, spec.seed)?.factors;
            Ok(factors
                .into_iter()
                .map(|f| (f.name, f.classes.len()))
                .collect())
        }
        FOLDER => Ok(vec![("class".into(), spec.listing()?.classes.len())]),
        TEXT => Ok(vec![(
            text::FACTOR.into(),
            text::corpora(spec.text()?)?.len(),
        )]),
        name => Ok(card_of(name)?.factors()),
    }
}

/// The factors whose product is the class label: those that were asked for, else
/// the data set's own.
///
/// # Errors
/// [`DataError::UnknownDataset`].
pub fn label_of(spec: &DatasetSpec) -> Result<Vec<String>, DataError> {
    if !spec.built_in.label.is_empty() {
        return Ok(spec.built_in.label.clone());
    }
    match spec.name.as_str() {
        color_shape_digit::NAME => Ok(vec!["shape".into(), "digit".into()]),
        FOLDER => Ok(vec!["class".into()]),
        TEXT => Ok(vec![text::FACTOR.into()]),
        name => Ok(card_of(name)?.label.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> DatasetSpec {
        DatasetSpec {
            name: name.into(),
            ..DatasetSpec::default()
        }
    }

    #[test]
    fn sizes_factors_and_labels_are_known_without_the_data() {
        let known = |name| {
            let spec = spec(name);
            (
                part_len(&spec, Part::Train).unwrap().unwrap(),
                part_len(&spec, Part::Test).unwrap().unwrap(),
                factors_of(&spec).unwrap().len(),
                label_of(&spec).unwrap().join(" "),
            )
        };
        assert_eq!(known("mnist"), (60_000, 10_000, 1, "class".into()));
        assert_eq!(known("cifar-100"), (50_000, 10_000, 2, "class".into()));
        assert_eq!(known("svhn"), (73_257, 26_032, 1, "class".into()));
        assert_eq!(known("tiny-imagenet"), (100_000, 10_000, 1, "class".into()));
        assert_eq!(known("emoji"), (3136, 676, 4, "group".into()));
        let built_in = (16_000, 8_000, 3, "shape digit".into());
        assert_eq!(known(color_shape_digit::NAME), built_in);
        let factors = factors_of(&spec("cifar-100")).unwrap();
        assert_eq!(factors, [("class".into(), 100), ("superclass".into(), 20)]);
    }

    #[test]
    fn senseless_settings_are_refused() {
        let check = |change: &dyn Fn(&mut DatasetSpec)| {
            let mut spec = spec("mnist");
            change(&mut spec);
            part_len(&spec, Part::Train).unwrap_err().to_string()
        };
        assert!(check(&|s| s.size = Some(0)).contains("size = 0"));
        assert!(check(&|s| s.size = Some(5000)).contains("1 to 4096"));
        assert!(check(&|s| s.path = Some("x".into())).contains("only 'folder'"));
        assert!(check(&|s| s.resize = Some(8)).contains("only 'folder' takes a resize"));
        let resized = |resize, size| {
            check(&|s| (s.name, s.resize, s.size) = ("folder".into(), Some(resize), size))
        };
        assert!(resized(8, None).contains("resize needs a size"));
        assert!(
            resized(8, Some(9)).contains("resize = 8") && resized(8, Some(9)).contains("least 9")
        );
        assert!(check(&|s| s.name = "folder".into()).contains("no path"));
        assert!(check(&|s| s.name = "mnits".into()).contains("unknown data set"));
        assert!(check(&|s| s.name = "mnits".into()).contains("folder, mnist"));
        assert!(check(&|s| s.text = Some(TextSettings::default())).contains("only 'text'"));
        assert!(check(&|s| s.name = "text".into()).contains("no corpora"));
        assert!(check(&|s| s.name = "father-brown".into()).contains("name = \"text\""));
    }
}
