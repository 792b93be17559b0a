//! Opens a data set by name, built-in or from files.

use std::path::Path;

use crate::card::{Card, cards, find_card};
use crate::color_shape_digit::{self, Settings};
use crate::idx::read_idx;
use crate::{DataError, Dataset, Factor, Part, SampleShape, Samples};

/// Samples of the built-in data set when nothing else is asked.
const BUILT_IN_TRAIN: usize = 16_000;
const BUILT_IN_TEST: usize = 8_000;

/// Which data set, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetSpec {
    /// Its name.
    pub name: String,
    /// Settings of the built-in images; ignored by data sets from files.
    pub built_in: Settings,
    /// Size of the generated training part, if generated.
    pub train_samples: Option<usize>,
    /// Seed of the generated images, if generated.
    pub seed: u64,
}

/// Samples in a part of a data set, known without opening it.
///
/// # Errors
/// [`DataError::UnknownDataset`].
pub fn part_len(spec: &DatasetSpec, part: Part) -> Result<usize, DataError> {
    if spec.name == color_shape_digit::NAME {
        return Ok(match part {
            Part::Train => spec.train_samples.unwrap_or(BUILT_IN_TRAIN),
            Part::Test => BUILT_IN_TEST,
        });
    }
    let prefix = idx_prefix(part);
    let labels = format!("{prefix}-labels-idx1-ubyte");
    let card = find_card(&spec.name)?;
    let bytes = card
        .files
        .iter()
        .find(|f| f.name == labels)
        .map_or(0, |f| f.bytes);
    // A magic number, one dimension, then one byte a label.
    Ok(bytes.saturating_sub(8) as usize)
}

/// Names of all data sets: the built-in first.
pub fn dataset_names() -> Vec<&'static str> {
    std::iter::once(color_shape_digit::NAME)
        .chain(cards().iter().map(|c| c.name.as_str()))
        .collect()
}

/// Opens one part of a data set; files are looked for in `cache/NAME/`.
///
/// # Errors
/// [`DataError::UnknownDataset`], [`DataError::NotFetched`] with the command
/// that fetches it, [`DataError::Damaged`] for a file that is not as its format
/// says, and the built-in data set's own errors.
pub fn open(spec: &DatasetSpec, part: Part, cache: &Path) -> Result<Dataset, DataError> {
    if spec.name == color_shape_digit::NAME {
        let count = part_len(spec, part)?;
        return color_shape_digit::generate(&spec.built_in, part, count, spec.seed);
    }
    let card = find_card(&spec.name).map_err(|_| DataError::UnknownDataset {
        name: spec.name.clone(),
        known: dataset_names().join(", "),
    })?;
    open_idx(card, part, cache)
}

fn idx_prefix(part: Part) -> &'static str {
    match part {
        Part::Train => "train",
        Part::Test => "t10k",
    }
}

fn open_idx(card: &Card, part: Part, cache: &Path) -> Result<Dataset, DataError> {
    let prefix = idx_prefix(part);
    let dir = cache.join(&card.name);
    // Compressed files, as the authors hand them out, are read as they are.
    let find = |name: String| {
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
    };
    let images_path = find(format!("{prefix}-images-idx3-ubyte"))?;
    let labels_path = find(format!("{prefix}-labels-idx1-ubyte"))?;
    let images = read_idx(&images_path)?;
    let labels = read_idx(&labels_path)?;
    let damaged = |path: &Path, offset: u64, reason: String| DataError::Damaged {
        path: path.to_path_buf(),
        offset,
        reason,
    };
    let &[count, height, width] = images.dims.as_slice() else {
        return Err(damaged(
            &images_path,
            3,
            format!("{} dimensions; images have 3", images.dims.len()),
        ));
    };
    if labels.dims != [count] {
        return Err(damaged(
            &labels_path,
            4,
            format!("labels of size {:?} for {count} images", labels.dims),
        ));
    }
    if let Some(i) = labels
        .values
        .iter()
        .position(|&l| usize::from(l) >= card.classes.len())
    {
        return Err(damaged(
            &labels_path,
            8 + i as u64,
            format!(
                "label {} is out of range: there are {} classes",
                labels.values[i],
                card.classes.len()
            ),
        ));
    }
    Ok(Dataset {
        name: card.name.clone(),
        identity: card.name.clone(),
        part,
        shape: SampleShape::Image {
            channels: 1,
            height,
            width,
        },
        samples: Samples::Bytes(images.values),
        factors: vec![Factor {
            name: "class".into(),
            classes: card.classes.clone(),
            values: labels.values.iter().map(|&l| u16::from(l)).collect(),
        }],
        label: vec!["class".into()],
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write_idx(path: &Path, dims: &[u32], values: &[u8]) {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
        bytes.extend(values);
        fs::write(path, bytes).unwrap();
    }

    fn spec() -> DatasetSpec {
        DatasetSpec {
            name: "mnist".into(),
            ..DatasetSpec::default()
        }
    }

    fn fill(dir: &Path, labels: &[u8]) {
        let dir = dir.join("mnist");
        fs::create_dir_all(&dir).unwrap();
        for prefix in ["train", "t10k"] {
            write_idx(
                &dir.join(format!("{prefix}-images-idx3-ubyte")),
                &[3, 2, 2],
                &[5; 12],
            );
            write_idx(
                &dir.join(format!("{prefix}-labels-idx1-ubyte")),
                &[labels.len() as u32],
                labels,
            );
        }
    }

    #[test]
    fn reads_images_and_labels() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        let set = open(&spec(), Part::Test, dir.path()).unwrap();
        assert_eq!(set.len(), 3);
        assert_eq!(set.joint_label(&set.label).unwrap(), (vec![0, 9, 4], 10));
    }

    #[test]
    fn label_range_and_counts_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 10, 4]);
        let error = open(&spec(), Part::Train, dir.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("label 10 is out of range") && error.contains("byte 9"),
            "{error}"
        );
        fill(dir.path(), &[0, 1]);
        let error = open(&spec(), Part::Train, dir.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("for 3 images"), "{error}");
    }

    #[test]
    fn missing_files_say_how_to_get_them() {
        let dir = tempfile::tempdir().unwrap();
        let error = open(&spec(), Part::Train, dir.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("run: reprsim data fetch mnist"), "{error}");
    }
}
