//! What a text data set is made of.

use serde::{Deserialize, Serialize};

use super::tokenizer::Tokenizer;
use crate::DataError;
use crate::catalog::{FATHER_BROWN, TEXT};

/// The label factor of text: which corpus a sample is from.
pub(crate) const FACTOR: &str = "corpus";

/// Which corpora, and how they are cut into samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextSettings {
    /// The corpora, in the order of their classes: each the name of a known corpus,
    /// or the path of a text, of JSON lines or of an array of objects of JSON, plain or
    /// packed with gzip, or of a folder of such files (`.txt`, `.md`, `.rst`, `.jsonl`,
    /// `.ndjson`, `.json`).
    pub corpora: Vec<String>,
    /// How text becomes tokens.
    pub tokenizer: Tokenizer,
    /// Tokens that a model sees at once.
    pub window: usize,
    /// Chunks of the training stream of a corpus.
    pub chunks: usize,
    /// The field that holds the text in JSON given by its path; `a+b` joins two, `text`
    /// if not given.
    pub field: Option<String>,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            corpora: vec![],
            tokenizer: Tokenizer::default(),
            window: 256,
            chunks: 80,
            field: None,
        }
    }
}

impl TextSettings {
    /// Refuses settings that make no sense whatever the corpora are.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        let setting = |reason: String| {
            Err(DataError::Setting {
                dataset: TEXT.into(),
                reason,
            })
        };
        if self.corpora.is_empty() {
            return setting(format!(
                "no corpora; name one or more, such as corpora = [\"{}\"]",
                FATHER_BROWN
            ));
        }
        if self.window == 0 {
            return setting("window = 0; a model has to see at least one token".into());
        }
        if self.chunks < 2 {
            return setting(format!(
                "chunks = {}; two models cannot have chunks of their own of fewer than 2",
                self.chunks
            ));
        }
        Ok(())
    }
}
