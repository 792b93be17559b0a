//! The figure of a factorial design: similarity over the first axis, a line for each
//! level of the others. Parallel lines: no interaction.

use maud::html;

use crate::drawing::{Drawing, Entry, WIDTH, mark, series, series_sign};
use crate::figure::path;
use crate::plot::{Layout, Plot};
use crate::references;
use crate::report::{GridSection, LevelSummary};
use crate::scale::{distinct, padded_range, tick_text};

/// Draws the design, or nothing if it has no points; over the heights `y_range` if given.
pub(crate) fn draw(section: &GridSection, y_range: Option<(f64, f64)>) -> Option<Drawing> {
    let all = || section.lines.iter().flat_map(|line| usable(&line.points));
    let levels = distinct(all().map(|p| p.level));
    let (&low, &high) = (levels.first()?, levels.last()?);
    let margin = 0.08 * (high - low).max(1e-9);
    let entries: Vec<Entry> = (section.lines.iter().enumerate())
        .map(|(place, line)| Entry {
            sign: series_sign(place),
            label: line.label.clone(),
        })
        .collect();
    let plot = Plot::new(&Layout {
        x_range: (low - margin, high + margin),
        y_range: y_range.unwrap_or_else(|| padded_range(heights(section))),
        y_label: &section.y_label,
        legend: &entries,
        right_labels: &references::labels(&section.references),
    });
    // Lines stand a little beside each other, so that no bar hides another.
    let count = section.lines.len();
    let step = 16.0 / count.max(4) as f64;
    let shift = |place: usize| step * (place as f64 - (count as f64 - 1.0) / 2.0);
    let at = |place: usize, p: &LevelSummary| {
        (one(plot.x.at(p.level) + shift(place)), plot.y.at(p.mean))
    };
    let body = html! {
        (plot.frame(&levels, &section.x_label))
        (references::draw(&section.references, &plot))
        @for (place, line) in section.lines.iter().enumerate() {
            g class=(series(place)) {
                (path("line", &usable(&line.points).map(|p| at(place, p)).collect::<Vec<_>>()))
                @for point in usable(&line.points) {
                    @let (x, y) = at(place, point);
                    @if spread(point) > 0.0 {
                        line class="whisker" x1=(x) x2=(x) y1=(plot.y.at(point.mean - spread(point)))
                            y2=(plot.y.at(point.mean + spread(point))) {}
                    }
                    g {
                        (mark(place, "mark", (x, y), 5.0))
                        title { (line.label) ", " (section.x_label) " " (tick_text(point.level)) ": "
                            (format!("{:.4}", point.mean)) }
                    }
                }
            }
        }
    };
    Some(Drawing {
        name: String::new(),
        class: "design".into(),
        size: (WIDTH, plot.height()),
        label: format!("{} over {}", section.y_label, section.name),
        body,
    })
}

/// What the figure must have room for.
pub(crate) fn heights(section: &GridSection) -> impl Iterator<Item = f64> {
    (section.lines.iter())
        .flat_map(|line| usable(&line.points))
        .flat_map(|p| [p.mean - spread(p), p.mean + spread(p)])
        .chain(section.references.iter().map(|r| r.value))
}

fn one(v: f64) -> f64 {
    (10.0 * v).round() / 10.0
}

fn spread(p: &LevelSummary) -> f64 {
    p.sd.filter(|sd| sd.is_finite()).unwrap_or(0.0)
}

fn usable(points: &[LevelSummary]) -> impl Iterator<Item = &LevelSummary> {
    (points.iter()).filter(|p| p.level.is_finite() && p.mean.is_finite())
}
