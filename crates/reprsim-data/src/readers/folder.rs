//! Any folder of class folders of images.
//!
//! Images are as a viewer shows them, resampled to a square (squeezed, or the centre of what
//! keeps the ratio of its sides), and are in colour unless all are grey. A file that cannot be
//! used is left out and listed, not fatal: what its name or header shows is listed with both
//! parts, damage further down with the part it is in.

use std::fs::File;
use std::io::Read;

use rayon::prelude::*;
use reprsim_base::ask_memory;

use super::RawPart;
use super::listing::{Entry, Listing};
use super::picture::{self, Head, PictureError};
use crate::adapt::resize;
use crate::catalog::FOLDER;
use crate::resample::LARGEST_SIDE;
use crate::{DataError, Factor, Part, Resampling, SampleShape, Skipped};

/// Bytes that images read at the same time may take.
const AT_ONCE: u64 = 384 << 20;
/// Bytes that a pixel takes while it is decoded: of a deep or progressive image, with
/// its colours converted, its planes apart and turned.
const PER_PIXEL: u64 = 16;
/// A larger file holds no image that would be read.
const LARGEST_FILE: u64 = 1 << 29;

/// Reads a part of a listed folder. Images become squares of side `size` if it is given, by
/// `centre` where that is.
pub(crate) fn read(
    listing: &Listing,
    part: Part,
    size: Option<usize>,
    centre: Option<Resampling>,
) -> Result<RawPart, DataError> {
    // Both parts decide on the shape: models are compared across them.
    let of_file = |entry: &Entry| entry.state.bytes.min(LARGEST_FILE);
    let mut usable: Vec<(&Entry, Head)> = Vec::new();
    let mut skipped = listing.skipped.clone();
    for batch in batches(&listing.entries, of_file) {
        let heads: Vec<Result<Head, PictureError>> = batch
            .par_iter()
            .map(|entry| picture::head(&content(entry)?))
            .collect();
        for (entry, head) in batch.iter().zip(heads) {
            match head {
                Ok(head) => usable.push((entry, head)),
                Err(reason) => skipped.push(left_out(entry, &reason)),
            }
        }
    }
    let (channels, height, width) = shape(&usable, size)?;
    usable.retain(|(entry, _)| entry.part == part);
    let mut samples = reserved(&usable, channels * height * width)?;
    let mut values = Vec::with_capacity(usable.len());
    let of_pixels = |(_, head): &(&Entry, Head)| PER_PIXEL * (head.width * head.height) as u64;
    for batch in batches(&usable, of_pixels) {
        let images: Vec<Result<Vec<u8>, PictureError>> = batch
            .par_iter()
            .map(|(entry, _)| image(entry, channels, (height, width), centre))
            .collect();
        for ((entry, _), image) in batch.iter().zip(images) {
            match image {
                Ok(image) => {
                    samples.extend(image);
                    values.push(entry.class);
                }
                Err(reason) => skipped.push(left_out(entry, &reason)),
            }
        }
    }
    if values.is_empty() {
        return Err(setting(format!(
            "the {} part has no readable image; of a folder without parts about a fifth of the \
             images is held out, each by its path",
            part.name()
        )));
    }
    skipped.extend(unreadable_classes(listing, part, &values));
    skipped.sort();
    Ok(RawPart {
        shape: SampleShape::Image {
            channels,
            height,
            width,
        },
        samples: samples.into(),
        factors: vec![Factor {
            name: "class".into(),
            classes: listing.classes.clone(),
            values,
        }],
        skipped,
    })
}

fn setting(reason: String) -> DataError {
    DataError::Setting {
        dataset: FOLDER.into(),
        reason,
    }
}

fn left_out(entry: &Entry, reason: &PictureError) -> Skipped {
    Skipped {
        path: (&entry.relative).into(),
        reason: format!("left out: {reason}"),
    }
}

