//! TinyImageNet, read from the official zip archive.
//!
//! `wnids.txt` lists the classes and `words.txt` names them; training images lie
//! in folders by class, validation images in one, with `val_annotations.txt`.
//! The classes of the official test part were never published: the validation
//! part is the test part here.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::raw::{check_count, room};
use super::zipped::Zip;
use super::{RawPart, picture};
use crate::{Card, DataError, Factor, Part};

const ROOT: &str = "tiny-imagenet-200";
const SIDE: usize = 64;
const IMAGE: usize = 3 * SIDE * SIDE;
const LARGEST_TEXT: u64 = 32 << 20;
const LARGEST_IMAGE: u64 = 1 << 20;
/// Images that are unpacked before they are decoded in parallel.
const AT_ONCE: usize = 2048;

/// Reads a part from the archive at `path`.
pub(crate) fn read(card: &Card, part: Part, path: &Path) -> Result<RawPart, DataError> {
    let mut archive = Zip::open(path)?;
    let mut wnids: Vec<String> = text(&mut archive, &format!("{ROOT}/wnids.txt"))?
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(String::from)
        .collect();
    wnids.sort_unstable();
    wnids.dedup();
    let promised = card.factors().first().map_or(0, |(_, n)| *n);
    if wnids.len() != promised {
        return Err(DataError::damaged(
            path,
            0,
            format!(
                "wnids.txt lists {} classes; there are {promised}",
                wnids.len()
            ),
        ));
    }
    let classes = class_names(
        path,
        &wnids,
        &text(&mut archive, &format!("{ROOT}/words.txt"))?,
    )?;
    let images = match part {
        Part::Train => train_images(&archive, &wnids)?,
        Part::Validation | Part::Test => test_images(&mut archive, &wnids)?,
    };
    check_count(path, card, part, images.len())?;
    let mut samples = room(path, images.len(), IMAGE)?;
    for stretch in images.chunks(AT_ONCE) {
        let packed = stretch
            .iter()
            .map(|(name, _)| Ok((name, archive.member(name, LARGEST_IMAGE)?)))
            .collect::<Result<Vec<_>, DataError>>()?;
        let decoded = packed
            .par_iter()
            .map(|(name, (offset, bytes))| {
                picture::square(bytes, SIDE)
                    .map_err(|e| DataError::undecodable(path, *offset, &format!("{name}: "), e))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        decoded.iter().for_each(|image| samples.extend(image));
    }
    let factor = Factor {
        name: "class".into(),
        classes,
        values: images.iter().map(|(_, class)| *class).collect(),
    };
    Ok(RawPart::colour(SIDE, samples, vec![factor]))
}

/// The first name of each class, with its id where two have the same.
fn class_names(path: &Path, wnids: &[String], words: &str) -> Result<Vec<String>, DataError> {
    let words: BTreeMap<&str, &str> = words
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let names = wnids
        .iter()
        .map(|wnid| {
            words
                .get(wnid.as_str())
                .and_then(|names| names.split(',').next())
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .ok_or_else(|| DataError::damaged(path, 0, format!("words.txt has no {wnid}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &names {
        *seen.entry(name).or_default() += 1;
    }
    Ok(names
        .iter()
        .zip(wnids)
        .map(|(name, wnid)| match seen.get(name) {
            Some(2..) => format!("{name} {wnid}"),
            _ => (*name).to_string(),
        })
        .collect())
}

/// Members and classes of the training part: by class, then by name.
fn train_images(archive: &Zip<'_>, wnids: &[String]) -> Result<Vec<(String, u16)>, DataError> {
    let prefix = format!("{ROOT}/train/");
    let mut images = Vec::new();
    for name in archive.names()? {
        let Some(rest) = name.strip_prefix(&prefix) else {
            continue;
        };
        let [wnid, "images", file] = rest.split('/').collect::<Vec<_>>()[..] else {
            continue;
        };
        if !file.ends_with(".JPEG") {
            continue;
        }
        let class = class_of(archive.path, wnids, wnid, &name)?;
        images.push((name, class));
    }
    images.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    Ok(images)
}

/// Members and classes of the validation part, as `val_annotations.txt` has them.
fn test_images(archive: &mut Zip<'_>, wnids: &[String]) -> Result<Vec<(String, u16)>, DataError> {
    let list = format!("{ROOT}/val/val_annotations.txt");
    let text = text(archive, &list)?;
    let mut images = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut fields = line.split('\t');
        let (Some(file), Some(wnid)) = (fields.next(), fields.next()) else {
            return Err(DataError::damaged(
                archive.path,
                0,
                format!("{list}: line {} names no class", images.len() + 1),
            ));
        };
        let class = class_of(archive.path, wnids, wnid, file)?;
        images.push((format!("{ROOT}/val/images/{file}"), class));
    }
    Ok(images)
}

fn text(archive: &mut Zip<'_>, name: &str) -> Result<String, DataError> {
    let (start, bytes) = archive.member(name, LARGEST_TEXT)?;
    String::from_utf8(bytes)
        .map_err(|e| DataError::undecodable(archive.path, start, &format!("{name}: "), e))
}

fn class_of(path: &Path, wnids: &[String], wnid: &str, file: &str) -> Result<u16, DataError> {
    wnids
        .binary_search_by(|w| w.as_str().cmp(wnid))
        .map(|class| class as u16)
        .map_err(|_| {
            DataError::damaged(path, 0, format!("{file}: class {wnid} is not in wnids.txt"))
        })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::card::CardFactor;
    use crate::find_card;

    fn jpeg(side: u32, colour: [u8; 3]) -> Vec<u8> {
        let picture = RgbImage::from_pixel(side, side, Rgb(colour));
        picture::encode(&DynamicImage::from(picture), ImageFormat::Jpeg)
    }

    fn grey(value: u8) -> Vec<u8> {
        let picture = GrayImage::from_pixel(64, 64, Luma([value]));
        picture::encode(&DynamicImage::from(picture), ImageFormat::Jpeg)
    }

    type Members = Vec<(&'static str, Vec<u8>)>;

    fn members() -> Members {
        vec![
            ("wnids.txt", b"n03\nn01\nn02\n".to_vec()),
            (
                "words.txt",
                b"n00\tentity\nn01\tcrane, bird\nn02\tgoldfish, Carassius auratus\nn03\tcrane\n"
                    .to_vec(),
            ),
            ("train/n03/images/n03_0.JPEG", jpeg(64, [200, 0, 0])),
            (
                "train/n03/n03_boxes.txt",
                b"n03_0.JPEG\t0\t0\t1\t1\n".to_vec(),
            ),
            ("train/n01/images/n01_1.JPEG", jpeg(64, [0, 200, 0])),
            ("train/n01/images/n01_0.JPEG", grey(77)),
            ("train/n02/images/n02_0.JPEG", jpeg(64, [0, 0, 200])),
            ("val/images/val_0.JPEG", grey(10)),
            ("val/images/val_1.JPEG", jpeg(64, [0, 0, 200])),
            (
                "val/val_annotations.txt",
                b"val_1.JPEG\tn02\t0\t0\t62\t62\nval_0.JPEG\tn03\t0\t32\t44\t62\n".to_vec(),
            ),
            ("test/images/test_0.JPEG", grey(0)),
        ]
    }

    fn archive(path: &Path, members: &Members) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        for (name, content) in members {
            zip.start_file(format!("{ROOT}/{name}"), SimpleFileOptions::default())
                .unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    }

    fn card() -> Card {
        Card {
            train: 4,
            test: 2,
            card_factors: vec![CardFactor {
                name: "class".into(),
                classes: 3,
            }],
            ..find_card("tiny-imagenet").unwrap().clone()
        }
    }

    fn read_with(members: &Members, part: Part) -> Result<RawPart, DataError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.zip");
        archive(&path, members);
        read(&card(), part, &path)
    }

    #[test]
    fn classes_are_sorted_and_named_apart() {
        let train = read_with(&members(), Part::Train).unwrap();
        let class = &train.factors[0];
        assert_eq!(class.classes, ["crane n01", "goldfish", "crane n03"]);
        assert_eq!(class.values, [0, 0, 1, 2]);
        assert_eq!(train.samples.len(), 4 * IMAGE);
        let plane = SIDE * SIDE;
        assert_eq!(
            train.samples[..IMAGE],
            vec![77; IMAGE],
            "grey is 3 channels"
        );
        assert!(train.samples[3 * IMAGE] > 190, "red");
        assert!(train.samples[3 * IMAGE + plane] < 10);
    }

    #[test]
    fn the_validation_part_follows_its_list() {
        let test = read_with(&members(), Part::Test).unwrap();
        assert_eq!(test.factors[0].values, [1, 2]);
        assert_eq!(test.samples[IMAGE..], vec![10; IMAGE]);
    }

    #[test]
    fn damage_is_refused() {
        let text = |change: &dyn Fn(&mut Members), part| {
            let mut members = members();
            change(&mut members);
            let error = read_with(&members, part).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }), "{error}");
            error.to_string()
        };
        let error = text(&|m| drop(m.remove(0)), Part::Train);
        assert!(error.contains("no tiny-imagenet-200/wnids.txt"), "{error}");
        let error = text(&|m| m[0].1 = b"n01\nn02\n".to_vec(), Part::Train);
        assert!(error.contains("lists 2 classes"), "{error}");
        let error = text(&|m| m[1].1 = b"n01\tx\nn02\ty\n".to_vec(), Part::Train);
        assert!(error.contains("words.txt has no n03"), "{error}");
        let error = text(&|m| m[2].1 = jpeg(32, [1; 3]), Part::Train);
        assert!(
            error.contains("n03_0.JPEG") && error.contains("32x32"),
            "{error}"
        );
        let error = text(&|m| m[4].1.truncate(100), Part::Train);
        assert!(error.contains("n01_1.JPEG"), "{error}");
        let error = text(&|m| drop(m.remove(4)), Part::Train);
        assert!(error.contains("holds 3 samples"), "{error}");
        let error = text(&|m| m[9].1 = b"val_0.JPEG\tn09\n".to_vec(), Part::Test);
        assert!(error.contains("n09 is not in wnids.txt"), "{error}");
        let error = text(
            &|m| m[9].1 = b"val_0.JPEG\nval_1.JPEG\n".to_vec(),
            Part::Test,
        );
        assert!(error.contains("line 1 names no class"), "{error}");
        let error = text(&|m| drop(m.remove(8)), Part::Test);
        assert!(
            error.contains("no tiny-imagenet-200/val/images/val_1.JPEG"),
            "{error}"
        );
    }

    #[test]
    fn a_cut_or_flipped_archive_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.zip");
        archive(&path, &members());
        let whole = fs::read(&path).unwrap();
        for cut in (0..whole.len()).step_by(101) {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = read(&card(), Part::Train, &path).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }), "{error}");
        }
        let mut flipped = whole;
        let at = flipped
            .windows(11)
            .position(|w| w == b"n03_0.JPEG\xff")
            .unwrap_or(800);
        flipped[at + 200] ^= 0x40;
        fs::write(&path, &flipped).unwrap();
        let error = read(&card(), Part::Train, &path).unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. }), "{error}");
    }
}
