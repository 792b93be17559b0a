//! Models and a question, checked against each other, and their answer.

use std::collections::BTreeMap;

use burn::tensor::Device;
use reprsim_base::{ask_memory, memory_budget};
use reprsim_metrics::{HalfSamples, Interval, Measure, Options, Permutations, Score, Set, maximum};

use crate::covariate;
use crate::error::SimilarityError;
use crate::exchange::Exchange;
use crate::influence::influence;
use crate::models::{self, ModelActivations};
use crate::question::{LayerPairs, Question};
use crate::result::{MeasureResult, PairResult, Rows};

/// Permutations or half-samples at most.
const MOST_DRAWS: usize = 1 << 24;

/// Of the memory that may be used, activations and kernel matrices that are kept take one part in so
/// many each, at most: a kernel matrix that is not kept is computed again for each permutation.
const SHARE: u64 = 2;

/// Samples from which permutations are shifts in one random order ([`Permutations::shifts`]): there are
/// enough of them, and others would take most of the time.
const SHIFTS_FROM: usize = 4096;

/// What was measured of some pairs of layers: of each measure (outer) and pair (inner).
pub(crate) struct Scored {
    pub scores: Vec<Vec<Score>>,
    pub intervals: Option<Vec<Vec<Option<Interval>>>>,
}

/// Whether all that is asked can be told beside a covariate.
fn covariate_fits(
    question: &Question,
    covariate: &ModelActivations,
) -> Result<(), SimilarityError> {
    let layers = covariate.layers.len();
    if layers != 1 {
        let name = covariate.name.clone();
        return Err(SimilarityError::CovariateLayers { name, layers });
    }
    for measure in &question.measures {
        if !measure.takes_covariate() {
            return Err(SimilarityError::NoCovariate(measure.properties().name));
        }
    }
    for (asked, what) in [
        (question.half_samples > 0, "interval from half-samples"),
        (question.leverage, "leverage of samples"),
        (question.null_stop.is_some(), "early stop of permutations"),
    ] {
        if asked {
            return Err(SimilarityError::BesideCovariate(what));
        }
    }
    Ok(())
}

