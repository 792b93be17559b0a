//! The figure of one axis: points, spread, fit and references.

use maud::{Markup, html};

use crate::report::{AxisSection, Fit};
use crate::scale::{Scale, padded_range, tick_text, ticks};

pub(crate) const WIDTH: f64 = 560.0;
pub(crate) const HEIGHT: f64 = 360.0;
pub(crate) const LEFT: f64 = 64.0;
pub(crate) const RIGHT: f64 = 150.0;
pub(crate) const TOP: f64 = 16.0;
pub(crate) const BOTTOM: f64 = 52.0;

/// Draws the axis as SVG.
pub(crate) fn draw(section: &AxisSection) -> Markup {
    let (low, high) = section.range;
    let margin = 0.06 * (high - low).max(1e-9);
    // The slope's interval turns about the mean point.
    let n = section.points.len().max(1) as f64;
    let mean_x = section.points.iter().map(|p| p.0).sum::<f64>() / n;
    let turned = |fit: &Fit, slope: f64, level: f64| {
        fit.intercept + fit.slope * mean_x + slope * (level - mean_x)
    };
    let ends = section.fit.iter().flat_map(|fit| {
        [fit.ci_low, fit.ci_high].map(|slope| [turned(fit, slope, low), turned(fit, slope, high)])
    });
    let heights = section
        .points
        .iter()
        .map(|p| p.1)
        .chain(section.references.iter().map(|r| r.value))
        .chain(section.levels.iter().flat_map(|l| {
            let sd = l.sd.unwrap_or(0.0);
            [l.mean - sd, l.mean + sd]
        }))
        .chain(ends.flatten());
    let range = padded_range(heights);
    let x = Scale::new((low - margin, high + margin), (LEFT, WIDTH - RIGHT));
    let y = Scale::new(range, (HEIGHT - BOTTOM, TOP));
    let (plot_left, plot_right) = (x.at(low - margin), x.at(high + margin));
    let line = section.fit.map(|fit| {
        let end = |level: f64| y.at(fit.intercept + fit.slope * level);
        (x.at(low), end(low), x.at(high), end(high))
    });
    let band = section.fit.map(|fit| {
        [
            (fit.ci_low, low),
            (fit.slope, mean_x),
            (fit.ci_low, high),
            (fit.ci_high, high),
            (fit.slope, mean_x),
            (fit.ci_high, low),
        ]
        .map(|(slope, level)| format!("{},{}", x.at(level), y.at(turned(&fit, slope, level))))
        .join(" ")
    });
    let levels: Vec<f64> = section.levels.iter().map(|l| l.level).collect();
    let labels = spaced(
        section.references.iter().map(|r| y.at(r.value)).collect(),
        15.0,
    );
    html! {
        svg class={ "figure " (section.name) } viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
            aria-label={ (section.y_label) " against " (section.title) } {
            (frame(range, y, x, &levels, (plot_left, plot_right), [&section.title, &section.y_label]))
            @for (reference, label) in section.references.iter().zip(labels) {
                line class="reference" x1=(plot_left) x2=(plot_right)
                    y1=(y.at(reference.value)) y2=(y.at(reference.value)) {}
                text class="reference-label" x=(plot_right + 6.0) y=(label + 4.0) {
                    (reference.name) " " (tick_text(reference.value))
                }
            }
            @if let Some(points) = &band { polygon class="band" points=(points) {} }
            @if let Some((x1, y1, x2, y2)) = line {
                line class="fit" x1=(x1) y1=(y1) x2=(x2) y2=(y2) {}
            }
            @for level in &section.levels {
                @if let Some(sd) = level.sd {
                    line class="spread" x1=(x.at(level.level)) x2=(x.at(level.level))
                        y1=(y.at(level.mean - sd)) y2=(y.at(level.mean + sd)) {}
                }
                line class="mean" x1=(x.at(level.level) - 9.0) x2=(x.at(level.level) + 9.0)
                    y1=(y.at(level.mean)) y2=(y.at(level.mean)) {}
            }
            @for (i, point) in section.points.iter().enumerate() {
                // A small fixed shift, so that equal values stay visible.
                circle class="point" cx=(x.at(point.0) + [-4.0, 0.0, 4.0][i % 3]) cy=(y.at(point.1)) r="4" {
                    title { (section.title) " " (tick_text(point.0)) ": " (format!("{:.4}", point.1)) }
                }
            }
        }
    }
}

/// Grid lines, ticks, the horizontal axis from `ends.0` to `ends.1` and the labels of
/// both axes (horizontal first).
pub(crate) fn frame(
    range: (f64, f64),
    y: Scale,
    x: Scale,
    levels: &[f64],
    ends: (f64, f64),
    labels: [&str; 2],
) -> Markup {
    let (left, right) = ends;
    html! {
        @for tick in ticks(range, 6) {
            line class="grid" x1=(left) x2=(right) y1=(y.at(tick)) y2=(y.at(tick)) {}
            text class="tick" x=(left - 8.0) y=(y.at(tick) + 4.0) text-anchor="end" { (tick_text(tick)) }
        }
        @for &level in levels {
            text class="tick" x=(x.at(level)) y=(HEIGHT - BOTTOM + 20.0) text-anchor="middle" {
                (tick_text(level))
            }
        }
        line class="axis" x1=(left) x2=(right) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
        text class="label" x=((left + right) / 2.0) y=(HEIGHT - 10.0) text-anchor="middle" {
            (labels[0])
        }
        text class="label" transform={ "translate(16 " ((TOP + HEIGHT - BOTTOM) / 2.0) ") rotate(-90)" }
            text-anchor="middle" { (labels[1]) }
    }
}

/// Moves label heights apart so that none overlap, keeping their order.
pub(crate) fn spaced(heights: Vec<f64>, gap: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let mut out = heights;
    for pair in 1..order.len() {
        let (above, below) = (order[pair - 1], order[pair]);
        if out[below] < out[above] + gap {
            out[below] = out[above] + gap;
        }
    }
    // If the stack ran past the bottom, push it back up.
    let limit = HEIGHT - BOTTOM + 6.0;
    let mut bound = limit;
    for &i in order.iter().rev() {
        out[i] = out[i].min(bound);
        bound = out[i] - gap;
    }
    out
}
