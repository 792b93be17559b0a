//! Opens a data set by name, built-in or from files.
//!
//! What was read from files is kept beside them as an array file, which opens in
//! no time and which all runs on a machine share. It only saves time: where it
//! is missing, old, damaged or cannot be written, the originals are read.

use std::fs;
use std::path::{Path, PathBuf};

use crate::adapt::reshape;
use crate::array_file;
use crate::card::{Card, CardFormat};
use crate::catalog::{FOLDER, TEXT, card_of};
use crate::color_shape_digit;
use crate::readers::{RawPart, cifar, emoji, folder, mnist, svhn, tiny_imagenet};
use crate::spec::{DatasetSpec, label_of, part_len};
use crate::tensor_file::{self, Origin};
use crate::text;
use crate::{DataError, Dataset, Part, SampleShape, Samples, Skipped};
use reprsim_base::sha256;

/// Counts up when a reader gives other samples for the same files, which makes
/// array files of before stale.
const READER_VERSION: u32 = 1;

/// Opens one part of a data set; files are looked for in `cache/NAME/`.
///
/// The parts of text are checked together when the training part is opened: what
/// is amiss with the held-out text shows before a model is trained.
///
/// # Errors
/// [`DataError::UnknownDataset`], [`DataError::NotFetched`] with the command
/// that fetches it, [`DataError::Damaged`] for a file that is not as its format
/// says, [`DataError::Setting`] for settings that do not fit the data set, and
/// the built-in data set's own errors.
pub fn open(spec: &DatasetSpec, part: Part, cache: &Path) -> Result<Dataset, DataError> {
    spec.check()?;
    spec.check_part(part)?;
    match spec.name.as_str() {
        color_shape_digit::NAME => {
            let count = part_len(spec, part)?.unwrap_or(0);
            let dataset = color_shape_digit::generate(&spec.built_in, part, count, spec.seed)?;
            let mut dataset = dataset.reshaped(wanted_shape(spec, dataset.shape))?;
            dataset.identity.push_str(&spec.suffix());
            Ok(dataset)
        }
        TEXT => text::open(spec, part, cache),
        _ => open_files(spec, part, cache, Read::Kept),
    }
}

/// From where the samples of files are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// From the array file, if it is usable.
    Kept,
    /// From the files themselves.
    Originals,
}

/// Opens a part of a data set of image files.
pub(crate) fn open_files(
    spec: &DatasetSpec,
    part: Part,
    cache: &Path,
    read: Read,
) -> Result<Dataset, DataError> {
    match spec.name.as_str() {
        FOLDER => open_folder(spec, part, cache, read),
        name => open_card(spec, card_of(name)?, part, &cache.join(name), read),
    }
}

/// Whether a data set is of images from files, which [`content_of`] is for: the settings of
/// generated images say it all, and of text [`content_of_text`](crate::content_of_text) does.
pub fn is_of_image_files(spec: &DatasetSpec) -> bool {
    ![color_shape_digit::NAME, TEXT].contains(&spec.name.as_str())
}

/// What names the content of a data set of images from files on any machine: of its training and
/// its held-out part the samples as they are read, and their labels.
pub fn content_of(train: &Dataset, test: &Dataset) -> String {
    let both = format!("{} {}", train.content(), test.content());
    sha256(both)[..16].to_string()
}

fn open_folder(
    spec: &DatasetSpec,
    part: Part,
    cache: &Path,
    from: Read,
) -> Result<Dataset, DataError> {
    let listing = spec.listing()?;
    // One place for each folder, so that a changed folder replaces its array.
    let place = spec.path.as_deref().unwrap_or(Path::new("."));
    let place = fs::canonicalize(place).map_err(|e| DataError::io(place, e))?;
    let place = sha256(place.as_os_str().as_encoded_bytes());
    let dir = cache.join(FOLDER).join(&place[..16]);
    let key = key(spec, part, &[listing.state()]);
    let make = || {
        reshaped(
            folder::read(&listing, part, spec.size, spec.centre())?,
            spec,
        )
    };
    let raw = match from {
        Read::Kept => through_cache(&array_path(spec, part, &dir), &key, &[], make)?,
        Read::Originals => make()?,
    };
    let mut dataset = finish(spec, part, FOLDER.into(), raw)?;
    // Two folders are told apart by what they hold.
    dataset.identity = format!("{FOLDER} {}{}", dataset.content(), spec.suffix());
    Ok(dataset)
}

