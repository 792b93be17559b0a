//! The bytes of a text as they are to be read: unpacked, and UTF-8 without a byte order
//! mark where they tell how they are written.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::form::{Form, GZIP, HEAD, Promise, foreign, form};
use crate::DataError;
use crate::readers::bounded::Bounded;

/// No text that is packed is larger.
const LARGEST: u64 = 4 << 30;
/// No text is packed to less than one byte in so many; bytes that are all alike are.
const MOST_PACKED: u64 = 100;
/// What may come of any file, however small.
const SMALL: u64 = 16 << 20;

/// How many bytes of text may come out of a file of `packed` bytes, and of a part of it.
pub(super) fn most_unpacked(packed: u64) -> u64 {
    packed.saturating_mul(MOST_PACKED).clamp(SMALL, LARGEST)
}

/// A text that is open.
pub(super) struct Source<'a> {
    /// Its first bytes.
    head: Vec<u8>,
    /// What follows them.
    rest: Box<dyn Read + 'a>,
    /// Where in the unpacked file its first byte is.
    pub offset: u64,
}

impl Source<'static> {
    /// Opens a file of the user's own, which may be anything.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|e| DataError::io(path, e))?;
        let packed = file.metadata().map_err(|e| DataError::io(path, e))?.len();
        let failed = |e| DataError::reading(path, 0, e);
        let mut source = Source::begin(file).map_err(failed)?;
        if source.head.starts_with(&GZIP) {
            let most = most_unpacked(packed);
            let unpacked = MultiGzDecoder::new(source.into_reader());
            let message = format!(
                "{packed} bytes that unpack to more than {most}, which no text does; if it is one, \
                 unpack it with gunzip"
            );
            source = Source::begin(Bounded::new(unpacked, most, message)).map_err(failed)?;
        }
        match foreign(&source.head) {
            Some(reason) => Err(DataError::NoText {
                path: path.into(),
                reason,
            }),
            None => source.decoded(path),
        }
    }
}

impl<'a> Source<'a> {
    /// What `reader` gives, which is a text of the file at `path`.
    pub fn of(path: &Path, reader: impl Read + 'a) -> Result<Self, DataError> {
        let source = Self::begin(reader).map_err(|e| DataError::reading(path, 0, e))?;
        source.decoded(path)
    }

    fn begin(mut reader: impl Read + 'a) -> io::Result<Self> {
        let mut head = Vec::new();
        (&mut reader).take(HEAD as u64).read_to_end(&mut head)?;
        Ok(Self {
            head,
            rest: Box::new(reader),
            offset: 0,
        })
    }

    /// The same without its byte order mark, from UTF-16 if it tells that.
    fn decoded(mut self, path: &Path) -> Result<Self, DataError> {
        if self.head.starts_with("\u{feff}".as_bytes()) {
            self.head.drain(..3);
            self.offset = 3;
            return Ok(self);
        }
        let unit: fn([u8; 2]) -> u16 = match self.head.get(..2) {
            Some([0xff, 0xfe]) => u16::from_le_bytes,
            Some([0xfe, 0xff]) => u16::from_be_bytes,
            _ => return Ok(self),
        };
        let bytes = self.bytes(path)?;
        let text = from_utf_16(&bytes, unit)
            .map_err(|(offset, reason)| DataError::damaged(path, offset, reason))?;
        Self::begin(Cursor::new(text.into_bytes())).map_err(|e| DataError::reading(path, 0, e))
    }

    /// How it gives documents, in a file of that promise.
    pub fn form(&self, path: &Path, promise: Promise) -> Result<Form, DataError> {
        form(&self.head, self.head.len() < HEAD, promise).map_err(|reason| DataError::NoText {
            path: path.into(),
            reason,
        })
    }

    /// All bytes of it.
    pub fn bytes(self, path: &Path) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let read = self.into_reader().read_to_end(&mut bytes);
        read.map_err(|e| DataError::reading(path, 0, e))?;
        Ok(bytes)
    }

    pub fn into_reader(self) -> impl BufRead + 'a {
        let rest = BufReader::with_capacity(1 << 16, self.rest);
        Cursor::new(self.head).chain(rest)
    }
}

/// The text of UTF-16, which begins with a byte order mark; else where it is wrong, and
/// what is.
fn from_utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, (u64, &'static str)> {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut at = 0;
    for decoded in char::decode_utf16(units.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok('\0') => return Err((at, NUL)),
            Ok(c) => {
                // The mark itself is no character of the text.
                if at > 0 {
                    text.push(c);
                }
                at += 2 * c.len_utf16() as u64;
            }
            Err(_) => return Err((at, "not UTF-16: half a character")),
        }
    }
    match rest {
        [] => Ok(text),
        _ => Err((at, "not UTF-16: the file ends inside a character")),
    }
}

/// What is wrong with a text that holds a NUL byte.
pub(super) const NUL: &str = "a NUL character, which no text has; take it out, for example with: \
                              tr -d '\\000'";

/// `bytes` as text; they begin at `offset` of the file, or of a member of it. Where faults
/// are `lossy`, they become U+FFFD.
pub(super) fn utf8<'b>(
    path: &Path,
    member: Option<&str>,
    bytes: &'b [u8],
    offset: u64,
    lossy: bool,
) -> Result<Cow<'b, str>, DataError> {
    if lossy {
        let text = String::from_utf8_lossy(bytes);
        return Ok(match text.contains('\0') {
            true => text.replace('\0', "\u{fffd}").into(),
            false => text,
        });
    }
    let member = member.map_or(String::new(), |m| format!("{m}: "));
    let text = std::str::from_utf8(bytes).map_err(|e| DataError::Damaged {
        path: path.into(),
        offset: offset + e.valid_up_to() as u64,
        reason: format!(
            "{member}not UTF-8; convert it, for example with: iconv -f latin1 -t utf-8"
        ),
        source: Some(e.into()),
    })?;
    match text.find('\0') {
        None => Ok(text.into()),
        Some(at) => Err(DataError::damaged(
            path,
            offset + at as u64,
            format!("{member}{NUL}"),
        )),
    }
}
