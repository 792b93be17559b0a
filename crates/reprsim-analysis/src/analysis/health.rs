//! What a careful reader should know before believing an effect: models that did not
//! train, missing repetitions, measures at an end of their range, probes too small.

use std::collections::BTreeMap;

use itertools::Itertools;
use reprsim_stats::{BadEnd, median, outliers};
use serde::{Deserialize, Serialize};

use reprsim_config::{Cell, Duplicates, Experiment, Plan, Term};
use reprsim_run::results::CellResult;

use super::effect::Effect;

/// What kind of weakness was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlagKind {
    /// Not every planned cell is there.
    MissingSeeds,
    /// A model is far worse than those of the same point of the design.
    Undertrained,
    /// Most pairs are no more alike than permuted samples.
    AtChance,
    /// The measure has nowhere to rise to.
    AtCeiling,
    /// Pairs trained at the lowest level are less alike than untrained pairs.
    BelowFloor,
    /// Untrained pairs are as alike as pairs with overlap 1.
    NoRange,
    /// Too few samples for the number of neighbours.
    SmallProbe,
    /// Copies among training samples make the overlap larger than it is by their numbers.
    SharedCopies,
    /// Held-out samples that are copies of training samples.
    HeldOutCopies,
    /// Errors rest on so few seeds that a test of fewer assumptions can find nothing.
    FewSeeds,
}

/// A weakness of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Of which kind.
    pub kind: FlagKind,
    /// In words.
    pub message: String,
    /// Numbers of the cells concerned; empty where it concerns all.
    pub cells: Vec<usize>,
}

/// A gap in accuracy below which a model that stands out among its mates is not
/// flagged: among mates that agree to a hair any difference would stand out.
const ACCURACY_GAP: f64 = 0.03;
/// The same for losses, as a share of the mates' median.
const LOSS_GAP: f64 = 0.1;
/// Both gaps are wider by this where mates learn different classes or corpora, of which
/// some are harder.
const OTHER_CLASSES: f64 = 4.0;
/// Neighbours as a share of a probe beyond which lists agree by chance alone.
const NEIGHBOURS: f64 = 0.1;

/// Label factors of the tasks of both models, by the number of the cell.
pub(super) type Tasks = BTreeMap<usize, [String; 2]>;

/// Models that are far worse than their mates, a flag each. Mates are the models of the
/// same point of the design; in a sweep of tasks, where models of one point learn
/// different ones, those of the same task and size.
pub(super) fn undertrained(
    experiment: &Experiment,
    results: &[(Cell, CellResult)],
    tasks: &Tasks,
) -> Vec<Flag> {
    // (what makes them mates, models), in the order of the cells.
    let mut groups: Vec<(String, Vec<Member<'_>>)> = Vec::new();
    for (cell, result) in results {
        let Some((sweep, point)) = cell.point() else {
            continue;
        };
        let size = point.levels.iter().filter(|(kind, _)| !kind.is_overlap());
        let size: Vec<f64> = size.map(|(_, level)| *level).collect();
        for (side, name) in ["a", "b"].into_iter().enumerate() {
            let key = match tasks.get(&cell.index) {
                Some(tasks) => format!("{sweep} {size:?} {}", tasks[side]),
                None => format!("{sweep} {point:?}"),
            };
            let model = [&result.pair.a, &result.pair.b][side];
            let member = Member {
                cell,
                name,
                accuracy: result.accuracy[side],
                held_out_loss: model.validation_loss,
                train_loss: model.train_loss,
            };
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, members)) => members.push(member),
                None => groups.push((key, vec![member])),
            }
        }
    }
    let remedy = match experiment.analysis.leave_out_undertrained {
        true => "the pair is left out of every statistic, as leave_out_undertrained asks",
        false => "with leave_out_undertrained = true in [analysis] the pair would be left out",
    };
    let mut flags = Vec::new();
    for (_, members) in &groups {
        let (what, bad, values) = skills(members);
        let middle = median(&values);
        let by_classes = |m: &Member<'_>| {
            let sweep = m.cell.sweep(experiment);
            sweep.is_some_and(|sweep| sweep.divides_classes())
        };
        let wider = match members.iter().any(by_classes) {
            true => OTHER_CLASSES,
            false => 1.0,
        };
        let gap = wider
            * match bad {
                BadEnd::Low => ACCURACY_GAP,
                BadEnd::High => LOSS_GAP * middle.abs(),
            };
        for place in outliers(&values, bad, gap) {
            let Member { cell, name, .. } = members[place];
            flags.push(Flag {
                kind: FlagKind::Undertrained,
                message: format!(
                    "Model {name} of cell {} ({}) is clearly worse than its mates: {what} {:.3}, their \
                     median {middle:.3}; {remedy}.",
                    cell.index,
                    cell.label(),
                    values[place]
                ),
                cells: vec![cell.index],
            });
        }
    }
    flags
}

