//! Shares of the variance that the terms of a grid account for, as bars.

use maud::html;

use crate::drawing::{Drawing, WIDTH, fitted};
use crate::format::percent;
use crate::report::GridSection;
use crate::scale::{Scale, padded_range, tick_text, ticks};

const ROW: f64 = 42.0;
const BELOW: f64 = 44.0;
const RIGHT: f64 = 62.0;

/// Draws the shares, or nothing if there is none.
pub(crate) fn draw(grid: &GridSection) -> Option<Drawing> {
    let share = |v: Option<f64>| v.filter(|v| v.is_finite());
    let ends = |v: Option<(f64, f64)>| v.filter(|(a, b)| a.is_finite() && b.is_finite());
    let rows = &grid.attribution;
    if !rows.iter().any(|r| share(r.share).is_some()) {
        return None;
    }
    let values = rows.iter().flat_map(|r| {
        let (low, high) = ends(r.share_interval).unwrap_or((0.0, 0.0));
        [share(r.share).unwrap_or(0.0), low, high]
    });
    let (low, high) = padded_range(values.chain([0.0]));
    // Bars stand on zero, with nothing to its left but an interval that reaches there.
    let lowest = (rows.iter())
        .filter_map(|r| ends(r.share_interval))
        .map(|e| e.0);
    let lowest = lowest
        .chain(rows.iter().filter_map(|r| share(r.share)))
        .fold(0.0, f64::min);
    let range = (if lowest < 0.0 { low } else { 0.0 }, high);
    let x = Scale::new(range, (4.0, WIDTH - RIGHT));
    let floor = ROW * rows.len() as f64 + 4.0;
    let body = html! {
        @for tick in ticks(range, 5) {
            line class="gridline" x1=(x.at(tick)) x2=(x.at(tick)) y1="0" y2=(floor) {}
            text class="tick" x=(x.at(tick)) y=(floor + 16.0)
                text-anchor=(if tick == 0.0 && range.0 == 0.0 { "start" } else { "middle" }) {
                (tick_text(100.0 * tick)) " %"
            }
        }
        line class="zero" x1=(x.at(0.0)) x2=(x.at(0.0)) y1="0" y2=(floor) {}
        @for (i, row) in rows.iter().enumerate() {
            @let top = ROW * i as f64;
            text class="over" x="10" y=(top + 15.0) { (fitted(&row.term, 13.0, WIDTH - RIGHT)) }
            @if let Some(value) = share(row.share) {
                rect class="bar" x=(x.at(value.min(0.0))) y=(top + 21.0)
                    width=(one(x.at(value.max(0.0)) - x.at(value.min(0.0)))) height="15" {
                    title { (row.term) ": " (percent(Some(value))) }
                }
            }
            @if let Some((from, to)) = ends(row.share_interval) {
                @let (a, b, y) = (x.at(from), x.at(to), top + 28.5);
                path class="bar-whisker" d=(format!("M{a} {0}V{1}M{a} {y}H{b}M{b} {0}V{1}", y - 4.0, y + 4.0)) {}
            }
            text class="tick" x=(WIDTH - 2.0) y=(top + 33.0) text-anchor="end" { (percent(share(row.share))) }
        }
        text x=(WIDTH - 2.0) y=(floor + 35.0) text-anchor="end" { (label(grid)) }
    };
    Some(Drawing {
        name: String::new(),
        class: "design".into(),
        size: (WIDTH, floor + BELOW),
        label: format!("{} by term, with 95 % intervals", label(grid)),
        body,
    })
}

/// What a share is of.
pub(crate) fn label(grid: &GridSection) -> &str {
    match grid.share_label.is_empty() {
        true => "share of variance",
        false => &grid.share_label,
    }
}

fn one(v: f64) -> f64 {
    (10.0 * v).round() / 10.0
}
