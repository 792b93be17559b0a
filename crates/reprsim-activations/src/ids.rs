//! Which samples the rows are.

use crate::error::DifferentSamples;
use crate::labels::Labels;

/// What a file says of its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleIds {
    /// A hash over all of them, in order.
    Hash(String),
    /// Each of them: an integer array `sample_ids` beside the layers.
    Numbers(Vec<i64>),
    /// Each of them: an array of texts `sample_ids` beside the layers.
    Names(Vec<String>),
}

/// The name of the array of sample ids.
pub(crate) const ARRAY: &str = "sample_ids";

impl From<Labels> for SampleIds {
    fn from(labels: Labels) -> Self {
        match labels {
            Labels::Numbers(of) => Self::Numbers(of),
            Labels::Names(of) => Self::Names(of),
        }
    }
}

impl SampleIds {
    /// One id a row; `None` of a hash.
    pub fn labels(&self) -> Option<Labels> {
        match self {
            Self::Hash(_) => None,
            Self::Numbers(of) => Some(Labels::Numbers(of.clone())),
            Self::Names(of) => Some(Labels::Names(of.clone())),
        }
    }

    /// How many there are; `None` of a hash.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Hash(_) => None,
            Self::Numbers(of) => Some(of.len()),
            Self::Names(of) => Some(of.len()),
        }
    }

    /// Whether row i is the same sample here and there.
    ///
    /// # Errors
    /// Where they part, numbers and texts as they are written. A hash and a list cannot be compared and
    /// are let pass.
    pub fn check(&self, other: &Self) -> Result<(), DifferentSamples> {
        match (self, other) {
            (Self::Hash(a), Self::Hash(b)) if a != b => Err(DifferentSamples::Hashes {
                a: a.clone(),
                b: b.clone(),
            }),
            (Self::Numbers(a), Self::Numbers(b)) => rows(a, b),
            (Self::Names(a), Self::Names(b)) => rows(a, b),
            // Numbers and texts are the same samples if they are written alike.
            _ => match (self.labels(), other.labels()) {
                (Some(a), Some(b)) => rows(&a.texts(), &b.texts()),
                _ => Ok(()),
            },
        }
    }
}

/// Where two lists part.
fn rows<T: PartialEq + ToString>(a: &[T], b: &[T]) -> Result<(), DifferentSamples> {
    if a.len() != b.len() {
        return Err(DifferentSamples::Counts {
            a: a.len(),
            b: b.len(),
        });
    }
    match a.iter().zip(b).position(|(x, y)| x != y) {
        Some(row) => Err(DifferentSamples::Row {
            row,
            a: a[row].to_string(),
            b: b[row].to_string(),
        }),
        None => Ok(()),
    }
}
