//! The IDX format of MNIST and its relatives, raw or gzip-compressed.
//!
//! Layout (big-endian): two zero bytes, a type code (0x08 = unsigned byte), the
//! number of dimensions, one u32 per dimension, then the values row-major.
//! Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::bounded::ask_to_hold;
use crate::DataError;

/// An array of unsigned bytes read from an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxArray {
    /// Sizes of the dimensions, outermost first.
    pub dims: Vec<usize>,
    /// The values, row-major.
    pub values: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes, raw or gzip-compressed (told by its
/// content, not its name), of at most `largest` bytes with its header: what a header
/// promises is no reason to take gigabytes that a few megabytes unpack to.
///
/// # Errors
/// [`DataError::Io`] if the file cannot be read, [`DataError::Damaged`] with the
/// offset if the magic number, type, dimensions or length are not as the format
/// says: truncated and oversized files are both refused; [`DataError::TooLarge`].
pub fn read_idx(path: &Path, largest: u64) -> Result<IdxArray, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let mut reader = BufReader::new(file);
    let mut magic = [0u8; 2];
    let got = read_up_to(&mut reader, &mut magic, path)?;
    let rest = std::io::Cursor::new(magic[..got].to_vec()).chain(reader);
    if magic == [0x1f, 0x8b] {
        parse(&mut MultiGzDecoder::new(rest), path, largest)
    } else {
        parse(&mut { rest }, path, largest)
    }
}

fn parse(reader: &mut impl Read, path: &Path, largest: u64) -> Result<IdxArray, DataError> {
    let damaged = |offset: u64, reason: String| DataError::damaged(path, offset, reason);
    let mut head = [0u8; 4];
    if read_up_to(reader, &mut head, path)? < 4 {
        return Err(damaged(
            0,
            "shorter than the 4-byte IDX magic number".into(),
        ));
    }
    if head[0] != 0 || head[1] != 0 {
        return Err(damaged(
            0,
            format!(
                "not an IDX file: it starts with {:02x} {:02x}, not 00 00",
                head[0], head[1]
            ),
        ));
    }
    if head[2] != 0x08 {
        return Err(damaged(
            2,
            format!("IDX type code {:#04x} is not unsigned byte (0x08)", head[2]),
        ));
    }
    let rank = usize::from(head[3]);
    if !(1..=4).contains(&rank) {
        return Err(damaged(3, format!("{rank} dimensions; expected 1 to 4")));
    }
    let mut dims = Vec::with_capacity(rank);
    for i in 0..rank {
        let mut size = [0u8; 4];
        if read_up_to(reader, &mut size, path)? < 4 {
            return Err(damaged(4 + 4 * i as u64, "the header is truncated".into()));
        }
        dims.push(u32::from_be_bytes(size) as usize);
    }
    let header = 4 + 4 * rank as u64;
    let expected = dims
        .iter()
        .try_fold(1u64, |n, &d| n.checked_mul(d as u64))
        .filter(|&n| n > 0 && n <= largest.saturating_sub(header))
        .ok_or_else(|| {
            damaged(
                4,
                format!(
                    "dimensions {dims:?} are not plausible for a file of at most {largest} bytes"
                ),
            )
        })?;
    ask_to_hold(expected, format!("{}, {dims:?} values,", path.display()))?;
    // Read no more than promised plus one byte, whatever the file holds.
    let mut values = Vec::new();
    reader
        .take(expected + 1)
        .read_to_end(&mut values)
        .map_err(|e| read_error(path, e))?;
    if (values.len() as u64) < expected {
        return Err(damaged(
            header + values.len() as u64,
            format!(
                "truncated: {dims:?} needs {expected} values, the file holds {}",
                values.len()
            ),
        ));
    }
    if values.len() as u64 > expected {
        return Err(damaged(
            header + expected,
            format!("oversized: data goes on after the {expected} values of {dims:?}"),
        ));
    }
    Ok(IdxArray { dims, values })
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8], path: &Path) -> Result<usize, DataError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(read_error(path, e)),
        }
    }
    Ok(filled)
}

fn read_error(path: &Path, error: std::io::Error) -> DataError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | InvalidData | InvalidInput => {
            DataError::undecodable(path, 0, "the gzip stream is damaged: ", error)
        }
        _ => DataError::io(path, error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        for d in dims {
            bytes.extend(d.to_be_bytes());
        }
        bytes.extend(values);
        bytes
    }

    const LARGEST: u64 = 1 << 20;

    fn read(bytes: &[u8]) -> Result<IdxArray, DataError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        read_idx(file.path(), LARGEST)
    }

    #[test]
    fn reads_raw_and_gzip_alike() {
        let raw = idx(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&raw).unwrap();
        let expected = IdxArray {
            dims: vec![2, 3],
            values: vec![1, 2, 3, 4, 5, 6],
        };
        assert_eq!(read(&raw).unwrap(), expected);
        assert_eq!(read(&gz.finish().unwrap()).unwrap(), expected);
    }

    #[test]
    fn refuses_damage_with_the_offset() {
        let good = idx(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let text = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(text(&good[..good.len() - 1]).contains("truncated"));
        assert!(text(&good[..good.len() - 1]).contains("byte 17"));
        assert!(text(&[good.clone(), vec![9]].concat()).contains("oversized"));
        assert!(text(&good[..7]).contains("header is truncated"));
        assert!(text(&good[..2]).contains("shorter"));
        assert!(text(&[]).contains("shorter"));
        assert!(text(&[9, 9, 8, 1, 0, 0, 0, 1, 0]).contains("not an IDX file"));
        assert!(text(&[0, 0, 13, 1, 0, 0, 0, 1, 0]).contains("type code"));
        assert!(text(&idx(&[u32::MAX, u32::MAX], &[])).contains("not plausible"));
        assert!(text(&idx(&[0], &[])).contains("not plausible"));
    }

    #[test]
    fn refuses_a_cut_gzip_stream() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&idx(&[100, 100], &[7; 10_000])).unwrap();
        let gz = gz.finish().unwrap();
        let error = read(&gz[..gz.len() / 2]).unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. }), "{error}");
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.is::<std::io::Error>(), "{cause:?}");
        assert!(error.to_string().contains(&cause.to_string()), "{error}");
    }

    /// 2 MB of zeros in 2 kB: what the header promises is not what the file may have.
    #[test]
    fn refuses_to_unpack_more_than_the_file_may_have() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&idx(&[2000, 1000], &[0; 2_000_000])).unwrap();
        let error = read(&gz.finish().unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("not plausible for a file of at most 1048576 bytes"),
            "{error}"
        );
    }
}
