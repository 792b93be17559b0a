//! Layer by layer heatmaps, as SVG.

use maud::{PreEscaped, html};

/// One matrix of similarities: rows are layers of one model, columns those of
/// another.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What is compared, such as `a x b`.
    pub title: String,
    /// The measure; panels of one measure share their colours.
    pub measure: String,
    /// Names of the row layers.
    pub rows: Vec<String>,
    /// Names of the column layers.
    pub columns: Vec<String>,
    /// Row-major; `None` where the measure is undefined.
    pub values: Vec<Option<f64>>,
}

/// Viridis, which keeps its order in grey print and for colour-blind eyes.
const COLOURS: [[u8; 3]; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 73, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [110, 206, 88],
    [181, 222, 43],
    [253, 231, 37],
];

const FONT: f64 = 11.0;
/// Width of a letter, about.
const LETTER: f64 = 6.0;
const GAP: f64 = 24.0;
const BAR: f64 = 12.0;

/// Draws panels, a measure a column and a title a row.
pub fn heatmap(panels: &[Panel]) -> String {
    let unique = |of: fn(&Panel) -> &str| {
        let mut names: Vec<&str> = Vec::new();
        for panel in panels {
            if !names.contains(&of(panel)) {
                names.push(of(panel));
            }
        }
        names
    };
    let measures = unique(|p| &p.measure);
    let titles = unique(|p| &p.title);
    let letters = |names: fn(&Panel) -> &[String]| {
        let longest = panels.iter().flat_map(names).map(|n| n.chars().count());
        longest.max().unwrap_or(0) as f64 * LETTER + 8.0
    };
    let (left, top) = (letters(|p| &p.rows), 22.0 + letters(|p| &p.columns));
    let most = |of: fn(&Panel) -> usize| panels.iter().map(of).max().unwrap_or(1);
    let (rows, columns) = (most(|p| p.rows.len()), most(|p| p.columns.len()));
    // Large enough for a number where there is room for one.
    let cell = (420.0 / rows.max(columns) as f64).clamp(7.0, 40.0).round();
    let (width, height) = (
        left + cell * columns as f64 + GAP + BAR + 44.0,
        top + cell * rows as f64 + GAP,
    );
    let (total_width, total_height) = (
        GAP / 2.0 + width * measures.len() as f64,
        GAP / 2.0 + height * titles.len() as f64,
    );
    let ranges: Vec<(f64, f64)> = measures.iter().map(|m| range(panels, m)).collect();
    let drawn = panels.iter().map(|panel| {
        let at = |names: &[&str], name: &str| names.iter().position(|n| *n == name).unwrap_or(0);
        let (column, row) = (at(&measures, &panel.measure), at(&titles, &panel.title));
        let (x, y) = (
            GAP / 2.0 + width * column as f64,
            GAP / 2.0 + height * row as f64,
        );
        let grid = Grid {
            left,
            top,
            cell,
            columns,
            range: ranges[column],
        };
        html! { g transform=(format!("translate({x:.1} {y:.1})")) { (grid.draw(panel)) } }
    });
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(total_width.ceil()) height=(total_height.ceil())
            viewBox=(format!("0 0 {} {}", total_width.ceil(), total_height.ceil()))
            font-family="Ubuntu, Helvetica, Arial, sans-serif" font-size=(FONT) fill="#222" {
            rect width="100%" height="100%" fill="white" {}
            @for panel in drawn { (panel) }
        }
    }
    .into_string()
}

/// The range of a measure's values over all panels: from 0 where none is below.
fn range(panels: &[Panel], measure: &str) -> (f64, f64) {
    let values = || {
        let of_measure = panels.iter().filter(|p| p.measure == measure);
        of_measure.flat_map(|p| &p.values).flatten().copied()
    };
    let low = values().fold(0.0, f64::min);
    let high = values().fold(low, f64::max);
    (low, if high > low { high } else { low + 1.0 })
}

struct Grid {
    left: f64,
    top: f64,
    cell: f64,
    columns: usize,
    range: (f64, f64),
}

