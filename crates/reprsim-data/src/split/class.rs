//! Class overlap: shared classes, so that task and data move together (the
//! paper's "vertical").

use rand::Rng;
use rand::seq::SliceRandom;

use super::pair::{Labelling, ModelSamples, PairSplit};
use super::round::{is_reachable, levels_text, round_half_even};
use super::share::{by_class, check_any, check_share, share};
use crate::DataError;

/// A class-overlap split to make.
#[derive(Clone, Debug)]
pub struct ClassSplit<'a> {
    /// The class of each training sample.
    pub labels: &'a [u32],
    /// Names of the classes.
    pub classes: &'a [String],
    /// Samples per model; `None` gives each model as many samples of each of its
    /// classes as the smallest class has: all of them in a balanced set.
    pub per_model: Option<usize>,
    /// Overlap f in 0..=1, one of [`reachable_class_levels`].
    pub overlap: f64,
    /// Share of a common class's samples that both models see; 1 in the published
    /// design, less where class and data overlap are crossed.
    pub samples_overlap: f64,
}

/// The overlaps that `classes` classes can give: c / k for c in 0..=k with
/// k = classes / 2 classes a model.
pub fn reachable_class_levels(classes: usize) -> Vec<f64> {
    let k = classes / 2;
    (0..=k).map(|c| c as f64 / k.max(1) as f64).collect()
}

