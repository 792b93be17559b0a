//! Task overlap: the same samples, labelled by shared or different factors (the
//! paper's "partition", with tasks of equal size).

use rand::Rng;
use rand::seq::SliceRandom;

use super::pair::{Labelling, ModelSamples, PairSplit};
use super::round::{is_reachable, levels_text, round_half_even};
use super::share::{check_share, share};
use crate::{DataError, Dataset};

/// A task-overlap split to make.
#[derive(Clone, Debug)]
pub struct TaskSplit<'a> {
    /// The training part.
    pub dataset: &'a Dataset,
    /// The factors that tasks are made of.
    pub factors: &'a [String],
    /// Factors in one model's task.
    pub factors_per_task: usize,
    /// Samples per model, the same for both; `None` takes all.
    pub per_model: Option<usize>,
    /// Overlap f in 0..=1, one of [`reachable_task_levels`].
    pub overlap: f64,
    /// Share of the samples that both models see; 1 where the task alone varies.
    pub samples_overlap: f64,
}

/// Two given tasks, not of equal size.
#[derive(Clone, Debug)]
pub struct PartitionSplit<'a> {
    /// The training part.
    pub dataset: &'a Dataset,
    /// The factors of each model's task.
    pub tasks: &'a [Vec<String>; 2],
    /// Samples per model, the same for both; `None` takes all.
    pub per_model: Option<usize>,
}

/// The overlaps that tasks of `per_task` out of `factors` factors can have:
/// c / per_task for every c that leaves each model enough factors of its own.
pub fn reachable_task_levels(factors: usize, per_task: usize) -> Vec<f64> {
    (0..=per_task)
        .filter(|c| 2 * per_task - c <= factors)
        .map(|c| c as f64 / per_task.max(1) as f64)
        .collect()
}

/// Draws each model's task: `factors_per_task` factors, f of them common. Both
/// models see the share `samples_overlap` of their samples in common; a label is the
/// combination of its task's factors.
///
/// # Errors
/// [`DataError::Split`] if f is not reachable or the factors differ in their
/// number of classes (the tasks would not be of equal size), or there are too
/// few samples; [`DataError::UnknownFactor`] for a factor that does not exist.
pub fn split_tasks(
    split: &TaskSplit<'_>,
    rng: &mut (impl Rng + ?Sized),
) -> Result<PairSplit, DataError> {
    check_share("task", split.overlap)?;
    check_share("data", split.samples_overlap)?;
    let (m, pool) = (split.factors_per_task, split.factors.len());
    let mut sizes = Vec::with_capacity(pool);
    for name in split.factors {
        sizes.push(split.dataset.factor(name)?.classes.len());
    }
    if m == 0 || m > pool {
        return Err(DataError::Split(format!(
            "a task of {m} factors cannot be drawn from {pool} factors"
        )));
    }
    if sizes.iter().any(|&s| s != sizes[0]) {
        let listed: Vec<String> = split
            .factors
            .iter()
            .zip(&sizes)
            .map(|(name, size)| format!("{name} {size}"))
            .collect();
        let smallest = sizes.iter().min().copied().unwrap_or(2);
        return Err(DataError::Split(format!(
            "tasks would differ in size: classes per factor are {}\n  \
             set factor_classes = {smallest} under [dataset]",
            listed.join(", ")
        )));
    }
    let reachable = reachable_task_levels(pool, m);
    if !is_reachable(split.overlap, &reachable) {
        return Err(DataError::Split(format!(
            "task overlap {} cannot be reached with tasks of {m} out of {pool} factors; \
             reachable: {}",
            split.overlap,
            levels_text(&reachable)
        )));
    }
    let common = round_half_even(split.overlap * m as f64);
    let mut order: Vec<&String> = split.factors.iter().collect();
    order.shuffle(rng);
    let task = |own: &[&String]| -> Vec<String> {
        order[..common]
            .iter()
            .chain(own)
            .map(|s| (*s).clone())
            .collect()
    };
    let task_a = task(&order[common..m]);
    let task_b = task(&order[m..2 * m - common]);

    label_pair(
        split.dataset,
        &[task_a, task_b],
        split.per_model,
        split.samples_overlap,
        rng,
    )
}

/// Gives both models the same samples, labelled by each model's own factors (the
/// paper's partitions, whose tasks differ in size).
///
/// # Errors
/// [`DataError::Split`] for a task without factors or too few samples;
/// [`DataError::UnknownFactor`] for a factor that does not exist.
pub fn split_partition(
    split: &PartitionSplit<'_>,
    rng: &mut (impl Rng + ?Sized),
) -> Result<PairSplit, DataError> {
    if split.tasks.iter().any(Vec::is_empty) {
        return Err(DataError::Split("a task without factors".into()));
    }
    label_pair(split.dataset, split.tasks, split.per_model, 1.0, rng)
}

