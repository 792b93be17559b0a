//! The values of one probe, layer and measure over a sweep, and what is fitted to them.

use reprsim_config::{
    Axis, AxisKind, Cell, CellRole, Experiment, MeasureName, Pairing, Point, ProbeConfig, Sweep,
    Term,
};
use reprsim_data::split::Reached;
use reprsim_run::evaluation::Start as Begun;
use reprsim_run::results::CellResult;
use reprsim_stats::{
    Design, FittedTerm, attribute, crossed, curvature, describe_levels, fit_terms, mean,
    mutual_information_discrete, mutual_information_ksg, spearman, standard_deviation,
};

use super::effect::{Effect, Information};
use super::grid::{Grid, GridAttribution, GridPoint, SlopeAtSize};
use super::health::{Doubt, FlagKind};
use super::start::{Change, Start};
use crate::covariate::covariate;

/// Permutations of a randomisation test.
const DRAWS: usize = 999;
/// Values above this share of the largest leave no room for an effect.
const CEILING: f64 = 0.98;
/// The least difference between untrained and trained pairs that means anything.
const RANGE: f64 = 0.02;
/// A pair with a smaller p-value is more alike than permuted samples.
const ALPHA: f64 = 0.05;

/// What a series of values is of.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub experiment: &'a Experiment,
    /// The sweep's place in the experiment.
    pub index: usize,
    pub sweep: &'a Sweep,
    pub probe: &'a ProbeConfig,
    pub layer: String,
    pub measure: MeasureName,
    /// The measure's name in results.
    pub name: String,
}

impl Place<'_> {
    /// Whether this is the declared layer and probe, by whatever measure.
    pub fn declared(&self) -> bool {
        let primary = &self.experiment.analysis.primary;
        primary.probe == self.probe.name && primary.layer == self.layer
    }

    /// Whether this is the declared primary result.
    pub fn primary(&self) -> bool {
        self.declared() && self.experiment.analysis.primary.measure == self.name
    }
}

/// The values at a place, and the references beside them.
pub(super) struct Series<'a> {
    pub place: Place<'a>,
    floor: Vec<f64>,
    ceiling: Vec<f64>,
    chance: Vec<f64>,
    listed: Vec<Value>,
}

struct Value {
    point: Point,
    /// The level of each axis as it was really reached.
    reached: Vec<f64>,
    value: f64,
    /// The value before training, where that was measured.
    before: Option<f64>,
    p_permutation: Option<f64>,
    seed: usize,
    /// What each covariate of the experiment is here.
    covariates: Vec<Option<f64>>,
}