/// A model among its mates.
struct Member<'a> {
    cell: &'a Cell,
    name: &'static str,
    accuracy: Option<f64>,
    held_out_loss: Option<f64>,
    train_loss: Option<f64>,
}

/// What models are judged by, which end of it is bad, and its values: empty unless every
/// model has one.
fn skills(models: &[Member<'_>]) -> (&'static str, BadEnd, Vec<f64>) {
    let of = |get: fn(&Member<'_>) -> Option<f64>| -> Option<Vec<f64>> {
        models.iter().map(get).collect()
    };
    if let Some(values) = of(|m| m.accuracy) {
        ("held-out accuracy", BadEnd::Low, values)
    } else if let Some(values) = of(|m| m.held_out_loss) {
        ("held-out loss", BadEnd::High, values)
    } else {
        let values = of(|m| m.train_loss).unwrap_or_default();
        ("training loss", BadEnd::High, values)
    }
}

/// Why a measure's range over a sweep may leave no room for an effect.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub kind: FlagKind,
    pub measure: String,
    pub sweep: Term,
    /// The similarity in question and that of untrained pairs.
    pub values: Option<(f64, f64)>,
}

/// All doubts, a flag a kind.
pub(super) fn ranges(doubts: &[Doubt]) -> Vec<Flag> {
    let kinds = doubts.iter().map(|doubt| doubt.kind).unique();
    kinds
        .map(|kind| {
            let of: Vec<&Doubt> = doubts.iter().filter(|doubt| doubt.kind == kind).collect();
            let measures = of.iter().map(|doubt| &doubt.measure).unique();
            let listed: Vec<String> = measures
                .map(|measure| {
                    let sweeps = of.iter().filter(|doubt| doubt.measure == *measure);
                    format!("{measure} ({})", places(sweeps))
                })
                .collect();
            let listed = listed.join("; ");
            let message = match kind {
                FlagKind::AtCeiling => {
                    format!("Every pair is near the largest value, with nowhere to rise to: {listed}.")
                }
                FlagKind::AtChance => {
                    format!(
                        "Most pairs are no more alike than permuted samples (p at least 0.05): {listed}."
                    )
                }
                FlagKind::BelowFloor => format!(
                    "Untrained pairs are no lower bound: pairs trained at the lowest level are less \
                     alike, by {listed}. Effects are not given in units of the range between them."
                ),
                _ => format!(
                    "Pairs with overlap 1 are hardly more alike than untrained ones, by {listed}."
                ),
            };
            Flag {
                kind,
                message,
                cells: vec![],
            }
        })
        .collect()
}

/// The sweeps of one measure, with the numbers; untrained pairs are the same in all.
fn places<'a>(doubts: impl Iterator<Item = &'a &'a Doubt>) -> String {
    let mut floor = None;
    let mut places: Vec<String> = Vec::new();
    for doubt in doubts {
        let sweep = doubt.sweep.shown();
        floor = floor.or(doubt.values.map(|(_, floor)| floor));
        places.push(match doubt.values {
            Some((value, _)) => format!("{sweep} {value:.3}"),
            None => sweep,
        });
    }
    let floor = floor.map_or(String::new(), |floor| format!("; untrained {floor:.3}"));
    places.join(", ") + &floor
}

/// Planned cells that are not there, a flag a sweep.
pub(super) fn missing(plan: &Plan, results: &[(Cell, CellResult)]) -> Vec<Flag> {
    let absent = plan
        .cells
        .iter()
        .filter(|cell| !results.iter().any(|(done, _)| done.index == cell.index));
    let sweep = |cell: &&Cell| cell.sweep(&plan.experiment).map(|sweep| sweep.term());
    let mut flags = Vec::new();
    for (name, cells) in &absent.chunk_by(sweep) {
        let cells: Vec<usize> = cells.map(|cell| cell.index).collect();
        let of = name.map_or("the untrained pairs".into(), |name| {
            format!("the sweep of {name}")
        });
        flags.push(Flag {
            kind: FlagKind::MissingSeeds,
            message: format!(
                "Of {of}, {} planned cells are not there ({}).",
                cells.len(),
                some(&cells)
            ),
            cells,
        });
    }
    flags
}

