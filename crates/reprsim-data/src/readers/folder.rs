//! Any folder of class folders of PNG and JPEG images.
//!
//! Images are resampled to a square (without keeping the ratio of their sides),
//! and are in colour unless all are grey. A file that cannot be used is left out
//! and listed, not fatal: what its name or header shows is listed with both
//! parts, damage further down with the part it is in.

use std::fs;

use rayon::prelude::*;

use super::RawPart;
use super::listing::{Entry, Listing};
use super::picture::{self, Head, PictureError};
use crate::adapt::resize;
use crate::catalog::FOLDER;
use crate::{DataError, Factor, Part, SampleShape, Skipped};

/// Reads a part of a listed folder.
pub(crate) fn read(
    listing: &Listing,
    part: Part,
    size: Option<usize>,
) -> Result<RawPart, DataError> {
    let setting = |reason: String| DataError::Setting {
        dataset: FOLDER.into(),
        reason,
    };
    // Both parts decide on the shape: models are compared across them.
    let heads: Vec<(&Entry, Result<Head, PictureError>)> = listing
        .entries
        .par_iter()
        .map(|entry| (entry, content(entry).and_then(|b| whole_head(&b))))
        .collect();
    let mut skipped = listing.skipped.clone();
    let mut skip = |entry: &Entry, reason: &PictureError| {
        skipped.push(Skipped {
            path: (&entry.relative).into(),
            reason: reason.to_string(),
        });
    };
    let mut usable = Vec::new();
    for (entry, head) in &heads {
        match head {
            Ok(head) => usable.push((*entry, *head)),
            Err(reason) => skip(entry, reason),
        }
    }
    let Some((first, head)) = usable.first().copied() else {
        return Err(setting("no image of the folder can be read".into()));
    };
    let (height, width) = match size {
        Some(side) => (side, side),
        None => {
            let odd = usable
                .iter()
                .find(|(_, h)| (h.height, h.width) != (head.height, head.width));
            if let Some((other, odd)) = odd {
                return Err(setting(format!(
                    "images differ in size: {} is {}x{}, {} is {}x{}; give a size, such as size = 64",
                    first.relative, head.width, head.height, other.relative, odd.width, odd.height
                )));
            }
            (head.height, head.width)
        }
    };
    let channels = if usable.iter().all(|(_, h)| h.grey) {
        1
    } else {
        3
    };
    usable.retain(|(entry, _)| entry.part == part);
    let decoded: Vec<Result<Vec<u8>, PictureError>> = usable
        .par_iter()
        .map(|(entry, _)| image(entry, channels, (height, width)))
        .collect();
    let mut samples = Vec::with_capacity(decoded.len() * channels * height * width);
    let mut values = Vec::with_capacity(decoded.len());
    for ((entry, _), image) in usable.iter().zip(decoded) {
        match image {
            Ok(image) => {
                samples.extend(image);
                values.push(entry.class);
            }
            Err(reason) => skip(entry, &reason),
        }
    }
    if values.is_empty() {
        return Err(setting(format!(
            "the {} part has no readable image; a fifth of each class of 5 or more is held out \
             where there is no test folder",
            part.name()
        )));
    }
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

fn content(entry: &Entry) -> Result<Vec<u8>, PictureError> {
    fs::read(&entry.path).map_err(PictureError::Unreadable)
}

fn whole_head(bytes: &[u8]) -> Result<Head, PictureError> {
    let head = picture::head(bytes)?;
    picture::check_end(bytes)?;
    Ok(head)
}

fn image(entry: &Entry, channels: usize, to: (usize, usize)) -> Result<Vec<u8>, PictureError> {
    let picture = picture::decode(&content(entry)?)?;
    let from = (picture.height() as usize, picture.width() as usize);
    let planes = picture::planes(&picture, channels);
    Ok(planes
        .chunks_exact(from.0 * from.1)
        .flat_map(|plane| resize(plane.to_vec(), from, to))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

    use super::super::listing::list;
    use super::*;

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
        let part = read(&list(dir.path()).unwrap(), Part::Train, None).unwrap();
        assert_eq!(part.shape.len(), 64);
        assert_eq!((part.samples[0], part.samples[64]), (10, 20));
        // One colour image in the other part is enough.
        save(dir.path(), "test/b/4.png", &colour(8, 8, 9));
        let part = read(&list(dir.path()).unwrap(), Part::Train, None).unwrap();
        assert_eq!(part.shape.len(), 192);
        assert_eq!(part.samples[..192], vec![10; 192]);
        let test = read(&list(dir.path()).unwrap(), Part::Test, None).unwrap();
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
        let error = read(&listing, Part::Train, None).unwrap_err();
        assert!(error.is_usage());
        let error = error.to_string();
        assert!(
            error.contains("2.png is 20x10") && error.contains("size ="),
            "{error}"
        );
        let part = read(&listing, Part::Train, Some(6)).unwrap();
        assert_eq!(part.samples.len(), 2 * 3 * 36);
        assert_eq!(part.samples[..36], vec![10; 36]);
        assert_eq!(part.samples[3 * 36..][..36], vec![200; 36]);
    }

    #[test]
    fn damaged_files_are_listed_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), "train/a/1.png", &colour(8, 8, 1));
        save(dir.path(), "train/a/cut.png", &colour(8, 8, 1));
        save(dir.path(), "train/b/2.png", &colour(8, 8, 2));
        save(dir.path(), "test/a/3.png", &colour(8, 8, 3));
        let cut = dir.path().join("train/a/cut.png");
        let bytes = fs::read(&cut).unwrap();
        fs::write(&cut, &bytes[..45]).unwrap();
        fs::write(dir.path().join("train/b/text.png"), "no image").unwrap();
        save(dir.path(), "train/b/cut.jpg", &colour(8, 8, 1));
        let cut = dir.path().join("train/b/cut.jpg");
        let bytes = fs::read(&cut).unwrap();
        fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
        fs::write(dir.path().join("train/b/empty.jpg"), "").unwrap();
        let part = read(&list(dir.path()).unwrap(), Part::Train, None).unwrap();
        assert_eq!(part.factors[0].values, [0, 1]);
        let skipped: Vec<_> = part.skipped.iter().map(|s| s.path.clone()).collect();
        let expected = [
            "train/a/cut.png",
            "train/b/cut.jpg",
            "train/b/empty.jpg",
            "train/b/text.png",
        ];
        assert_eq!(skipped, expected.map(std::path::PathBuf::from));
        assert!(part.skipped[1].reason.contains("truncated"));
        assert!(part.skipped[3].reason.contains("not a PNG or JPEG"));
    }

    #[test]
    fn a_folder_or_part_of_nothing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            fs::create_dir_all(dir.path().join(class)).unwrap();
            fs::write(dir.path().join(class).join("1.png"), "x").unwrap();
        }
        let error = read(&list(dir.path()).unwrap(), Part::Train, None).unwrap_err();
        assert!(
            error.to_string().contains("no image of the folder"),
            "{error}"
        );
        save(dir.path(), "a/1.png", &grey(1));
        save(dir.path(), "b/1.png", &grey(2));
        let error = read(&list(dir.path()).unwrap(), Part::Test, None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("test part has no readable image"),
            "{error}"
        );
    }
}
