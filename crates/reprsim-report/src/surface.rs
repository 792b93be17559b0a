//! The means of a factorial design as a heat map: the first axis across, the second up, a
//! panel for each level of the others.

use crate::drawing::{Drawing, WIDTH};
use crate::heatmap::{Heat, Room};
use crate::report::{GridSection, LevelSummary};
use crate::scale::{distinct, tick_text};
use crate::value_scale::ValueScale;

/// Draws the design, a figure a panel; none if there are less than two axes.
pub(crate) fn draw(grid: &GridSection, scale: ValueScale) -> Vec<Drawing> {
    let points: Vec<&(Vec<f64>, LevelSummary)> = grid
        .points
        .iter()
        .filter(|(levels, _)| levels.len() == grid.axes.len() && levels.len() > 1)
        .filter(|(_, summary)| summary.mean.is_finite())
        .collect();
    let means = || points.iter().map(|(_, summary)| summary.mean);
    let low = means().fold(f64::INFINITY, f64::min);
    let high = means().fold(f64::NEG_INFINITY, f64::max);
    let range = (low, if high > low { high } else { low + 1.0 });
    let across = distinct(points.iter().map(|(levels, _)| levels[0]));
    let mut up = distinct(points.iter().map(|(levels, _)| levels[1]));
    up.reverse();
    // What a panel is of: the levels of all further axes.
    let mut panels: Vec<&[f64]> = Vec::new();
    for (levels, _) in &points {
        if !panels.contains(&&levels[2..]) {
            panels.push(&levels[2..]);
        }
    }
    let heats: Vec<Heat> = panels
        .iter()
        .map(|panel| {
            let cell = |y: f64, x: f64| {
                let here = |(levels, _): &&&(Vec<f64>, LevelSummary)| {
                    levels[0] == x && levels[1] == y && levels[2..] == **panel
                };
                let found = points.iter().find(here).map(|(_, summary)| summary);
                let place = format!(
                    "{} {}, {} {}",
                    axis(grid, 0),
                    tick_text(x),
                    axis(grid, 1),
                    tick_text(y)
                );
                match found {
                    Some(s) => (Some(s.mean), format!("{place}: {}", described(s))),
                    None => (None, format!("{place}: no pair")),
                }
            };
            let rows = up.iter().flat_map(|&y| across.iter().map(move |&x| (y, x)));
            Heat {
                title: title(grid, panel),
                rows: up.iter().map(|v| tick_text(*v)).collect(),
                columns: across.iter().map(|v| tick_text(*v)).collect(),
                cells: rows.map(|(y, x)| cell(y, x)).collect(),
                range,
                scale,
                axes: [axis(grid, 0).into(), axis(grid, 1).into()],
                flat: true,
            }
        })
        .collect();
    let room = Room::of(&heats, Some(WIDTH));
    heats.iter().map(|heat| heat.drawing(&room, "")).collect()
}

/// What an axis is called.
pub(crate) fn axis(grid: &GridSection, place: usize) -> &str {
    let title = grid.axis_titles.get(place).or(grid.axes.get(place));
    title.map_or("", String::as_str)
}

fn title(grid: &GridSection, panel: &[f64]) -> String {
    let further: Vec<String> = (panel.iter().enumerate())
        .map(|(i, level)| format!("{} {}", axis(grid, i + 2), tick_text(*level)))
        .collect();
    match further.is_empty() {
        true => grid.y_label.clone(),
        false => format!("{}: {}", further.join(", "), grid.y_label),
    }
}

fn described(summary: &LevelSummary) -> String {
    let sd = match summary.sd {
        Some(sd) if sd.is_finite() => format!(", sd {sd:.4}"),
        _ => String::new(),
    };
    format!("mean {:.4}{sd}, {} pairs", summary.mean, summary.n)
}
