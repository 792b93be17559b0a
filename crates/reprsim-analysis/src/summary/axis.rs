//! The section of a sweep of one axis.

use reprsim_report::{AxisSection, ForestRow, LevelSummary, MeasureRow, Reference, SkillRow};
use reprsim_stats::mean;

use super::words::{Words, explanation, fit_of, p_text, randomisation, sentence, title, verdict};
use crate::analysis::{Analysis, Effect};
use reprsim_config::{AxisKind, Sweep};
use reprsim_config::Cell;
use reprsim_run::results::{CellResult, ModelResult};

/// A sweep of one axis: what its figures and tables say.
pub(super) fn section(
    words: &Words,
    index: usize,
    sweep: &Sweep,
    results: &[&(Cell, CellResult)],
    analysis: &Analysis,
) -> AxisSection {
    let (kind, name) = (sweep.axes[0].kind, sweep.name());
    let of_axis: Vec<&Effect> = (analysis.effects.iter())
        .filter(|e| e.sweep == name)
        .collect();
    let Some(primary) = of_axis.iter().find(|e| e.primary) else {
        return AxisSection {
            name,
            title: title(kind),
            ..AxisSection::default()
        };
    };
    let verdict = verdict(primary.slope, primary.p_value);
    let levels = &sweep.axes[0].levels;
    let ends = (levels.first().copied(), levels.last().copied());
    AxisSection {
        title: title(kind),
        range: match kind.is_overlap() {
            true => (0.0, 1.0),
            false => (ends.0.unwrap_or(0.0), ends.1.unwrap_or(1.0)),
        },
        slope_label: match kind {
            AxisKind::Partition => "change of similarity per shared factor".into(),
            _ => "change of similarity from overlap 0 to 1".into(),
        },
        explanation: explanation(words, sweep, kind),
        sentence: sentence(primary, verdict),
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

/// The primary layer and probe by every measure.
pub(super) fn measures(effects: &[&Effect], primary: &Effect) -> Vec<MeasureRow> {
    let here = |e: &&&Effect| e.layer == primary.layer && e.probe == primary.probe;
    (effects.iter().filter(here))
        .map(|e| MeasureRow {
            measure: e.measure.clone(),
            slope: e.slope,
            interval: e.ci_low.zip(e.ci_high),
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
        slope: effect.slope,
        interval: effect.ci_low.zip(effect.ci_high),
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
            let both = |get: fn(&ModelResult) -> Option<f64>| {
                let values: Vec<f64> = pairs
                    .iter()
                    .flat_map(|r| [get(&r.a), get(&r.b)])
                    .flatten()
                    .collect();
                (!values.is_empty()).then(|| mean(&values))
            };
            SkillRow {
                level,
                train_accuracy: both(|m| m.train_accuracy),
                test_accuracy: both(|m| m.test_accuracy),
                train_loss: both(|m| m.train_loss),
                validation_loss: both(|m| m.validation_loss),
                similarity: primary
                    .levels
                    .iter()
                    .find(|l| l.level == level)
                    .map(|l| l.mean),
            }
        })
        .collect()
}
