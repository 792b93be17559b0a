//! UTF-16 as UTF-8, piece by piece.

use std::io::{self, Read};

use crate::error::Fault;

/// What is wrong with a text that holds a NUL byte.
pub(super) const NUL: &str = "a NUL character, which no text has; take it out, for example with: \
                              tr -d '\\000'";

/// Bytes that are decoded at once.
const AT_ONCE: usize = 1 << 14;

/// Reads as UTF-8 what is UTF-16 and begins with a byte order mark, which is left out.
pub(super) struct Utf16<R> {
    inner: R,
    unit: fn([u8; 2]) -> u16,
    /// Where the first byte of `raw` is.
    at: u64,
    /// Read, and not yet decoded.
    raw: Vec<u8>,
    /// Decoded, of which the first are given.
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    pub fn new(inner: R, unit: fn([u8; 2]) -> u16) -> Self {
        Self {
            inner,
            unit,
            at: 0,
            raw: vec![],
            text: vec![],
            given: 0,
            ended: false,
        }
    }

    fn decode(&mut self) -> Result<(), Fault> {
        let (units, rest) = self.raw.as_chunks::<2>();
        let half = |unit: u16| (0xd800..0xdc00).contains(&unit);
        // The first half of a character waits for the other.
        let cut = units.last().is_some_and(|pair| half((self.unit)(*pair)));
        let whole = units.len() - usize::from(cut && !self.ended);
        let begin = self.at;
        for decoded in char::decode_utf16(units[..whole].iter().map(|pair| (self.unit)(*pair))) {
            match decoded {
                Ok('\0') => return Err(Fault::At(self.at, NUL.into())),
                Ok(c) => {
                    // The mark itself is no character of the text.
                    if self.at > 0 {
                        self.text.extend(c.encode_utf8(&mut [0; 4]).bytes());
                    }
                    self.at += 2 * c.len_utf16() as u64;
                }
                Err(_) => return Err(Fault::At(self.at, "not UTF-16: half a character".into())),
            }
        }
        if self.ended && !rest.is_empty() {
            let reason = "not UTF-16: the file ends inside a character";
            return Err(Fault::At(self.at, reason.into()));
        }
        self.raw.drain(..(self.at - begin) as usize);
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.text.clear();
            self.given = 0;
            let before = self.raw.len();
            self.raw.resize(before + AT_ONCE, 0);
            let read = self.inner.read(&mut self.raw[before..]);
            self.raw.truncate(before + *read.as_ref().unwrap_or(&0));
            self.ended = read? == 0;
            self.decode()?;
        }
        let n = (&self.text[self.given..]).read(buffer)?;
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(buffer.len());
            self.0.read(&mut buffer[..n])
        }
    }

    proptest! {
        #[test]
        fn text_comes_back_however_it_is_cut(text in "[a\u{e9}\u{1f600}\n]{0,30}", step in 1usize..7) {
            let marked = format!("\u{feff}{text}");
            let bytes: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let mut found = String::new();
            let mut reader = Utf16::new(Slow(&bytes, step), u16::from_be_bytes);
            reader.read_to_string(&mut found).unwrap();
            prop_assert_eq!(found, text);
            // Less its last byte it ends inside a character.
            let mut reader = Utf16::new(Slow(&bytes[..bytes.len() - 1], step), u16::from_be_bytes);
            let error = reader.read_to_end(&mut vec![]).unwrap_err().to_string();
            prop_assert!(error.starts_with("not UTF-16"), "{error}");
        }
    }
}
