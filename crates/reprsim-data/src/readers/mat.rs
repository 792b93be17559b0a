//! Arrays of small whole numbers from MATLAB 5 files, the format of SVHN.
//!
//! Layout (little-endian here): a 128-byte header, then elements, each a tag
//! (type, size) and its data; data of 4 bytes or fewer sit in the tag itself. An
//! array is an element of elements (flags, dimensions, name, values) and is
//! usually one zlib stream. Values are column-major.
//! Source: MathWorks, "MAT-File Format", chapter 1.
//!
//! The crate `matfile` (0.5.0, of 2024) reads this too, but takes a cut file for an
//! empty one, unpacks without a limit (10 MB of zeros take 2 GB), keeps all arrays of
//! a file at once, prints to the terminal, and its errors name no place.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::ZlibDecoder;

use super::bounded::ask_to_hold;
use crate::{Cause, DataError};

const HEADER: usize = 128;
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
/// More than any data set that is read here.
const LARGEST_ARRAY: u64 = 4 << 30;
const LARGEST_NAME: u64 = 64;
const MOST_DIMENSIONS: u64 = 8;

/// An array of numbers from 0 to 255, whatever type it is stored in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MatArray {
    pub name: String,
    /// Sizes of the dimensions; the first varies fastest.
    pub dims: Vec<usize>,
    pub values: Vec<u8>,
}

/// Reads the arrays called `names`, in that order; others are passed over.
pub(super) fn read_mat<const N: usize>(
    path: &Path,
    names: [&str; N],
) -> Result<[MatArray; N], DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let len = file.metadata().map_err(|e| DataError::io(path, e))?.len();
    let mut source = Source {
        inner: BufReader::new(file),
        path,
        at: 0,
        within: None,
    };
    header(&mut source)?;
    let mut found: [Option<MatArray>; N] = std::array::from_fn(|_| None);
    while source.at < len && found.iter().any(Option::is_none) {
        let start = source.at;
        let Tag { kind, size, .. } = source.tag()?;
        let end = source.at + size;
        if end > len {
            return Err(source.damaged(format!(
                "truncated: an element of {size} bytes begins at byte {start} and the file ends at {len}"
            )));
        }
        let array = match kind {
            COMPRESSED => {
                let mut inside = Source {
                    inner: ZlibDecoder::new((&mut source.inner).take(size)),
                    path,
                    at: 0,
                    within: Some(start),
                };
                let tag = inside.tag()?;
                if tag.kind != MATRIX {
                    return Err(inside.damaged(format!("element type {} is no array", tag.kind)));
                }
                let array = matrix(&mut inside, tag.size, &names)?;
                // Passing over all of it checks the sum at its end.
                let rest = inside.skip_to_end()?;
                if rest > 0 && array.is_some() {
                    return Err(inside.damaged(format!("oversized: {rest} bytes follow the array")));
                }
                // What the decoder left of the element.
                let mut packed = inside.inner.into_inner();
                io::copy(&mut packed, &mut io::sink())
                    .map_err(|e| DataError::reading(path, start, e))?;
                source.at = end;
                array
            }
            MATRIX => {
                let array = matrix(&mut source, size, &names)?;
                source.skip(end.saturating_sub(source.at))?;
                array
            }
            _ => {
                source.skip(size)?;
                None
            }
        };
        if let Some(array) = array
            && let Some(place) = names.iter().position(|n| *n == array.name)
        {
            found[place] = Some(array);
        }
    }
    for (name, array) in names.iter().zip(&found) {
        if array.is_none() {
            return Err(DataError::damaged(
                path,
                len,
                format!("the file has no array called '{name}'"),
            ));
        }
    }
    Ok(found.map(Option::unwrap_or_default)) // none is missing
}

fn header(source: &mut Source<'_, impl Read>) -> Result<(), DataError> {
    let mut bytes = [0u8; HEADER];
    let got = source.fill(&mut bytes)?;
    if bytes.starts_with(b"MATLAB 7.3") {
        return Err(source.damaged_at(0, "a MATLAB 7.3 (HDF5) file; version 5 is read"));
    }
    if got < HEADER {
        return Err(source.damaged_at(got as u64, "shorter than the 128-byte header of a MAT file"));
    }
    match &bytes[124..] {
        [0, 1, b'I', b'M'] => Ok(()),
        [1, 0, b'M', b'I'] => {
            Err(source.damaged_at(126, "a big-endian MAT file; little-endian ones are read"))
        }
        other => Err(source.damaged_at(
            124,
            format!("not a MATLAB 5 file: version and byte order are {other:02x?}"),
        )),
    }
}