fn open_card(
    spec: &DatasetSpec,
    card: &Card,
    part: Part,
    dir: &Path,
    from: Read,
) -> Result<Dataset, DataError> {
    let mut decides: Vec<String> = card
        .files
        .iter()
        .map(|f| {
            let bytes = f.bytes.map_or(String::new(), |bytes| bytes.to_string());
            let sum = f.sha256.as_deref().unwrap_or_default();
            format!("{} {bytes} {sum}", f.name)
        })
        .collect();
    decides.push(card.classes.join("\n"));
    decides.push(format!("{} {}", card.train, card.test));
    let key = key(spec, part, &decides);
    // Without the originals what was read of them will do.
    let files = originals(card, part, dir).unwrap_or_default();
    let make = || {
        let files = originals(card, part, dir)?;
        let raw = match card.format {
            CardFormat::Idx => mnist::read(card, part, dir),
            CardFormat::Cifar => cifar::read(card, part, &files[0]),
            CardFormat::Svhn => svhn::read(card, part, &files[0]),
            CardFormat::TinyImagenet => tiny_imagenet::read(card, part, &files[0]),
            CardFormat::Emoji => emoji::read(card, part, &files),
            CardFormat::Text => return Err(spec.setting("a corpus of text holds no images".into())),
        };
        reshaped(raw.map_err(|e| to_fetch(e, card))?, spec)
    };
    let raw = match from {
        Read::Kept => through_cache(&array_path(spec, part, dir), &key, &files, make)?,
        Read::Originals => make()?,
    };
    let mut dataset = finish(spec, part, card.name.clone(), raw)?;
    dataset.skipped.extend(empty_classes(&dataset)?);
    Ok(dataset)
}

/// Classes of the label of which a part has no sample; a folder's are said where it is listed.
fn empty_classes(dataset: &Dataset) -> Result<Vec<Skipped>, DataError> {
    let mut found = Vec::new();
    for name in &dataset.label {
        let factor = dataset.factor(name)?;
        let mut any = vec![false; factor.classes.len()];
        (factor.values.iter()).for_each(|&class| any[usize::from(class)] = true);
        let empty = factor.classes.iter().zip(any).filter(|(_, any)| !any);
        found.extend(empty.map(|(class, _)| Skipped {
            path: class.into(),
            reason: format!(
                "the {} part has no sample of this {name}",
                dataset.part.name()
            ),
        }));
    }
    Ok(found)
}

/// What is damaged of a set that was fetched can be fetched again.
fn to_fetch(error: DataError, card: &Card) -> DataError {
    match error {
        DataError::Damaged {
            path,
            offset,
            reason,
            source,
        } => DataError::Damaged {
            path,
            offset,
            reason: format!("{reason}; run: reprsim data fetch {}", card.name),
            source,
        },
        error => error,
    }
}

/// The files a part is read from; at least one.
fn originals(card: &Card, part: Part, dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let names: Vec<&str> = match card.format {
        CardFormat::Idx => return mnist::files(card, part, dir),
        CardFormat::Svhn => vec![svhn::file_name(part)],
        CardFormat::Cifar | CardFormat::TinyImagenet | CardFormat::Emoji | CardFormat::Text => {
            card.files.iter().map(|f| f.name.as_str()).collect()
        }
    };
    names
        .into_iter()
        .map(|name| {
            let path = dir.join(name);
            match path.exists() {
                true => Ok(path),
                false => Err(DataError::NotFetched {
                    name: card.name.clone(),
                    path,
                }),
            }
        })
        .collect()
}

/// Everything that decides what an array file holds.
fn key(spec: &DatasetSpec, part: Part, decides: &[String]) -> String {
    sha256(format!(
        "reader {READER_VERSION}\n{}\n{}\n{}\n{}",
        spec.name,
        part.name(),
        spec.suffix(),
        decides.join("\n")
    ))
}

fn array_path(spec: &DatasetSpec, part: Part, dir: &Path) -> PathBuf {
    let suffix = spec.suffix().replace(' ', "-");
    dir.join(format!("{}{suffix}.safetensors", part.name()))
}

/// The array file at `path` if it is usable; else what `read` gives, kept there.
fn through_cache(
    path: &Path,
    key: &str,
    files: &[PathBuf],
    read: impl FnOnce() -> Result<RawPart, DataError>,
) -> Result<RawPart, DataError> {
    let origin = Origin { key, files };
    tensor_file::through_cache(path, &origin, array_file::read, array_file::write, read)
}

fn wanted_shape(spec: &DatasetSpec, native: SampleShape) -> SampleShape {
    let SampleShape::Image {
        channels,
        height,
        width,
    } = native
    else {
        return native;
    };
    SampleShape::Image {
        channels: if spec.grayscale { 1 } else { channels },
        height: spec.size.unwrap_or(height),
        width: spec.size.unwrap_or(width),
    }
}

fn reshaped(part: RawPart, spec: &DatasetSpec) -> Result<RawPart, DataError> {
    let shape = wanted_shape(spec, part.shape);
    if shape == part.shape {
        return Ok(part);
    }
    Ok(RawPart {
        samples: reshape(&part.samples, part.shape, shape, &spec.name)?.into(),
        shape,
        ..part
    })
}

