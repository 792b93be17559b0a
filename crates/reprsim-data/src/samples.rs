//! The samples of a data set: images or pieces of text, all of them or a selection.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use reprsim_base::Digest;

use crate::Bytes;
use crate::text::{TextSamples, Tokens};

/// The beginning of the SHA-256 of what a sample holds, as a model sees it: pixels after
/// decoding and resampling, or tokens. Equal digests are equal samples.
pub type SampleDigest = u128;

/// Samples that are cheap to clone and to select from: what they hold is shared, in memory
/// or mapped from a file.
#[derive(Clone)]
pub struct Samples {
    store: Store,
    /// Of all samples of the store, once they were asked for.
    digests: Arc<OnceLock<Vec<SampleDigest>>>,
    /// Places in the store of a selection; without it, all samples in their order.
    chosen: Option<Arc<[u32]>>,
}

#[derive(Clone)]
enum Store {
    /// 8-bit values, `size` of them a sample.
    Images { bytes: Bytes, size: usize },
    /// Pieces of streams of tokens.
    Text(TextSamples),
}

impl Samples {
    /// Images of `size` bytes each, one after the other.
    pub fn images(bytes: impl Into<Bytes>, size: usize) -> Self {
        Self {
            store: Store::Images {
                bytes: bytes.into(),
                size,
            },
            digests: Arc::default(),
            chosen: None,
        }
    }

    /// Pieces of `length` tokens each, one after the other; what is left of less is no sample.
    pub fn pieces(tokens: Vec<u16>, length: usize) -> Self {
        let count = tokens.len().checked_div(length).unwrap_or(0);
        let places = (0..count).map(|i| (0, i * length..(i + 1) * length));
        Self::text(TextSamples::new(
            vec![Tokens::Held(tokens.into())],
            places.collect(),
        ))
    }

    /// Pieces of text.
    pub(crate) fn text(samples: TextSamples) -> Self {
        Self {
            store: Store::Text(samples),
            digests: Arc::default(),
            chosen: None,
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match (&self.chosen, &self.store) {
            (Some(chosen), _) => chosen.len(),
            // Images of no bytes are none.
            (None, Store::Images { bytes, size }) => bytes.len().checked_div(*size).unwrap_or(0),
            (None, Store::Text(text)) => text.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of sample `index`; text has none.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn bytes(&self, index: usize) -> &[u8] {
        let place = self.place(index);
        match &self.store {
            Store::Images { bytes, size } => &bytes[place * size..(place + 1) * size],
            Store::Text(_) => &[],
        }
    }

    /// The tokens of sample `index`; images have none.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn tokens(&self, index: usize) -> &[u16] {
        let place = self.place(index);
        match &self.store {
            Store::Images { .. } => &[],
            Store::Text(text) => text.tokens(place),
        }
    }

    /// The digest of each sample, in their order; taken once of all of a store, for all selections.
    pub(crate) fn digests(&self) -> Vec<SampleDigest> {
        let all = self.digests.get_or_init(|| {
            let whole = Self {
                chosen: None,
                ..self.clone()
            };
            let indices = (0..whole.len()).into_par_iter();
            indices.map(|index| whole.digest(index)).collect()
        });
        (0..self.len())
            .map(|index| all[self.place(index)])
            .collect()
    }

    fn digest(&self, index: usize) -> SampleDigest {
        let mut digest = Digest::new();
        match self.store {
            Store::Images { .. } => digest.update(self.bytes(index)),
            Store::Text(_) => {
                (self.tokens(index).iter()).for_each(|t| digest.update(t.to_le_bytes()));
            }
        }
        let first = digest.bytes().into_iter().take(size_of::<SampleDigest>());
        first.fold(0, |sum, byte| sum << 8 | SampleDigest::from(byte))
    }

    /// The place of sample `index` among all from which it was selected.
    pub(crate) fn place(&self, index: usize) -> usize {
        match &self.chosen {
            Some(chosen) => chosen[index] as usize,
            None => index,
        }
    }

    /// The samples at `indices`, in that order; nothing is copied.
    pub(crate) fn select(&self, indices: &[u32]) -> Self {
        Self {
            store: self.store.clone(),
            digests: self.digests.clone(),
            chosen: Some(
                indices
                    .iter()
                    .map(|&i| self.place(i as usize) as u32)
                    .collect(),
            ),
        }
    }

    /// The same images, selected or not, in another form: `form` makes of the bytes of all
    /// those of all, `size` a sample. `None` for text.
    pub(crate) fn reformed<E>(
        &self,
        size: usize,
        form: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Option<Result<Self, E>> {
        let Store::Images { bytes, .. } = &self.store else {
            return None;
        };
        Some(form(bytes).map(|bytes| Self {
            chosen: self.chosen.clone(),
            ..Self::images(bytes, size)
        }))
    }
}

impl PartialEq for Samples {
    /// Whether the samples are the same, wherever they are kept.
    fn eq(&self, other: &Self) -> bool {
        let all = |same: &dyn Fn(usize) -> bool| (0..self.len()).all(same);
        self.len() == other.len()
            && match (&self.store, &other.store) {
                (Store::Images { .. }, Store::Images { .. }) => {
                    all(&|i| self.bytes(i) == other.bytes(i))
                }
                (Store::Text(_), Store::Text(_)) => all(&|i| self.tokens(i) == other.tokens(i)),
                _ => false,
            }
    }
}

impl Eq for Samples {}

impl fmt::Debug for Samples {
    /// The number of samples: their content would fill the screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.store {
            Store::Images { .. } => "images",
            Store::Text(_) => "pieces of text",
        };
        write!(f, "Samples({} {what})", self.len())
    }
}