/// Gives each model k = C / 2 classes, f k of them common, and equally many
/// samples of each, so that both models always see the same number. Common classes
/// get the same new labels 0..c in both models and, of their samples, the share
/// `samples_overlap` (ties to even); private classes get labels c..k in each
/// model's own order.
///
/// # Errors
/// [`DataError::Split`] if f is not reachable (the message lists what is), there
/// are fewer than 4 classes, or a class has too few samples.
pub fn split_classes(
    split: &ClassSplit<'_>,
    rng: &mut (impl Rng + ?Sized),
) -> Result<PairSplit, DataError> {
    check_share("class", split.overlap)?;
    check_share("data", split.samples_overlap)?;
    let total = split.classes.len();
    let k = total / 2;
    if k < 2 {
        return Err(DataError::Split(format!(
            "class overlap needs at least 4 classes; the label has {total}"
        )));
    }
    let reachable = reachable_class_levels(total);
    if !is_reachable(split.overlap, &reachable) {
        return Err(DataError::Split(format!(
            "class overlap {} cannot be reached with {k} of {total} classes a model; reachable: {}",
            split.overlap,
            levels_text(&reachable)
        )));
    }
    let common = round_half_even(split.overlap * k as f64);
    let mut members = by_class(split.labels, total)?;
    let mut order: Vec<usize> = (0..total).collect();
    order.shuffle(rng);
    let smallest = members.iter().map(Vec::len).min().unwrap_or(0);
    let per_model = split.per_model.unwrap_or(k * smallest);
    let mut model_a = Vec::new();
    let mut model_b = Vec::new();
    for (rank, &class) in order[..2 * k - common].iter().enumerate() {
        check_any(&members[class], &split.classes[class])?;
        // A private class has the place in its model that a common one would have.
        let place = if rank < k { rank } else { rank - (k - common) };
        let wanted = per_model / k + usize::from(place < per_model % k);
        if wanted == 0 {
            return Err(DataError::Split(format!(
                "no sample of class '{}' a model: {k} classes a model need train_per_model of at \
                 least {k}, and every class a training sample",
                split.classes[class]
            )));
        }
        let pool = &mut members[class];
        let overlap = match rank < common {
            true => split.samples_overlap,
            false => 1.0,
        };
        let available = pool.len();
        pool.shuffle(rng);
        let (of_a, of_b) = share(pool, wanted, overlap).map_err(|needed| {
            DataError::Split(format!(
                "class '{}' has {available} training samples; {per_model} a model with {k} classes \
                 a model needs {needed}\n  change train_per_model or take a larger training set",
                split.classes[class],
            ))
        })?;
        if rank < k {
            model_a.push((class, of_a));
        }
        if rank < common || rank >= k {
            model_b.push((class, of_b));
        }
    }
    let model = |classes: Vec<(usize, Vec<u32>)>| {
        let mut indices = Vec::new();
        let mut labels = Vec::new();
        let mut known = Vec::new();
        for (new_label, (class, samples)) in classes.into_iter().enumerate() {
            labels.extend(std::iter::repeat_n(new_label as u32, samples.len()));
            indices.extend(samples);
            known.push(class as u32);
        }
        ModelSamples {
            indices,
            labels,
            classes: k,
            labelling: Labelling::Classes(known),
        }
    };
    Ok(PairSplit {
        a: model(model_a),
        b: model(model_b),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use reprsim_base::Stream;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class{i}")).collect()
    }

    proptest! {
        #[test]
        fn sizes_overlap_and_labels(
            classes in 4usize..13,
            per_class in 3usize..20,
            step in 0usize..100,
            seed in 0u64..1000,
            fixed in proptest::bool::ANY,
        ) {
            let k = classes / 2;
            let common = step % (k + 1);
            let labels: Vec<u32> = (0..classes * per_class).map(|i| (i % classes) as u32).collect();
            let names = names(classes);
            let per_model = fixed.then_some(k * per_class - (k - 1));
            let split = ClassSplit {
                labels: &labels, classes: &names, per_model,
                overlap: common as f64 / k as f64,
                samples_overlap: 1.0,
            };
            let pair = split_classes(&split, &mut Stream::new(seed).rng()).unwrap();
            prop_assert_eq!(&pair, &split_classes(&split, &mut Stream::new(seed).rng()).unwrap());
            prop_assert_eq!(pair.a.indices.len(), per_model.unwrap_or(k * per_class));
            prop_assert_eq!(pair.a.indices.len(), pair.b.indices.len());
            let set = |m: &ModelSamples| m.indices.iter().copied().collect::<BTreeSet<u32>>();
            prop_assert_eq!(set(&pair.a).len(), pair.a.indices.len(), "duplicates");
            let known = |m: &ModelSamples| match &m.labelling {
                Labelling::Classes(classes) => classes.clone(),
                Labelling::Factors(_) => vec![],
            };
            let (ka, kb) = (known(&pair.a), known(&pair.b));
            prop_assert_eq!(ka.iter().collect::<BTreeSet<_>>().len(), k);
            prop_assert_eq!(&ka[..common], &kb[..common]);
            prop_assert!((pair.reached().labels - common as f64 / k as f64).abs() < 1e-12);
            let (both, one) = pair.class_sets().unwrap();
            prop_assert_eq!((both.len(), one.len()), (common, 2 * (k - common)));
            // Samples are shared exactly where classes are.
            let shared: BTreeSet<u32> = set(&pair.a).intersection(&set(&pair.b)).copied().collect();
            let of_common = pair.a.labels.iter().filter(|&&l| (l as usize) < common).count();
            prop_assert_eq!(shared.len(), of_common);
            for model in [&pair.a, &pair.b] {
                for (&i, &l) in model.indices.iter().zip(&model.labels) {
                    prop_assert_eq!(known(model)[l as usize], labels[i as usize]);
                }
            }
        }
    }

    #[test]
    fn unequal_classes_still_give_equal_sets() {
        // Class c has 10 + c samples.
        let labels: Vec<u32> = (0..6u32).flat_map(|c| vec![c; 10 + c as usize]).collect();
        let names = names(6);
        for (seed, overlap) in [(0, 0.0), (1, 1.0 / 3.0), (2, 1.0)] {
            let split = ClassSplit {
                labels: &labels,
                classes: &names,
                per_model: None,
                overlap,
                samples_overlap: 1.0,
            };
            let pair = split_classes(&split, &mut Stream::new(seed).rng()).unwrap();
            assert_eq!((pair.a.indices.len(), pair.b.indices.len()), (30, 30));
            assert!((pair.reached().samples - overlap).abs() < 1e-12);
        }
    }

    #[test]
    fn class_and_image_overlap_are_separate() {
        let labels: Vec<u32> = (0..400).map(|i| i % 10).collect();
        let names = names(10);
        for (common, images) in [(5, 0.0), (2, 0.5), (4, 0.25), (0, 0.5)] {
            let split = ClassSplit {
                labels: &labels,
                classes: &names,
                per_model: Some(100),
                overlap: f64::from(common) / 5.0,
                samples_overlap: images,
            };
            let pair = split_classes(&split, &mut Stream::new(3).rng()).unwrap();
            let reached = pair.reached();
            assert!((reached.labels - split.overlap).abs() < 1e-12);
            assert!((reached.samples - split.overlap * images).abs() < 1e-12);
            assert_eq!(pair.a.labels, pair.b.labels, "equally many of each label");
            let distinct: BTreeSet<_> = pair.b.indices.iter().collect();
            assert_eq!(distinct.len(), 100);
        }
    }

    #[test]
    fn unreachable_levels_list_the_reachable() {
        let labels: Vec<u32> = (0..100).map(|i| i % 10).collect();
        let names = names(10);
        let split = ClassSplit {
            labels: &labels,
            classes: &names,
            per_model: None,
            overlap: 0.5,
            samples_overlap: 1.0,
        };
        let error = split_classes(&split, &mut Stream::new(0).rng()).unwrap_err();
        assert!(
            error.to_string().contains("0, 0.2, 0.4, 0.6, 0.8, 1"),
            "{error}"
        );
        assert_eq!(reachable_class_levels(10).len(), 6);
    }
}