/// Channels, height and width of the samples.
fn shape(
    usable: &[(&Entry, Head)],
    size: Option<usize>,
) -> Result<(usize, usize, usize), DataError> {
    let Some((first, head)) = usable.first() else {
        return Err(setting("no image of the folder can be read".into()));
    };
    let (height, width) = match size {
        Some(side) => (side, side),
        None => (head.height, head.width),
    };
    let odd = usable
        .iter()
        .find(|(_, h)| (h.height, h.width) != (head.height, head.width));
    if let (None, Some((other, odd))) = (size, odd) {
        return Err(setting(format!(
            "images differ in size: {} is {width}x{height}, {} is {}x{}; give a size, such as \
             size = 64",
            first.relative, other.relative, odd.width, odd.height
        )));
    }
    if height.max(width) > LARGEST_SIDE {
        return Err(setting(format!(
            "images are {width}x{height}, a side of a sample has at most {LARGEST_SIDE}; give a \
             size, such as size = 64"
        )));
    }
    let grey = usable.iter().all(|(_, head)| head.grey);
    Ok((if grey { 1 } else { 3 }, height, width))
}

/// Room for all samples of a part.
fn reserved(usable: &[(&Entry, Head)], each: usize) -> Result<Vec<u8>, DataError> {
    let mut samples = Vec::new();
    let bytes = usable.len().saturating_mul(each);
    let what = format!("{} images of {each} bytes", usable.len());
    ask_memory(bytes as u128, what)?;
    samples.try_reserve_exact(bytes).map_err(|_| {
        setting(format!(
            "{} images of {each} bytes do not fit into memory; give a smaller size, such as \
             size = 64",
            usable.len()
        ))
    })?;
    Ok(samples)
}

/// Consecutive items whose weights are within [`AT_ONCE`] together; a heavier one is alone.
fn batches<T>(mut rest: &[T], weight: impl Fn(&T) -> u64) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = |item: &&T| {
            sum += weight(item);
            sum <= AT_ONCE
        };
        let fitting = rest.iter().take_while(fits).count();
        let (batch, after) = rest.split_at(fitting.max(1).min(rest.len()));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Classes of a part whose images are all left out, of its images when it was listed.
fn unreadable_classes(listing: &Listing, part: Part, values: &[u16]) -> Vec<Skipped> {
    let mut counts = vec![(0, 0); listing.classes.len()];
    for entry in listing.entries.iter().filter(|e| e.part == part) {
        counts[usize::from(entry.class)].0 += 1;
    }
    for &value in values {
        counts[usize::from(value)].1 += 1;
    }
    let named = listing.classes.iter().zip(counts);
    named
        .filter(|(_, (listed, read))| *listed > 0 && *read == 0)
        .map(|(class, (listed, _))| Skipped {
            path: class.into(),
            reason: format!(
                "the {} part has no image of the class: none of its {listed} can be read",
                part.name()
            ),
        })
        .collect()
}

fn content(entry: &Entry) -> Result<Vec<u8>, PictureError> {
    if entry.state.bytes > LARGEST_FILE {
        return Err(PictureError::LongFile(entry.state.bytes));
    }
    let mut bytes = Vec::new();
    let file = File::open(&entry.path).map_err(PictureError::Unreadable)?;
    // It may have grown since it was listed.
    file.take(LARGEST_FILE)
        .read_to_end(&mut bytes)
        .map_err(PictureError::Unreadable)?;
    Ok(bytes)
}

