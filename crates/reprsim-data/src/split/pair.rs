//! What a split hands to training.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{DataError, Dataset};

/// What a model's labels stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Labelling {
    /// Label i is this class of the data set's own label.
    Classes(Vec<u32>),
    /// The label is the combination of these factors.
    Factors(Vec<String>),
}

impl Labelling {
    /// The model's label of every sample of `dataset`; `None` for samples of
    /// classes the model does not know.
    ///
    /// # Errors
    /// [`DataError::UnknownFactor`] if `dataset` lacks one of the factors.
    pub fn labels(&self, dataset: &Dataset) -> Result<Vec<Option<u32>>, DataError> {
        match self {
            Self::Factors(factors) => {
                let (labels, _) = dataset.joint_label(factors)?;
                Ok(labels.into_iter().map(Some).collect())
            }
            Self::Classes(classes) => {
                let (labels, count) = dataset.joint_label(&dataset.label)?;
                let mut known = vec![None; count];
                for (new, &old) in classes.iter().enumerate() {
                    if let Some(slot) = known.get_mut(old as usize) {
                        *slot = Some(new as u32);
                    }
                }
                Ok(labels.into_iter().map(|l| known[l as usize]).collect())
            }
        }
    }
}

/// The training samples of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSamples {
    /// Indices into the training part.
    pub indices: Vec<u32>,
    /// The label of each of them, in this model's own numbering.
    pub labels: Vec<u32>,
    /// Number of classes, the width of the model's head.
    pub classes: usize,
    /// What the labels stand for.
    pub labelling: Labelling,
}

/// The two models' training samples.
#[derive(Clone, Debug, PartialEq)]
pub struct PairSplit {
    /// Model a.
    pub a: ModelSamples,
    /// Model b.
    pub b: ModelSamples,
}

/// The overlap that a split really has, counted from its indices and labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// Shared samples over samples per model.
    pub samples: f64,
    /// Shared classes, or shared label factors, over those of one model.
    pub labels: f64,
}

/// Share of `b` that is in `a` too, of as many as `a` has.
fn share<T: Ord>(a: &[T], b: &[T]) -> f64 {
    let set: BTreeSet<&T> = a.iter().collect();
    b.iter().filter(|x| set.contains(x)).count() as f64 / a.len().max(1) as f64
}

impl PairSplit {
    /// Counts the overlap reached.
    pub fn reached(&self) -> Reached {
        let labels = match (&self.a.labelling, &self.b.labelling) {
            (Labelling::Classes(a), Labelling::Classes(b)) => share(a, b),
            (Labelling::Factors(a), Labelling::Factors(b)) => share(a, b),
            _ => 0.0,
        };
        Reached {
            samples: share(&self.a.indices, &self.b.indices),
            labels,
        }
    }

    /// Shared samples over samples per model where copies count as shared: `first` is for each
    /// sample of the training part the first that holds the same.
    ///
    /// # Panics
    /// If `first` is of fewer samples.
    pub fn reached_by_content(&self, first: &[u32]) -> f64 {
        let [a, b] = [&self.a, &self.b].map(|model| -> Vec<u32> {
            let of = |&index: &u32| first[index as usize];
            model.indices.iter().map(of).collect()
        });
        share(&a, &b)
    }

    /// The classes both models know and those only one knows, in the data set's
    /// own numbering; `None` where labels are combinations of factors.
    pub fn class_sets(&self) -> Option<(BTreeSet<u32>, BTreeSet<u32>)> {
        let (Labelling::Classes(a), Labelling::Classes(b)) = (&self.a.labelling, &self.b.labelling)
        else {
            return None;
        };
        let a: BTreeSet<u32> = a.iter().copied().collect();
        let b: BTreeSet<u32> = b.iter().copied().collect();
        Some((
            a.intersection(&b).copied().collect(),
            a.symmetric_difference(&b).copied().collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_count_as_shared_by_content() {
        let model = |indices: &[u32]| ModelSamples {
            indices: indices.into(),
            labels: vec![0; indices.len()],
            classes: 1,
            labelling: Labelling::Classes(vec![0]),
        };
        let pair = PairSplit {
            a: model(&[0, 1, 2, 3]),
            b: model(&[3, 4, 5, 6]),
        };
        assert_eq!(pair.reached().samples, 0.25);
        assert_eq!(pair.reached_by_content(&[0, 1, 2, 3, 4, 5, 6]), 0.25);
        // Sample 5 is a copy of sample 1, and 6 of 5.
        assert_eq!(pair.reached_by_content(&[0, 1, 2, 3, 4, 1, 1]), 0.75);
    }
}
