//! Cards of published weights: which architecture they are of, where they come from, under which
//! licence.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use reprsim_base::unknown;
use serde::Deserialize;

use crate::DataError;
use crate::card::{CardFile, Source};

/// The folder of the cache that weights are in.
const FOLDER: &str = "weights";

/// The card of a file of weights, one TOML file in `datasets/weights/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsCard {
    /// The name used in experiment files.
    pub name: String,
    /// The full name.
    pub title: String,
    /// The architecture, as an experiment file names it under `[model]`.
    pub architecture: String,
    /// What they were trained on, and what images they expect.
    pub description: String,
    /// Where their authors describe them.
    pub homepage: String,
    /// Their licence.
    pub licence: String,
    /// How to cite them.
    pub citation: String,
    /// About how large the file is.
    pub mebibytes: f64,
    /// The file as it is kept.
    pub file: CardFile,
    /// Where it can be had, in the order to try.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

impl WeightsCard {
    /// The folder of all weights in a cache.
    pub(crate) fn folder(cache: &Path) -> PathBuf {
        cache.join(FOLDER)
    }

    /// Where the file is in a cache, if it was fetched.
    pub fn path(&self, cache: &Path) -> PathBuf {
        Self::folder(cache).join(&self.name).join(&self.file.name)
    }
}

/// The cards, in the order in which they are listed.
static CARDS: LazyLock<Vec<WeightsCard>> = LazyLock::new(|| {
    [
        include_str!("../../../../datasets/weights/mobilenet-v2-imagenet1k-v1.toml"),
        include_str!("../../../../datasets/weights/resnet18-imagenet1k-v1.toml"),
        include_str!("../../../../datasets/weights/resnet34-imagenet1k-v1.toml"),
        include_str!("../../../../datasets/weights/resnet50-imagenet1k-v1.toml"),
        include_str!("../../../../datasets/weights/resnet101-imagenet1k-v1.toml"),
        include_str!("../../../../datasets/weights/resnet152-imagenet1k-v1.toml"),
        include_str!("../../../../datasets/weights/vgg11-bn-imagenet1k-v1.toml"),
    ]
    .iter()
    .map(|text| {
        toml::from_str(text).expect("the cards in datasets/weights/ parse (there is a test)")
    })
    .collect()
});

/// All cards of weights known to the program.
pub fn weights_cards() -> &'static [WeightsCard] {
    &CARDS
}

/// The card called `name`.
///
/// # Errors
/// [`DataError::UnknownWeights`] with the names that exist.
pub fn find_weights_card(name: &str) -> Result<&'static WeightsCard, DataError> {
    let known: Vec<&str> = weights_cards().iter().map(|c| c.name.as_str()).collect();
    let found = weights_cards().iter().find(|card| card.name == name);
    found.ok_or_else(|| DataError::UnknownWeights(unknown("weights", name, &known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_parses_and_is_complete() {
        let mut names = std::collections::BTreeSet::new();
        for card in weights_cards() {
            assert!(names.insert(&card.name), "{}", card.name);
            assert!(!card.sources.is_empty() && card.mebibytes > 1.0);
            let sum = card.file.sha256.as_deref().unwrap();
            assert!((8..=64).contains(&sum.len()) && sum.chars().all(|c| c.is_ascii_hexdigit()));
            // As torch.hub: a part of the sum is in the name.
            assert!(card.file.name.contains(&format!("-{}.", &sum[..8])));
            for text in [
                &card.title,
                &card.architecture,
                &card.description,
                &card.homepage,
                &card.licence,
                &card.citation,
            ] {
                assert!(!text.is_empty());
            }
        }
        let error = find_weights_card("resnet18-imagenet1k-v2").unwrap_err();
        assert!(error.is_usage());
        assert!(
            error.to_string().contains("did you mean 'resnet18-"),
            "{error}"
        );
    }
}