fn finish(
    spec: &DatasetSpec,
    part: Part,
    mut identity: String,
    raw: RawPart,
) -> Result<Dataset, DataError> {
    identity.push_str(&spec.suffix());
    let dataset = Dataset {
        name: spec.name.clone(),
        identity,
        part,
        shape: raw.shape,
        samples: Samples::images(raw.samples, raw.shape.values()),
        factors: raw.factors,
        label: label_of(spec)?,
        blocks: vec![],
        skipped: raw.skipped,
    };
    for name in &dataset.label {
        dataset.factor(name)?;
    }
    Ok(dataset)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, UNIX_EPOCH};

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

    /// Sets the time of all originals, in nanoseconds since 1970.
    fn written(dir: &Path, nanoseconds: u64) {
        for entry in fs::read_dir(dir.join("mnist")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none() {
                let time = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
                let file = fs::File::options().write(true).open(path).unwrap();
                file.set_modified(time).unwrap();
            }
        }
    }

    /// Labels with gaps are said, as folders without images are.
    #[test]
    fn classes_without_a_sample_are_said() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 1, 3]);
        let set = open(&spec(), Part::Train, dir.path()).unwrap();
        let said: Vec<String> = (set.skipped.iter())
            .map(|s| format!("{}: {}", s.path.display(), s.reason))
            .collect();
        assert_eq!(said.len(), 7);
        assert_eq!(said[0], "2: the train part has no sample of this class");
        // Also where the array is taken that was kept.
        let kept = open(&spec(), Part::Train, dir.path()).unwrap();
        assert_eq!(kept.skipped, set.skipped);
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

    #[test]
    fn the_second_opening_is_of_the_array() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        let first = open(&spec(), Part::Test, dir.path()).unwrap();
        assert!(dir.path().join("mnist/test.safetensors").exists());
        // The originals are needed no more.
        for entry in fs::read_dir(dir.path().join("mnist")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none() {
                fs::remove_file(path).unwrap();
            }
        }
        assert_eq!(open(&spec(), Part::Test, dir.path()).unwrap(), first);
    }

    #[test]
    fn other_originals_are_read_again() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        written(dir.path(), 1);
        open(&spec(), Part::Test, dir.path()).unwrap();
        fill(dir.path(), &[1, 2, 3]);
        written(dir.path(), 2);
        let set = open(&spec(), Part::Test, dir.path()).unwrap();
        assert_eq!(set.factors[0].values, [1, 2, 3]);
    }

    #[test]
    fn of_a_damaged_original_is_said_how_to_get_another() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        fs::write(dir.path().join("mnist/t10k-labels-idx1-ubyte"), [0, 0, 8]).unwrap();
        let error = open(&spec(), Part::Test, dir.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("t10k-labels-idx1-ubyte"), "{error}");
        assert!(error.contains("run: reprsim data fetch mnist"), "{error}");
    }

    /// Another file under the name: `sound` has the old one mapped.
    fn replace(path: &Path, bytes: &[u8]) {
        reprsim_base::write_whole(path, bytes).unwrap();
    }

    /// Every way to damage an array file: it is made again, and without the
    /// originals an error says what to do.
    #[test]
    fn a_damaged_array_is_made_again_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        let sound = open(&spec(), Part::Test, dir.path()).unwrap();
        let array = dir.path().join("mnist/test.safetensors");
        let bytes = fs::read(&array).unwrap();
        let originals = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
        let kept = tempfile::tempdir().unwrap();
        for name in originals {
            fs::copy(dir.path().join("mnist").join(name), kept.path().join(name)).unwrap();
        }
        let mut variants = vec![vec![], vec![0; 100], [&bytes[..], &[0]].concat()];
        for cut in (0..bytes.len()).step_by(37) {
            variants.push(bytes[..cut].to_vec());
        }
        for at in (0..bytes.len()).step_by(11) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            variants.push(flipped);
        }
        for variant in variants {
            replace(&array, &variant);
            assert_eq!(open(&spec(), Part::Test, dir.path()).unwrap(), sound);
            replace(&array, &variant);
            for name in originals {
                fs::remove_file(dir.path().join("mnist").join(name)).unwrap();
            }
            // A flip in a name of the header that nothing depends on is harmless.
            match open(&spec(), Part::Test, dir.path()) {
                Ok(set) => assert_eq!(set, sound),
                Err(error) => {
                    assert!(matches!(error, DataError::Damaged { .. }), "{error}");
                    let error = error.to_string();
                    assert!(error.contains("test.safetensors"), "{error}");
                    assert!(error.contains("run: reprsim data fetch mnist"), "{error}");
                }
            }
            for name in originals {
                fs::copy(kept.path().join(name), dir.path().join("mnist").join(name)).unwrap();
            }
        }
    }

    #[test]
    fn an_old_array_without_originals_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        open(&spec(), Part::Test, dir.path()).unwrap();
        let dir = dir.path().join("mnist");
        fs::rename(dir.join("test.safetensors"), dir.join("train.safetensors")).unwrap();
        fs::remove_file(dir.join("train-images-idx3-ubyte")).unwrap();
        let error = open(&spec(), Part::Train, dir.parent().unwrap()).unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.contains("train.safetensors: made from other files"),
            "{error}"
        );
        assert!(
            error.contains("train-images-idx3-ubyte is missing"),
            "{error}"
        );
    }

    #[test]
    fn settings_have_arrays_and_ids_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        let plain = open(&spec(), Part::Test, dir.path()).unwrap();
        assert_eq!(plain.sample_id(2), "mnist/test/2");
        let sized = DatasetSpec {
            size: Some(5),
            grayscale: true,
            ..spec()
        };
        let set = open(&sized, Part::Test, dir.path()).unwrap();
        assert_eq!(set.shape.values(), 25);
        assert_eq!(set.sample_id(2), "mnist size 5 grayscale/test/2");
        assert_eq!(open(&sized, Part::Test, dir.path()).unwrap(), set);
        assert_eq!(open(&spec(), Part::Test, dir.path()).unwrap(), plain);
        let built_in = DatasetSpec {
            name: color_shape_digit::NAME.into(),
            train_samples: Some(3),
            ..sized
        };
        let set = open(&built_in, Part::Train, dir.path()).unwrap();
        assert_eq!(set.shape.values(), 25);
        assert!(set.identity.ends_with("size 5 grayscale"));
    }

    #[test]
    fn processes_that_build_at_once_agree() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        let sets: Vec<Dataset> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| open(&spec(), Part::Test, dir.path()).unwrap()))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(sets.windows(2).all(|w| w[0] == w[1]));
        let left = fs::read_dir(dir.path().join("mnist")).unwrap().count();
        assert_eq!(left, 5, "four originals and one array");
    }

    fn picture(path: &Path, value: u8) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(4, 4, image::Rgb([value; 3]))
            .save(path)
            .unwrap();
    }

    #[test]
    fn a_folder_is_read_again_when_it_changes() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        picture(&dir.path().join("train/a/1.png"), 1);
        picture(&dir.path().join("train/b/2.png"), 2);
        picture(&dir.path().join("test/a/3.png"), 3);
        picture(&dir.path().join("test/b/3.png"), 3);
        fs::write(dir.path().join("train/b/x.png"), "odd").unwrap();
        let spec = DatasetSpec {
            name: FOLDER.into(),
            path: Some(dir.path().into()),
            ..DatasetSpec::default()
        };
        let set = open(&spec, Part::Train, cache.path()).unwrap();
        assert_eq!((set.len(), set.skipped.len()), (2, 1));
        assert_eq!(
            part_len(&spec, Part::Train).unwrap(),
            Some(3),
            "by their names"
        );
        let again = open(&spec, Part::Train, cache.path()).unwrap();
        assert_eq!(again, set, "with what was left out");
        picture(&dir.path().join("train/b/x.png"), 9);
        let changed = open(&spec, Part::Train, cache.path()).unwrap();
        assert_eq!((changed.len(), changed.skipped.len()), (3, 0));
        assert_ne!(changed.sample_id(0), set.sample_id(0));
        let arrays = fs::read_dir(cache.path().join(FOLDER)).unwrap().count();
        assert_eq!(arrays, 1, "the old array is replaced");
        let spec = DatasetSpec {
            size: Some(2),
            grayscale: true,
            ..spec
        };
        let small = open(&spec, Part::Test, cache.path()).unwrap();
        assert_eq!(small.bytes(0), [3; 4]);
    }

    #[test]
    #[cfg(unix)]
    fn a_cache_that_cannot_be_written_is_done_without() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        // A folder under the array's name stops even an administrator.
        fs::create_dir_all(dir.path().join("mnist/test.safetensors/x")).unwrap();
        fs::set_permissions(dir.path().join("mnist"), fs::Permissions::from_mode(0o555)).unwrap();
        let set = open(&spec(), Part::Test, dir.path());
        fs::set_permissions(dir.path().join("mnist"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(set.unwrap().len(), 3);
    }

    #[test]
    fn the_label_can_be_chosen() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &[0, 9, 4]);
        let mut spec = spec();
        spec.built_in.label = vec!["colour".into()];
        let error = open(&spec, Part::Test, dir.path()).unwrap_err();
        assert!(matches!(error, DataError::UnknownFactor { .. }), "{error}");
    }
}
