//! Members of a `.zip` read straight from the archive.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::bounded::ask_to_hold;
use crate::DataError;

/// An archive that is open.
pub(crate) struct Zip<'a> {
    inner: ZipArchive<BufReader<File>>,
    pub path: &'a Path,
}

impl<'a> Zip<'a> {
    pub fn open(path: &'a Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|e| DataError::io(path, e))?;
        let inner =
            ZipArchive::new(BufReader::new(file)).map_err(|e| zip_error(path, "archive", e))?;
        Ok(Self { inner, path })
    }

    pub fn names(&self) -> Result<Vec<String>, DataError> {
        self.inner
            .file_names()
            .map(|name| {
                name.map(|n| n.into_owned())
                    .map_err(|e| zip_error(self.path, "a member", e))
            })
            .collect()
    }

    /// Where a member begins, and its content; the zip's own checksum is right. A
    /// member that says it is larger than `largest` is refused before it is read.
    pub fn member(&mut self, name: &str, largest: u64) -> Result<(u64, Vec<u8>), DataError> {
        let entry = self
            .inner
            .by_name(name)
            .map_err(|e| zip_error(self.path, name, e))?;
        let (start, size) = (entry.header_start(), entry.size());
        if size > largest {
            return Err(DataError::damaged(
                self.path,
                start,
                format!("{name} says it holds {size} bytes; at most {largest} are plausible"),
            ));
        }
        ask_to_hold(size, format!("{}, its member {name},", self.path.display()))?;
        let mut content = Vec::new();
        entry
            .take(largest + 1)
            .read_to_end(&mut content)
            .map_err(|e| DataError::reading(self.path, start, e))?;
        if content.len() as u64 != size {
            return Err(DataError::damaged(
                self.path,
                start,
                format!("{name} holds {} bytes instead of {size}", content.len()),
            ));
        }
        Ok((start, content))
    }
}

fn zip_error(path: &Path, what: &str, error: ZipError) -> DataError {
    match error {
        ZipError::Io(e) => DataError::reading(path, 0, e),
        ZipError::FileNotFound => DataError::damaged(path, 0, format!("the archive has no {what}")),
        other => DataError::undecodable(path, 0, &format!("{what}: "), other),
    }
}