fn label_pair(
    dataset: &Dataset,
    tasks: &[Vec<String>; 2],
    per_model: Option<usize>,
    overlap: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<PairSplit, DataError> {
    let mut pool: Vec<u32> = (0..dataset.len() as u32).collect();
    let available = pool.len();
    let n = per_model.unwrap_or(available);
    if n < available || overlap < 1.0 {
        pool.shuffle(rng);
    }
    let (mut a, mut b) = share(&pool, n, overlap).map_err(|needed| {
        DataError::Split(format!(
            "{n} samples a model at data overlap {overlap} need {needed}; the training set has \
             {available}\n  lower train_per_model or take a larger training set"
        ))
    })?;
    let model = |indices: &mut Vec<u32>, task: &[String]| -> Result<ModelSamples, DataError> {
        let (joint, classes) = dataset.joint_label(task)?;
        Ok(ModelSamples {
            labels: indices.iter().map(|&i| joint[i as usize]).collect(),
            indices: std::mem::take(indices),
            classes,
            labelling: Labelling::Factors(task.to_vec()),
        })
    };
    Ok(PairSplit {
        a: model(&mut a, &tasks[0])?,
        b: model(&mut b, &tasks[1])?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::Part;
    use crate::color_shape_digit::{self, Preset, Settings};
    use reprsim_base::Stream;

    fn pool(classes: usize) -> Dataset {
        let settings = Settings {
            preset: Preset::Varied,
            factor_classes: classes,
            label: vec![],
        };
        color_shape_digit::generate(&settings, Part::Train, 60, 0).unwrap()
    }

    fn names(n: usize) -> Vec<String> {
        color_shape_digit::factor_names()[..n]
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn same_samples_and_exact_factor_overlap(
            factors in 2usize..8, m in 1usize..4, step in 0usize..10, seed in 0u64..500,
        ) {
            prop_assume!(m <= factors);
            let dataset = pool(4);
            let levels = reachable_task_levels(factors, m);
            let overlap = levels[step % levels.len()];
            let names = names(factors);
            let split = TaskSplit {
                dataset: &dataset, factors: &names, factors_per_task: m,
                per_model: Some(40), overlap, samples_overlap: 1.0,
            };
            let pair = split_tasks(&split, &mut Stream::new(seed).rng()).unwrap();
            prop_assert_eq!(&pair, &split_tasks(&split, &mut Stream::new(seed).rng()).unwrap());
            prop_assert_eq!(&pair.a.indices, &pair.b.indices);
            prop_assert_eq!(pair.a.indices.iter().collect::<BTreeSet<_>>().len(), 40);
            prop_assert_eq!(pair.a.classes, 4usize.pow(m as u32));
            prop_assert_eq!(pair.b.classes, pair.a.classes);
            let reached = pair.reached();
            prop_assert!((reached.labels - overlap).abs() < 1e-9);
            prop_assert_eq!(reached.samples, 1.0);
            let labels = pair.b.labelling.labels(&dataset).unwrap();
            for (&i, &l) in pair.b.indices.iter().zip(&pair.b.labels) {
                prop_assert_eq!(labels[i as usize], Some(l));
            }
            if overlap == 1.0 {
                prop_assert_eq!(&pair.a.labels, &pair.b.labels);
            }
        }
    }

    #[test]
    fn unequal_factors_are_refused_with_the_remedy() {
        let dataset = pool(0);
        let names = names(4);
        let split = TaskSplit {
            dataset: &dataset,
            factors: &names,
            factors_per_task: 2,
            per_model: None,
            overlap: 0.0,
            samples_overlap: 1.0,
        };
        let error = split_tasks(&split, &mut Stream::new(0).rng()).unwrap_err();
        assert!(error.to_string().contains("factor_classes = 8"), "{error}");
    }

    #[test]
    fn too_few_factors_limit_the_levels() {
        let dataset = pool(4);
        let names = names(3);
        let split = TaskSplit {
            dataset: &dataset,
            factors: &names,
            factors_per_task: 2,
            per_model: None,
            overlap: 0.0,
            samples_overlap: 1.0,
        };
        let error = split_tasks(&split, &mut Stream::new(0).rng()).unwrap_err();
        assert!(error.to_string().contains("reachable: 0.5, 1"), "{error}");
    }

    #[test]
    fn task_and_sample_overlap_are_separate() {
        let dataset = pool(4);
        let names = names(4);
        for (overlap, samples_overlap) in [(0.0, 0.5), (0.5, 0.0), (1.0, 1.0)] {
            let split = TaskSplit {
                dataset: &dataset,
                factors: &names,
                factors_per_task: 2,
                per_model: Some(20),
                overlap,
                samples_overlap,
            };
            let pair = split_tasks(&split, &mut Stream::new(5).rng()).unwrap();
            let reached = pair.reached();
            assert_eq!(
                (reached.labels, reached.samples),
                (overlap, samples_overlap)
            );
            let labels = pair.b.labelling.labels(&dataset).unwrap();
            for (&i, &l) in pair.b.indices.iter().zip(&pair.b.labels) {
                assert_eq!(labels[i as usize], Some(l));
            }
        }
    }

    #[test]
    fn partitions_keep_the_listed_tasks() {
        let dataset = pool(0);
        let tasks = [
            vec!["shape".to_string()],
            vec!["digit".to_string(), "shape".to_string()],
        ];
        let split = PartitionSplit {
            dataset: &dataset,
            tasks: &tasks,
            per_model: None,
        };
        let pair = split_partition(&split, &mut Stream::new(0).rng()).unwrap();
        assert_eq!((pair.a.classes, pair.b.classes), (8, 80));
        assert_eq!(pair.a.indices, pair.b.indices);
        assert_eq!(pair.a.indices.len(), dataset.len());
    }
}