impl Grid {
    fn draw(&self, panel: &Panel) -> PreEscaped<String> {
        let Self {
            left, top, cell, ..
        } = *self;
        let count = panel.columns.len();
        let bar = left + cell * self.columns as f64 + GAP / 2.0;
        let length = cell * panel.rows.len() as f64;
        let middle = |i: usize| cell * (i as f64 + 0.5);
        html! {
            text x=(left) y=(FONT) { (panel.measure) ": " (panel.title) }
            @for (i, name) in panel.rows.iter().enumerate() {
                text x=(left - 5.0) y=(one(top + middle(i) + FONT / 3.0)) text-anchor="end" { (name) }
            }
            @for (j, name) in panel.columns.iter().enumerate() {
                @let (x, y) = (one(left + middle(j) + FONT / 3.0), top - 5.0);
                text transform=(format!("translate({x} {y}) rotate(-90)")) { (name) }
            }
            @for (at, value) in panel.values.iter().enumerate() {
                @let (x, y) = (left + cell * (at % count) as f64, top + cell * (at / count) as f64);
                @let colour = value.map_or([224, 224, 224], |v| self.colour(v));
                rect x=(one(x)) y=(one(y)) width=(cell) height=(cell) fill=(css(colour)) {
                    title {
                        (panel.rows[at / count]) " / " (panel.columns[at % count]) ": "
                        @match value { Some(v) => { (format!("{v:.4}")) }, None => { "undefined" } }
                    }
                }
                @if cell >= 26.0 {
                    text x=(one(x + cell / 2.0)) y=(one(y + cell / 2.0 + 3.5)) text-anchor="middle"
                        font-size="10" fill=(ink(colour)) {
                        @match value { Some(v) => { (short(*v)) }, None => { "–" } }
                    }
                }
            }
            @for i in 0..40 {
                @let share = f64::from(i) / 40.0;
                rect x=(bar) y=(one(top + length * (1.0 - share - 0.025))) width=(BAR)
                    height=(one(length / 40.0 + 0.6)) fill=(css(viridis(share + 0.0125))) {}
            }
            text x=(bar + BAR + 4.0) y=(top + FONT * 0.8) { (short(self.range.1)) }
            text x=(bar + BAR + 4.0) y=(one(top + length)) { (short(self.range.0)) }
        }
    }

    fn colour(&self, value: f64) -> [u8; 3] {
        viridis((value - self.range.0) / (self.range.1 - self.range.0))
    }
}

fn one(v: f64) -> f64 {
    (10.0 * v).round() / 10.0
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    // 0.85 as .85, and no negative zero.
    match text.as_str() {
        "-0.00" => "0".into(),
        "0.00" => "0".into(),
        "1.00" => "1".into(),
        _ => text
            .replacen("0.", ".", usize::from(value.abs() < 1.0))
            .replace('-', "−"),
    }
}

fn viridis(share: f64) -> [u8; 3] {
    let last = COLOURS.len() - 1;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let low = (at.floor() as usize).min(last - 1);
    let mix = |c: usize| {
        let (from, to) = (f64::from(COLOURS[low][c]), f64::from(COLOURS[low + 1][c]));
        (from + (to - from) * (at - low as f64)).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

fn css([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Black or white, whichever can be read on a colour.
fn ink([r, g, b]: [u8; 3]) -> &'static str {
    let light = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if light > 140.0 { "#111" } else { "#fff" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(names: &[&str], values: Vec<Option<f64>>) -> Panel {
        let names: Vec<String> = names.iter().map(|n| (*n).to_string()).collect();
        Panel {
            title: "a × b".into(),
            measure: "cka_linear_debiased".into(),
            rows: names.clone(),
            columns: names,
            values,
        }
    }

    #[test]
    fn names_are_escaped_and_undefined_cells_say_so() {
        let svg = heatmap(&[panel(
            &["conv<1>", "fc"],
            vec![Some(1.0), Some(-0.25), None, Some(0.5)],
        )]);
        assert!(svg.contains("conv&lt;1&gt;") && !svg.contains("conv<1>"));
        assert!(svg.contains("undefined") && svg.contains("−.25"));
        assert_eq!(svg.matches("<title>").count(), 4);
    }

    #[test]
    fn colours_run_from_dark_to_light() {
        let grey =
            |[r, g, b]: [u8; 3]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
        let steps: Vec<f64> = (0..=50)
            .map(|i| grey(viridis(f64::from(i) / 50.0)))
            .collect();
        assert!(steps.is_sorted());
    }
}
