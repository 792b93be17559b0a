//! CIFAR-10 and CIFAR-100, binary version, read from the official archive.
//!
//! A record is one label byte (CIFAR-100: the superclass, then the class) and
//! 3072 bytes of a 32x32 image, channel by channel, row by row.
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::path::Path;

use super::raw::{check_count, room};
use super::{RawPart, tarball};
use crate::{Card, DataError, Factor, Part};

const SIDE: usize = 32;
const IMAGE: usize = 3 * SIDE * SIDE;
const LARGEST_TEXT: u64 = 1 << 16;

/// What differs between the two.
struct Layout {
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static [&'static str],
    /// File of class names and name of the factor, by label byte.
    labels: &'static [(&'static str, &'static str)],
}

const CIFAR_10: Layout = Layout {
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: &["test_batch.bin"],
    labels: &[("batches.meta.txt", "class")],
};

const CIFAR_100: Layout = Layout {
    folder: "cifar-100-binary",
    train: &["train.bin"],
    test: &["test.bin"],
    labels: &[
        ("coarse_label_names.txt", "superclass"),
        ("fine_label_names.txt", "class"),
    ],
};

/// Reads a part from the archive at `path`.
pub(crate) fn read(card: &Card, part: Part, path: &Path) -> Result<RawPart, DataError> {
    let factors = card.factors();
    let layout = if factors.len() == 1 {
        &CIFAR_10
    } else {
        &CIFAR_100
    };
    let data = match part {
        Part::Train => layout.train,
        Part::Validation | Part::Test => layout.test,
    };
    let full = |name: &str| format!("{}/{name}", layout.folder);
    let record = layout.labels.len() + IMAGE;
    let largest = card.len(part).saturating_mul(record) as u64;
    let mut members = tarball::members(path, |name| {
        if layout.labels.iter().any(|(file, _)| full(file) == name) {
            Some(LARGEST_TEXT)
        } else {
            data.iter()
                .any(|file| full(file) == name)
                .then_some(largest)
        }
    })?;

    let mut read = Vec::new();
    for (file, factor) in layout.labels {
        let text = tarball::take(&mut members, path, &full(file))?;
        let promised = factors
            .iter()
            .find(|(name, _)| name == factor)
            .map_or(0, |(_, n)| *n);
        read.push(Factor {
            name: (*factor).into(),
            classes: class_names(path, file, &text, promised)?,
            values: Vec::with_capacity(card.len(part)),
        });
    }
    let mut samples = room(path, card.len(part), IMAGE)?;
    for file in data {
        let content = tarball::take(&mut members, path, &full(file))?;
        if content.len() % record != 0 {
            return Err(DataError::damaged(
                path,
                content.len() as u64,
                format!(
                    "{file} holds {} bytes, which is no whole number of records of {record}",
                    content.len()
                ),
            ));
        }
        for (index, bytes) in content.chunks_exact(record).enumerate() {
            let (labels, image) = bytes.split_at(layout.labels.len());
            for (at, (&label, factor)) in labels.iter().zip(&mut read).enumerate() {
                if usize::from(label) >= factor.classes.len() {
                    return Err(DataError::damaged(
                        path,
                        (index * record + at) as u64,
                        format!(
                            "in {file}: {} {label} is out of range: there are {}",
                            factor.name,
                            factor.classes.len()
                        ),
                    ));
                }
                factor.values.push(u16::from(label));
            }
            samples.extend_from_slice(image);
        }
    }
    check_count(path, card, part, samples.len() / IMAGE)?;
    // In the order of the card: the class first.
    read.sort_by_key(|f| factors.iter().position(|(name, _)| *name == f.name));
    Ok(RawPart::colour(SIDE, samples, read))
}

/// One name a line; blank lines do not count.
fn class_names(
    path: &Path,
    file: &str,
    text: &[u8],
    promised: usize,
) -> Result<Vec<String>, DataError> {
    let text = str::from_utf8(text).map_err(|e| {
        DataError::undecodable(path, e.valid_up_to() as u64, &format!("{file}: "), e)
    })?;
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(String::from)
        .collect();
    if names.len() != promised {
        return Err(DataError::damaged(
            path,
            0,
            format!("{file} names {} classes; there are {promised}", names.len()),
        ));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find_card;

    /// The official card, less its number of samples.
    fn card(name: &str, train: usize, test: usize) -> Card {
        Card {
            train,
            test,
            ..find_card(name).unwrap().clone()
        }
    }

    fn record(labels: &[u8], seed: u8) -> Vec<u8> {
        let image = (0..IMAGE).map(|i| (i as u8).wrapping_mul(7).wrapping_add(seed));
        labels.iter().copied().chain(image).collect()
    }

    fn names(n: usize, prefix: &str) -> Vec<u8> {
        (0..n)
            .map(|i| format!("{prefix}{i}\n"))
            .collect::<String>()
            .into_bytes()
    }

    type Members = Vec<(&'static str, Vec<u8>)>;

    fn cifar_10() -> Members {
        // In an order of its own, as in the official archive.
        vec![
            ("cifar-10-batches-bin/data_batch_4.bin", record(&[4], 4)),
            ("cifar-10-batches-bin/readme.html", vec![b'x'; 20]),
            ("cifar-10-batches-bin/test_batch.bin", record(&[9], 9)),
            (
                "cifar-10-batches-bin/data_batch_1.bin",
                [record(&[1], 1), record(&[0], 7)].concat(),
            ),
            ("cifar-10-batches-bin/data_batch_2.bin", record(&[2], 2)),
            ("cifar-10-batches-bin/data_batch_5.bin", record(&[5], 5)),
            (
                "cifar-10-batches-bin/batches.meta.txt",
                [names(10, "c"), b"\n".to_vec()].concat(),
            ),
            ("cifar-10-batches-bin/data_batch_3.bin", record(&[3], 3)),
        ]
    }

    fn read_all(
        members: &[(&str, Vec<u8>)],
        card: &Card,
        part: Part,
    ) -> Result<RawPart, DataError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar.gz");
        tarball::write(&path, members);
        read(card, part, &path)
    }

    #[test]
    fn batches_come_in_their_order() {
        let card = card("cifar-10", 6, 1);
        let train = read_all(&cifar_10(), &card, Part::Train).unwrap();
        assert_eq!(train.factors.len(), 1);
        assert_eq!(train.factors[0].values, [1, 0, 2, 3, 4, 5]);
        assert_eq!(train.factors[0].classes[9], "c9");
        assert_eq!(train.samples[IMAGE..2 * IMAGE], record(&[], 7)[..]);
        let test = read_all(&cifar_10(), &card, Part::Test).unwrap();
        assert_eq!(test.factors[0].values, [9]);
        assert_eq!(test.samples[..], record(&[], 9)[..]);
    }

    fn cifar_100() -> Members {
        vec![
            ("cifar-100-binary/coarse_label_names.txt", names(20, "s")),
            ("cifar-100-binary/fine_label_names.txt", names(100, "c")),
            (
                "cifar-100-binary/train.bin",
                [record(&[19, 99], 1), record(&[3, 0], 2)].concat(),
            ),
            ("cifar-100-binary/test.bin", record(&[0, 50], 3)),
        ]
    }

    #[test]
    fn the_hundred_have_class_and_superclass() {
        let card = card("cifar-100", 2, 1);
        let train = read_all(&cifar_100(), &card, Part::Train).unwrap();
        let [class, superclass] = &train.factors[..] else {
            panic!("two factors");
        };
        assert_eq!(
            (class.name.as_str(), &class.values[..]),
            ("class", &[99, 0][..])
        );
        assert_eq!(superclass.name, "superclass");
        assert_eq!(superclass.values, [19, 3]);
        assert_eq!((class.classes.len(), superclass.classes.len()), (100, 20));
    }

    #[test]
    fn damage_is_refused_with_its_place() {
        let card_10 = card("cifar-10", 6, 1);
        let wrong = |change: &dyn Fn(&mut Members), part| {
            let mut members = cifar_10();
            change(&mut members);
            let error = read_all(&members, &card_10, part).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }), "{error}");
            error.to_string()
        };
        let error = wrong(&|m| m[3].1[3073] = 10, Part::Train);
        assert!(
            error.contains("class 10 is out of range") && error.contains("byte 3073"),
            "{error}"
        );
        let error = wrong(&|m| m[2].1.truncate(3000), Part::Test);
        assert!(error.contains("no whole number of records"), "{error}");
        let error = wrong(&|m| drop(m.remove(2)), Part::Test);
        assert!(
            error.contains("has no cifar-10-batches-bin/test_batch.bin"),
            "{error}"
        );
        let error = wrong(&|m| m[6].1 = names(9, "c"), Part::Train);
        assert!(error.contains("names 9 classes"), "{error}");
        let error = wrong(&|m| m[6].1 = vec![0xff, 0xfe], Part::Train);
        assert!(error.contains("batches.meta.txt"), "{error}");
        let error = wrong(&|m| m[0].1 = vec![], Part::Train);
        assert!(error.contains("holds 5 samples; cifar-10 has 6"), "{error}");
        let error = wrong(&|m| m[2].1 = record(&[1], 1).repeat(2), Part::Test);
        assert!(error.contains("plausible"), "oversized: {error}");
        let card_100 = card("cifar-100", 2, 1);
        let mut members = cifar_100();
        members[2].1[0] = 20;
        let error = read_all(&members, &card_100, Part::Train).unwrap_err();
        assert!(error.to_string().contains("superclass 20"), "{error}");
    }
}
