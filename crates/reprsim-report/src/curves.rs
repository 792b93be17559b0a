//! Training curves: a thin line a model and a mean line a level.

use maud::{Markup, html};

use crate::drawing::{Drawing, Entry, WIDTH, series};
use crate::figure::{finite, path};
use crate::plot::{Layout, Plot};
use crate::report::{Curve, CurvePanel};
use crate::scale::{distinct, padded_range, tick_text, ticks};

/// Points of a line at most.
const POINTS: usize = 60;
/// With more lines than this, their spread is drawn in their place.
const LINES: usize = 60;

/// The curves of one level.
struct Level<'a> {
    value: f64,
    lines: Vec<Line<'a>>,
    summary: Vec<Summary>,
}

/// A curve, without what is no number.
struct Line<'a> {
    label: &'a str,
    points: Vec<(f64, f64)>,
}

/// Mean and standard deviation of the curves of a level at one place.
#[derive(Clone, Copy)]
struct Summary {
    x: f64,
    mean: f64,
    sd: f64,
}

/// Draws a panel, or nothing if it has no points.
pub(crate) fn draw(panel: &CurvePanel) -> Option<Drawing> {
    let groups = distinct(panel.lines.iter().map(|l| l.group));
    let levels: Vec<Level<'_>> = groups
        .into_iter()
        .map(|value| Level::of(value, panel.lines.iter().filter(|l| l.group == value)))
        .collect();
    let crowded = panel.lines.len() > LINES;
    let reach = |s: &Summary| [s.mean - s.sd, s.mean + s.sd];
    let heights: Vec<f64> = match crowded {
        true => (levels.iter().flat_map(|l| &l.summary))
            .flat_map(reach)
            .collect(),
        false => (levels.iter().flat_map(|l| &l.lines).flat_map(|l| &l.points))
            .map(|p| p.1)
            .collect(),
    };
    let places = distinct(levels.iter().flat_map(|l| &l.summary).map(|s| s.x));
    let (&first, &last) = (places.first()?, places.last()?);
    let entries: Vec<Entry> = (levels.iter().enumerate())
        .map(|(place, level)| Entry {
            sign: sign(place),
            label: format!("{} {}", panel.group_label, tick_text(level.value))
                .trim()
                .into(),
        })
        .collect();
    let margin = 0.02 * (last - first).max(1e-9);
    let plot = Plot::new(&Layout {
        x_range: (first - margin, last + margin),
        y_range: padded_range(heights),
        y_label: &panel.y_label,
        legend: &entries,
        right_labels: &[],
    });
    let at = |&(x, y): &(f64, f64)| (plot.x.at(x), plot.y.at(y));
    let body = html! {
        (plot.frame(&ticks((first, last), 6), &panel.x_label))
        @for (place, level) in levels.iter().enumerate() {
            g class=(series(place)) {
                @if crowded {
                    (band(&thinned(&level.summary), &plot))
                } @else {
                    @for line in &level.lines {
                        g {
                            (path("thin", &thinned(&line.points).iter().map(at).collect::<Vec<_>>()))
                            @if !line.label.is_empty() { title { (line.label) } }
                        }
                    }
                }
            }
        }
        @for (place, level) in levels.iter().enumerate() {
            @let mean: Vec<(f64, f64)> = thinned(&level.summary).iter().map(|s| at(&(s.x, s.mean))).collect();
            g class=(series(place)) { (path("line", &mean)) }
        }
    };
    Some(Drawing {
        name: String::new(),
        class: String::new(),
        size: (WIDTH, plot.height()),
        label: format!(
            "{}: {} against {}",
            panel.title, panel.y_label, panel.x_label
        ),
        body,
    })
}

impl<'a> Level<'a> {
    fn of(value: f64, curves: impl Iterator<Item = &'a Curve>) -> Self {
        let line = |curve: &'a Curve| Line {
            label: &curve.label,
            points: finite(&curve.points),
        };
        let lines: Vec<Line<'a>> = curves.map(line).collect();
        let mut all: Vec<(f64, f64)> = lines.iter().flat_map(|l| &l.points).copied().collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let summary = all.chunk_by(|a, b| a.0 == b.0).map(|here| {
            let n = here.len() as f64;
            let mean = here.iter().map(|p| p.1).sum::<f64>() / n;
            let squares: f64 = here.iter().map(|p| (p.1 - mean).powi(2)).sum();
            let sd = (squares / (n - 1.0).max(1.0)).sqrt();
            Summary {
                x: here[0].0,
                mean,
                sd,
            }
        });
        Self {
            value,
            summary: summary.collect(),
            lines,
        }
    }
}

fn band(summary: &[Summary], plot: &Plot) -> Markup {
    let edge =
        |s: &Summary, sign: f64| format!("{},{}", plot.x.at(s.x), plot.y.at(s.mean + sign * s.sd));
    let upper = summary.iter().map(|s| edge(s, 1.0));
    let lower = summary.iter().rev().map(|s| edge(s, -1.0));
    let points: Vec<String> = upper.chain(lower).collect();
    html! { polygon class="band" points=(points.join(" ")) {} }
}

fn sign(place: usize) -> Markup {
    html! { g class=(series(place)) { line class="line" x1="0" x2="22" y1="0" y2="0" {} } }
}

/// At most [`POINTS`] of the points, evenly chosen, the first and the last among them.
fn thinned<T: Copy>(points: &[T]) -> Vec<T> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let last = points.len() - 1;
    (0..POINTS)
        .map(|i| points[i * last / (POINTS - 1)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(lines: usize, points: usize) -> CurvePanel {
        let curve = |i: usize| Curve {
            label: String::new(),
            group: (i % 2) as f64,
            points: (0..points).map(|x| (x as f64, (i + x) as f64)).collect(),
        };
        CurvePanel {
            lines: (0..lines).map(curve).collect(),
            ..CurvePanel::default()
        }
    }

    #[test]
    fn long_lines_are_thinned_and_keep_their_ends() {
        let all: Vec<usize> = (0..1000).collect();
        let some = thinned(&all);
        assert_eq!((some.len(), some[0], some[POINTS - 1]), (POINTS, 0, 999));
        assert!(some.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn many_lines_become_a_band() {
        let drawn = |lines| draw(&panel(lines, 100)).unwrap().body.into_string();
        assert_eq!(drawn(60).matches("\"thin\"").count(), 60);
        let many = drawn(2000);
        assert!(!many.contains("\"thin\"") && many.matches("\"band\"").count() == 2);
        assert!(many.len() < 20_000, "{}", many.len());
    }

    #[test]
    fn a_mean_is_of_the_lines_that_reach_there() {
        let lines = [
            vec![(0.0, 1.0), (1.0, 1.0)],
            vec![(0.0, 3.0), (1.0, f64::NAN)],
        ];
        let curves = lines.map(|points| Curve {
            points,
            ..Curve::default()
        });
        let level = Level::of(0.0, curves.iter());
        let means: Vec<f64> = level.summary.iter().map(|s| s.mean).collect();
        assert_eq!(means, [2.0, 1.0]);
        assert!(draw(&panel(0, 0)).is_none() && draw(&panel(3, 0)).is_none());
    }
}
