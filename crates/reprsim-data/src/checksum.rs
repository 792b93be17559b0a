//! SHA-256 of files and of anything else, without holding it in memory.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::write_whole;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a string takes everything
        text
    })
}

/// SHA-256 of `bytes` in hexadecimal.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Size and SHA-256 of a file's content.
pub(crate) fn sum_of_file(path: &Path) -> io::Result<(u64, String)> {
    copy_and_sum(&mut File::open(path)?, &mut io::sink())
}

/// The file `NAME.sha256` beside a file, for files whose card knows no checksum.
fn record_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".sha256");
    path.with_file_name(name)
}

/// The SHA-256 that was recorded when the file at `path` was first seen.
pub(crate) fn recorded(path: &Path) -> Option<String> {
    let text = fs::read_to_string(record_of(path)).ok()?;
    text.split_whitespace().next().map(String::from)
}

/// Records the SHA-256 of the file at `path`, as `sha256sum` writes it.
pub(crate) fn record(path: &Path, sum: &str) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    write_whole(&record_of(path), format!("{sum}  {name}\n").as_bytes())
}

/// Copies all of `from` to `to`; size and SHA-256 of what went through.
pub(crate) fn copy_and_sum(
    from: &mut impl Read,
    to: &mut impl io::Write,
) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    let mut size = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((size, hex(&hash.finalize()))),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hash.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        size += n as u64;
    }
}
