//! Read-only bytes that are cheap to hand around, in memory or in a file.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::Mmap;

/// Read-only bytes shared by all clones: a vector, or part of a file mapped
/// into memory, which all processes on a machine share.
#[derive(Clone)]
pub struct Bytes {
    store: Store,
    range: Range<usize>,
}

#[derive(Clone)]
enum Store {
    Memory(Arc<Vec<u8>>),
    Mapped(Arc<Mmap>),
}

impl Bytes {
    /// Maps a whole file.
    pub(crate) fn map(file: &File) -> io::Result<Self> {
        #[expect(
            unsafe_code,
            reason = "a map is undefined if the file shrinks or changes below it; only array \
                      files of the cache are mapped, which are replaced by rename and never \
                      written in place"
        )]
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self {
            range: 0..map.len(),
            store: Store::Mapped(Arc::new(map)),
        })
    }

    /// The bytes in `range`, not copied; `None` if it is out of range.
    pub(crate) fn part(&self, range: Range<usize>) -> Option<Self> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        let start = self.range.start;
        Some(Self {
            store: self.store.clone(),
            range: start + range.start..start + range.end,
        })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.store {
            Store::Memory(bytes) => &bytes[self.range.clone()],
            Store::Mapped(map) => &map[self.range.clone()],
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            range: 0..bytes.len(),
            store: Store::Memory(Arc::new(bytes)),
        }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    /// The length and the first bytes: a data set would fill the screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self[..self.len().min(8)];
        write!(f, "Bytes({} bytes, {first:?}..)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn mapped_and_held_bytes_are_alike() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[1, 2, 3, 4, 5]).unwrap();
        let mapped = Bytes::map(file.as_file()).unwrap();
        let held = Bytes::from(vec![1, 2, 3, 4, 5]);
        assert_eq!(mapped, held);
        let (a, b) = (mapped.part(1..4).unwrap(), held.part(1..4).unwrap());
        assert_eq!(a, b);
        assert_eq!(a.part(1..2).unwrap()[..], [3]);
        assert!(mapped.part(1..6).is_none() && a.part(0..4).is_none());
        assert_ne!(a, mapped);
    }

    #[test]
    fn clones_share() {
        let bytes = Bytes::from(vec![7; 100]);
        assert_eq!(bytes.clone().as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn a_mapped_file_may_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, [1; 5000]).unwrap();
        let bytes = Bytes::map(&File::open(&path).unwrap()).unwrap();
        reprsim_base::write_whole(&path, &[2]).unwrap();
        assert!(bytes.iter().all(|&b| b == 1));
    }
}
