//! The section of a factorial design.

use reprsim_config::{Sweep, Words};
use reprsim_report::{
    AttributionRow, GridAnswer, GridLine, GridSection, GridTerm, LevelSummary, SizeSlope,
    SizeSlopes, ValueScale,
};
use reprsim_stats::{Covariate, Interval, TermShare};

use super::axis::{forest_row, measures, references, slope_label, y_label};
use super::words::{sentence, term_title, verdict};
use crate::analysis::{Analysis, Effect, Grid, GridPoint};

/// A factorial design: what its figure and tables say.
pub(super) fn grid_section(
    words: Words,
    sweep: &Sweep,
    analysis: &Analysis,
    scale: ValueScale,
) -> GridSection {
    let name = sweep.term();
    let effects: Vec<&Effect> = (analysis.effects.iter())
        .filter(|e| e.sweep == name)
        .collect();
    let primary: Vec<&Effect> = effects.iter().copied().filter(|e| e.primary).collect();
    let (Some(first), Some(grid)) = (
        primary.first(),
        analysis.grids.iter().find(|g| g.sweep == name),
    ) else {
        return GridSection {
            name: name.shown(),
            ..GridSection::default()
        };
    };
    let found = (analysis.attributions.iter()).find(|a| a.sweep == name && a.primary);
    let attribution = found.and_then(|a| a.attribution.as_ref());
    let undefined = found.and_then(|a| a.undefined.as_ref());
    let summary = |level: f64, point: &GridPoint| LevelSummary {
        level,
        n: point.n,
        mean: point.mean,
        sd: point.sd,
    };
    let x = sweep.axes[0].kind;
    // One line for each combination of levels of the axes after the first.
    let mut lines: Vec<GridLine> = Vec::new();
    for point in &grid.points {
        let label: Vec<String> = grid.axes[1..]
            .iter()
            .zip(&point.levels[1..])
            .map(|(kind, level)| format!("{} {level}", kind.name()))
            .collect();
        let label = label.join(", ");
        let entry = summary(point.levels[0], point);
        match lines.iter_mut().find(|l| l.label == label) {
            Some(line) => line.points.push(entry),
            None => lines.push(GridLine {
                label,
                points: vec![entry],
            }),
        }
    }
    let explained: Vec<String> = sweep
        .axes
        .iter()
        .map(|axis| axis.kind.explanation(words, &sweep.design()))
        .collect();
    GridSection {
        explanation: format!(
            "{} Every level of {} is crossed with every level of the others. A coefficient is the \
             change of {} from level 0 to 1 (for size, width and depth, for each doubling), averaged \
             over the levels of the other axes; that of an interaction is how much one such change \
             grows as the other level goes from 0 to 1, or doubles.",
            explained.join(" "),
            x.title(),
            scale.noun()
        ),
        answers: primary
            .iter()
            .map(|effect| {
                let verdict = verdict(effect.fit.slope, effect.fit.p_value);
                GridAnswer {
                    term: match effect.axis.is_interaction() {
                        true => term_title(&effect.axis),
                        false => {
                            format!("{} in {}", term_title(&effect.axis), effect.sweep.shown())
                        }
                    },
                    slope: effect.fit.slope,
                    verdict,
                    sentence: sentence(effect, verdict, scale),
                }
            })
            .collect(),
        y_label: y_label(first),
        x_label: x.title(),
        lines,
        references: references(first),
        slopes: slopes(grid, scale),
        terms: primary
            .iter()
            .map(|term| {
                let of_term: Vec<&Effect> = (effects.iter().copied())
                    .filter(|e| e.axis == term.axis)
                    .collect();
                let rows = of_term
                    .iter()
                    .filter(|e| e.measure == term.measure)
                    .map(|e| forest_row(e));
                let label = match term.axis.single() {
                    Some(axis) => slope_label(axis, scale),
                    None => "change of one slope with the other level".into(),
                };
                GridTerm {
                    name: term_title(&term.axis),
                    axes: term
                        .axis
                        .axes()
                        .iter()
                        .map(|axis| axis.name().into())
                        .collect(),
                    slope_label: label,
                    rows: rows.collect(),
                    measures: measures(&of_term, term),
                }
            })
            .collect(),
        axes: grid.axes.iter().map(|kind| kind.name().into()).collect(),
        axis_titles: grid.axes.iter().map(|kind| kind.title()).collect(),
        attribution: attribution.map_or(vec![], |found| {
            let share_of = |effect: &Effect| {
                let name = effect.axis.to_string();
                found.terms.iter().find(|term| term.name == name)
            };
            (primary.iter())
                .filter_map(|effect| Some(attribution_row(effect, share_of(effect)?)))
                .collect()
        }),
        share_label: match attribution.is_some_and(|a| !a.covariates.is_empty()) {
            true => "share of variance beyond the covariates'".into(),
            false => String::new(),
        },
        total_r2: attribution.map(|found| found.r_squared),
        covariates: attribution.map_or(vec![], |found| {
            found.covariates.iter().map(covariate_row).collect()
        }),
        covariate_share: attribution.and_then(|found| found.covariate_share),
        dropped: attribution.map_or(vec![], |found| found.dropped.clone()),
        attribution_note: undefined.map_or(String::new(), |reason| {
            format!("The variance cannot be divided among the terms: {reason}.")
        }),
        points: grid
            .points
            .iter()
            .map(|point| (point.levels.clone(), summary(point.levels[0], point)))
            .collect(),
        name: name.shown(),
    }
}

/// The slopes on each overlap, over each axis of sizes.
fn slopes(grid: &Grid, scale: ValueScale) -> Vec<SizeSlopes> {
    let mut found: Vec<SizeSlopes> = vec![];
    for at in &grid.slopes {
        let (overlap, x_label) = (at.overlap.title(), at.size.title());
        let place = found
            .iter()
            .position(|f| f.overlap == overlap && f.x_label == x_label);
        let place = place.unwrap_or_else(|| {
            found.push(SizeSlopes {
                y_label: slope_label(at.overlap, scale),
                overlap,
                x_label,
                points: vec![],
            });
            found.len() - 1
        });
        // A fit that cannot be made has no mark.
        if let Some(slope) = at.fit.slope {
            found[place].points.push(SizeSlope {
                size: at.level,
                slope,
                interval: at.fit.ci_low.zip(at.fit.ci_high),
                n: at.fit.n,
            });
        }
    }
    found
}

fn attribution_row(effect: &Effect, share: &TermShare) -> AttributionRow {
    let ends = |interval: Interval| (interval.low, interval.high);
    AttributionRow {
        term: term_title(&effect.axis),
        coefficient: Some(share.term.coefficient),
        interval: share.term.ci_low.zip(share.term.ci_high),
        p_value: share.term.p_value,
        randomisation_p: share.randomisation_p,
        partial_r2: Some(share.partial_r_squared),
        partial_r2_interval: share.partial_interval.map(ends),
        share: Some(share.share),
        share_interval: share.share_interval.map(ends),
    }
}

fn covariate_row(covariate: &Covariate) -> AttributionRow {
    let term = &covariate.term;
    AttributionRow {
        term: covariate.name.clone(),
        coefficient: Some(term.coefficient),
        interval: term.ci_low.zip(term.ci_high),
        p_value: term.p_value,
        randomisation_p: covariate.randomisation_p,
        ..AttributionRow::default()
    }
}
