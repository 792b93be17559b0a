//! The bytes of a text as they are to be read: unpacked, and UTF-8 without a byte order
//! mark where they tell how they are written.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use reprsim_base::{ask_memory, memory_budget};

use super::form::{Form, GZIP, HEAD, Promise, foreign, form};
use super::utf_16::{NUL, Utf16};
use crate::DataError;
use crate::error::Fault;
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
        let source = Self::unpacked(path)?.0;
        match foreign(&source.head) {
            Some(reason) => Err(DataError::NoText {
                path: path.into(),
                reason,
            }),
            None => source.decoded(path),
        }
    }

    /// The bytes of a file, less its packing, and whether it is packed.
    fn unpacked(path: &Path) -> Result<(Self, bool), DataError> {
        let file = File::open(path).map_err(|e| DataError::io(path, e))?;
        let packed = file.metadata().map_err(|e| DataError::io(path, e))?.len();
        let failed = |e| DataError::reading(path, 0, e);
        let source = Source::begin(file).map_err(failed)?;
        if !source.head.starts_with(&GZIP) {
            return Ok((source, false));
        }
        let most = most_unpacked(packed);
        let message = format!(
            "{packed} bytes that unpack to more than {most}, which no text does; if it is one, \
             unpack it with gunzip"
        );
        let unpacked = Bounded::new(MultiGzDecoder::new(source.into_reader()), most, message);
        Ok((Source::begin(Unpacked(unpacked)).map_err(failed)?, true))
    }

    /// Refuses a packed file that is not whole, or that unpacks to more than a text can have, before
    /// anything of it is held.
    pub fn check_packing(path: &Path) -> Result<(), DataError> {
        let (mut source, is_packed) = Self::unpacked(path)?;
        if is_packed {
            io::copy(&mut source.rest, &mut io::sink())
                .map_err(|e| DataError::reading(path, 0, e))?;
        }
        Ok(())
    }
}

/// What is wrong with the packing of a text is the user's to mend.
struct Unpacked<R>(R);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|e| match e.kind() {
            _ if e.raw_os_error().is_some() => e,
            ErrorKind::FileTooLarge => Fault::NoText(e.to_string()).into(),
            _ => Fault::NoText(format!(
                "packed with gzip, and cut off or damaged ({e}); get the file once more (gzip -t \
                 tells whether one is whole)"
            ))
            .into(),
        })
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
        let text = Utf16::new(self.into_reader(), unit);
        Self::begin(text).map_err(|e| DataError::reading(path, 0, e))
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
        // What is made of it needs as much again, and a vector that grows twice that.
        let most = memory_budget() / 4;
        let mut bytes = Vec::new();
        let read = self.into_reader().take(most + 1).read_to_end(&mut bytes);
        read.map_err(|e| DataError::reading(path, 0, e))?;
        let size = 4 * bytes.len() as u128;
        ask_memory(size, format!("the text of {}", path.display()))?;
        Ok(bytes)
    }

    pub fn into_reader(self) -> impl BufRead + 'a {
        let rest = BufReader::with_capacity(1 << 16, self.rest);
        Cursor::new(self.head).chain(rest)
    }
}

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
    Ok(utf8_of(path, member, bytes, offset, true)?.0.into())
}

/// The text at the beginning of `bytes` and its length: all of them, or, where they do not end
/// the text, all but a character that is not yet whole.
pub(super) fn utf8_of<'b>(
    path: &Path,
    member: Option<&str>,
    bytes: &'b [u8],
    offset: u64,
    ended: bool,
) -> Result<(&'b str, usize), DataError> {
    let member = member.map_or(String::new(), |m| format!("{m}: "));
    let whole = match std::str::from_utf8(bytes) {
        Err(e) if !ended && e.error_len().is_none() => &bytes[..e.valid_up_to()],
        _ => bytes,
    };
    let text = std::str::from_utf8(whole).map_err(|e| DataError::Damaged {
        path: path.into(),
        offset: offset + e.valid_up_to() as u64,
        reason: format!(
            "{member}not UTF-8; convert it, for example with: iconv -f latin1 -t utf-8"
        ),
        source: Some(e.into()),
    })?;
    match text.find('\0') {
        None => Ok((text, whole.len())),
        Some(at) => Err(DataError::damaged(
            path,
            offset + at as u64,
            format!("{member}{NUL}"),
        )),
    }
}
