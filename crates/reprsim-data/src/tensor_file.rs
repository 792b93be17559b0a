//! Safetensors files that keep what was read from other files.
//!
//! A file is written whole and never changed, so it can be mapped into memory,
//! where all runs on a machine share it. Its header tells from what it was made
//! and holds a checksum over everything, which is checked when it is opened.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file_state::FileState;
use crate::{Bytes, Cause, DataError};
use reprsim_base::{Digest, sorted_header, sweep, temporary_beside};

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// There is none.
    Absent,
    /// It was made from other files or settings, or by another version.
    Stale,
    /// It is not what was written.
    Damaged { offset: u64, cause: Cause },
}

/// What a file was made from.
pub(crate) struct Origin<'a> {
    /// Everything that decides the content.
    pub key: &'a str,
    /// The files it was read from: where they are still there, they must be the
    /// same.
    pub files: &'a [PathBuf],
}

/// A file as it was when it was read.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Original {
    name: String,
    state: FileState,
}

impl Original {
    fn of(path: &Path) -> Option<Self> {
        Some(Self {
            name: path.file_name()?.to_string_lossy().into_owned(),
            state: FileState::of(&fs::metadata(path).ok()?),
        })
    }
}

/// What the description of every file says of its origin.
#[derive(Serialize, Deserialize)]
struct Head {
    key: String,
    originals: Vec<Original>,
}

/// One array to be written.
pub(crate) struct Tensor<'a> {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Little-endian values.
    pub data: &'a [u8],
}

/// Writes the tensors under the final name, whole; those of wide values come
/// first, so that every tensor is aligned to its values. `description` is a
/// struct of what its kind of file says beside the origin.
pub(crate) fn write(
    path: &Path,
    format: &str,
    origin: &Origin<'_>,
    description: &impl Serialize,
    tensors: &[Tensor<'_>],
) -> io::Result<()> {
    let head = Head {
        key: origin.key.into(),
        originals: origin
            .files
            .iter()
            .filter_map(|f| Original::of(f))
            .collect(),
    };
    let mut entries = serde_json::Map::new();
    for part in [
        serde_json::to_value(head)?,
        serde_json::to_value(description)?,
    ] {
        if let Value::Object(part) = part {
            entries.extend(part);
        }
    }
    let description = serde_json::to_string(&entries)?;
    let mut places = Vec::new();
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += tensor.data.len();
        places.push((
            tensor.name.clone(),
            TensorInfo {
                dtype: tensor.dtype,
                shape: tensor.shape.clone(),
                data_offsets: (start, end),
            },
        ));
    }
    let data: Vec<&[u8]> = tensors.iter().map(|t| t.data).collect();
    let info = HashMap::from([
        ("format".to_string(), format.to_string()),
        ("sha256".to_string(), checksum(&description, &data)),
        ("description".to_string(), description),
    ]);
    let header = Metadata::new(Some(info), places).map_err(io::Error::other)?;
    let header = sorted_header(&serde_json::to_vec(&header)?)?;

    let mut temporary = temporary_beside(path)?;
    let mut file = BufWriter::new(temporary.as_file_mut());
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    for data in data {
        file.write_all(data)?;
    }
    file.flush()?;
    drop(file);
    temporary.persist(path)?;
    Ok(())
}

fn checksum(description: &str, data: &[&[u8]]) -> String {
    let mut hash = Digest::new();
    hash.update((description.len() as u64).to_le_bytes());
    hash.update(description);
    for data in data {
        hash.update(data);
    }
    hash.hex()
}

/// A file that is whole and was made from what it should be, mapped.
pub(crate) struct TensorFile<D> {
    pub description: D,
    bytes: Bytes,
    start: usize,
    metadata: Metadata,
}

