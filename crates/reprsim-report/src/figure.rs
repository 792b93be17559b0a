//! The figure of one axis: points, spread, fit, references and what was published.

use maud::{Markup, html};

use crate::drawing::{Drawing, Entry, fitted, mark};
use crate::plot::{Layout, Plot};
use crate::references;
use crate::report::{AxisSection, Fit, LevelSummary};
use crate::scale::{padded_range, tick_text};

/// More points than this are drawn smaller and without names.
const CROWDED: usize = 120;

/// Draws the axis, or nothing if it has no points; over the heights `y_range` if given.
pub(crate) fn draw(section: &AxisSection, y_range: Option<(f64, f64)>) -> Option<Drawing> {
    let points = finite(&section.points);
    let levels: Vec<&LevelSummary> = summaries(section).collect();
    let published = finite(&section.published);
    if points.is_empty() && levels.is_empty() && published.is_empty() {
        return None;
    }
    let (low, high) = section.range;
    let margin = 0.06 * (high - low).max(1e-9);
    let crowded = points.len() > CROWDED;
    let plot = Plot::new(&Layout {
        x_range: (low - margin, high + margin),
        y_range: y_range.unwrap_or_else(|| padded_range(heights(section))),
        y_label: &section.y_label,
        legend: &entries(section),
        right_labels: &references::labels(&section.references),
    });
    let at = |&(level, value): &(f64, f64)| (plot.x.at(level), plot.y.at(value));
    let ticks: Vec<f64> = levels.iter().map(|l| l.level).collect();
    let fit = section.fit.filter(usable);
    let body = html! {
        (plot.frame(&ticks, &section.title))
        (references::draw(&section.references, &plot))
        @if let Some(fit) = &fit {
            polygon class="band" points=(band(section, fit, &plot)) {}
        }
        (path("published", &published.iter().map(at).collect::<Vec<_>>()))
        @for point in &published {
            g {
                (mark(3, "published-mark", at(point), 4.5))
                title { (section.published_label) ", " (named(section, point)) }
            }
        }
        @if let Some(fit) = &fit {
            @let end = |level: f64| at(&(level, fit.intercept + fit.slope * level));
            @let ((x1, y1), (x2, y2)) = (end(low), end(high));
            line class="line" x1=(x1) y1=(y1) x2=(x2) y2=(y2) {}
        }
        @for (point, shift) in points.iter().zip(shifts(&points)) {
            @let (x, y) = at(point);
            @if crowded {
                circle class="point crowded" cx=(x + shift) cy=(y) r="2.5" {}
            } @else {
                circle class="point" cx=(x + shift) cy=(y) r="4" { title { (named(section, point)) } }
            }
        }
        @for level in &levels {
            @let (x, y) = at(&(level.level, level.mean));
            @if let Some(sd) = level.sd.filter(|sd| sd.is_finite()) {
                line class="spread" x1=(x) x2=(x)
                    y1=(plot.y.at(level.mean - sd)) y2=(plot.y.at(level.mean + sd)) {}
            }
            line class="mean" x1=(x - 9.0) x2=(x + 9.0) y1=(y) y2=(y) {
                title { "mean of " (level.n) " at " (named(section, &(level.level, level.mean))) }
            }
        }
    };
    Some(Drawing {
        name: String::new(),
        class: section.name.clone(),
        size: (crate::drawing::WIDTH, plot.height()),
        label: format!("{} against {}", section.y_label, section.title),
        body,
    })
}

/// All heights that the figure of an axis shows.
pub(crate) fn heights(section: &AxisSection) -> Vec<f64> {
    let (low, high) = section.range;
    let ends = section.fit.filter(usable).into_iter().flat_map(|fit| {
        [fit.ci_low, fit.ci_high]
            .map(|slope| [low, high].map(|level| turned(section, &fit, slope, level)))
    });
    let spread = section.levels.iter().flat_map(|l| {
        let sd = l.sd.filter(|sd| sd.is_finite()).unwrap_or(0.0);
        [l.mean - sd, l.mean + sd]
    });
    (section.points.iter().map(|p| p.1))
        .chain(section.published.iter().map(|p| p.1))
        .chain(section.references.iter().map(|r| r.value))
        .chain(spread)
        .chain(ends.flatten())
        .collect()
}

