//! The section of a sweep of one axis.

use reprsim_config::AxisKind;
use reprsim_report::{
    AxisSection, ForestRow, LevelSummary, MeasureRow, Reference, SkillRow, ValueScale,
};
use reprsim_stats::mean;

use reprsim_config::{Cell, Sweep, Words};
use reprsim_run::results::{CellResult, ModelResult};

use super::words::{fit_of, p_text, randomisation, sentence, verdict};
use crate::analysis::{Analysis, Effect};

/// A sweep of one axis: what its figures and tables say.
pub(super) fn section(
    words: Words,
    index: usize,
    sweep: &Sweep,
    results: &[&(Cell, CellResult)],
    analysis: &Analysis,
    scale: ValueScale,
) -> AxisSection {
    let (axis, term) = (&sweep.axes[0], sweep.term());
    let (kind, name) = (axis.kind, term.shown());
    let of_axis: Vec<&Effect> = (analysis.effects.iter())
        .filter(|e| e.sweep == term)
        .collect();
    let Some(primary) = of_axis.iter().find(|e| e.primary) else {
        return AxisSection {
            name,
            title: kind.title(),
            ..AxisSection::default()
        };
    };
    let verdict = verdict(primary.fit.slope, primary.fit.p_value);
    let ends = (axis.levels.first().copied(), axis.levels.last().copied());
    AxisSection {
        title: kind.title(),
        range: match kind.is_overlap() {
            true => (0.0, 1.0),
            false => (ends.0.unwrap_or(0.0), ends.1.unwrap_or(1.0)),
        },
        slope_label: slope_label(kind, scale),
        explanation: kind.explanation(words, &sweep.design()),
        sentence: sentence(primary, verdict, scale),
        verdict,
        y_label: y_label(primary),
        points: primary.points.iter().map(|p| (p.0, p.1)).collect(),
        levels: primary
            .levels
            .iter()
            .map(|l| LevelSummary {
                level: l.level,
                n: l.n,
                mean: l.mean,
                sd: l.sd,
            })
            .collect(),
        fit: fit_of(primary),
        measures: measures(&of_axis, primary),
        statistics: statistics(primary),
        references: references(primary),
        layers: of_axis
            .iter()
            .filter(|e| e.measure == primary.measure)
            .map(|e| forest_row(e))
            .collect(),
        skill: skill(index, primary, results),
        name,
        ..AxisSection::default()
    }
}

/// What a slope on an axis is.
pub(super) fn slope_label(kind: AxisKind, scale: ValueScale) -> String {
    format!("change of {} {}", scale.noun(), kind.step())
}

/// The primary layer and probe by every measure.
pub(super) fn measures(effects: &[&Effect], primary: &Effect) -> Vec<MeasureRow> {
    let here = |e: &&&Effect| e.layer == primary.layer && e.probe == primary.probe;
    (effects.iter().filter(here))
        .map(|e| MeasureRow {
            measure: e.measure.clone(),
            slope: e.fit.slope,
            interval: e.fit.ci_low.zip(e.fit.ci_high),
            primary: e.primary,
        })
        .collect()
}

/// What else is known of the primary result.
fn statistics(effect: &Effect) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: Option<String>| {
        rows.extend(value.map(|value| (name.to_string(), value)));
    };
    row("test that assumes less", randomisation(effect));
    row(
        "rank correlation (Spearman)",
        effect
            .spearman
            .map(|rho| format!("{rho:+.3}").replace('-', "−")),
    );
    row(
        "curvature",
        effect.curvature_p.map(|p| match p < 0.05 {
            true => format!("{}: a straight line does not say all", p_text(p)),
            false => format!("{}: none can be told", p_text(p)),
        }),
    );
    row(
        "from untrained pairs to overlap 1",
        (effect.share_of_range).map(|share| format!("{:.0} % of the way", 100.0 * share)),
    );
    row(
        "mutual information",
        effect.information.map(|i| {
            let share = i.share.map(|s| format!(" ({:.0} %)", 100.0 * s));
            format!(
                "{:.2} of {:.2} nats{}, {} (Ross)",
                i.nats,
                i.entropy,
                share.unwrap_or_default(),
                p_text(i.p_value)
            )
        }),
    );
    row(
        "as published (KSG, k = 3)",
        effect
            .information
            .and_then(|i| i.ksg)
            .map(|nats| format!("{nats:.2} nats")),
    );
    rows
}

pub(super) fn forest_row(effect: &Effect) -> ForestRow {
    ForestRow {
        layer: effect.layer.clone(),
        probe: effect.probe.clone(),
        slope: effect.fit.slope,
        interval: effect.fit.ci_low.zip(effect.fit.ci_high),
        primary: effect.primary,
        probe_varies: effect.probe_varies,
    }
}

pub(super) fn references(effect: &Effect) -> Vec<Reference> {
    [
        ("untrained pair", effect.floor),
        ("overlap 1", effect.ceiling),
        ("chance", effect.chance),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        value.map(|value| Reference {
            name: name.into(),
            value,
        })
    })
    .collect()
}

pub(super) fn y_label(effect: &Effect) -> String {
    format!("{} ({}, {})", effect.measure, effect.layer, effect.probe)
}

/// How well models learned, level by level.
fn skill(sweep: usize, primary: &Effect, results: &[&(Cell, CellResult)]) -> Vec<SkillRow> {
    let level_of = |cell: &Cell| {
        cell.point()
            .filter(|(of, _)| *of == sweep)
            .map(|(_, point)| point.levels[0].1)
    };
    let mut levels: Vec<f64> = results
        .iter()
        .filter_map(|(cell, _)| level_of(cell))
        .collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
        .into_iter()
        .map(|level| {
            let pairs: Vec<&CellResult> = results
                .iter()
                .filter(|(cell, _)| level_of(cell) == Some(level))
                .map(|(_, result)| result)
                .collect();
            let mean_of = |both: &dyn Fn(&CellResult) -> [Option<f64>; 2]| {
                let values: Vec<f64> = pairs.iter().flat_map(|r| both(r)).flatten().collect();
                (!values.is_empty()).then(|| mean(&values))
            };
            let both = |get: fn(&ModelResult) -> Option<f64>| {
                mean_of(&|r| [get(&r.pair.a), get(&r.pair.b)])
            };
            SkillRow {
                level,
                train_accuracy: both(|m| m.train_accuracy),
                test_accuracy: mean_of(&|r| r.accuracy),
                train_loss: both(|m| m.train_loss),
                validation_loss: both(|m| m.validation_loss),
                value: primary
                    .levels
                    .iter()
                    .find(|l| l.level == level)
                    .map(|l| l.mean),
            }
        })
        .collect()
}