impl<'a> Series<'a> {
    pub fn collect(place: Place<'a>, results: &[&'a (Cell, CellResult)]) -> Self {
        let (index, sweep) = (place.index, place.sweep);
        let mut series = Self {
            place,
            floor: vec![],
            ceiling: vec![],
            chance: vec![],
            listed: vec![],
        };
        // Untrained pairs are of the experiment's own model: no floor for others.
        let other = sweep.axes.iter().any(|axis| axis.kind.changes_model());
        for (cell, result) in results {
            let Place {
                probe, layer, name, ..
            } = &series.place;
            let Some(score) = result.scores.iter().find(|s| {
                s.probe == probe.name
                    && s.measure == *name
                    && s.layer_a == *layer
                    && s.layer_b == *layer
            }) else {
                continue;
            };
            let Some(value) = score.value else { continue };
            match &cell.role {
                CellRole::Untrained if other => {}
                CellRole::Untrained => series.floor.push(value),
                CellRole::Point { sweep: of, point } if *of == index => {
                    series.chance.extend(score.null_mean);
                    if point.is_ceiling() {
                        series.ceiling.push(value);
                    }
                    if point.listed {
                        let covariates = &series.place.experiment.analysis.covariates;
                        series.listed.push(Value {
                            reached: reached(point, result),
                            point: point.clone(),
                            value,
                            before: before(result, &series.place),
                            p_permutation: score.p_permutation,
                            seed: cell.seed,
                            covariates: covariates.iter().map(|c| covariate(*c, result)).collect(),
                        });
                    }
                }
                CellRole::Point { .. } => {}
            }
        }
        series
    }

    pub fn values(&self) -> Vec<f64> {
        self.listed.iter().map(|v| v.value).collect()
    }

    pub fn seeds(&self) -> Vec<u64> {
        self.listed.iter().map(|v| v.seed as u64).collect()
    }

    /// Whether points of one seed are correlated.
    pub fn clustered(&self) -> bool {
        self.place.experiment.pairing == Pairing::Nested
    }

    /// What is fitted: the level of one axis, or the terms of a grid, and their columns.
    pub fn terms(&self) -> Vec<(Term, Vec<f64>)> {
        match self.place.sweep.axes.as_slice() {
            [axis] => vec![(axis.kind.into(), self.first())],
            _ => self.grid_terms(),
        }
    }

    /// The level of the first axis as it was reached.
    fn first(&self) -> Vec<f64> {
        self.listed.iter().map(|v| v.reached[0]).collect()
    }

    /// The level of the first axis as the experiment file has it.
    fn nominal(&self) -> Vec<f64> {
        self.listed.iter().map(|v| v.point.levels[0].1).collect()
    }

    /// One effect for a single axis; one an axis and one a pair of axes for a grid.
    pub fn effects(&self) -> Vec<Effect> {
        let (terms, columns): (Vec<Term>, Vec<Vec<f64>>) = self.terms().into_iter().unzip();
        let seeds = self.seeds();
        let clusters = self.clustered().then_some(seeds.as_slice());
        let seed = self.place.experiment.root_seed;
        let fits = fit_terms(&columns, &self.values(), clusters, DRAWS, seed);
        terms
            .into_iter()
            .zip(fits)
            .map(|(axis, fit)| self.effect(axis, fit, &columns, clusters))
            .collect()
    }

    fn effect(
        &self,
        axis: Term,
        fit: FittedTerm,
        columns: &[Vec<f64>],
        clusters: Option<&[u64]>,
    ) -> Effect {
        let single = self.place.sweep.axes.len() == 1;
        let values = self.values();
        let some_mean = |values: &[f64]| (!values.is_empty()).then(|| mean(values));
        let (floor, ceiling) = (some_mean(&self.floor), some_mean(&self.ceiling));
        let range = self.range().map(|(floor, ceiling)| ceiling - floor);
        Effect {
            sweep: self.place.sweep.term(),
            axis,
            probe: self.place.probe.name.clone(),
            probe_varies: self.place.probe.varies(),
            layer: self.place.layer.clone(),
            measure: self.place.name.clone(),
            primary: self.place.primary(),
            share_of_range: fit.slope.zip(range).map(|(slope, range)| slope / range),
            fit,
            curvature_p: match single {
                true => curvature(&columns[0], &values, clusters)
                    .ok()
                    .and_then(|bend| bend.p_value),
                false => None,
            },
            spearman: match single {
                true => spearman(&columns[0], &values).ok(),
                false => None,
            },
            information: match single && self.place.declared() {
                true => self.information(self.place.experiment.root_seed),
                false => None,
            },
            levels: match single {
                true => describe_levels(&self.nominal(), &values),
                false => vec![],
            },
            points: match single {
                true => (self.listed.iter())
                    .map(|v| (v.reached[0], v.value, v.seed))
                    .collect(),
                false => vec![],
            },
            floor,
            ceiling,
            chance: some_mean(&self.chance),
        }
    }

    fn information(&self, seed: u64) -> Option<Information> {
        let (levels, values) = (self.nominal(), self.values());
        let discrete = mutual_information_discrete(&levels, &values, DRAWS, seed).ok()?;
        Some(Information {
            ksg: mutual_information_ksg(&levels, &values).ok(),
            nats: discrete.nats,
            entropy: discrete.entropy,
            share: discrete.share,
            p_value: discrete.p_value,
        })
    }

    /// What explains similarity over a grid.
    pub fn attribution(&self) -> GridAttribution {
        let (terms, columns): (Vec<Term>, Vec<Vec<f64>>) = self.terms().into_iter().unzip();
        // A covariate that some pair lacks cannot be held fixed.
        let (mut known, mut lacking) = (vec![], vec![]);
        let covariates = &self.place.experiment.analysis.covariates;
        for (i, covariate) in covariates.iter().enumerate() {
            let name = covariate.name().to_string();
            let values: Option<Vec<f64>> = self.listed.iter().map(|v| v.covariates[i]).collect();
            match values {
                Some(values) => known.push((name, values)),
                None => lacking.push(name),
            }
        }
        let design = Design {
            names: terms.iter().map(Term::to_string).collect(),
            columns,
            y: self.values(),
            clusters: self.clustered().then(|| self.seeds()),
            covariates: known,
        };
        let (attribution, undefined) =
            match attribute(&design, DRAWS, self.place.experiment.root_seed) {
                Ok(mut attribution) => {
                    attribution.dropped.extend(lacking);
                    (Some(attribution), None)
                }
                Err(error) => (None, Some(error.to_string())),
            };
        GridAttribution {
            sweep: self.place.sweep.term(),
            measure: self.place.name.clone(),
            primary: self.place.primary(),
            attribution,
            undefined,
        }
    }

    /// Untrained pairs and pairs with overlap 1, where effects can be read against the
    /// distance between them: overlaps alone, and untrained pairs less alike than any.
    fn range(&self) -> Option<(f64, f64)> {
        let overlaps = self.place.sweep.axes.iter().all(|a| a.kind.is_overlap());
        if !overlaps || self.floor.is_empty() || self.ceiling.is_empty() {
            return None;
        }
        let (floor, ceiling) = (mean(&self.floor), mean(&self.ceiling));
        (floor + self.resolution() <= ceiling && floor <= self.lowest() + self.resolution())
            .then_some((floor, ceiling))
    }

    /// The least difference of similarities that means anything.
    fn resolution(&self) -> f64 {
        RANGE
            * self
                .place
                .measure
                .largest(self.place.experiment.analysis.k)
                .min(1.0)
    }

    /// Mean similarity where every axis is at its lowest level.
    fn lowest(&self) -> f64 {
        let least: Vec<Option<&f64>> = (self.place.sweep.axes.iter())
            .map(|axis| axis.levels.first())
            .collect();
        let at_least = |v: &&Value| {
            let levels = v.point.levels.iter().map(|(_, level)| Some(level));
            levels.eq(least.iter().copied())
        };
        let values: Vec<f64> = self
            .listed
            .iter()
            .filter(at_least)
            .map(|v| v.value)
            .collect();
        mean(&values)
    }

    /// Why the measure's range may leave no room for an effect.
    pub fn doubts(&self) -> Vec<Doubt> {
        let largest = self.place.measure.largest(self.place.experiment.analysis.k);
        let doubt = |kind, values| Doubt {
            kind,
            measure: self.place.name.clone(),
            sweep: self.place.sweep.term(),
            values,
        };
        let mut doubts = Vec::new();
        if self.listed.is_empty() {
            return doubts;
        }
        if self.listed.iter().all(|v| v.value > CEILING * largest) {
            doubts.push(doubt(FlagKind::AtCeiling, None));
        }
        let by_chance = |v: &&Value| v.p_permutation.is_some_and(|p| p >= ALPHA);
        if 2 * self.listed.iter().filter(by_chance).count() > self.listed.len() {
            doubts.push(doubt(FlagKind::AtChance, None));
        }
        if !self.floor.is_empty() && !self.ceiling.is_empty() {
            let (floor, ceiling) = (mean(&self.floor), mean(&self.ceiling));
            let lowest = self.lowest();
            if lowest + self.resolution() < floor {
                doubts.push(doubt(FlagKind::BelowFloor, Some((lowest, floor))));
            } else if ceiling - floor < self.resolution() {
                doubts.push(doubt(FlagKind::NoRange, Some((ceiling, floor))));
            }
        }
        doubts
    }

    /// The terms of a grid and their columns: each axis, centred on the mean of its levels so
    /// that its slope is the average over the design, and the product of each two.
    fn grid_terms(&self) -> Vec<(Term, Vec<f64>)> {
        self.terms_of(&self.listed.iter().collect::<Vec<_>>(), &|_| true)
    }

    /// The same of some values and axes.
    fn terms_of(
        &self,
        values: &[&Value],
        is_used: &dyn Fn(&Axis) -> bool,
    ) -> Vec<(Term, Vec<f64>)> {
        let axes = self.place.sweep.axes.iter().enumerate();
        let axes = axes.filter(|(_, axis)| is_used(axis));
        let centred: Vec<(Term, Vec<f64>)> = axes
            .map(|(place, axis)| {
                let levels: Vec<f64> = axis
                    .levels
                    .iter()
                    .map(|&level| axis.kind.scale(level))
                    .collect();
                let middle = mean(&levels);
                let reached = values.iter().map(|v| v.reached[place]);
                let column = reached
                    .map(|level| axis.kind.scale(level) - middle)
                    .collect();
                (axis.kind.into(), column)
            })
            .collect();
        crossed(&centred, |a: &Term, b: &Term| {
            Term::of(a.axes().iter().chain(b.axes()).copied())
        })
    }

    /// What was there before training; nothing where that was not measured.
    pub fn start(&self) -> Option<Start> {
        let values: Vec<&Value> = self.listed.iter().filter(|v| v.before.is_some()).collect();
        if values.is_empty() {
            return None;
        }
        let befores: Vec<f64> = values.iter().filter_map(|v| v.before).collect();
        let changes: Vec<f64> = (values.iter().zip(&befores))
            .map(|(value, before)| value.value - before)
            .collect();
        let terms = match self.place.sweep.axes.as_slice() {
            [axis] => {
                let reached = values.iter().map(|v| v.reached[0]).collect();
                vec![(axis.kind.into(), reached)]
            }
            _ => self.terms_of(&values, &|_| true),
        };
        let (terms, columns): (Vec<Term>, Vec<Vec<f64>>) = terms.into_iter().unzip();
        let seeds: Vec<u64> = values.iter().map(|v| v.seed as u64).collect();
        let clusters = self.clustered().then_some(seeds.as_slice());
        let seed = self.place.experiment.root_seed;
        let fits = fit_terms(&columns, &changes, clusters, DRAWS, seed);
        let after: Vec<f64> = values.iter().map(|v| v.value).collect();
        let (before, after) = (mean(&befores), mean(&after));
        Some(Start {
            sweep: self.place.sweep.term(),
            measure: self.place.name.clone(),
            primary: self.place.primary(),
            n: values.len(),
            before,
            after,
            share: (before > 0.0 && before <= after).then(|| before / after),
            changes: (terms.into_iter().zip(fits))
                .map(|(axis, fit)| Change { axis, fit })
                .collect(),
        })
    }

    /// The slope on each overlap among the pairs of each size.
    fn slopes_at_sizes(&self) -> Vec<SlopeAtSize> {
        let axes = || self.place.sweep.axes.iter();
        let mut found = vec![];
        for size in axes().filter(|axis| axis.kind.changes_model()) {
            for &level in &size.levels {
                let of_size = |v: &&Value| v.point.level(size.kind.name()) == Some(level);
                let values: Vec<&Value> = self.listed.iter().filter(of_size).collect();
                let terms = self.terms_of(&values, &|axis| axis.kind != size.kind);
                let (terms, columns): (Vec<Term>, Vec<Vec<f64>>) = terms.into_iter().unzip();
                let y: Vec<f64> = values.iter().map(|v| v.value).collect();
                let seeds: Vec<u64> = values.iter().map(|v| v.seed as u64).collect();
                let clusters = self.clustered().then_some(seeds.as_slice());
                let seed = self.place.experiment.root_seed;
                let fits = fit_terms(&columns, &y, clusters, DRAWS, seed);
                for (term, fit) in terms.into_iter().zip(fits) {
                    if let Some(overlap) = term.single().filter(|kind| kind.is_overlap()) {
                        found.push(SlopeAtSize {
                            size: size.kind,
                            level,
                            overlap,
                            fit,
                        });
                    }
                }
            }
        }
        found
    }

    /// Mean and spread at each point of a grid.
    pub fn grid(&self) -> Grid {
        let sweep = self.place.sweep;
        let points = sweep.points().into_iter().filter_map(|point| {
            let values: Vec<f64> = self
                .listed
                .iter()
                .filter(|v| v.point == point)
                .map(|v| v.value)
                .collect();
            (!values.is_empty()).then(|| GridPoint {
                levels: point.levels.iter().map(|(_, level)| *level).collect(),
                n: values.len(),
                mean: mean(&values),
                sd: standard_deviation(&values),
            })
        });
        Grid {
            sweep: sweep.term(),
            axes: sweep.axes.iter().map(|a| a.kind).collect(),
            points: points.collect(),
            slopes: self.slopes_at_sizes(),
        }
    }
}

