//! What is asked of a pair of models.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use reprsim_metrics::{Measure, Mode, Options, Stop, UnknownMeasure, by_name, of_mode};

use crate::error::SimilarityError;
use crate::exchange::Exchange;
use crate::models::ModelActivations;

/// The name that stands for all measures of a mode.
pub const ALL: &str = "all";

/// Which layers of two models are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayerPairs {
    /// Each layer of one with each of the other.
    #[default]
    All,
    /// Layers of the same name.
    SameName,
}

/// What is asked of each pair of models.
#[derive(Clone)]
pub struct Question {
    /// The measures, in the order of the answer.
    pub measures: Vec<&'static dyn Measure>,
    /// Which layers are compared.
    pub layers: LayerPairs,
    /// Neighbours of the measures that use them.
    pub k: usize,
    /// Permutations of the samples that each value is tested against; 0: none.
    pub permutations: usize,
    /// How many permutations that give a value as large suffice: once each value of a measure has so
    /// many, no more are looked at (Besag and Clifford 1991). `None`: all are.
    pub null_stop: Option<NonZeroUsize>,
    /// The block of each row, which says what permutations and half-samples may do. Empty: each row
    /// is exchangeable with every other.
    pub blocks: Vec<u32>,
    /// How rows that have a block change places.
    pub exchange: Exchange,
    /// Half-samples drawn for a 95 % interval; 0: no interval.
    pub half_samples: usize,
    /// Whether to look for the sample that each linear CKA depends on most.
    pub leverage: bool,
    /// The same seed draws the same permutations and half-samples.
    pub seed: u64,
    /// What ends the comparison before it is done.
    pub stop: Stop,
    /// What is held fixed: one layer on the same samples, whose similarities are taken off those of
    /// each layer (Cui et al. 2022). Only for measures that take one
    /// ([`Measure::takes_covariate`]), and without half-samples, leverage and an early stop.
    pub covariate: Option<ModelActivations>,
}

impl Question {
    /// The values alone, of all pairs of layers, with 10 neighbours.
    pub fn new(measures: Vec<&'static dyn Measure>) -> Self {
        Self {
            measures,
            layers: LayerPairs::default(),
            k: Options::default().k,
            permutations: 0,
            null_stop: None,
            blocks: Vec::new(),
            exchange: Exchange::default(),
            half_samples: 0,
            leverage: false,
            seed: 0,
            stop: Stop::default(),
            covariate: None,
        }
    }
}

impl Question {
    /// How many rows no permutation moves: of a block that is the only one of its size, or, within
    /// blocks, of a block of one row.
    pub fn immovable(&self) -> usize {
        let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
        for block in &self.blocks {
            *sizes.entry(*block).or_default() += 1;
        }
        let stays = |size: &usize| match self.exchange {
            Exchange::Whole => sizes.values().filter(|other| *other == size).count() == 1,
            Exchange::Within => *size == 1,
        };
        sizes.values().filter(|size| stays(size)).sum()
    }

    /// Checks that blocks say of each of so many rows what permutations may do with it, and leave them
    /// something to do.
    ///
    /// # Errors
    /// [`SimilarityError::NoBlocks`], [`SimilarityError::Blocks`] and
    /// [`SimilarityError::NothingToPermute`].
    pub(crate) fn check_blocks(&self, rows: usize) -> Result<(), SimilarityError> {
        let (blocks, exchange) = (self.blocks.len(), self.exchange);
        match blocks {
            0 if exchange == Exchange::Within => Err(SimilarityError::NoBlocks),
            0 => Ok(()),
            _ if blocks != rows => Err(SimilarityError::Blocks { blocks, rows }),
            _ if self.permutations > 0 && self.immovable() == rows => {
                Err(SimilarityError::NothingToPermute(exchange))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = (self.measures.iter())
            .map(|m| m.properties().name)
            .collect();
        f.debug_struct("Question")
            .field("measures", &names)
            .field("layers", &self.layers)
            .field("k", &self.k)
            .field("permutations", &self.permutations)
            .field("null_stop", &self.null_stop)
            .field("blocks", &self.blocks.len())
            .field("exchange", &self.exchange)
            .field("half_samples", &self.half_samples)
            .field("leverage", &self.leverage)
            .field("seed", &self.seed)
            .field("covariate", &self.covariate)
            .finish()
    }
}

/// The measures that `names` mean in `mode`, each once, in their order: names, published
/// names of the same idea, names as they are in results (`mutual_knn_cosine_k10`, if `k`
/// is 10), and [`ALL`] for all of the mode.
///
/// # Errors
/// The first name that no measure has.
pub fn measures(
    names: &[impl AsRef<str>],
    mode: Mode,
    k: usize,
) -> Result<Vec<&'static dyn Measure>, UnknownMeasure> {
    let suffix = format!("_k{k}");
    let mut all = false;
    let mut found: Vec<&'static dyn Measure> = Vec::new();
    for name in names {
        let name = name.as_ref();
        if name == ALL {
            all = true;
            continue;
        }
        let plain = name.strip_suffix(&suffix).unwrap_or(name);
        let measure = by_name(plain, mode).map_err(|mut unknown| {
            unknown.name = name.to_string();
            // First: of many names the last are not listed.
            unknown.known.insert(0, ALL);
            unknown
        })?;
        let new = |m: &&dyn Measure| m.properties().name != measure.properties().name;
        if found.iter().all(new) {
            found.push(measure);
        }
    }
    Ok(if all { of_mode(mode).collect() } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str], mode: Mode, k: usize) -> Result<Vec<&'static str>, UnknownMeasure> {
        let found = measures(asked, mode, k)?;
        Ok(found.iter().map(|m| m.properties().name).collect())
    }

    #[test]
    fn names_are_found_in_every_form_and_once() {
        assert_eq!(
            names(
                &["cka", "mutual_knn_cosine_k5", "mutual_knn", "cka"],
                Mode::Exact,
                5
            ),
            Ok(vec!["cka_linear_biased", "mutual_knn_cosine"])
        );
        assert_eq!(names(&["cka"], Mode::Paper, 10), Ok(vec!["cka"]));
        let all = names(&["cka", ALL], Mode::Paper, 10).unwrap_or_default();
        assert_eq!(all.len(), 8);
        assert_eq!(names(&[], Mode::Exact, 10), Ok(vec![]));
    }

    #[test]
    fn a_mistyped_name_names_the_nearest_as_it_was_written() {
        let told = |asked, k| {
            let error = names(&[asked], Mode::Exact, k).err();
            error.map(|e| e.to_string()).unwrap_or_default()
        };
        let message = told("ckaa", 10);
        assert!(
            message.contains("'ckaa' (did you mean 'cka'?)") && message.contains(ALL),
            "{message}"
        );
        // Another k than is asked for is no measure of this question.
        assert!(told("mutual_knn_cosine_k7", 10).contains("'mutual_knn_cosine_k7'"));
    }
}