/// The array in an element of `size` bytes, if its name is one of `names`.
fn matrix(
    source: &mut Source<'_, impl Read>,
    size: u64,
    names: &[&str],
) -> Result<Option<MatArray>, DataError> {
    let end = source.at.saturating_add(size);
    let flags = source.small(UINT32, 8, "flags")?;
    let class = flags.first().copied().unwrap_or(0);
    let complex = flags.get(1).copied().unwrap_or(0) & 0x08 != 0;
    let at = source.at;
    let dims: Vec<i32> = source
        .small(INT32, 4 * MOST_DIMENSIONS, "dimensions")?
        .chunks_exact(4)
        .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let name = source.small(INT8, LARGEST_NAME, "name")?;
    let name = String::from_utf8_lossy(&name).into_owned();
    if !names.contains(&name.as_str()) {
        return Ok(None);
    }
    // Double to unsigned 64-bit integer: the numeric classes.
    if !(6..=15).contains(&class) || complex {
        return Err(source.damaged(format!("'{name}' is no array of real numbers")));
    }
    let count = dims
        .iter()
        .try_fold(1u64, |n, &d| n.checked_mul(u64::try_from(d).ok()?))
        .filter(|n| (1..=LARGEST_ARRAY).contains(n) && dims.len() >= 2)
        .ok_or_else(|| {
            source.damaged_at(
                at,
                format!("dimensions {dims:?} of '{name}' are not plausible"),
            )
        })?;
    let tag = source.tag()?;
    let values = source.numbers(&tag, count, &name)?;
    if source.at > end {
        return Err(source.damaged(format!("'{name}' reaches over the end of its element")));
    }
    Ok(Some(MatArray {
        name,
        dims: dims.into_iter().map(|d| d as usize).collect(),
        values,
    }))
}

/// What begins every element.
struct Tag {
    kind: u32,
    size: u64,
    /// The data, where they sit in the tag.
    inline: Option<[u8; 4]>,
}

/// Bytes with the place they are at, for messages.
struct Source<'a, R> {
    inner: R,
    path: &'a Path,
    at: u64,
    /// Where in the file the compressed element begins that these bytes are in.
    within: Option<u64>,
}

impl<R: Read> Source<'_, R> {
    fn damaged(&self, reason: impl Into<String>) -> DataError {
        self.damaged_at(self.at, reason)
    }

    fn damaged_at(&self, at: u64, reason: impl Into<String>) -> DataError {
        self.error(at, reason.into(), None)
    }

    fn failed(&self, error: io::Error) -> DataError {
        if error.raw_os_error().is_some() {
            DataError::io(self.path, error)
        } else {
            self.error(self.at, error.to_string(), Some(error.into()))
        }
    }

    fn error(&self, at: u64, reason: String, source: Option<Cause>) -> DataError {
        let (offset, reason) = match self.within {
            None => (at, reason),
            Some(start) => (
                start,
                format!("{reason}, {at} bytes into the compressed element"),
            ),
        };
        DataError::Damaged {
            path: self.path.into(),
            offset,
            reason,
            source,
        }
    }

    /// Reads until `buffer` is full or the bytes end.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), DataError> {
        if self.fill(buffer)? < buffer.len() {
            return Err(self.damaged("truncated"));
        }
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), DataError> {
        let skipped = io::copy(&mut (&mut self.inner).take(bytes), &mut io::sink())
            .map_err(|e| self.failed(e))?;
        self.at += skipped;
        if skipped < bytes {
            return Err(self.damaged("truncated"));
        }
        Ok(())
    }

    fn skip_to_end(&mut self) -> Result<u64, DataError> {
        io::copy(&mut self.inner, &mut io::sink()).map_err(|e| self.failed(e))
    }

    fn tag(&mut self) -> Result<Tag, DataError> {
        let mut bytes = [0u8; 8];
        self.exact(&mut bytes)?;
        let [a, b, c, d, data @ ..] = bytes;
        let first = u32::from_le_bytes([a, b, c, d]);
        let small = first >> 16;
        if small == 0 {
            return Ok(Tag {
                kind: first,
                size: u64::from(u32::from_le_bytes(data)),
                inline: None,
            });
        }
        if small > 4 {
            return Err(self.damaged(format!("a small element of {small} bytes; 4 is the most")));
        }
        Ok(Tag {
            kind: first & 0xffff,
            size: u64::from(small),
            inline: Some(data),
        })
    }

    /// A short element of a known type, with its padding passed over.
    fn small(&mut self, kind: u32, largest: u64, what: &str) -> Result<Vec<u8>, DataError> {
        let tag = self.tag()?;
        if tag.kind != kind || tag.size > largest {
            return Err(self.damaged(format!(
                "{} bytes of type {} where the {what} of an array should be",
                tag.size, tag.kind
            )));
        }
        if let Some(data) = tag.inline {
            return Ok(data[..tag.size as usize].to_vec());
        }
        let mut data = vec![0u8; tag.size as usize];
        self.exact(&mut data)?;
        self.skip(tag.size.next_multiple_of(8) - tag.size)?;
        Ok(data)
    }

    /// The values of an array; the sizes agree before anything is allocated.
    fn numbers(&mut self, tag: &Tag, count: u64, name: &str) -> Result<Vec<u8>, DataError> {
        let stored = Number::of(tag.kind)
            .ok_or_else(|| self.damaged(format!("values of '{name}' are of type {}", tag.kind)))?;
        if tag.size != count * stored.size as u64 {
            return Err(self.damaged(format!(
                "{} bytes for the {count} values of '{name}', of {} bytes each",
                tag.size, stored.size
            )));
        }
        let what = format!("{}, {count} values of '{name}',", self.path.display());
        ask_to_hold(count, what)?;
        let start = self.at;
        let mut values = Vec::new();
        if let Some(data) = tag.inline {
            stored.append(&data[..tag.size as usize], &mut values);
        } else if tag.kind == UINT8 {
            // Grows with what is there, not with what the file says.
            let read = (&mut self.inner).take(count).read_to_end(&mut values);
            read.map_err(|e| self.failed(e))?;
            self.at += values.len() as u64;
        } else {
            let mut left = tag.size;
            let mut buffer = [0u8; 1 << 13];
            while left > 0 {
                let stretch = &mut buffer[..left.min(1 << 13) as usize];
                self.exact(stretch)?;
                if !stored.append(stretch, &mut values) {
                    break;
                }
                left -= stretch.len() as u64;
            }
        }
        if (values.len() as u64) < count {
            let place = start + (values.len() * stored.size) as u64;
            return Err(self.damaged_at(
                place,
                format!(
                    "value {} of '{name}' is missing or no whole number from 0 to 255",
                    values.len()
                ),
            ));
        }
        if tag.inline.is_none() && !tag.size.is_multiple_of(8) {
            // Some writers leave the last padding out.
            let mut padding = [0u8; 8];
            self.fill(&mut padding[..(8 - tag.size % 8) as usize])?;
        }
        Ok(values)
    }
}

