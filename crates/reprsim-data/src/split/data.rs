//! Data overlap: shared samples, same classes (the paper's "horizontal").

use rand::Rng;
use rand::seq::SliceRandom;

use super::pair::{Labelling, ModelSamples, PairSplit};
use super::share::{by_class, check_any, check_share, share};
use crate::DataError;

/// A data-overlap split to make.
#[derive(Clone, Debug)]
pub struct DataSplit<'a> {
    /// The class of each training sample.
    pub labels: &'a [u32],
    /// Names of the classes.
    pub classes: &'a [String],
    /// Samples per model; `None` gives each model half of every class.
    pub per_model: Option<usize>,
    /// Overlap f in 0..=1.
    pub overlap: f64,
}

/// Splits every class on its own: of its N samples per model, round(f N) (ties
/// to even) are shared, the rest of each model's is its own.
///
/// Both models see exactly N samples of each class whatever f is; what is left
/// over is unused. With `per_model`, N is `per_model / classes`, the first
/// `per_model % classes` classes having one more.
///
/// # Errors
/// [`DataError::Split`] if f is no share or a class has too few samples for N and f.
pub fn split_data(
    split: &DataSplit<'_>,
    rng: &mut (impl Rng + ?Sized),
) -> Result<PairSplit, DataError> {
    check_share("data", split.overlap)?;
    let classes = split.classes.len();
    let members = by_class(split.labels, classes)?;
    let mut a = Vec::new();
    let mut b = Vec::new();
    for (class, mut indices) in members.into_iter().enumerate() {
        let available = indices.len();
        let n = match split.per_model {
            None => available / 2,
            Some(total) => total / classes + usize::from(class < total % classes),
        };
        check_any(&indices, &split.classes[class])?;
        if n == 0 {
            return Err(DataError::Split(format!(
                "no sample of class '{}' a model: {classes} classes need train_per_model of at \
                 least {classes}, and each class two training samples",
                split.classes[class]
            )));
        }
        indices.shuffle(rng);
        let (of_a, of_b) = share(&indices, n, split.overlap).map_err(|needed| {
            DataError::Split(format!(
                "class '{}' has {available} training samples; {n} a model at data overlap {} \
                 needs {needed}\n  lower train_per_model or take a larger training set",
                split.classes[class], split.overlap,
            ))
        })?;
        let label = class as u32;
        a.extend(of_a.into_iter().map(|i| (i, label)));
        b.extend(of_b.into_iter().map(|i| (i, label)));
    }
    let model = |samples: Vec<(u32, u32)>| {
        let (indices, labels) = samples.into_iter().unzip();
        ModelSamples {
            indices,
            labels,
            classes,
            labelling: Labelling::Classes((0..classes as u32).collect()),
        }
    };
    Ok(PairSplit {
        a: model(a),
        b: model(b),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::round::round_half_even;
    use super::*;
    use reprsim_base::Stream;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    proptest! {
        #[test]
        fn sizes_and_overlap_are_exact(
            classes in 2usize..7,
            per_class in 4usize..40,
            level in 0.0f64..=1.0,
            seed in 0u64..1000,
            fixed in proptest::bool::ANY,
        ) {
            let labels: Vec<u32> = (0..classes * per_class).map(|i| (i % classes) as u32).collect();
            let names = names(classes);
            let per_model = fixed.then_some(classes * (per_class / 2) - classes / 2);
            let split = DataSplit { labels: &labels, classes: &names, per_model, overlap: level };
            let pair = split_data(&split, &mut Stream::new(seed).rng()).unwrap();
            let again = split_data(&split, &mut Stream::new(seed).rng()).unwrap();
            prop_assert_eq!(&pair, &again);
            prop_assert_eq!(pair.a.indices.len(), pair.b.indices.len());
            if let Some(n) = per_model {
                prop_assert_eq!(pair.a.indices.len(), n);
            } else {
                prop_assert_eq!(pair.a.indices.len(), classes * (per_class / 2));
            }
            let a: BTreeSet<u32> = pair.a.indices.iter().copied().collect();
            let b: BTreeSet<u32> = pair.b.indices.iter().copied().collect();
            prop_assert_eq!(a.len(), pair.a.indices.len(), "a has duplicates");
            prop_assert_eq!(b.len(), pair.b.indices.len(), "b has duplicates");
            for class in 0..classes as u32 {
                let of = |set: &BTreeSet<u32>| set.iter().filter(|&&i| labels[i as usize] == class).copied().collect::<BTreeSet<_>>();
                let (ca, cb) = (of(&a), of(&b));
                prop_assert_eq!(ca.len(), cb.len());
                let shared = round_half_even(level * ca.len() as f64);
                prop_assert_eq!(ca.intersection(&cb).count(), shared);
            }
            for model in [&pair.a, &pair.b] {
                for (&i, &l) in model.indices.iter().zip(&model.labels) {
                    prop_assert_eq!(labels[i as usize], l);
                }
            }
        }
    }

    #[test]
    fn ends_of_the_scale() {
        let labels: Vec<u32> = (0..100).map(|i| i % 10).collect();
        let names = names(10);
        let at = |overlap| {
            let split = DataSplit {
                labels: &labels,
                classes: &names,
                per_model: None,
                overlap,
            };
            split_data(&split, &mut Stream::new(1).rng())
                .unwrap()
                .reached()
                .samples
        };
        assert_eq!(at(0.0), 0.0);
        assert_eq!(at(1.0), 1.0);
        // 5 a class: round_half_even(2.5) = 2.
        assert_eq!(at(0.5), 0.4);
    }

    #[test]
    fn too_few_samples_is_an_error() {
        let labels = vec![0, 0, 0, 1, 1, 1];
        let names = names(2);
        let split = DataSplit {
            labels: &labels,
            classes: &names,
            per_model: Some(4),
            overlap: 0.0,
        };
        let error = split_data(&split, &mut Stream::new(0).rng()).unwrap_err();
        assert!(
            error.to_string().contains("has 3 training samples"),
            "{error}"
        );
    }
}
