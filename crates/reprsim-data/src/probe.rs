//! Probe sets: fixed held-out samples on which models are compared.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::SliceRandom;
use reprsim_base::Digest;

use crate::{DataError, Dataset};

/// Which classes of the data set's own label a probe is drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeClasses {
    /// Every class: the same probe for all cells of an experiment.
    All,
    /// Only these classes: the paper's own class-overlap probes, whose size and
    /// classes vary from cell to cell.
    Only(BTreeSet<u32>),
    /// Only these classes, with equally many samples of each (the first classes one
    /// more where the number does not divide).
    Equally(BTreeSet<u32>),
}

/// A fixed set of held-out samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Indices into the data set the probe was drawn from.
    pub indices: Vec<u32>,
    /// SHA-256 over the ids of the samples in order; activations of two models
    /// may be compared only where it agrees.
    pub ids_sha256: String,
}

/// Draws `samples` distinct samples of `dataset` (all of them where `None`). Where samples
/// come in blocks, such as windows of documents, equally many of each block that is drawn
/// and as few as the number allows: blocks of one size can be permuted, and many of them
/// tell most.
///
/// # Errors
/// [`DataError::Probe`] if there are fewer samples than asked for. A probe over
/// [`ProbeClasses::Only`] takes what there is, down to none.
pub fn draw_probe(
    dataset: &Dataset,
    classes: &ProbeClasses,
    samples: Option<usize>,
    rng: &mut impl Rng,
) -> Result<Probe, DataError> {
    let members = |allowed: &BTreeSet<u32>| -> Result<Vec<Vec<u32>>, DataError> {
        let (labels, _) = dataset.joint_label(&dataset.label)?;
        let of = |class: u32| {
            (0..dataset.len() as u32)
                .filter(|&i| labels[i as usize] == class)
                .collect()
        };
        Ok(allowed.iter().map(|&class| of(class)).collect())
    };
    let mut indices: Vec<u32> = match classes {
        ProbeClasses::All => (0..dataset.len() as u32).collect(),
        ProbeClasses::Only(allowed) => members(allowed)?.concat(),
        ProbeClasses::Equally(allowed) => {
            let mut classes = members(allowed)?;
            let count = classes.len().max(1);
            let most = |class: &Vec<u32>| drawable(class, &dataset.blocks, usize::MAX);
            let smallest = classes.iter().map(most).min().unwrap_or(0);
            let wanted = samples.unwrap_or(smallest * count);
            for (place, class) in classes.iter_mut().enumerate() {
                let share = wanted / count + usize::from(place < wanted % count);
                let there = drawable(class, &dataset.blocks, share);
                if share > there {
                    return Err(DataError::Probe(format!(
                        "a probe of {wanted} samples in {count} classes needs {share} of each; a \
                         class of the {} part of '{}' has {there}",
                        dataset.part.name(),
                        dataset.name,
                    )));
                }
                *class = draw(std::mem::take(class), share, &dataset.blocks, rng);
            }
            classes.concat()
        }
    };
    if let (Some(wanted), false) = (samples, matches!(classes, ProbeClasses::Equally(_))) {
        let there = drawable(&indices, &dataset.blocks, wanted);
        if wanted > there && *classes == ProbeClasses::All {
            return Err(DataError::Probe(format!(
                "a probe of {wanted} samples cannot be drawn: the {} part of '{}' has {there}",
                dataset.part.name(),
                dataset.name,
            )));
        }
        indices.sort_unstable();
        indices = draw(indices, wanted.min(there), &dataset.blocks, rng);
    }
    // In index order, so that reading the samples is one forward pass.
    indices.sort_unstable();
    let mut hash = Digest::new();
    for &i in &indices {
        hash.update(dataset.sample_id(i as usize));
        hash.update(b"\n");
    }
    Ok(Probe {
        indices,
        ids_sha256: hash.hex(),
    })
}

/// Samples of each block of `pool`, blocks in order.
fn by_block(pool: &[u32], blocks: &[u32]) -> Vec<Vec<u32>> {
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &index in pool {
        let block = blocks[index as usize];
        members.entry(block).or_default().push(index);
    }
    members.into_values().collect()
}

/// How many of each block give `wanted` samples, the fewest that do; else the number that
/// gives most. With it, how many samples that gives at most.
fn size_for(members: &[Vec<u32>], wanted: usize) -> (usize, usize) {
    let largest = members.iter().map(Vec::len).max().unwrap_or(0);
    let given = |size: usize| size * members.iter().filter(|m| m.len() >= size).count();
    let enough = (1..=largest).find(|&size| given(size) >= wanted);
    let size = enough.or_else(|| (1..=largest).max_by_key(|&size| given(size)));
    size.map_or((0, 0), |size| (size, given(size)))
}

/// How many samples can be drawn of `pool` where `wanted` are asked for: where there are
/// blocks, equally many of each.
fn drawable(pool: &[u32], blocks: &[u32], wanted: usize) -> usize {
    match blocks.is_empty() {
        true => pool.len(),
        false => size_for(&by_block(pool, blocks), wanted).1,
    }
}

