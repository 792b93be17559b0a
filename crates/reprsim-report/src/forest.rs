//! Slopes of all layers and probes with their intervals.

use maud::{Markup, html};

use crate::report::ForestRow;
use crate::scale::{Scale, padded_range, tick_text, ticks};

const WIDTH: f64 = 580.0;
const LEFT: f64 = 275.0;
const RIGHT: f64 = 20.0;
const ROW: f64 = 22.0;
const BOTTOM: f64 = 44.0;

/// Draws the rows as SVG, or nothing if there is none; `axis` names the colour and
/// `label` says what a slope is.
pub(crate) fn draw(axis: &str, label: &str, rows: &[ForestRow]) -> Markup {
    if rows.is_empty() {
        return html! {};
    }
    let ends = rows
        .iter()
        .flat_map(|r| r.interval.map(|(a, b)| [a, b]))
        .flatten()
        .chain([0.0]);
    let range = padded_range(ends);
    let x = Scale::new(range, (LEFT, WIDTH - RIGHT));
    let height = ROW * rows.len() as f64 + BOTTOM;
    let floor = height - BOTTOM + 4.0;
    html! {
        svg class={ "forest " (axis) } viewBox={ "0 0 " (WIDTH) " " (height) } role="img"
            aria-label={ (label) ", by layer and probe" } {
            @for tick in ticks(range, 5) {
                line class="grid" x1=(x.at(tick)) x2=(x.at(tick)) y1="0" y2=(floor) {}
                text class="tick" x=(x.at(tick)) y=(floor + 16.0) text-anchor="middle" { (tick_text(tick)) }
            }
            line class="zero" x1=(x.at(0.0)) x2=(x.at(0.0)) y1="0" y2=(floor) {}
            text class="label" x=((LEFT + WIDTH - RIGHT) / 2.0) y=(height - 6.0) text-anchor="middle" {
                (label)
            }
            @for (i, row) in rows.iter().enumerate() {
                @let y = ROW * i as f64 + ROW / 2.0;
                text class=(if row.primary { "row primary" } else { "row" }) x=(LEFT - 10.0) y=(y + 4.0)
                    text-anchor="end" {
                    (row.layer) " · " (row.probe) @if row.probe_varies { " †" }
                }
                @if let (Some(slope), Some((low, high))) = (row.slope, row.interval) {
                    line class="interval" x1=(x.at(low)) x2=(x.at(high)) y1=(y) y2=(y) {}
                    circle class=(if row.primary { "dot primary" } else { "dot" })
                        cx=(x.at(slope)) cy=(y) r=(if row.primary { 5.5 } else { 4.0 }) {
                        title { (format!("{slope:+.4} ({low:+.4} to {high:+.4})")) }
                    }
                } @else {
                    text class="row" x=(x.at(0.0) + 6.0) y=(y + 4.0) { "undefined" }
                }
            }
        }
    }
}
