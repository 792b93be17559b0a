//! The frame of a figure with two axes: head, grid lines and ticks.

use maud::{Markup, html};

use crate::drawing::{Entry, WIDTH, fitted, legend, text_width};
use crate::scale::{Scale, tick_text, ticks};

/// Height of the area that is drawn in.
const AREA: f64 = 236.0;
const BELOW: f64 = 46.0;

/// Where values of a figure lie.
pub(crate) struct Plot {
    pub x: Scale,
    pub y: Scale,
    pub left: f64,
    pub right: f64,
    pub bottom: f64,
    y_ticks: Vec<f64>,
    head: Markup,
}

/// What a figure is laid out by.
pub(crate) struct Layout<'a> {
    pub x_range: (f64, f64),
    pub y_range: (f64, f64),
    /// Stands over the figure.
    pub y_label: &'a str,
    pub legend: &'a [Entry],
    /// Texts that need room at the right.
    pub right_labels: &'a [String],
}

impl Plot {
    /// Lays a figure out.
    pub fn new(layout: &Layout<'_>) -> Self {
        let y_ticks = ticks(layout.y_range, 5);
        let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
        let left = 14.0 + widest(&mut y_ticks.iter().map(|t| text_width(&tick_text(*t), 12.0)));
        let labels = widest(&mut layout.right_labels.iter().map(|t| text_width(t, 11.0)));
        let right = WIDTH - if labels > 0.0 { labels + 10.0 } else { 12.0 };
        let (entries, after) = legend(layout.legend, (2.0, WIDTH), 24.0);
        let (top, bottom) = (after + 10.0, after + 10.0 + AREA);
        Self {
            x: Scale::new(layout.x_range, (left, right)),
            y: Scale::new(layout.y_range, (bottom, top)),
            left,
            right,
            bottom,
            y_ticks,
            head: html! {
                text x="2" y="14" { (fitted(layout.y_label, 13.0, WIDTH)) }
                (entries)
            },
        }
    }

    /// Height of the whole figure.
    pub fn height(&self) -> f64 {
        self.bottom + BELOW
    }

    /// Head, grid lines, ticks and the horizontal axis with its label.
    pub fn frame(&self, levels: &[f64], x_label: &str) -> Markup {
        let ticks: Vec<(f64, String)> = levels.iter().map(|&l| (l, tick_text(l))).collect();
        self.frame_of(&ticks, x_label)
    }

    /// The same with texts of its own at places of the horizontal axis.
    pub fn frame_of(&self, ticks: &[(f64, String)], x_label: &str) -> Markup {
        let (left, right, bottom) = (self.left, self.right, self.bottom);
        html! {
            (self.head)
            @for &tick in &self.y_ticks {
                line class="gridline" x1=(left) x2=(right) y1=(self.y.at(tick)) y2=(self.y.at(tick)) {}
                text class="tick" x=(left - 8.0) y=(self.y.at(tick) + 4.0) text-anchor="end" {
                    (tick_text(tick))
                }
            }
            line class="baseline" x1=(left) x2=(right) y1=(bottom) y2=(bottom) {}
            @for (place, text) in self.without_collisions(ticks) {
                line class="baseline" x1=(self.x.at(*place)) x2=(self.x.at(*place)) y1=(bottom) y2=(bottom + 4.0) {}
                text class="tick" x=(self.x.at(*place)) y=(bottom + 18.0) text-anchor="middle" { (text) }
            }
            text x=((left + right) / 2.0) y=(bottom + 38.0) text-anchor="middle" {
                (fitted(x_label, 13.0, WIDTH))
            }
        }
    }

    /// The ticks whose texts leave each other room.
    fn without_collisions<'a>(&self, ticks: &'a [(f64, String)]) -> Vec<&'a (f64, String)> {
        let mut kept: Vec<&(f64, String)> = Vec::new();
        for tick in ticks {
            let room = text_width(&tick.1, 12.0) + 4.0;
            let far = |last: &&(f64, String)| (self.x.at(tick.0) - self.x.at(last.0)).abs() >= room;
            if kept.last().is_none_or(far) {
                kept.push(tick);
            }
        }
        kept
    }
}

/// Moves label heights apart so that none overlap, keeping their order and staying above
/// `limit`.
pub(crate) fn spaced(heights: Vec<f64>, gap: f64, limit: f64) -> Vec<f64> {
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
    let mut bound = limit;
    for &i in order.iter().rev() {
        out[i] = out[i].min(bound);
        bound = out[i] - gap;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(y_range: (f64, f64), right_labels: &[String]) -> Plot {
        Plot::new(&Layout {
            x_range: (0.0, 1.0),
            y_range,
            y_label: "",
            legend: &[],
            right_labels,
        })
    }

    #[test]
    fn ticks_and_labels_have_room() {
        let narrow = plot((0.0, 1.0), &[]);
        // Longer numbers take more room at the left, labels at the right.
        let wide = plot((100_000.0, 200_000.0), &["untrained pair 0.38".into()]);
        assert!(wide.left > narrow.left + 10.0 && wide.right < narrow.right - 100.0);
        for plot in [narrow, wide] {
            assert!(plot.left < plot.right && plot.right < WIDTH && plot.bottom < plot.height());
            let ends = [(plot.x.at(0.0), plot.left), (plot.x.at(1.0), plot.right)];
            assert!(
                ends.iter().all(|(at, end)| (at - end).abs() <= 0.05),
                "{ends:?}"
            );
        }
    }

    #[test]
    fn levels_that_would_collide_have_no_label() {
        let plot = plot((0.0, 1.0), &[]);
        let kept = |levels: &[f64]| -> Vec<f64> {
            let ticks: Vec<(f64, String)> = levels.iter().map(|&l| (l, tick_text(l))).collect();
            let kept = plot.without_collisions(&ticks);
            kept.into_iter().map(|(place, _)| *place).collect()
        };
        assert_eq!(kept(&[0.0, 0.5, 1.0]), [0.0, 0.5, 1.0]);
        assert_eq!(kept(&[0.0, 0.01, 0.5, 0.51, 1.0]), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn labels_are_moved_apart_in_their_order() {
        let heights = vec![50.0, 20.0, 22.0];
        assert_eq!(spaced(heights, 14.0, 200.0), [50.0, 20.0, 34.0]);
        // At the bottom the stack is pushed up.
        assert_eq!(
            spaced(vec![98.0, 99.0, 10.0], 14.0, 100.0),
            [86.0, 100.0, 10.0]
        );
        assert_eq!(spaced(vec![], 14.0, 100.0), [0.0; 0]);
    }
}