/// A list that stays short.
fn some(cells: &[usize]) -> String {
    match cells.len() {
        0..=12 => cells.iter().join(", "),
        more => format!("{}, ... {more} in all", cells[..8].iter().join(", ")),
    }
}

/// Samples that are there more than once: the models of a pair share what has different numbers, or
/// were trained on what counts as held out.
pub(super) fn copies(experiment: &Experiment, results: &[(Cell, CellResult)]) -> Vec<Flag> {
    let remedy = match experiment.dataset.duplicates {
        Duplicates::Keep => {
            " With duplicates = \"together\" or \"drop\" in [dataset] it would not be so."
        }
        Duplicates::Drop | Duplicates::Together => "",
    };
    let mut flags = Vec::new();
    let more = |result: &CellResult| {
        let pair = &result.pair;
        Some(pair.samples_shared_by_content? - pair.samples_shared?)
    };
    let shared = results
        .iter()
        .filter_map(|(cell, result)| Some((cell.index, more(result)?)))
        .filter(|(_, more)| *more > 0.0);
    let (cells, more): (Vec<usize>, Vec<f64>) = shared.unzip();
    if !cells.is_empty() {
        let most = more.into_iter().fold(0.0, f64::max);
        flags.push(Flag {
            kind: FlagKind::SharedCopies,
            message: format!(
                "Some training samples are copies of others: the models of {} pairs share more than \
                 the overlap says, up to {most:.4} of their samples more (column \
                 samples_shared_by_content of the results).{remedy}",
                cells.len()
            ),
            cells,
        });
    }
    let held_out = results
        .iter()
        .filter_map(|(cell, result)| Some((cell.index, result.pair.held_out_copies?)))
        .filter(|(_, copies)| *copies > 0);
    let (cells, copies): (Vec<usize>, Vec<usize>) = held_out.unzip();
    if let Some(most) = copies.iter().max() {
        flags.push(Flag {
            kind: FlagKind::HeldOutCopies,
            message: format!(
                "Held-out samples, which probes are drawn from, are copies of samples that a model of \
                 the pair was trained on: up to {most} of them, in {} pairs.{remedy}",
                cells.len()
            ),
            cells,
        });
    }
    flags
}

/// Probes with so few samples that neighbour lists agree by chance.
pub(super) fn small_probes(experiment: &Experiment, results: &[(Cell, CellResult)]) -> Vec<Flag> {
    let k = experiment.analysis.k;
    let measures: Vec<String> = (experiment.analysis.measures.iter())
        .filter(|m| m.properties().uses_k)
        .map(|m| m.full_name(k))
        .collect();
    if measures.is_empty() {
        return vec![];
    }
    experiment
        .probes
        .iter()
        .filter_map(|probe| {
            let scores = results.iter().flat_map(|(_, result)| &result.scores);
            let sizes = scores.filter(|s| s.probe == probe.name).map(|s| s.n);
            let n = sizes.min()?;
            let share = k as f64 / n.saturating_sub(1).max(1) as f64;
            (share > NEIGHBOURS).then(|| Flag {
                kind: FlagKind::SmallProbe,
                message: format!(
                    "Probe {} has {n} samples where it is smallest: {k} neighbours are {:.0} % of them, \
                     so that {} agree by chance. Take more samples or a smaller k.",
                    probe.name,
                    100.0 * share,
                    measures.join(", ")
                ),
                cells: vec![],
            })
        })
        .collect()
}

/// Declared effects whose errors rest on few seeds, a flag for all.
pub(super) fn few_seeds(effects: &[Effect]) -> Option<Flag> {
    let declared = effects.iter().filter(|effect| effect.primary);
    let few = declared.filter_map(|effect| effect.fit.few_clusters());
    let (seeds, least) = few.min_by_key(|(seeds, _)| *seeds)?;
    Some(Flag {
        kind: FlagKind::FewSeeds,
        message: format!(
            "Errors rest on {seeds} seeds: intervals and p-values take slopes of seeds as normal, and \
             the test that does not cannot say less than p = {least}. 6 seeds can show p < 0.05 by it."
        ),
        cells: vec![],
    })
}
