//! A corpus as one file of tokens, so that it is tokenised once: the documents of the
//! training part in their order, then those of the validation and of the test part,
//! each followed by the end of text.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use reprsim_base::{OverBudget, ask_memory, sha256};
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::corpus::{Corpus, Place};
use super::division::divide;
use super::listing::is_hidden;
use super::read::read as read_documents;
use super::samples::Tokens;
use super::tokenizer::Tokenizer;
use crate::catalog::TEXT;
use crate::tensor_file::{self, Origin, Tensor, Unusable, damaged, through_cache};
use crate::{DataError, Part, Skipped};

/// Counts up when the same text gives other tokens or another division, which makes
/// files of before stale.
pub(crate) const VERSION: u32 = 5;
const FORMAT: &str = "reprsim tokens 4";
const TOKENS: &str = "tokens";
const ENDS: &str = "ends";
/// The order of the parts in a stream.
const PARTS: [Part; 3] = [Part::Train, Part::Validation, Part::Test];
/// Text that is read before it is tokenised in parallel.
const AT_ONCE: usize = 8 << 20;

/// The tokens of a corpus, and which documents they are.
#[derive(Clone)]
pub(crate) struct TokenStream {
    pub tokens: Tokens,
    /// Where each document ends, behind its end of text.
    ends: Arc<[u64]>,
    /// Documents of each part, in their order.
    counts: [usize; 3],
    /// What was taken out of which file of the corpus.
    pub taken: Vec<Skipped>,
}

/// What the header says beside the origin and the places of the tensors.
#[derive(Serialize, Deserialize)]
struct Description {
    documents: [usize; 3],
    taken: Vec<Skipped>,
}

impl TokenStream {
    /// Where each document of a part is.
    pub fn documents(&self, part: Part) -> impl ExactSizeIterator<Item = Range<usize>> {
        let [train, validation, test] = self.counts;
        let range = match part {
            Part::Train => 0..train,
            Part::Validation => train..train + validation,
            Part::Test => train + validation..train + validation + test,
        };
        range.map(|i| {
            let start = i.checked_sub(1).map_or(0, |before| self.ends[before]);
            start as usize..self.ends[i] as usize
        })
    }

    /// Tokens of the training part, which come first.
    pub fn training_tokens(&self) -> usize {
        self.documents(Part::Train)
            .last()
            .map_or(0, |last| last.end)
    }
}

