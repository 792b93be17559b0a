//! Horizontal reference lines with their names at the right.

use maud::{Markup, html};

use crate::plot::{Plot, spaced};
use crate::report::Reference;
use crate::scale::tick_text;

/// What is written at the right of each line.
pub(crate) fn labels(references: &[Reference]) -> Vec<String> {
    drawn(references)
        .map(|r| format!("{} {}", r.name, tick_text((1e3 * r.value).round() / 1e3)))
        .collect()
}

/// Draws the lines and their names.
pub(crate) fn draw(references: &[Reference], plot: &Plot) -> Markup {
    let heights: Vec<f64> = drawn(references).map(|r| plot.y.at(r.value)).collect();
    let places = spaced(heights.clone(), 14.0, plot.bottom);
    html! {
        @for ((y, place), label) in heights.into_iter().zip(places).zip(labels(references)) {
            line class="reference" x1=(plot.left) x2=(plot.right) y1=(y) y2=(y) {}
            // From the line to its name, where the name had to give way.
            line class="leader" x1=(plot.right) x2=(plot.right + 5.0) y1=(y) y2=(place) {}
            text class="small" x=(plot.right + 7.0) y=(place + 4.0) { (label) }
        }
    }
}

fn drawn(references: &[Reference]) -> impl Iterator<Item = &Reference> {
    references.iter().filter(|r| r.value.is_finite())
}