/// The scores of what the covariate, the last layer of the set, leaves of these pairs of layers.
fn beyond_covariate(
    set: &Set,
    measures: &[&'static dyn Measure],
    pairs: &[(usize, usize)],
    permutations: &Permutations,
    on_stage: &mut dyn FnMut(&str),
) -> Result<Vec<Vec<Score>>, SimilarityError> {
    let covariate = set.layers().len().saturating_sub(1);
    let mut all = pairs.to_vec();
    let mut places = BTreeMap::new();
    for pair in pairs.iter().copied().chain([(covariate, covariate)]) {
        for pair in [(pair.0, covariate), (covariate, pair.1)] {
            places.entry(pair).or_insert_with(|| {
                all.push(pair);
                all.len() - 1
            });
        }
    }
    let scores = set.compare(measures, &all, permutations, on_stage)?;
    let place = |pair: (usize, usize)| places.get(&pair).copied().unwrap_or_default();
    let partial = |scores: &Vec<Score>, at: usize| {
        let (i, j) = pairs[at];
        let scores = covariate::Scores {
            ab: &scores[at],
            ac: &scores[place((i, covariate))],
            cb: &scores[place((covariate, j))],
            cc: &scores[place((covariate, covariate))],
        };
        scores.partial()
    };
    Ok((scores.iter())
        .map(|scores| (0..pairs.len()).map(|at| partial(scores, at)).collect())
        .collect())
}

/// Models to compare and what to ask of each pair of them.
#[derive(Clone, Debug)]
pub struct Comparison {
    models: Vec<ModelActivations>,
    question: Question,
}

impl Comparison {
    /// Checks that `models` can be compared and that `question` can be asked of them.
    ///
    /// # Errors
    /// [`SimilarityError`] if there are fewer than two models, one has no layers or two
    /// of one name, rows are not the same samples in the same order as far as ids or
    /// their number tell, there are blocks but not one a row, blocks are missing that rows are to
    /// change places within or leave permutations nothing to move, no two layers have the same
    /// name where only those are compared, a measure is to use no neighbours, or there are
    /// more draws than any memory holds.
    pub fn new(models: Vec<ModelActivations>, question: Question) -> Result<Self, SimilarityError> {
        match &question.covariate {
            None => models::check(&models)?,
            Some(covariate) => {
                covariate_fits(&question, covariate)?;
                if models.len() < 2 {
                    return Err(SimilarityError::TooFewModels(models.len()));
                }
                let all = models.iter().chain([covariate]).cloned();
                models::check(&all.collect::<Vec<_>>())?;
            }
        }
        let rows = models.first().map_or(0, ModelActivations::rows);
        question.check_blocks(rows)?;
        let draws = question.permutations.max(question.half_samples);
        if draws > MOST_DRAWS {
            let most = MOST_DRAWS;
            return Err(SimilarityError::TooManyDraws { draws, most });
        }
        if question.k == 0 && question.measures.iter().any(|m| m.properties().uses_k) {
            return Err(SimilarityError::NoNeighbors);
        }
        let comparison = Self { models, question };
        for (a, b) in comparison.couples() {
            let (a, b) = (&comparison.models[a], &comparison.models[b]);
            let common = |name: &str| b.layers.iter().any(|l| l.name == name);
            if comparison.question.layers == LayerPairs::SameName
                && !a.layers.iter().any(|l| common(&l.name))
            {
                return Err(SimilarityError::NoCommonLayer {
                    a: a.name.clone(),
                    b: b.name.clone(),
                });
            }
        }
        Ok(comparison)
    }

    /// The question.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Number of samples.
    pub fn rows(&self) -> usize {
        self.models.first().map_or(0, ModelActivations::rows)
    }

    /// Compares each model with each later one on `device`; `on_stage` hears what is
    /// being done, in words.
    ///
    /// # Errors
    /// [`SimilarityError`] if activations cannot be read or the device fails. Degenerate
    /// activations are no error: their rows say why they have no value.
    pub fn run(
        &self,
        device: &Device,
        on_stage: &mut dyn FnMut(&str),
    ) -> Result<Vec<PairResult>, SimilarityError> {
        let question = &self.question;
        let measures = &question.measures;
        let set = self.set(device)?;
        // All pairs of layers in one plan: what a layer needs is computed once.
        let couples = self.couples();
        let pairs: Vec<Vec<(usize, usize)>> = (couples.iter())
            .map(|(a, b)| self.pairs(&set, *a, *b))
            .collect();
        let Scored { scores, intervals } = self.score(&set, measures, &pairs.concat(), on_stage)?;
        let mut out = Vec::new();
        let mut start = 0;
        for ((a, b), pairs) in couples.into_iter().zip(pairs) {
            let part = start..start + pairs.len();
            start = part.end;
            let scores: Vec<Vec<Score>> = (scores.iter())
                .map(|row| row[part.clone()].to_vec())
                .collect();
            let influence = match question.leverage {
                true => influence(&set, measures, &pairs, &scores, on_stage)?,
                false => vec![vec![None; pairs.len()]; measures.len()],
            };
            let (a, b) = (&self.models[a], &self.models[b]);
            let make = Rows {
                models: [&a.name, &b.name],
                k: question.k,
                blocks: !question.blocks.is_empty(),
            };
            let mut results = Vec::new();
            for (m, (measure, scores)) in measures.iter().zip(&scores).enumerate() {
                let row = |at: usize, score: &Score| {
                    let (i, j) = pairs[at];
                    let mut row = make.row(*measure, [&set.layers()[i], &set.layers()[j]], score);
                    row.influence = influence[m][at];
                    row
                };
                let best = match scores.len() {
                    1 => None,
                    _ => maximum(scores.iter()),
                };
                results.push(MeasureResult {
                    measure: measure.full_name(question.k),
                    pairs: (scores.iter().enumerate())
                        .map(|(at, score)| {
                            let mut row = row(at, score);
                            row.interval =
                                (intervals.as_ref()).and_then(|rows| rows[m][part.start + at]);
                            row
                        })
                        .collect(),
                    maximum: best.map(|(at, score)| row(at, &score)),
                });
            }
            let names = |m: &ModelActivations| m.layers.iter().map(|l| l.name.clone()).collect();
            out.push(PairResult {
                model_a: a.name.clone(),
                model_b: b.name.clone(),
                layers_a: names(a),
                layers_b: names(b),
                measures: results,
            });
        }
        Ok(out)
    }

    /// The layers of all models on a device, and that of a covariate last.
    pub(crate) fn set(&self, device: &Device) -> Result<Set, SimilarityError> {
        let room = usize::try_from(memory_budget() / SHARE).unwrap_or(usize::MAX);
        let most = Options::default();
        let options = Options {
            k: self.question.k,
            resident_bytes: most.resident_bytes.min(room),
            kernel_bytes: most.kernel_bytes.min(room),
            stop: self.question.stop.clone(),
            ..most
        };
        let layers = (self.models.iter().chain(&self.question.covariate))
            .map(|m| m.layers.clone())
            .collect();
        Ok(Set::new(layers, device, options)?)
    }

    /// Measures pairs of layers as the question says.
    pub(crate) fn score(
        &self,
        set: &Set,
        measures: &[&'static dyn Measure],
        pairs: &[(usize, usize)],
        on_stage: &mut dyn FnMut(&str),
    ) -> Result<Scored, SimilarityError> {
        let question = &self.question;
        // With a covariate also of each layer with it.
        let with_it = question.covariate.iter().map(|_| 2 * set.layers().len());
        self.ask_for_draws(pairs.len() + with_it.sum::<usize>())?;
        let permutations = self.permutations(set)?;
        let scores = match &question.covariate {
            None => set.compare(measures, pairs, &permutations, on_stage)?,
            Some(_) => beyond_covariate(set, measures, pairs, &permutations, on_stage)?,
        };
        let draws = question.half_samples;
        if draws == 0 {
            let intervals = None;
            return Ok(Scored { scores, intervals });
        }
        let values: Vec<Vec<Option<f64>>> = (scores.iter())
            .map(|row| row.iter().map(|s| s.value.ok()).collect())
            .collect();
        let (blocks, groups) = match question.exchange {
            Exchange::Whole => (question.blocks.as_slice(), &[][..]),
            Exchange::Within => (&[][..], question.blocks.as_slice()),
        };
        let halves = HalfSamples {
            draws,
            seed: question.seed.wrapping_add(1),
            blocks,
            groups,
        };
        let mut heard = |done| on_stage(&format!("half-sample {done} of {draws}"));
        let found = set.intervals(measures, pairs, &values, &halves, &mut heard)?;
        Ok(Scored {
            scores,
            intervals: Some(found),
        })
    }

    /// The models.
    pub fn models(&self) -> &[ModelActivations] {
        &self.models
    }

    /// Each model with each later one.
    fn couples(&self) -> Vec<(usize, usize)> {
        let count = self.models.len();
        (0..count)
            .flat_map(|a| (a + 1..count).map(move |b| (a, b)))
            .collect()
    }

    fn pairs(&self, set: &Set, a: usize, b: usize) -> Vec<(usize, usize)> {
        let mut pairs = set.pairs(a, b);
        if self.question.layers == LayerPairs::SameName {
            pairs.retain(|(i, j)| set.layers()[*i].name == set.layers()[*j].name);
        }
        pairs
    }

    /// Asks for the memory of the values that measures have under permutations and on half-samples of
    /// so many pairs of layers.
    fn ask_for_draws(&self, pairs: usize) -> Result<(), SimilarityError> {
        let question = &self.question;
        let values = question.measures.len() as u128 * pairs as u128;
        for (draws, of) in [
            (question.permutations, "permutations"),
            (question.half_samples, "half-samples"),
        ] {
            let bytes = size_of::<f64>() as u128 * values * draws as u128;
            ask_memory(bytes, format!("{values} values on each of {draws} {of}"))?;
        }
        Ok(())
    }

    fn permutations(&self, set: &Set) -> Result<Permutations, SimilarityError> {
        let question = &self.question;
        // A file may claim rows by the billion if they have no dimensions.
        let rows = match set.layers().iter().all(|l| l.width() == 0) {
            true => return Ok(Permutations::none()),
            false => set.rows(),
        };
        let permutations = permutations(rows, question)?;
        Ok((permutations.until(question.null_stop)).stopped_by(&question.stop))
    }
}

/// The permutations of so many samples that values are tested against, all that `question` asks for.
///
/// # Errors
/// [`SimilarityError::TooManyDraws`] and [`SimilarityError::TooLarge`] if no memory holds them,
/// [`SimilarityError::Blocks`] if there are blocks but not one a sample,
/// [`SimilarityError::NoBlocks`] and [`SimilarityError::NothingToPermute`] if they cannot be what is
/// asked.
pub fn permutations(rows: usize, question: &Question) -> Result<Permutations, SimilarityError> {
    let (draws, most) = (question.permutations, MOST_DRAWS);
    if draws > most {
        return Err(SimilarityError::TooManyDraws { draws, most });
    }
    question.check_blocks(rows)?;
    let what = format!("{draws} permutations of {rows} samples");
    let bytes = size_of::<u32>() as u128 * rows as u128 * draws as u128;
    ask_memory(bytes, what)?;
    Ok(match question.blocks.is_empty() {
        true if rows >= SHIFTS_FROM && draws < rows => {
            Permutations::shifts(rows, draws, question.seed)
        }
        true => Permutations::random(rows, draws, question.seed),
        false => {
            let of = match question.exchange {
                Exchange::Whole => Permutations::of_blocks,
                Exchange::Within => Permutations::within,
            };
            of(&question.blocks, draws, question.seed)
        }
    })
}