/// The tokens of a corpus, from the file in the cache if that is as it should be.
/// `content` is the corpus' own.
pub(crate) fn stream(
    corpus: &Corpus,
    content: &str,
    tokenizer: Tokenizer,
    cache: &Path,
) -> Result<TokenStream, DataError> {
    let key = sha256(format!("text {VERSION}\n{content}\n{tokenizer}"));
    let name: String = (corpus.name.chars())
        .map(|c| {
            if c.is_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let path = cache
        .join(TEXT)
        .join(format!("{name}-{tokenizer}-{}.safetensors", &key[..16]));
    // The user's own files were summed just now: the key tells that they are the same.
    let files: Vec<PathBuf> = match &corpus.place {
        Place::Card(card) => {
            let dir = cache.join(&card.name);
            card.files.iter().map(|f| dir.join(&f.name)).collect()
        }
        _ => vec![],
    };
    let origin = Origin {
        key: &key,
        files: &files,
    };
    through_cache(&path, &origin, read, write, || {
        tokenise(corpus, content, tokenizer, cache)
    })
}

fn tokenise(
    corpus: &Corpus,
    content: &str,
    tokenizer: Tokenizer,
    cache: &Path,
) -> Result<TokenStream, DataError> {
    let mut encoder = Encoder::new(tokenizer, &corpus.name);
    let taken = read_documents(corpus, cache, &mut |document| encoder.push(document))?;
    encoder.flush()?;
    // These tokens are kept under the name of what was looked at before.
    if corpus.content(cache)? != content {
        return Err(corpus.error("changed while it was read; run again".into()));
    }
    let Encoder {
        tokens,
        ends,
        sizes,
        ..
    } = encoder;
    if sizes.is_empty() {
        let skipped = corpus.listing()?.skipped;
        let telling = skipped.iter().find(|file| !is_hidden(file));
        return Err(corpus.error(match telling.or(skipped.first()) {
            Some(file) => format!(
                "holds no text; left out is {}: {}",
                file.path.display(),
                file.reason
            ),
            None => "holds no text".into(),
        }));
    }
    let Some(parts) = divide(&sizes, content) else {
        return Err(corpus.error(format!(
            "{} different documents; it takes three, one each to train, to validate and to test (a text \
             of more than 4 KiB counts as several)",
            sizes.len()
        )));
    };
    let mut divided = Vec::with_capacity(tokens.len());
    let mut divided_ends = Vec::with_capacity(ends.len());
    let mut counts = [0; 3];
    for (count, part) in counts.iter_mut().zip(PARTS) {
        for (i, _) in parts.iter().enumerate().filter(|(_, p)| **p == part) {
            let start = if i == 0 { 0 } else { ends[i - 1] };
            divided.extend_from_slice(&tokens[start..ends[i]]);
            divided_ends.push(divided.len() as u64);
            *count += 1;
        }
    }
    Ok(TokenStream {
        tokens: Tokens::Held(Arc::new(divided)),
        ends: divided_ends.into(),
        counts,
        taken,
    })
}

/// Tokenises documents on all cores, some at a time, so that of a large corpus only
/// the tokens are held.
struct Encoder<'a> {
    tokenizer: Tokenizer,
    /// The corpus.
    name: &'a str,
    waiting: Vec<String>,
    waiting_bytes: usize,
    tokens: Vec<u16>,
    ends: Vec<usize>,
    /// Bytes of each document.
    sizes: Vec<u64>,
    /// Digests of all documents.
    seen: HashSet<String>,
}

impl<'a> Encoder<'a> {
    fn new(tokenizer: Tokenizer, name: &'a str) -> Self {
        Self {
            tokenizer,
            name,
            waiting: vec![],
            waiting_bytes: 0,
            tokens: vec![],
            ends: vec![],
            sizes: vec![],
            seen: HashSet::new(),
        }
    }

    /// Takes a document, if it is new: one that came twice could be held out and
    /// trained on.
    fn push(&mut self, document: &str) -> Result<(), OverBudget> {
        if !self.seen.insert(sha256(document.trim())) {
            return Ok(());
        }
        self.waiting.push(document.into());
        self.waiting_bytes += document.len();
        self.sizes.push(document.len() as u64);
        match self.waiting_bytes >= AT_ONCE {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), OverBudget> {
        let encoded: Vec<Vec<u16>> = (self.waiting.par_iter())
            .map(|document| self.tokenizer.encode(document))
            .collect();
        let more = encoded.iter().map(|tokens| tokens.len() + 1).sum::<usize>();
        let needed = self.tokens.len() + more;
        if needed > self.tokens.capacity() {
            let room = needed.max(2 * self.tokens.capacity());
            // They grow into new room beside the old, are divided into as much again, and are
            // mapped from the file that they are written to.
            let bytes = 3 * room as u128 * size_of::<u16>() as u128;
            ask_memory(
                bytes,
                format!("corpus '{}', {needed} tokens or more,", self.name),
            )?;
            self.tokens.reserve_exact(room - self.tokens.len());
        }
        for tokens in encoded {
            self.tokens.extend(tokens);
            self.tokens.push(self.tokenizer.end_of_text());
            self.ends.push(self.tokens.len());
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }
}

fn write(path: &Path, stream: &TokenStream, origin: &Origin<'_>) -> io::Result<()> {
    let ends: Vec<u8> = stream.ends.iter().flat_map(|e| e.to_le_bytes()).collect();
    let tokens = stream.tokens.to_little_endian();
    let description = Description {
        documents: stream.counts,
        taken: stream.taken.clone(),
    };
    let tensors = [
        Tensor {
            name: ENDS.into(),
            dtype: Dtype::U64,
            shape: vec![stream.ends.len()],
            data: &ends,
        },
        Tensor {
            name: TOKENS.into(),
            dtype: Dtype::U16,
            shape: vec![stream.tokens.len()],
            data: &tokens,
        },
    ];
    tensor_file::write(path, FORMAT, origin, &description, &tensors)
}

fn read(path: &Path, origin: &Origin<'_>) -> Result<TokenStream, Unusable> {
    let file = tensor_file::read::<Description>(path, FORMAT, origin)?;
    let (ends, _) = file.tensor(ENDS, Dtype::U64)?;
    let ends: Vec<u64> = ends
        .chunks_exact(8)
        .map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        .collect();
    let tokens = Tokens::from_little_endian(file.tensor(TOKENS, Dtype::U16)?.0);
    let counts = file.description.documents;
    let documents = counts
        .iter()
        .try_fold(0usize, |n, count| n.checked_add(*count));
    let fits = documents == Some(ends.len())
        && ends.is_sorted()
        && ends.last() == Some(&(tokens.len() as u64));
    if !fits {
        return Err(damaged(8, "the documents do not fit the tokens"));
    }
    Ok(TokenStream {
        tokens,
        ends: ends.into(),
        counts,
        taken: file.description.taken,
    })
}

#[cfg(test)]
mod tests {
    use super::super::TextSettings;
    use super::super::corpus::corpora;
    use super::*;
    use crate::catalog::FATHER_BROWN;

    #[test]
    fn kept_tokens_are_mapped_not_copied() {
        let cache = tempfile::tempdir().unwrap();
        let settings = TextSettings {
            corpora: vec![FATHER_BROWN.into()],
            ..TextSettings::default()
        };
        let corpus = &corpora(&settings).unwrap()[0];
        let content = corpus.content(cache.path()).unwrap();
        let kept = stream(corpus, &content, Tokenizer::Gpt2, cache.path()).unwrap();
        assert!(matches!(kept.tokens, Tokens::Mapped(_)) || cfg!(target_endian = "big"));
        let made = tokenise(corpus, &content, Tokenizer::Gpt2, cache.path()).unwrap();
        assert_eq!(kept.tokens[..], made.tokens[..]);
        assert_eq!((kept.ends, kept.counts), (made.ends, made.counts));
        // The fixed text and division of the quick experiment.
        assert_eq!(made.counts, [91, 6, 12]);
        assert_eq!(made.tokens.len(), 104_399 + 109, "and the ends of text");
    }

    #[test]
    fn tokens_are_never_kept_for_another_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, "one\n").unwrap();
        let settings = TextSettings {
            corpora: vec![path.display().to_string()],
            ..TextSettings::default()
        };
        let corpus = &corpora(&settings).unwrap()[0];
        let content = corpus.content(dir.path()).unwrap();
        std::fs::write(&path, "two\n").unwrap();
        let Err(error) = tokenise(corpus, &content, Tokenizer::Bytes, dir.path()) else {
            panic!("it is another text");
        };
        assert!(
            error.to_string().contains("changed while it was read"),
            "{error}"
        );
    }
}
