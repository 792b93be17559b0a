//! The figure of how much an overlap does at each size of the models: slopes with their intervals over
//! the size, whose doublings are equally far apart.

use maud::html;

use crate::drawing::{Drawing, WIDTH, mark};
use crate::figure::path;
use crate::plot::{Layout, Plot};
use crate::report::{SizeSlope, SizeSlopes};
use crate::scale::{padded_range, tick_text};

/// Draws the slopes, or nothing if there are fewer than two.
pub(crate) fn draw(slopes: &SizeSlopes) -> Option<Drawing> {
    let usable = |p: &&SizeSlope| p.size > 0.0 && p.size.is_finite() && p.slope.is_finite();
    let points: Vec<&SizeSlope> = slopes.points.iter().filter(usable).collect();
    let [first, .., last] = points.as_slice() else {
        return None;
    };
    let margin = 0.08 * (last.size.log2() - first.size.log2()).abs().max(1e-9);
    let ends = |p: &&SizeSlope| {
        let (low, high) = p.interval.unwrap_or((p.slope, p.slope));
        [p.slope, low, high]
    };
    let heights = points.iter().flat_map(ends);
    let plot = Plot::new(&Layout {
        x_range: (first.size.log2() - margin, last.size.log2() + margin),
        // No effect is always in the figure.
        y_range: padded_range(heights.chain([0.0])),
        y_label: &slopes.y_label,
        legend: &[],
        right_labels: &["no effect".to_string()],
    });
    let ticks: Vec<(f64, String)> = (points.iter())
        .map(|p| (p.size.log2(), tick_text(p.size)))
        .collect();
    let at = |p: &SizeSlope| (plot.x.at(p.size.log2()), plot.y.at(p.slope));
    let zero = plot.y.at(0.0);
    let body = html! {
        (plot.frame_of(&ticks, &slopes.x_label))
        line class="reference" x1=(plot.left) x2=(plot.right) y1=(zero) y2=(zero) {}
        text class="small" x=(plot.right + 7.0) y=(zero + 4.0) { "no effect" }
        g class="series-1" {
            (path("line", &points.iter().map(|p| at(p)).collect::<Vec<_>>()))
            @for point in &points {
                @let (x, y) = at(point);
                @if let Some((low, high)) = point.interval {
                    line class="whisker" x1=(x) x2=(x) y1=(plot.y.at(low)) y2=(plot.y.at(high)) {}
                }
                g {
                    (mark(0, "mark", (x, y), 5.0))
                    title {
                        (slopes.x_label) " " (tick_text(point.size)) ": "
                        (format!("{:.4}", point.slope))
                        @if let Some((low, high)) = point.interval { (format!(" [{low:.4}, {high:.4}]")) }
                        (format!(", {} pairs", point.n))
                    }
                }
            }
        }
    };
    Some(Drawing {
        name: String::new(),
        class: "design".into(),
        size: (WIDTH, plot.height()),
        label: format!("{} over {}", slopes.y_label, slopes.x_label),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slopes(points: &[(f64, f64)]) -> SizeSlopes {
        let point = |&(size, slope): &(f64, f64)| SizeSlope {
            size,
            slope,
            interval: Some((slope - 0.1, slope + 0.1)),
            n: 10,
        };
        SizeSlopes {
            points: points.iter().map(point).collect(),
            ..SizeSlopes::default()
        }
    }

    #[test]
    fn doublings_are_equally_far_apart() {
        let drawing = draw(&slopes(&[(4.0, 0.3), (8.0, 0.2), (16.0, 0.1)])).unwrap();
        let text = drawing.body.into_string();
        let places: Vec<f64> = text
            .split("<circle")
            .skip(1)
            .filter_map(|part| part.split("cx=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        let [a, b, c] = places[..] else {
            panic!("{text}");
        };
        assert!(a < b && ((b - a) - (c - b)).abs() < 0.3, "{places:?}");
    }

    #[test]
    fn one_size_is_no_figure() {
        assert!(draw(&slopes(&[(4.0, 0.3)])).is_none());
        assert!(draw(&slopes(&[(4.0, 0.3), (0.0, 0.1)])).is_none());
    }
}