/// How numbers are stored.
struct Number {
    size: usize,
    decode: fn(&[u8]) -> f64,
}

impl Number {
    fn of(kind: u32) -> Option<Self> {
        macro_rules! number {
            ($t:ty) => {
                Self {
                    size: size_of::<$t>(),
                    decode: |b| {
                        let mut bytes = [0u8; size_of::<$t>()];
                        bytes.copy_from_slice(b);
                        <$t>::from_le_bytes(bytes) as f64
                    },
                }
            };
        }
        Some(match kind {
            1 => number!(i8),
            2 => number!(u8),
            3 => number!(i16),
            4 => number!(u16),
            5 => number!(i32),
            6 => number!(u32),
            7 => number!(f32),
            9 => number!(f64),
            _ => return None,
        })
    }

    /// Appends the values; stops and says false at one that does not fit.
    fn append(&self, bytes: &[u8], values: &mut Vec<u8>) -> bool {
        for bytes in bytes.chunks_exact(self.size) {
            let value = (self.decode)(bytes);
            if !(0.0..=255.0).contains(&value) || value.fract() != 0.0 {
                return false;
            }
            values.push(value as u8);
        }
        true
    }
}

/// Writes MAT files for the tests of the readers.
#[cfg(test)]
pub(super) mod writer {
    use std::io::Write;

    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        if (1..=4).contains(&data.len()) {
            bytes.extend((kind | (data.len() as u32) << 16).to_le_bytes());
            bytes.extend(data);
        } else {
            bytes.extend(kind.to_le_bytes());
            bytes.extend((data.len() as u32).to_le_bytes());
            bytes.extend(data);
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    pub fn header() -> Vec<u8> {
        let mut bytes = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".to_vec();
        bytes.resize(124, b' ');
        bytes.extend([0, 1, b'I', b'M']);
        bytes
    }

    /// `kind` is the type of the stored `data`.
    pub fn matrix(name: &str, class: u8, dims: &[i32], kind: u32, data: &[u8]) -> Vec<u8> {
        let dims: Vec<u8> = dims.iter().flat_map(|d| d.to_le_bytes()).collect();
        let parts = [
            element(6, &[class, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &dims),
            element(1, name.as_bytes()),
            element(kind, data),
        ];
        element(14, &parts.concat())
    }

    pub fn compressed(inner: &[u8]) -> Vec<u8> {
        let mut packed =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(inner).unwrap();
        let packed = packed.finish().unwrap();
        let mut bytes = 15u32.to_le_bytes().to_vec();
        bytes.extend((packed.len() as u32).to_le_bytes());
        bytes.extend(packed);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::writer::{compressed, header, matrix};
    use super::*;

    fn read(bytes: &[u8]) -> Result<[MatArray; 2], DataError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read_mat(file.path(), ["X", "y"])
    }

    fn doubles(values: &[f64]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn good() -> Vec<u8> {
        [
            header(),
            compressed(&matrix("other", 6, &[1, 2], 9, &doubles(&[0.5, -1.0]))),
            compressed(&matrix(
                "X",
                9,
                &[2, 3, 2],
                2,
                &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
            )),
            matrix("y", 6, &[2, 1], 9, &doubles(&[10.0, 1.0])),
        ]
        .concat()
    }

    #[test]
    fn reads_compressed_and_plain_arrays() {
        let [x, y] = read(&good()).unwrap();
        assert_eq!((x.dims, x.values), (vec![2, 3, 2], (1..=12).collect()));
        assert_eq!((y.dims, y.values), (vec![2, 1], vec![10, 1]));
        // Short values sit in their tags.
        let small = [
            header(),
            matrix("y", 9, &[2, 1], 2, &[10, 1]),
            matrix("X", 9, &[1, 1], 2, &[3]),
        ];
        let [x, y] = read(&small.concat()).unwrap();
        assert_eq!((x.values, y.values), (vec![3], vec![10, 1]));
    }

    #[test]
    fn every_cut_is_refused() {
        let good = good();
        for cut in 0..good.len() {
            let error = read(&good[..cut]).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }), "{cut}: {error}");
            // Where the decoder of a compressed element gave up, its error is the cause.
            if let Some(cause) = std::error::Error::source(&error) {
                assert!(cause.is::<io::Error>(), "{cause:?}");
            }
        }
    }

