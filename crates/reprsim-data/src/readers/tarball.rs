//! Members of a `.tar.gz` or `.tar` read straight from the archive.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::GzDecoder;
use tar::Archive;

use super::bounded::{Bounded, ask_to_hold};
use crate::DataError;

/// Headers, long names and extensions that stand before a member have no more bytes. The
/// library takes them into memory whatever size they say they have.
pub(crate) const LARGEST_HEADERS: u64 = 1 << 20;
/// The members of one archive that are held have no more bytes together.
const MOST_HELD: u64 = 4 << 30;

/// Counts what was read of the archive, to say where it is damaged.
struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

/// An archive, and how many bytes may be read of it: at first those of a header.
pub(crate) fn bounded<R: Read>(tar: R) -> (Archive<Bounded<R>>, Rc<Cell<u64>>) {
    let may_read = Rc::new(Cell::new(LARGEST_HEADERS));
    let archive = Archive::new(Bounded::shared(
        tar,
        Rc::clone(&may_read),
        format!("what stands before a member is longer than {LARGEST_HEADERS} bytes"),
    ));
    (archive, may_read)
}

/// Contents of the members for which `largest` gives a size; one that is larger
/// is refused before it is read, and so are more than can be held. The whole archive is
/// read, so that its own checksum is checked.
pub(crate) fn members(
    path: &Path,
    largest: impl Fn(&str) -> Option<u64>,
) -> Result<BTreeMap<String, Vec<u8>>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let read = Rc::new(Cell::new(0));
    let counted = Counted {
        inner: BufReader::with_capacity(1 << 16, file),
        read: Rc::clone(&read),
    };
    // By its name: what is left of a damaged archive does not tell what it was.
    let unpacked: Box<dyn Read> = if path.extension().is_some_and(|e| e == "tar") {
        Box::new(counted)
    } else {
        Box::new(GzDecoder::new(counted))
    };
    let (mut archive, may_read) = bounded(unpacked);
    let failed = |e| DataError::reading(path, read.get(), e);
    let mut found = BTreeMap::new();
    let mut held = 0u64;
    let mut entries = archive.entries().map_err(failed)?;
    loop {
        may_read.set(LARGEST_HEADERS);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(failed)?;
        may_read.set(u64::MAX);
        let name = entry.path().map_err(failed)?.to_string_lossy().into_owned();
        let Some(largest) = largest(&name).filter(|_| entry.header().entry_type().is_file()) else {
            io::copy(&mut entry, &mut io::sink()).map_err(failed)?;
            continue;
        };
        let size = entry.size();
        if size > largest {
            return Err(DataError::damaged(
                path,
                read.get(),
                format!("{name} says it holds {size} bytes; at most {largest} are plausible"),
            ));
        }
        held = held.saturating_add(size);
        if held > MOST_HELD {
            return Err(DataError::damaged(
                path,
                read.get(),
                format!("the members to {name} have {held} bytes; at most {MOST_HELD} can be held"),
            ));
        }
        let what = format!("{}, its members to {name},", path.display());
        ask_to_hold(held, what)?;
        let mut content = Vec::new();
        entry.take(size).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 != size {
            return Err(DataError::damaged(
                path,
                read.get(),
                format!("truncated: {name} holds {} of {size} bytes", content.len()),
            ));
        }
        if found.insert(name.clone(), content).is_some() {
            return Err(DataError::damaged(
                path,
                read.get(),
                format!("{name} is there twice"),
            ));
        }
    }
    may_read.set(u64::MAX);
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(failed)?;
    Ok(found)
}

/// Takes a member that has to be there.
pub(super) fn take(
    members: &mut BTreeMap<String, Vec<u8>>,
    path: &Path,
    name: &str,
) -> Result<Vec<u8>, DataError> {
    members
        .remove(name)
        .ok_or_else(|| DataError::damaged(path, 0, format!("the archive has no {name}")))
}

/// Writes archives for the tests of the readers.
#[cfg(test)]
pub(crate) fn write(path: &Path, members: &[(&str, Vec<u8>)]) {
    let file = File::create(path).unwrap();
    let packed = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    let mut archive = tar::Builder::new(packed);
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, content.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn noise(n: u32) -> Vec<u8> {
        (0..n)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect()
    }

    #[test]
    fn every_cut_and_flip_is_refused_or_harmless() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tgz");
        write(&path, &[("x/a", noise(3000)), ("x/b", vec![7; 10])]);
        let whole = fs::read(&path).unwrap();
        let expected = members(&path, |_| Some(4000)).unwrap();
        assert_eq!(expected["x/a"], noise(3000));
        for cut in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = members(&path, |_| Some(4000)).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }), "{error}");
        }
        for at in (10..whole.len()).step_by(5) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            match members(&path, |_| Some(4000)) {
                Ok(got) => assert_eq!(got, expected, "byte {at}"),
                Err(error) => assert!(matches!(error, DataError::Damaged { .. }), "{error}"),
            }
        }
    }

    #[test]
    fn oversized_and_doubled_members_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tgz");
        write(&path, &[("a", noise(100))]);
        let error = members(&path, |_| Some(99)).unwrap_err().to_string();
        assert!(error.contains("at most 99"), "{error}");
        assert!(members(&path, |_| None).unwrap().is_empty());
        write(&path, &[("a", vec![1]), ("a", vec![2])]);
        let error = members(&path, |_| Some(99)).unwrap_err().to_string();
        assert!(error.contains("twice"), "{error}");
    }

    /// The header of an entry of some type and size, and nothing behind it.
    fn header(kind: tar::EntryType, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    /// Long names and extensions say how long they are, and were taken into memory whole.
    #[test]
    fn headers_without_end_are_refused() {
        use tar::EntryType;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tgz");
        let long = 1u64 << 30;
        for kind in [
            EntryType::GNULongName,
            EntryType::GNULongLink,
            EntryType::XHeader,
        ] {
            let mut packed = flate2::write::GzEncoder::new(
                File::create(&path).unwrap(),
                flate2::Compression::fast(),
            );
            io::copy(&mut &header(kind, long)[..], &mut packed).unwrap();
            io::copy(&mut io::repeat(b'a').take(4 * LARGEST_HEADERS), &mut packed).unwrap();
            packed.finish().unwrap();
            let error = members(&path, |_| Some(99)).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }), "{error}");
            let said = error.to_string();
            assert!(
                said.contains("longer than 1048576 bytes"),
                "{kind:?}: {said}"
            );
        }
        // Members that nobody asked for may be as large as they like.
        write(&path, &[("large", vec![7; 3 << 20]), ("small", vec![7; 9])]);
        let found = members(&path, |name| (name == "small").then_some(9)).unwrap();
        assert_eq!(found["small"], [7; 9]);
        let long = "n".repeat(5000);
        write(&path, &[(&long, vec![7; 9])]);
        assert_eq!(members(&path, |_| Some(9)).unwrap()[&long], [7; 9]);
    }
}
