//! A part of a data set as one array file: safetensors with the images as
//! `samples` and the classes of each factor as `factor.NAME`.
//!
//! The file is written whole and never changed, so it can be mapped into memory,
//! where all runs on a machine share it. Its header tells from what it was read
//! and holds a checksum over everything, which is checked when it is opened.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::checksum::hex;
use crate::readers::RawPart;
use crate::whole::temporary_beside;
use crate::{Bytes, Factor, SampleShape, Skipped};

const FORMAT: &str = "reprsim data set 2";
const SAMPLES: &str = "samples";

/// Why an array file cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// There is none.
    Absent,
    /// It was made from other files or settings, or by another version.
    Stale,
    /// It is not what was written.
    Damaged { offset: u64, reason: String },
}

/// What an array file was made from.
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
    bytes: u64,
    modified: String,
}

impl Original {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            name: path.file_name()?.to_string_lossy().into_owned(),
            bytes: metadata.len(),
            modified: modified.as_nanos().to_string(),
        })
    }
}

/// A factor less its values.
#[derive(Serialize, Deserialize)]
struct FactorHead {
    name: String,
    classes: Vec<String>,
}

/// What the header says beside the places of the tensors, as JSON.
#[derive(Serialize, Deserialize)]
struct Description {
    key: String,
    /// That of the samples, so that the checksum covers it.
    shape: [usize; 4],
    originals: Vec<Original>,
    factors: Vec<FactorHead>,
    skipped: Vec<Skipped>,
}

/// Writes `part` under its final name, whole.
pub(crate) fn write(path: &Path, part: &RawPart, origin: &Origin<'_>) -> io::Result<()> {
    let SampleShape::Image {
        channels,
        height,
        width,
    } = part.shape;
    let count = part.samples.len() / part.shape.len().max(1);
    let shape = [count, channels, height, width];
    let description = serde_json::to_string(&Description {
        key: origin.key.into(),
        shape,
        originals: origin
            .files
            .iter()
            .filter_map(|f| Original::of(f))
            .collect(),
        factors: part
            .factors
            .iter()
            .map(|f| FactorHead {
                name: f.name.clone(),
                classes: f.classes.clone(),
            })
            .collect(),
        skipped: part.skipped.clone(),
    })?;
    // The 16-bit factors first: every tensor is aligned to its values.
    let mut tensors = Vec::new();
    let mut end = 0;
    for factor in &part.factors {
        let start = end;
        end += 2 * factor.values.len();
        tensors.push((
            tensor_name(&factor.name),
            TensorInfo {
                dtype: Dtype::U16,
                shape: vec![factor.values.len()],
                data_offsets: (start, end),
            },
        ));
    }
    tensors.push((
        SAMPLES.to_string(),
        TensorInfo {
            dtype: Dtype::U8,
            shape: shape.to_vec(),
            data_offsets: (end, end + part.samples.len()),
        },
    ));
    let factors: Vec<u8> = part
        .factors
        .iter()
        .flat_map(|f| f.values.iter().flat_map(|v| v.to_le_bytes()))
        .collect();
    let info = HashMap::from([
        ("format".to_string(), FORMAT.to_string()),
        (
            "sha256".to_string(),
            checksum(&description, &[&factors, &part.samples]),
        ),
        ("description".to_string(), description),
    ]);
    let header = Metadata::new(Some(info), tensors).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut temporary = temporary_beside(path)?;
    let mut file = BufWriter::new(temporary.as_file_mut());
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    file.write_all(&factors)?;
    file.write_all(&part.samples)?;
    file.flush()?;
    drop(file);
    temporary.persist(path)?;
    Ok(())
}

fn tensor_name(factor: &str) -> String {
    format!("factor.{factor}")
}

fn checksum(description: &str, data: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    hash.update((description.len() as u64).to_le_bytes());
    hash.update(description);
    for data in data {
        hash.update(data);
    }
    hex(&hash.finalize())
}

/// Maps an array file after checking that it is whole and was made from `origin`.
pub(crate) fn read(path: &Path, origin: &Origin<'_>) -> Result<RawPart, Unusable> {
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
    if entry("format") != Some(FORMAT) {
        return Err(Unusable::Stale);
    }
    let text = entry("description").ok_or_else(|| damaged(8, "no description"))?;
    let description: Description = serde_json::from_str(text).map_err(|e| damaged(8, e))?;
    if description.key != origin.key || changed(&description.originals, origin.files) {
        return Err(Unusable::Stale);
    }
    if entry("sha256") != Some(&checksum(text, &[&bytes[start..]])) {
        return Err(damaged(start as u64, "the checksum of the data is wrong"));
    }
    let tensor = |name: &str, dtype: Dtype| -> Result<(Bytes, Vec<usize>), Unusable> {
        let odd = || damaged(8, format!("tensor '{name}' is missing or of another type"));
        let info = metadata
            .info(name)
            .filter(|i| i.dtype == dtype)
            .ok_or_else(odd)?;
        let (from, to) = info.data_offsets;
        let data = bytes.part(start + from..start + to).ok_or_else(odd)?;
        Ok((data, info.shape.clone()))
    };
    let (samples, shape) = tensor(SAMPLES, Dtype::U8)?;
    let [count, channels, height, width] = description.shape;
    if shape != description.shape {
        return Err(damaged(8, format!("samples of shape {shape:?}")));
    }
    let mut factors = Vec::new();
    for FactorHead { name, classes } in description.factors {
        let (data, shape) = tensor(&tensor_name(&name), Dtype::U16)?;
        let values: Vec<u16> = data
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect();
        if shape != [count] || values.iter().any(|&v| usize::from(v) >= classes.len()) {
            return Err(damaged(
                8,
                format!("factor '{name}' does not fit the samples"),
            ));
        }
        factors.push(Factor {
            name,
            classes,
            values,
        });
    }
    Ok(RawPart {
        shape: SampleShape::Image {
            channels,
            height,
            width,
        },
        samples,
        factors,
        skipped: description.skipped,
    })
}

fn damaged(offset: u64, reason: impl ToString) -> Unusable {
    Unusable::Damaged {
        offset,
        reason: reason.to_string(),
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