    #[test]
    fn no_flip_panics_or_passes_the_checksum() {
        let good = good();
        let expected = read(&good).unwrap();
        for at in 0..good.len() {
            for bit in [0x01, 0x80] {
                let mut bytes = good.clone();
                bytes[at] ^= bit;
                // Outside a compressed element a flip may change a value.
                if let Ok([x, _]) = read(&bytes) {
                    assert_eq!(x, expected[0], "byte {at}");
                }
            }
        }
    }

    #[test]
    fn damage_is_told() {
        let text = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        let with = |element: Vec<u8>| text(&[header(), element].concat());
        assert!(text(b"MATLAB 7.3 MAT-file").contains("HDF5"));
        assert!(text(&[0; 40]).contains("shorter"));
        assert!(text(&[0; 200]).contains("not a MATLAB 5 file"));
        let mut big = header();
        big[124..].copy_from_slice(&[1, 0, b'M', b'I']);
        assert!(text(&big).contains("big-endian"));
        assert!(text(&header()).contains("no array called 'X'"));
        let error = with(matrix("X", 9, &[2, 2], 2, &[0; 5]));
        assert!(error.contains("5 bytes for the 4 values"), "{error}");
        let error = with(matrix("X", 9, &[i32::MAX, i32::MAX], 2, &[0; 5]));
        assert!(error.contains("not plausible"), "{error}");
        let error = with(matrix("X", 9, &[-2, -2], 2, &[0; 5]));
        assert!(error.contains("not plausible"), "{error}");
        // A promise of gigabytes with nothing behind it costs nothing.
        let mut bomb = matrix("X", 9, &[1 << 15, 1 << 15], 2, &[0; 8]);
        let size = bomb.len() - 12;
        bomb[size..size + 4].copy_from_slice(&(1u32 << 30).to_le_bytes());
        let error = with(compressed(&bomb));
        assert!(error.contains("value 8 of 'X' is missing"), "{error}");
        assert!(error.contains("at byte 128"), "{error}");
        let error = with(matrix("X", 6, &[1, 2], 9, &doubles(&[1.0, 0.5])));
        assert!(error.contains("value 1 of 'X'"), "{error}");
        let error = with(matrix("X", 4, &[1, 2], 4, &[0; 4]));
        assert!(error.contains("no array of real numbers"), "{error}");
        let mut twice = matrix("X", 9, &[1, 8], 2, &[0; 8]);
        twice.extend([0; 8]);
        assert!(with(compressed(&twice)).contains("oversized"));
        let mut packed = compressed(&matrix("X", 9, &[1, 8], 2, &[0; 8]));
        packed[8] = 0;
        let error = read(&[header(), packed].concat()).unwrap_err();
        assert!(std::error::Error::source(&error).is_some(), "{error:?}");
    }
}