/// The height at a level of the fit with another slope: an interval of the slope turns
/// about the mean point.
fn turned(section: &AxisSection, fit: &Fit, slope: f64, level: f64) -> f64 {
    let middle = middle(section);
    fit.intercept + fit.slope * middle + slope * (level - middle)
}

fn middle(section: &AxisSection) -> f64 {
    let points = finite(&section.points);
    points.iter().map(|p| p.0).sum::<f64>() / points.len().max(1) as f64
}

fn band(section: &AxisSection, fit: &Fit, plot: &Plot) -> String {
    let ((low, high), middle) = (section.range, middle(section));
    [
        (fit.ci_low, low),
        (fit.slope, middle),
        (fit.ci_low, high),
        (fit.ci_high, high),
        (fit.slope, middle),
        (fit.ci_high, low),
    ]
    .map(|(slope, level)| {
        let height = turned(section, fit, slope, level);
        format!("{},{}", plot.x.at(level), plot.y.at(height))
    })
    .join(" ")
}

fn entries(section: &AxisSection) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |shown: bool, sign: Markup, label: &str| {
        if shown {
            let label = fitted(label, 12.0, 300.0);
            entries.push(Entry { sign, label });
        }
    };
    add(
        !section.points.is_empty(),
        html! { circle class="point" cx="11" cy="0" r="4" {} },
        "pair of models",
    );
    add(
        !section.levels.is_empty(),
        html! {
            line class="spread" x1="11" x2="11" y1="-7" y2="7" {}
            line class="mean" x1="3" x2="19" y1="0" y2="0" {}
        },
        "mean ± sd",
    );
    add(
        section.fit.is_some_and(|fit| usable(&fit)),
        html! {
            rect class="band" x="0" y="-6" width="22" height="12" {}
            line class="line" x1="0" x2="22" y1="0" y2="0" {}
        },
        "fit, 95 % interval of its slope",
    );
    add(
        !section.published.is_empty(),
        html! {
            line class="published" x1="0" x2="22" y1="0" y2="0" {}
            (mark(3, "published-mark", (11.0, 0.0), 4.5))
        },
        &section.published_label,
    );
    entries
}

fn usable(fit: &Fit) -> bool {
    [fit.intercept, fit.slope, fit.ci_low, fit.ci_high]
        .iter()
        .all(|v| v.is_finite())
}

fn summaries(section: &AxisSection) -> impl Iterator<Item = &LevelSummary> {
    let levels = section.levels.iter();
    levels.filter(|l| l.level.is_finite() && l.mean.is_finite())
}

fn named(section: &AxisSection, &(level, value): &(f64, f64)) -> String {
    format!("{} {}: {value:.4}", section.title, tick_text(level))
}

/// The points of which both numbers are finite.
pub(crate) fn finite(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let both = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
    points.iter().filter(both).copied().collect()
}

/// A line through points, if there are two.
pub(crate) fn path(class: &str, points: &[(f64, f64)]) -> Markup {
    let text: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    html! { @if text.len() > 1 { polyline class=(class) points=(text.join(" ")) {} } }
}

/// Small fixed shifts to the side, so that points of one level stay apart.
fn shifts(points: &[(f64, f64)]) -> Vec<f64> {
    const STEPS: [f64; 7] = [0.0, -5.0, 5.0, -10.0, 10.0, -2.5, 2.5];
    let mut seen: Vec<(f64, usize)> = Vec::new();
    points
        .iter()
        .map(|(level, _)| {
            let place = match seen.iter_mut().find(|(l, _)| (l - level).abs() < 0.02) {
                Some((_, count)) => {
                    *count += 1;
                    *count
                }
                None => {
                    seen.push((*level, 0));
                    0
                }
            };
            STEPS[place % STEPS.len()]
        })
        .collect()
}
