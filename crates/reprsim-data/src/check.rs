//! Looks at everything that a data set holds: whether its files are what they should be,
//! whether what was kept of them is theirs, and which samples, or files of text, are copies of others.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::catalog::{FOLDER, TEXT, card_of};
use crate::checksum::{recorded, sum_of_file};
use crate::color_shape_digit;
use crate::content::first_of_each;
use crate::open::{Read, open, open_files};
use crate::samples::SampleDigest;
use crate::spec::DatasetSpec;
use crate::text;
use crate::{DataError, Dataset, Factor, Part, Skipped};

/// What was found of a data set.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Files whose SHA-256 was found right, against what is published or was recorded.
    pub sums: Vec<String>,
    /// The training and the held-out part.
    pub parts: Vec<CheckedPart>,
}

/// What was found of a part.
#[derive(Clone, Debug)]
pub struct CheckedPart {
    /// Which part.
    pub part: Part,
    /// Names what it holds.
    pub content: String,
    /// Whether an array that was kept of the files was another than they are: it is not used.
    pub stale: bool,
    /// Names of the classes of each label factor, and how many samples each has.
    pub classes: Vec<(String, Vec<(String, usize)>)>,
    /// Number of samples.
    pub samples: usize,
    /// Samples that hold the same as an earlier one of the part. Of text files, whatever the part:
    /// they are listed with the training part.
    pub copies: Vec<SampleCopy>,
    /// Of the held-out part: samples that hold the same as a training sample.
    pub of_training: Vec<SampleCopy>,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
}

/// A sample that holds the same as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleCopy {
    /// Its file, below the folder of the data set or the name of the corpus; else its part and its
    /// number there.
    pub sample: String,
    /// The first that holds the same.
    pub of: String,
    /// Whether both have the same labels.
    pub same_label: bool,
}

/// Reads a data set wholly, from its files where it is of files.
///
/// # Errors
/// [`DataError::Damaged`] for a file that is not what its card or its record says, and those of
/// opening it.
pub fn check(spec: &DatasetSpec, cache: &Path) -> Result<Checked, DataError> {
    if spec.name == TEXT {
        return check_text(spec, cache);
    }
    let sums = sums(spec, cache)?;
    let mut parts: Vec<CheckedPart> = Vec::new();
    let mut training: Option<(Dataset, Vec<SampleDigest>, Vec<String>)> = None;
    for part in [Part::Train, Part::Test] {
        let kept = open(spec, part, cache)?;
        let found = match spec.name == color_shape_digit::NAME {
            true => kept.clone(),
            false => match open_files(spec, part, cache, Read::Originals) {
                // What was kept is all there is.
                Err(DataError::NotFetched { .. }) => kept.clone(),
                found => found?,
            },
        };
        let digests = found.digests();
        let names = names(spec, &found)?;
        let first = first_of_each(&digests);
        let copies = (0..).zip(&first).filter(|(sample, first)| sample != *first);
        let copy = |sample: u32, of: u32, set: &Dataset, names_of: &[String]| SampleCopy {
            sample: names[sample as usize].clone(),
            of: names_of[of as usize].clone(),
            same_label: label(&found, sample) == label(set, of),
        };
        let copies = copies
            .map(|(sample, &of)| copy(sample, of, &found, &names))
            .collect();
        let mut of_training = vec![];
        if let Some((training, digests_of, names_of)) = &training {
            let mut places: HashMap<SampleDigest, u32> = HashMap::new();
            for (place, digest) in (0..).zip(digests_of) {
                places.entry(*digest).or_insert(place);
            }
            let known = (0..).zip(&digests);
            let known = known.filter_map(|(i, digest)| Some((i, *places.get(digest)?)));
            let known = known.map(|(i, of)| copy(i, of, training, names_of));
            of_training = known.collect();
        }
        parts.push(CheckedPart {
            part,
            content: found.content(),
            stale: kept.content() != found.content(),
            classes: classes(&found),
            samples: found.len(),
            copies,
            of_training,
            skipped: found.skipped.clone(),
        });
        training.get_or_insert((found, digests, names));
    }
    Ok(Checked { sums, parts })
}

/// The same of text, whose documents count as samples; files that have the documents of others are
/// its copies.
fn check_text(spec: &DatasetSpec, cache: &Path) -> Result<Checked, DataError> {
    let found = text::look(spec.text()?, cache)?;
    let copies = found.copies.into_iter().map(|copy| SampleCopy {
        sample: copy.file,
        of: copy.of,
        same_label: copy.same_corpus,
    });
    let mut copies: Vec<SampleCopy> = copies.collect();
    let part = |(part, corpora): (Part, Vec<(String, usize)>)| CheckedPart {
        part,
        content: found.content.clone(),
        stale: false,
        samples: corpora.iter().map(|(_, documents)| documents).sum(),
        classes: vec![(text::FACTOR.into(), corpora)],
        copies: std::mem::take(&mut copies),
        of_training: vec![],
        skipped: found.skipped.clone(),
    };
    Ok(Checked {
        sums: vec![],
        parts: found.documents.into_iter().map(part).collect(),
    })
}

/// What the samples of a part are called: the images of a folder by their paths.
fn names(spec: &DatasetSpec, found: &Dataset) -> Result<Vec<String>, DataError> {
    if spec.name == FOLDER {
        let left_out: HashSet<&Path> = found.skipped.iter().map(|s| s.path.as_path()).collect();
        let names: Vec<String> = (spec.listing()?.entries.into_iter())
            .filter(|entry| entry.part == found.part)
            .map(|entry| entry.relative)
            .filter(|path| !left_out.contains(Path::new(path)))
            .collect();
        // Files may have come since it was read.
        if names.len() == found.len() {
            return Ok(names);
        }
    }
    let part = found.part.name();
    Ok((0..found.len()).map(|i| format!("{part}/{i}")).collect())
}

/// The class of a sample under each factor, by name: two parts may number them in other ways.
fn label(set: &Dataset, sample: u32) -> Vec<&str> {
    let of = |factor: &Factor| usize::from(factor.values[sample as usize]);
    (set.factors.iter())
        .map(|factor| factor.classes[of(factor)].as_str())
        .collect()
}

fn classes(set: &Dataset) -> Vec<(String, Vec<(String, usize)>)> {
    let of = |factor: &Factor| {
        let mut counts = vec![0; factor.classes.len()];
        (factor.values.iter()).for_each(|&class| counts[usize::from(class)] += 1);
        let named = factor.classes.iter().cloned().zip(counts);
        (factor.name.clone(), named.collect())
    };
    set.factors.iter().map(of).collect()
}

/// The files of a card whose sum is known and right.
fn sums(spec: &DatasetSpec, cache: &Path) -> Result<Vec<String>, DataError> {
    let mut right = vec![];
    if [color_shape_digit::NAME, FOLDER].contains(&spec.name.as_str()) {
        return Ok(right);
    }
    let card = card_of(&spec.name)?;
    for file in &card.files {
        let path = cache.join(&card.name).join(&file.name);
        let Some(expected) = file.sha256.clone().or_else(|| recorded(&path)) else {
            continue;
        };
        if !path.exists() {
            continue;
        }
        let (_, sum) = sum_of_file(&path).map_err(|e| DataError::io(&path, e))?;
        if sum != expected {
            return Err(DataError::damaged(
                path,
                0,
                format!(
                    "not the published file, its SHA-256 is {sum} and should be {expected}; \
                     run: reprsim data fetch {}",
                    card.name
                ),
            ));
        }
        right.push(file.name.clone());
    }
    Ok(right)
}