/// The similarity before training.
fn before(result: &CellResult, place: &Place<'_>) -> Option<f64> {
    let rows = result.others.get(Begun::NAME)?;
    Begun::of(rows, &place.probe.name, &place.layer, &place.name)
}

/// The level of each axis as it was really reached, counted from the split.
fn reached(point: &Point, result: &CellResult) -> Vec<f64> {
    let counted = result.pair.samples_shared.zip(result.pair.labels_shared);
    let counted = counted.map(|(samples, labels)| Reached { samples, labels });
    let place = point.place();
    let of = |&(kind, level): &(AxisKind, f64)| {
        counted
            .and_then(|counted| kind.reached(&place, counted))
            .unwrap_or(level)
    };
    point.levels.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use reprsim_run::results::PairResult;

    use super::*;

    fn found(samples: Option<f64>, labels: Option<f64>) -> CellResult {
        CellResult {
            pair: PairResult {
                schema: 0,
                cell: String::new(),
                device: String::new(),
                samples_shared: samples,
                samples_shared_by_content: samples,
                labels_shared: labels,
                held_out_copies: None,
                train_samples: 0,
                a: Default::default(),
                b: Default::default(),
            },
            devices: BTreeSet::new(),
            scores: vec![],
            accuracy: [None; 2],
            others: BTreeMap::new(),
        }
    }

    fn point(levels: &[(&str, f64)]) -> Point {
        Point {
            levels: levels
                .iter()
                .map(|&(name, level)| (AxisKind::named(name).unwrap(), level))
                .collect(),
            pair: None,
            listed: true,
        }
    }

    /// Lines are fitted on what was counted, where that is counted.
    #[test]
    fn levels_are_those_that_were_reached() {
        let counted = found(Some(0.52), Some(0.6));
        for (levels, wanted) in [
            (&[("data", 0.5)][..], &[0.52][..]),
            (&[("task", 0.5)], &[0.6]),
            (&[("width", 2.0)], &[2.0]),
            // Of the samples of common classes: all shared samples over the common classes.
            (&[("data", 0.5), ("class", 0.5)], &[0.52 / 0.6, 0.6]),
            (&[("data", 0.5), ("width", 2.0)], &[0.52, 2.0]),
        ] {
            let reached = reached(&point(levels), &counted);
            for (reached, wanted) in reached.iter().zip(wanted) {
                assert!((reached - wanted).abs() < 1e-12, "{levels:?}: {reached}");
            }
            assert_eq!(reached.len(), wanted.len());
        }
        let level = reached(&point(&[("data", 0.5)]), &found(None, None));
        assert_eq!(level, [0.5], "as it was asked, where nothing was counted");
    }
}
