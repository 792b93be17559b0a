//! `.npz`: a zip archive of `.npy` files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use zip::ZipArchive;

use crate::contents::Contents;
use crate::elements::Bytes;
use crate::error::Problem;
use crate::npy::Header;

/// Arrays that are together this much larger than what is stored of them ...
const EXPANSION: u64 = 100;
/// ... and larger than this are a trap: activations do not compress so.
const SUSPICIOUS_BYTES: u64 = 64 << 20;

pub(crate) fn read(mut file: File) -> Result<Contents, Problem> {
    let entries = entries(&mut file);
    let length = file.metadata()?.len();
    let damaged = |e: zip::result::ZipError| Problem::Unsound {
        what: "is not a sound .npz archive",
        source: e.into(),
    };
    let wrong = |words: &str| Err(Problem::Damaged(words.into()));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    if entries.is_some_and(|count| count != archive.len()) {
        return wrong("it has two members of the same name");
    }
    if archive.has_overlapping_files().map_err(damaged)? {
        return wrong("its members overlap: it is not an archive of arrays");
    }
    let mut contents = Contents::default();
    let mut unpacked = 0u64;
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).map_err(damaged)?;
        let name = member.name().map_err(damaged)?.to_string();
        let Some(layer) = name.strip_suffix(".npy").map(String::from) else {
            return Err(Problem::Format(format!(
                "its member '{name}' is not an .npy file"
            )));
        };
        // Many members make as much of little as one does; what each claims is what is unpacked.
        let size = member.size();
        unpacked = unpacked.saturating_add(size);
        if unpacked > SUSPICIOUS_BYTES && unpacked / EXPANSION > length {
            return Err(Problem::Damaged(format!(
                "with its member '{name}' it grows from {length} to {unpacked} bytes: these are not \
                 activations"
            )));
        }
        let wrong = |problem: Problem| Problem::Member {
            member: name.clone(),
            problem: Box::new(problem),
        };
        let header = Header::read(&mut member).map_err(wrong)?;
        let claimed = header.data as u64;
        let unlike = |held: u64| {
            wrong(Problem::Damaged(format!(
                "its header says {claimed} bytes of data and it holds {held}"
            )))
        };
        if size != claimed + header.length as u64 {
            return Err(unlike(size.saturating_sub(header.length as u64)));
        }
        // No more is allocated at once than has been seen of the member.
        let mut bytes = Vec::new();
        (member.by_ref().take(claimed + 1).read_to_end(&mut bytes)).map_err(|e| wrong(e.into()))?;
        if bytes.len() as u64 != claimed {
            return Err(unlike(bytes.len() as u64));
        }
        let found = header.found(Bytes::Memory(bytes.into())).map_err(wrong)?;
        contents.add(layer, found).map_err(wrong)?;
    }
    Ok(contents)
}

/// How many members the end of the archive counts: more than the reader finds
/// when two share a name.
fn entries(file: &mut File) -> Option<usize> {
    const END: usize = 22;
    let length = file.metadata().ok()?.len();
    let tail = length.min(END as u64 + 0xffff);
    file.seek(SeekFrom::Start(length - tail)).ok()?;
    let mut bytes = Vec::new();
    file.take(tail).read_to_end(&mut bytes).ok()?;
    file.rewind().ok()?;
    let at = bytes
        .windows(END)
        .rposition(|w| w.starts_with(b"PK\x05\x06"))?;
    let count = u16::from_le_bytes([bytes[at + 10], bytes[at + 11]]);
    // All ones stands for a count that is kept elsewhere.
    (count != u16::MAX).then_some(count.into())
}