impl<D> TensorFile<D> {
    /// The values of a tensor, not copied, and its shape.
    pub fn tensor(&self, name: &str, dtype: Dtype) -> Result<(Bytes, Vec<usize>), Unusable> {
        let odd = || damaged(8, format!("tensor '{name}' is missing or of another type"));
        let info = self
            .metadata
            .info(name)
            .filter(|i| i.dtype == dtype)
            .ok_or_else(odd)?;
        let (from, to) = info.data_offsets;
        let data = self
            .bytes
            .part(self.start + from..self.start + to)
            .ok_or_else(odd)?;
        Ok((data, info.shape.clone()))
    }
}

/// Maps a file after checking that it is whole and was made from `origin`.
pub(crate) fn read<D: DeserializeOwned>(
    path: &Path,
    format: &str,
    origin: &Origin<'_>,
) -> Result<TensorFile<D>, Unusable> {
    let unreadable = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => Unusable::Absent,
        _ => damaged(0, e),
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() == 0 {
        return Err(damaged(0, "the file is empty"));
    }
    let bytes = Bytes::map(&file).map_err(unreadable)?;
    let (length, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(0, e))?;
    let start = 8 + length;
    let info = metadata.metadata().as_ref();
    let entry = |name: &str| info.and_then(|i| i.get(name)).map(String::as_str);
    if entry("format") != Some(format) {
        return Err(Unusable::Stale);
    }
    let text = entry("description").ok_or_else(|| damaged(8, "no description"))?;
    let head: Head = serde_json::from_str(text).map_err(|e| damaged(8, e))?;
    if head.key != origin.key || changed(&head.originals, origin.files) {
        return Err(Unusable::Stale);
    }
    if entry("sha256") != Some(&checksum(text, &[&bytes[start..]])) {
        return Err(damaged(start as u64, "the checksum of the data is wrong"));
    }
    let description = serde_json::from_str(text).map_err(|e| damaged(8, e))?;
    Ok(TensorFile {
        description,
        bytes,
        start,
        metadata,
    })
}

pub(crate) fn damaged(offset: u64, cause: impl Into<Cause>) -> Unusable {
    Unusable::Damaged {
        offset,
        cause: cause.into(),
    }
}

/// Whether a file that is there is not the one that was read.
fn changed(originals: &[Original], files: &[PathBuf]) -> bool {
    files.iter().filter_map(|f| Original::of(f)).any(|now| {
        originals
            .iter()
            .find(|then| then.name == now.name)
            .is_none_or(|then| *then != now)
    })
}

/// What `read` finds in the file at `path` if that is usable; else what `make`
/// gives, kept there by `write`.
pub(crate) fn through_cache<T>(
    path: &Path,
    origin: &Origin<'_>,
    read: impl Fn(&Path, &Origin<'_>) -> Result<T, Unusable>,
    write: impl FnOnce(&Path, &T, &Origin<'_>) -> io::Result<()>,
    make: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    let why = match read(path, origin) {
        Ok(kept) => return Ok(kept),
        Err(why) => why,
    };
    let made = make().map_err(|error| originals_gone(path, why, error))?;
    // Two processes that build at once write the same under their own temporary
    // names. A read-only or full disk is no reason not to go on.
    let written = path
        .parent()
        .map_or(Ok(()), |dir| {
            sweep(dir, false);
            fs::create_dir_all(dir)
        })
        .and_then(|()| write(path, &made, origin));
    Ok(match written {
        // Memory that all runs share instead of memory of our own.
        Ok(()) => read(path, origin).unwrap_or(made),
        Err(_) => made,
    })
}

/// If there was a file, says what is wrong with it too.
fn originals_gone(path: &Path, why: Unusable, error: DataError) -> DataError {
    let DataError::NotFetched {
        name,
        path: missing,
    } = &error
    else {
        return error;
    };
    let (offset, cause) = match why {
        Unusable::Absent => return error,
        Unusable::Stale => (
            0,
            "made from other files or by another version of the program".into(),
        ),
        Unusable::Damaged { offset, cause } => (offset, cause),
    };
    DataError::Damaged {
        path: path.into(),
        offset,
        reason: format!(
            "{cause}, and it cannot be made again because {} is missing; \
             run: reprsim data fetch {name}",
            missing.display()
        ),
        source: Some(cause),
    }
}
