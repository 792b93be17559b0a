//! Pieces of token streams.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::Bytes;

/// Tokens that are cheap to hand around: held, or mapped from a token file.
#[derive(Clone)]
pub(crate) enum Tokens {
    Held(Arc<Vec<u16>>),
    /// Aligned to tokens and in the byte order of this machine.
    Mapped(Bytes),
}

impl Tokens {
    /// Tokens in little-endian bytes; not copied where this machine can read them
    /// as they are.
    pub fn from_little_endian(bytes: Bytes) -> Self {
        if cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, u16>(&bytes).is_ok() {
            return Self::Mapped(bytes);
        }
        let tokens = bytes
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]));
        Self::Held(Arc::new(tokens.collect()))
    }

    /// The bytes of such a file; not copied where this machine has them as they are.
    pub fn to_little_endian(&self) -> Cow<'_, [u8]> {
        match cfg!(target_endian = "little") {
            true => bytemuck::cast_slice(self).into(),
            false => (self.iter().flat_map(|token| token.to_le_bytes()))
                .collect::<Vec<u8>>()
                .into(),
        }
    }
}

impl Deref for Tokens {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        match self {
            Self::Held(tokens) => tokens,
            Self::Mapped(bytes) => bytemuck::cast_slice(bytes),
        }
    }
}

/// Where a sample is.
#[derive(Clone, Copy, Debug)]
struct Span {
    stream: u32,
    start: u64,
    end: u64,
}

/// Samples that are pieces of token streams, one stream a corpus. Clones share them.
#[derive(Clone)]
pub struct TextSamples {
    streams: Arc<[Tokens]>,
    spans: Arc<[Span]>,
}

impl TextSamples {
    /// The samples at these places, each the number of a stream and a range in it.
    pub(crate) fn new(streams: Vec<Tokens>, places: Vec<(usize, Range<usize>)>) -> Self {
        Self {
            streams: streams.into(),
            spans: places
                .into_iter()
                .map(|(stream, range)| Span {
                    stream: stream as u32,
                    start: range.start as u64,
                    end: range.end as u64,
                })
                .collect(),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The tokens of sample `index`.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn tokens(&self, index: usize) -> &[u16] {
        let Span { stream, start, end } = self.spans[index];
        &self.streams[stream as usize][start as usize..end as usize]
    }
}

impl PartialEq for TextSamples {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|i| self.tokens(i) == other.tokens(i))
    }
}

impl Eq for TextSamples {}

impl fmt::Debug for TextSamples {
    /// The number of samples: the tokens would fill the screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextSamples({} samples)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_and_mapped_tokens_are_alike() {
        let bytes: Vec<u8> = (0..9).collect();
        let bytes = Bytes::from(bytes);
        let even = Tokens::from_little_endian(bytes.part(0..8).unwrap());
        // One of the two is at an odd address, and copied.
        let odd = Tokens::from_little_endian(bytes.part(1..9).unwrap());
        assert_eq!(even[..], [0x0100, 0x0302, 0x0504, 0x0706]);
        assert_eq!(odd[..], [0x0201, 0x0403, 0x0605, 0x0807]);
        let held = Tokens::Held(Arc::new(even.to_vec()));
        let samples = |tokens| TextSamples::new(vec![tokens], vec![(0, 0..2), (0, 1..4)]);
        assert_eq!(samples(held.clone()), samples(even));
        assert_ne!(samples(held.clone()), samples(odd));
        let samples = samples(held);
        assert_eq!(
            (samples.len(), samples.tokens(1)),
            (2, &[0x0302, 0x0504, 0x0706][..])
        );
        assert_eq!(
            samples.clone().tokens(0).as_ptr(),
            samples.tokens(0).as_ptr()
        );
    }
}