fn image(
    entry: &Entry,
    channels: usize,
    to: (usize, usize),
    centre: Option<Resampling>,
) -> Result<Vec<u8>, PictureError> {
    let picture = picture::shown(&content(entry)?)?;
    let from = (picture.height() as usize, picture.width() as usize);
    let planes = picture::planes(&picture, channels);
    drop(picture);
    Ok(planes
        .chunks_exact(from.0 * from.1)
        .flat_map(|plane| match &centre {
            Some(centre) => centre.plane(plane, [from.0, from.1]),
            None => resize(plane.to_vec(), from, to),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

    use super::super::listing::list;
    use super::*;
    use crate::Filter;

    fn colour(width: u32, height: u32, value: u8) -> DynamicImage {
        RgbImage::from_pixel(width, height, Rgb([value, 0, 255 - value])).into()
    }

    fn grey(value: u8) -> DynamicImage {
        GrayImage::from_pixel(8, 8, Luma([value])).into()
    }

    fn save(dir: &Path, name: &str, picture: &DynamicImage) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let format = ImageFormat::from_path(&path).unwrap();
        fs::write(path, picture::encode(picture, format)).unwrap();
    }

    #[test]
    fn grey_stays_grey_only_if_all_is() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), "train/a/1.png", &grey(10));
        save(dir.path(), "train/b/2.jpg", &grey(20));
        save(dir.path(), "test/a/3.png", &grey(30));
        let part = read(&list(dir.path()).unwrap(), Part::Train, None, None).unwrap();
        assert_eq!(part.shape.values(), 64);
        assert_eq!((part.samples[0], part.samples[64]), (10, 20));
        // One colour image in the other part is enough.
        save(dir.path(), "test/b/4.png", &colour(8, 8, 9));
        let part = read(&list(dir.path()).unwrap(), Part::Train, None, None).unwrap();
        assert_eq!(part.shape.values(), 192);
        assert_eq!(part.samples[..192], vec![10; 192]);
        let test = read(&list(dir.path()).unwrap(), Part::Test, None, None).unwrap();
        assert_eq!(test.factors[0].values, [0, 1]);
        assert_eq!(test.samples[192..][..64], vec![9; 64]);
    }

    #[test]
    fn sizes_must_agree_or_be_given() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), "train/a/1.png", &colour(8, 8, 10));
        save(dir.path(), "train/b/2.png", &colour(20, 10, 200));
        save(dir.path(), "val/b/3.png", &colour(8, 8, 200));
        let listing = list(dir.path()).unwrap();
        let error = read(&listing, Part::Train, None, None).unwrap_err();
        assert!(error.is_usage());
        let error = error.to_string();
        assert!(
            error.contains("2.png is 20x10") && error.contains("size ="),
            "{error}"
        );
        let part = read(&listing, Part::Train, Some(6), None).unwrap();
        assert_eq!(part.samples.len(), 2 * 3 * 36);
        assert_eq!(part.samples[..36], vec![10; 36]);
        assert_eq!(part.samples[3 * 36..][..36], vec![200; 36]);
    }

    /// The centre is cut out, and is what it was where the shorter side keeps its length.
    #[test]
    fn pictures_keep_the_ratio_of_their_sides_where_a_centre_is_cut_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["train/a/1.png", "train/b/2.png", "test/a/3.png"] {
            let picture = RgbImage::from_fn(13, 8, |x, y| Rgb([20 * x as u8, y as u8, 7]));
            save(dir.path(), name, &picture.into());
        }
        let listing = list(dir.path()).unwrap();
        let centre = Resampling {
            size: 6,
            resize: Some(8),
            filter: Filter::Bicubic,
        };
        let part = read(&listing, Part::Train, Some(6), Some(centre)).unwrap();
        assert_eq!(part.samples.len(), 2 * 3 * 36);
        // (13 - 6) / 2 = 3.5 becomes 4, (8 - 6) / 2 is 1.
        let row: Vec<u8> = (4..10).map(|x| 20 * x).collect();
        assert_eq!(part.samples[..36], row.repeat(6));
        assert_eq!(part.samples[36..][..7], [1, 1, 1, 1, 1, 1, 2]);
        // Squeezed, all columns are there.
        let part = read(&listing, Part::Train, Some(6), None).unwrap();
        assert!(part.samples[0] < 40 && part.samples[5] > 210);
    }

    #[test]
    fn damaged_files_are_listed_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), "train/a/1.png", &colour(8, 8, 1));
        save(dir.path(), "train/a/cut.png", &colour(8, 8, 1));
        save(dir.path(), "train/b/2.png", &colour(8, 8, 2));
        save(dir.path(), "test/a/3.png", &colour(8, 8, 3));
        save(dir.path(), "test/b/4.png", &colour(8, 8, 3));
        let cut = dir.path().join("train/a/cut.png");
        let bytes = fs::read(&cut).unwrap();
        fs::write(&cut, &bytes[..45]).unwrap();
        fs::write(dir.path().join("train/b/text.png"), "no image").unwrap();
        save(dir.path(), "train/b/cut.jpg", &colour(8, 8, 1));
        let cut = dir.path().join("train/b/cut.jpg");
        let bytes = fs::read(&cut).unwrap();
        fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
        fs::write(dir.path().join("train/b/empty.jpg"), "").unwrap();
        let part = read(&list(dir.path()).unwrap(), Part::Train, None, None).unwrap();
        assert_eq!(part.factors[0].values, [0, 1]);
        let skipped: Vec<_> = part.skipped.iter().map(|s| s.path.clone()).collect();
        let expected = [
            "train/a/cut.png",
            "train/b/cut.jpg",
            "train/b/empty.jpg",
            "train/b/text.png",
        ];
        assert_eq!(skipped, expected.map(std::path::PathBuf::from));
        assert!(part.skipped[1].reason.contains("left out: truncated"));
        assert!(part.skipped[2].reason.contains("left out: empty"));
        assert!(
            part.skipped[3]
                .reason
                .contains("not an image, whatever its name says")
        );
    }

    /// A file is what its content says, and a class of damaged files is named.
    #[test]
    fn contents_count_not_names() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), "train/a/1.png", &colour(8, 8, 1));
        save(dir.path(), "train/b/2.jpg", &colour(8, 8, 2));
        save(dir.path(), "test/a/3.png", &colour(8, 8, 3));
        save(dir.path(), "test/b/4.bmp", &colour(8, 8, 3));
        let train = dir.path().join("train");
        fs::rename(train.join("b/2.jpg"), train.join("b/2.png")).unwrap();
        fs::create_dir(train.join("c")).unwrap();
        fs::write(train.join("c/5.png"), "text").unwrap();
        fs::write(train.join("c/6.jpg"), b"II*\0....").unwrap();
        let listing = list(dir.path()).unwrap();
        let part = read(&listing, Part::Train, None, None).unwrap();
        assert_eq!(part.factors[0].values, [0, 1]);
        let said: Vec<String> = part
            .skipped
            .iter()
            .map(|s| format!("{}: {}", s.path.display(), s.reason))
            .collect();
        assert_eq!(
            said[0],
            "c: the train part has no image of the class: none of its 2 can be read"
        );
        assert!(
            said[1].starts_with("train/c: trained on, but in no probe"),
            "{said:?}"
        );
        assert!(
            said[2].starts_with("train/c/5.png: left out: not an image"),
            "{said:?}"
        );
        assert!(
            said[3].starts_with("train/c/6.jpg: left out: a TIFF image"),
            "{said:?}"
        );
        let test = read(&listing, Part::Test, None, None).unwrap();
        assert_eq!(test.factors[0].values, [0, 1]);
    }

    #[test]
    fn large_samples_need_a_size() {
        let dir = tempfile::tempdir().unwrap();
        save(
            dir.path(),
            "train/a/1.png",
            &DynamicImage::new_luma8(5000, 2),
        );
        save(
            dir.path(),
            "train/b/2.png",
            &DynamicImage::new_luma8(5000, 2),
        );
        save(
            dir.path(),
            "test/a/3.png",
            &DynamicImage::new_luma8(5000, 2),
        );
        let listing = list(dir.path()).unwrap();
        let error = read(&listing, Part::Test, None, None).unwrap_err();
        assert!(error.is_usage());
        let error = error.to_string();
        assert!(
            error.contains("images are 5000x2") && error.contains("size ="),
            "{error}"
        );
        assert_eq!(
            read(&listing, Part::Test, Some(4), None)
                .unwrap()
                .samples
                .len(),
            16
        );
    }

    #[test]
    fn batches_hold_all_in_order_within_the_bound() {
        let weights = [AT_ONCE / 2, AT_ONCE / 2, 1, AT_ONCE * 3, AT_ONCE, 0, 5];
        let found: Vec<&[u64]> = batches(&weights, |w| *w).collect();
        let sizes: Vec<usize> = found.iter().map(|b| b.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 2, 1]);
        assert_eq!(found.concat(), weights);
        assert_eq!(batches(&[0u64; 0], |w| *w).count(), 0);
    }

    #[test]
    fn a_folder_or_part_of_nothing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            fs::create_dir_all(dir.path().join(class)).unwrap();
            fs::write(dir.path().join(class).join("1.png"), "x").unwrap();
        }
        let error = read(&list(dir.path()).unwrap(), Part::Train, None, None).unwrap_err();
        assert!(
            error.to_string().contains("no image of the folder"),
            "{error}"
        );
        save(dir.path(), "a/1.png", &grey(1));
        save(dir.path(), "b/1.png", &grey(2));
        let error = read(&list(dir.path()).unwrap(), Part::Test, None, None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("test part has no readable image"),
            "{error}"
        );
    }
}
