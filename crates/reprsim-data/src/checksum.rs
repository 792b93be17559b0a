//! Checksums of files, and the records of those whose card knows none.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use reprsim_base::{sum_while_copying, write_whole};

/// Size and SHA-256 of a file's content.
pub(crate) fn sum_of_file(path: &Path) -> io::Result<(u64, String)> {
    sum_while_copying(&mut File::open(path)?, &mut io::sink())
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
