//! Whether what came is the file.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use reprsim_base::{sum_while_copying, temporary_beside};

use super::error::FetchError;
use super::event::FetchEvent;
use super::patience::LARGEST;
use super::source::Came;
use crate::DataError;
use crate::card::CardFile;
use crate::checksum::{record, recorded, sum_of_file};

/// What is known of a file before it comes.
pub(super) struct Wanted<'a> {
    pub file: &'a CardFile,
    /// The card's, else what was recorded when the file was first seen.
    pub sha256: Option<String>,
}

impl<'a> Wanted<'a> {
    pub fn of(file: &'a CardFile, target: &Path) -> Self {
        Self {
            file,
            sha256: file.sha256.clone().or_else(|| recorded(target)),
        }
    }

    /// The checksum, if it and the size are as they should be.
    fn right(&self, (size, sum): (u64, String)) -> Result<String, FetchError> {
        if let Some(expected) = self.file.bytes.filter(|&bytes| bytes != size) {
            return Err(FetchError::Size { size, expected });
        }
        match &self.sha256 {
            Some(right) if !sum.starts_with(right) => {
                let recorded = self.file.sha256.is_none();
                Err(FetchError::Checksum {
                    sum,
                    replaces: recorded.then(|| self.file.name.clone()),
                })
            }
            _ => Ok(sum),
        }
    }

    /// The checksum of the file at `path` if it is there and right.
    pub fn is_at(&self, path: &Path) -> Option<String> {
        self.right(sum_of_file(path).ok()?).ok()
    }

    /// Keeps the checksum of a file about which nothing was known; whether that was
    /// so.
    pub fn record(
        &self,
        target: &Path,
        sum: &str,
        event: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<bool, DataError> {
        if self.sha256.is_some() {
            return Ok(false);
        }
        record(target, sum).map_err(|e| DataError::io(target, e))?;
        event(FetchEvent::Recorded(&self.file.name, sum.into()));
        Ok(true)
    }

    /// Checks size and checksum of what came, unpacked if need be, and only then
    /// gives it its final name. A file of gigabytes streams through. Gives the checksum.
    pub fn accept(&self, came: &Came, target: &Path) -> Result<String, FetchError> {
        let path = &came.path;
        let say = FetchError::io(path);
        // Where the card's file is compressed itself there is nothing to unpack.
        let packed = came.gzip && starts_as_gzip(path).map_err(&say)?;
        let checked = if came.ours && !packed {
            sum_of_file(path)
                .map_err(&say)
                .and_then(|sum| self.right(sum))
                .and_then(|sum| fs::rename(path, target).map(|()| sum).map_err(&say))
        } else {
            let mut source: Box<dyn Read> = Box::new(File::open(path).map_err(&say)?);
            if packed {
                source = Box::new(MultiGzDecoder::new(source));
            }
            let mut temporary = temporary_beside(target).map_err(&say)?;
            // One byte more than promised tells a file that goes on.
            let most = self.file.bytes.unwrap_or(LARGEST) + 1;
            sum_while_copying(&mut source.take(most), &mut temporary)
                .map_err(FetchError::Damaged)
                .and_then(|sum| match sum.0 == most && self.file.bytes.is_none() {
                    true => Err(FetchError::TooMuch(LARGEST)),
                    false => Ok(sum),
                })
                .and_then(|sum| self.right(sum))
                .and_then(|sum| {
                    temporary
                        .persist(target)
                        .map(|_| sum)
                        .map_err(|e| say(e.error))
                })
        };
        // Right, it is not needed any more; wrong, it must not be resumed.
        if came.ours && path.exists() {
            let _ = fs::remove_file(path);
        }
        checked
    }
}

fn starts_as_gzip(path: &Path) -> std::io::Result<bool> {
    let mut magic = [0u8; 2];
    let got = File::open(path)?.read_exact(&mut magic);
    Ok(got.is_ok() && magic == [0x1f, 0x8b])
}

#[cfg(test)]
mod tests {
    use reprsim_base::sha256;

    use super::super::package::whole_package;
    use super::*;

    #[test]
    fn a_package_that_is_the_file_is_checked_and_leaves_nothing_else() {
        let content = b"a package".repeat(500);
        let dir = tempfile::tempdir().unwrap();
        let file = CardFile {
            name: "p-1.0.0.tgz".into(),
            bytes: Some(content.len() as u64),
            sha256: Some(sha256(&content)),
        };
        let target = dir.path().join(&file.name);
        let wanted = Wanted::of(&file, &target);
        for wrong in [true, false] {
            let came = whole_package(dir.path(), &file.name, |work| {
                let path = work.join("whatever.tgz");
                let mut sent = content.clone();
                sent[20] ^= u8::from(wrong);
                fs::write(&path, sent).map_err(FetchError::io(&path))?;
                Ok(path)
            });
            let came = Came::whole(came.unwrap());
            assert_eq!(wanted.accept(&came, &target).is_err(), wrong);
            assert_eq!(target.exists(), !wrong);
            let left = fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(left, usize::from(!wrong));
        }
        let failed = whole_package(dir.path(), &file.name, |_| Err(FetchError::NoFile("tgz")));
        assert!(matches!(failed, Err(FetchError::NoFile("tgz"))));
    }
}