/// `wanted` of `pool`, no more than [`drawable`]: where there are blocks, equally many of
/// each but the last.
fn draw(mut pool: Vec<u32>, wanted: usize, blocks: &[u32], rng: &mut impl Rng) -> Vec<u32> {
    if blocks.is_empty() {
        pool.shuffle(rng);
        pool.truncate(wanted);
        return pool;
    }
    let mut members = by_block(&pool, blocks);
    let (size, _) = size_for(&members, wanted);
    members.retain(|m| m.len() >= size);
    members.shuffle(rng);
    let mut drawn = Vec::with_capacity(wanted + size);
    for mut block in members {
        if drawn.len() >= wanted {
            break;
        }
        block.shuffle(rng);
        drawn.extend(&block[..size]);
    }
    drawn.truncate(wanted);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Part;
    use crate::color_shape_digit::{Settings, generate};
    use reprsim_base::Stream;

    #[test]
    fn fixed_seeded_and_sized() {
        let set = generate(&Settings::default(), Part::Test, 400, 0).unwrap();
        let draw = |seed| {
            draw_probe(
                &set,
                &ProbeClasses::All,
                Some(100),
                &mut Stream::new(seed).rng(),
            )
            .unwrap()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1).ids_sha256, draw(2).ids_sha256);
        assert_eq!(draw(1).indices.iter().collect::<BTreeSet<_>>().len(), 100);
    }

    #[test]
    fn classes_limit_the_probe() {
        let set = generate(&Settings::default(), Part::Test, 400, 0).unwrap();
        let (labels, _) = set.joint_label(&set.label).unwrap();
        let only = ProbeClasses::Only([0, 3].into());
        let probe = draw_probe(&set, &only, Some(1000), &mut Stream::new(0).rng()).unwrap();
        assert!(!probe.indices.is_empty());
        assert!(
            probe
                .indices
                .iter()
                .all(|&i| [0, 3].contains(&labels[i as usize]))
        );
        let none = ProbeClasses::Only(BTreeSet::new());
        let empty = draw_probe(&set, &none, Some(10), &mut Stream::new(0).rng()).unwrap();
        assert!(empty.indices.is_empty());
    }

    #[test]
    fn matched_probes_have_equally_many_of_each_class() {
        let set = generate(&Settings::default(), Part::Test, 800, 0).unwrap();
        let (labels, _) = set.joint_label(&set.label).unwrap();
        let classes = ProbeClasses::Equally([1, 5, 7].into());
        let probe = draw_probe(&set, &classes, Some(10), &mut Stream::new(0).rng()).unwrap();
        let of = |class| {
            (probe
                .indices
                .iter()
                .filter(|&&i| labels[i as usize] == class))
            .count()
        };
        assert_eq!([of(1), of(5), of(7)], [4, 3, 3]);
        let many = draw_probe(&set, &classes, Some(900), &mut Stream::new(0).rng());
        assert!(many.unwrap_err().to_string().contains("needs 300 of each"));
    }

    #[test]
    fn ids_tell_presets_and_seeds_apart() {
        let ids = |preset, seed| {
            let settings = Settings {
                preset,
                ..Settings::default()
            };
            let set = generate(&settings, Part::Test, 40, seed).unwrap();
            draw_probe(&set, &ProbeClasses::All, None, &mut Stream::new(0).rng())
                .unwrap()
                .ids_sha256
        };
        use crate::color_shape_digit::Preset;
        assert_eq!(ids(Preset::Plain, 0), ids(Preset::Plain, 0));
        assert_ne!(ids(Preset::Plain, 0), ids(Preset::Varied, 0));
        assert_ne!(ids(Preset::Plain, 0), ids(Preset::Plain, 1));
    }

    #[test]
    fn blocks_are_drawn_equally_and_many() {
        // Block b has b + 1 samples.
        let blocks: Vec<u32> = (0..10u32).flat_map(|b| vec![b; b as usize + 1]).collect();
        let pool: Vec<u32> = (0..blocks.len() as u32).collect();
        let sizes = |wanted| {
            let drawn = draw(pool.clone(), wanted, &blocks, &mut Stream::new(3).rng());
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
            let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
            for index in drawn {
                *sizes.entry(blocks[index as usize]).or_default() += 1;
            }
            let mut sizes: Vec<usize> = sizes.into_values().collect();
            sizes.sort_unstable();
            sizes
        };
        assert_eq!(sizes(10), [1; 10], "one of each");
        assert_eq!(sizes(16), [2; 8], "2 of 9 blocks are 18");
        assert_eq!(sizes(30), [5; 6]);
        assert_eq!(sizes(17), [1, 2, 2, 2, 2, 2, 2, 2, 2], "the last is cut");
        // Of all 55, six of each of five blocks are the most that have equally many.
        assert_eq!(drawable(&pool, &blocks, 31), 30);
        assert_eq!(drawable(&pool, &blocks, 30), 30);
        assert_eq!(drawable(&pool, &[], 31), 55);
    }

    #[test]
    fn too_large_is_an_error() {
        let set = generate(&Settings::default(), Part::Test, 40, 0).unwrap();
        let rng = &mut Stream::new(0).rng();
        assert!(draw_probe(&set, &ProbeClasses::All, Some(41), rng).is_err());
    }
}
