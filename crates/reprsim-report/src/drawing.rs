//! A drawn figure, to stand in a page or in a file of its own.

use maud::{Markup, PreEscaped, html};
use reprsim_base::printable;

use crate::palette::file_style;

/// Width of every figure of the page, in its own units; letters are 11 to 13 high, so that
/// a telephone can show it whole.
pub(crate) const WIDTH: f64 = 460.0;

/// A figure.
pub(crate) struct Drawing {
    /// Stem of its file's name.
    pub name: String,
    /// Name of its colour.
    pub class: String,
    /// Width and height.
    pub size: (f64, f64),
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// What is inside the `svg` element.
    pub body: Markup,
}

impl Drawing {
    /// The figure as an element of a page.
    pub fn inline(&self) -> Markup {
        let (width, height) = self.size;
        html! {
            svg class=(self.class) viewBox=(format!("0 0 {width} {height}")) role="img"
                aria-label=(self.label) { (self.body) }
        }
    }

    /// The figure as a file, on white with a margin, and with its style inside.
    pub fn file(&self) -> String {
        const MARGIN: f64 = 8.0;
        let (width, height) = (self.size.0 + 2.0 * MARGIN, self.size.1 + 2.0 * MARGIN);
        let svg = html! {
            svg xmlns="http://www.w3.org/2000/svg" class=(self.class) width=(width) height=(height)
                viewBox=(format!("-{MARGIN} -{MARGIN} {width} {height}")) role="img" aria-label=(self.label)
                font-family="Ubuntu, Helvetica, Arial, sans-serif" {
                style { (PreEscaped(file_style())) }
                rect x=(-MARGIN) y=(-MARGIN) width=(width) height=(height) fill="#ffffff" {}
                (self.body)
            }
        }
        .into_string();
        printable(&svg).into_owned()
    }
}

/// Drawings in one file, `columns` beside each other.
pub(crate) fn beside(name: &str, columns: usize, drawings: &[Drawing]) -> Option<Drawing> {
    let first = drawings.first()?;
    let columns = columns.clamp(1, drawings.len());
    let width = drawings.iter().map(|d| d.size.0).fold(0.0, f64::max);
    let mut top = 0.0;
    let mut placed = Vec::new();
    for row in drawings.chunks(columns) {
        for (column, drawing) in row.iter().enumerate() {
            let x = width * column as f64;
            placed.push(html! {
                g class=(drawing.class) transform=(format!("translate({x} {top})")) { (drawing.body) }
            });
        }
        top += row.iter().map(|d| d.size.1).fold(0.0, f64::max);
    }
    let labels: Vec<&str> = drawings.iter().map(|d| d.label.as_str()).collect();
    Some(Drawing {
        name: name.into(),
        class: first.class.clone(),
        size: (width * columns as f64, top),
        label: labels.join("; "),
        body: html! { @for drawing in placed { (drawing) } },
    })
}

/// About how wide a text is: a little more, so that labels do not touch.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    0.6 * size * text.chars().count() as f64
}

/// A text, shortened by its end if it is wider than `width`.
pub(crate) fn fitted(text: &str, size: f64, width: f64) -> String {
    let most = (width / (0.6 * size)).max(1.0) as usize;
    if text.chars().count() <= most {
        return text.into();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// An entry of a legend: a sign drawn from 0 to 22 about height 0, and what it stands for.
pub(crate) struct Entry {
    pub sign: Markup,
    pub label: String,
}

/// Draws a legend between `left` and `right`, in as many lines as it takes; and where it
/// ends.
pub(crate) fn legend(entries: &[Entry], (left, right): (f64, f64), top: f64) -> (Markup, f64) {
    const LINE: f64 = 17.0;
    let (mut x, mut y) = (left, top + 8.0);
    let mut placed = Vec::new();
    for entry in entries {
        let label = fitted(&entry.label, 12.0, right - left - 28.0);
        let width = 28.0 + text_width(&label, 12.0);
        if x > left && x + width > right {
            (x, y) = (left, y + LINE);
        }
        placed.push(html! {
            g transform=(format!("translate({x:.1} {y:.1})")) {
                (entry.sign)
                text class="legend" x="28" y="4" { (label) }
            }
        });
        x += width + 16.0;
    }
    let end = if entries.is_empty() {
        top
    } else {
        y + LINE - 8.0
    };
    (html! { @for entry in placed { (entry) } }, end)
}

/// The mark of a series, by its place: a shape of its own, so that colour is not needed.
pub(crate) fn mark(place: usize, class: &str, (x, y): (f64, f64), r: f64) -> Markup {
    let path = |points: &[(f64, f64)]| {
        let text: Vec<String> = points
            .iter()
            .map(|(dx, dy)| format!("{:.1},{:.1}", x + r * dx, y + r * dy))
            .collect();
        html! { polygon class=(class) points=(text.join(" ")) {} }
    };
    match place % crate::palette::SERIES {
        0 => html! { circle class=(class) cx=(x) cy=(y) r=(r) {} },
        1 => path(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        2 => path(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
        3 => path(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
        4 => path(&[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]),
        5 => path(&[(-1.2, -0.6), (1.2, -0.6), (1.2, 0.6), (-1.2, 0.6)]),
        _ => path(&[(-0.6, -1.2), (0.6, -1.2), (0.6, 1.2), (-0.6, 1.2)]),
    }
}

/// The sign of a series in a legend: its line and mark.
pub(crate) fn series_sign(place: usize) -> Markup {
    html! {
        g class=(series(place)) {
            line class="line" x1="0" x2="22" y1="0" y2="0" {}
            (mark(place, "mark", (11.0, 0.0), 4.0))
        }
    }
}

/// The class of a series, by its place.
pub(crate) fn series(place: usize) -> String {
    format!("series-{}", place % crate::palette::SERIES + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(fitted("short", 12.0, 100.0), "short");
        let cut = fitted(&"long ".repeat(20), 12.0, 100.0);
        assert!(cut.ends_with('…') && text_width(&cut, 12.0) <= 100.0);
        assert_eq!(fitted("anything", 12.0, 0.0), "…");
    }

    #[test]
    fn a_legend_breaks_its_lines() {
        let entries: Vec<Entry> = (0..6)
            .map(|i| Entry {
                sign: series_sign(i),
                label: "a series".into(),
            })
            .collect();
        let (_, one) = legend(&entries[..1], (0.0, 300.0), 0.0);
        let (_, all) = legend(&entries, (0.0, 300.0), 0.0);
        assert!(all > one);
    }
}
