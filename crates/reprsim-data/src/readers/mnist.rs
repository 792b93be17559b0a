//! MNIST and its relatives: a pair of IDX files a part.

use std::path::{Path, PathBuf};

use super::RawPart;
use super::idx::read_idx;
use crate::{Card, DataError, Factor, Part, SampleShape};

/// No file is larger, where its card does not say how large it is.
const LARGEST_FILE: u64 = 4 << 30;

/// The files of a part that are there: images, labels. Compressed files, as the
/// authors hand them out, are read as they are.
pub(crate) fn files(card: &Card, part: Part, dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let prefix = match part {
        Part::Train => "train",
        Part::Validation | Part::Test => "t10k",
    };
    ["images-idx3-ubyte", "labels-idx1-ubyte"]
        .iter()
        .map(|kind| {
            let name = format!("{prefix}-{kind}");
            let raw = dir.join(&name);
            let packed = dir.join(format!("{name}.gz"));
            match (raw.exists(), packed.exists()) {
                (false, true) => Ok(packed),
                (true, _) => Ok(raw),
                (false, false) => Err(DataError::NotFetched {
                    name: card.name.clone(),
                    path: raw,
                }),
            }
        })
        .collect()
}

/// Reads a part. The number of samples is what the files say: IDX states it.
pub(crate) fn read(card: &Card, part: Part, dir: &Path) -> Result<RawPart, DataError> {
    let files = files(card, part, dir)?;
    let (images_path, labels_path) = (&files[0], &files[1]);
    let largest = card.files.iter().filter_map(|file| file.bytes).max();
    let largest = largest.unwrap_or(LARGEST_FILE);
    let images = read_idx(images_path, largest)?;
    let labels = read_idx(labels_path, largest)?;
    let &[count, height, width] = images.dims.as_slice() else {
        return Err(DataError::damaged(
            images_path,
            3,
            format!("{} dimensions; images have 3", images.dims.len()),
        ));
    };
    if labels.dims != [count] {
        return Err(DataError::damaged(
            labels_path,
            4,
            format!("labels of size {:?} for {count} images", labels.dims),
        ));
    }
    let classes = card.classes.len();
    if let Some(i) = labels
        .values
        .iter()
        .position(|&l| usize::from(l) >= classes)
    {
        return Err(DataError::damaged(
            labels_path,
            8 + i as u64,
            format!(
                "label {} is out of range: there are {classes} classes",
                labels.values[i]
            ),
        ));
    }
    Ok(RawPart {
        shape: SampleShape::Image {
            channels: 1,
            height,
            width,
        },
        samples: images.values.into(),
        factors: vec![Factor {
            name: "class".into(),
            classes: card.classes.clone(),
            values: labels.values.iter().map(|&l| u16::from(l)).collect(),
        }],
        skipped: vec![],
    })
}
