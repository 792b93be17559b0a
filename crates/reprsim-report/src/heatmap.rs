//! Layer by layer heatmaps, as SVG.

use maud::{Markup, html};

use crate::colours::{css, ink, viridis};
use crate::drawing::{Drawing, WIDTH, fitted, text_width};
use crate::report::{HeatmapPair, Panel};
use crate::value_scale::ValueScale;

/// Size of letters.
pub(crate) const FONT: f64 = 11.0;
/// The widest name of a layer.
const NAME: f64 = 130.0;
pub(crate) const GAP: f64 = 18.0;
const BAR: f64 = 12.0;
/// Room for the numbers beside the colour bar.
const NUMBERS: f64 = 36.0;

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
    let (measures, titles) = (unique(|p| &p.measure), unique(|p| &p.title));
    let heats: Vec<Heat> = panels
        .iter()
        .map(|p| {
            let of_measure = panels.iter().filter(|q| q.measure == p.measure);
            let title = format!("{}: {}", p.measure, p.title);
            Heat::of_layers(p, title, range(of_measure))
        })
        .collect();
    let room = Room::of(&heats, None);
    let (width, height) = (room.width(), room.height());
    let at = |names: &[&str], name: &str| names.iter().position(|n| *n == name).unwrap_or(0) as f64;
    let placed = panels.iter().zip(&heats).map(|(panel, heat)| {
        let x = GAP / 2.0 + width * at(&measures, &panel.measure);
        let y = GAP / 2.0 + height * at(&titles, &panel.title);
        html! { g transform=(format!("translate({x:.1} {y:.1})")) { (heat.body(&room)) } }
    });
    Drawing {
        name: String::new(),
        class: String::new(),
        size: (
            (GAP + width * measures.len() as f64).ceil(),
            (GAP + height * titles.len() as f64).ceil(),
        ),
        label: match panels.first() {
            Some(panel) => format!("{} of layers", panel.scale.noun()),
            None => "no layers".into(),
        },
        body: html! { @for panel in placed { (panel) } },
    }
    .file()
}

/// Draws both ends of an axis on one scale of colours.
pub(crate) fn pair(pair: &HeatmapPair) -> Vec<Drawing> {
    let panels = [&pair.low, &pair.high];
    let range = range(panels.into_iter());
    let heats = panels.map(|p| {
        // The measure is said once, in the page's words and a file's first line.
        let title = [p.title.as_str(), &p.measure].map(str::trim).into_iter();
        let title: Vec<&str> = title.filter(|t| !t.is_empty()).collect();
        Heat::of_layers(p, title.join(": "), range)
    });
    let room = Room::of(&heats, Some(WIDTH));
    heats
        .iter()
        .filter(|heat| !heat.cells.is_empty())
        .map(|heat| heat.drawing(&room, ""))
        .collect()
}

/// The range of the panels' colours.
fn range<'a>(panels: impl Iterator<Item = &'a Panel> + Clone) -> (f64, f64) {
    let scale = panels
        .clone()
        .next()
        .map_or_else(Default::default, |p| p.scale);
    scale.colours(panels.flat_map(|p| &p.values).flatten().copied())
}

/// A table of numbers as colours.
pub(crate) struct Heat {
    pub title: String,
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    /// Row-major: value and what is shown when it is pointed at.
    pub cells: Vec<(Option<f64>, String)>,
    /// Of the colours.
    pub range: (f64, f64),
    /// How the numbers are read.
    pub scale: ValueScale,
    /// Labels of the horizontal and the vertical axis; empty for none.
    pub axes: [String; 2],
    /// Column names lie flat instead of standing.
    pub flat: bool,
}

/// How much room the parts of a heat map take; panels beside each other have the same.
pub(crate) struct Room {
    left: f64,
    above: f64,
    below: f64,
    /// Between the cells and the colour bar.
    beside: f64,
    cell: f64,
    columns: usize,
    rows: usize,
    width: Option<f64>,
    /// The widest name; longer ones are cut.
    longest: f64,
}

impl Room {
    /// Room for all of `heats`, each in `width` if given.
    pub fn of(heats: &[Heat], width: Option<f64>) -> Self {
        Self::named(heats, width, NAME)
    }

    /// The same for names that may be as wide as `widest`.
    pub fn named(heats: &[Heat], width: Option<f64>, widest: f64) -> Self {
        let longest = |names: fn(&Heat) -> &[String]| {
            let names = heats.iter().flat_map(names);
            (names.map(|n| text_width(n, FONT)).fold(0.0, f64::max)).min(widest) + 8.0
        };
        let most = |of: fn(&Heat) -> usize| heats.iter().map(of).max().unwrap_or(1).max(1);
        let flat = heats.iter().all(|h| h.flat);
        let labelled = |place: usize| heats.iter().any(|h| !h.axes[place].is_empty());
        let (rows, columns) = (most(|h| h.rows.len()), most(|h| h.columns.len()));
        let left = longest(|h| &h.rows) + if labelled(1) { 18.0 } else { 0.0 };
        let above = 24.0 + if flat { 0.0 } else { longest(|h| &h.columns) };
        let below = if flat { 20.0 } else { 4.0 } + if labelled(0) { 20.0 } else { 0.0 };
        // Large enough for a number where there is room for one.
        let room = width.map_or(420.0, |w| w - left - GAP - BAR - NUMBERS);
        let largest = if flat { 84.0 } else { 40.0 };
        Self {
            left,
            above,
            below,
            beside: 0.0,
            cell: (room / rows.max(columns) as f64)
                .clamp(6.0, largest)
                .floor(),
            columns,
            rows,
            width,
            longest: widest,
        }
    }

    /// The same with more room beside and below the cells.
    pub fn with(self, beside: f64, below: f64) -> Self {
        Self {
            beside: self.beside + beside,
            below: self.below + below,
            ..self
        }
    }

    /// Where the cells of a heat map of so many rows and columns begin, where they end, and how large
    /// each is.
    pub fn cells(&self, heat: &Heat) -> ((f64, f64), (f64, f64), f64) {
        let end = (
            self.left + self.cell * heat.columns.len().max(1) as f64,
            self.above + self.cell * heat.rows.len() as f64,
        );
        ((self.left, self.above), end, self.cell)
    }

    pub fn width(&self) -> f64 {
        let own = self.left + self.cell * self.columns as f64 + self.beside + GAP + BAR + NUMBERS;
        self.width.map_or(own, |w| w.max(own))
    }

    pub fn height(&self) -> f64 {
        self.above + self.cell * self.rows as f64 + self.below + GAP
    }
}

impl Heat {
    pub fn of_layers(panel: &Panel, title: String, range: (f64, f64)) -> Self {
        // A damaged panel is drawn as far as it goes.
        let places = panel
            .rows
            .iter()
            .flat_map(|r| panel.columns.iter().map(move |c| (r, c)));
        let cells = places.enumerate().map(|(at, (row, column))| {
            let value = panel
                .values
                .get(at)
                .copied()
                .flatten()
                .filter(|v| v.is_finite());
            let text = value.map_or("undefined".into(), |v| format!("{v:.4}"));
            (value, format!("{row} / {column}: {text}"))
        });
        Self {
            title,
            rows: panel.rows.clone(),
            columns: panel.columns.clone(),
            cells: cells.collect(),
            range,
            scale: panel.scale,
            axes: Default::default(),
            flat: false,
        }
    }

    /// The heat map as a figure.
    pub fn drawing(&self, room: &Room, name: &str) -> Drawing {
        Drawing {
            name: name.into(),
            class: String::new(),
            size: (room.width(), room.height()),
            label: self.title.clone(),
            body: self.body(room),
        }
    }

    pub fn body(&self, room: &Room) -> Markup {
        let ((left, top), (right, bottom), cell) = room.cells(self);
        let count = self.columns.len().max(1);
        let middle = |i: usize| cell * (i as f64 + 0.5);
        let style = match cell {
            ..32.0 => " dense",
            ..56.0 => "",
            _ => " roomy",
        };
        let short_name = |name: &str| fitted(name, FONT, room.longest);
        html! {
            text x="2" y="14" { (fitted(&self.title, 13.0, room.width())) }
            @for (i, name) in self.rows.iter().enumerate() {
                text class="small" x=(left - 5.0) y=(one(top + middle(i) + 4.0)) text-anchor="end" {
                    (short_name(name))
                }
            }
            @for (j, name) in self.columns.iter().enumerate() {
                @if self.flat {
                    text class="small" x=(one(left + middle(j))) y=(bottom + 16.0) text-anchor="middle" { (name) }
                } @else {
                    @let (x, y) = (one(left + middle(j) + 4.0), top - 5.0);
                    text class="small" transform=(format!("translate({x} {y}) rotate(-90)")) { (short_name(name)) }
                }
            }
            @if !self.axes[0].is_empty() {
                text x=(one((left + right) / 2.0)) y=(bottom + if self.flat { 36.0 } else { 18.0 })
                    text-anchor="middle" { (self.axes[0]) }
            }
            @if !self.axes[1].is_empty() {
                text transform=(format!("translate(14 {}) rotate(-90)", one((top + bottom) / 2.0)))
                    text-anchor="middle" { (self.axes[1]) }
            }
            @for (at, (value, named)) in self.cells.iter().enumerate() {
                @let (x, y) = (left + cell * (at % count) as f64, top + cell * (at / count) as f64);
                @let colour = value.map(|v| self.colour(v));
                rect class=[colour.is_none().then_some("undefined")] x=(one(x)) y=(one(y)) width=(cell)
                    height=(cell) fill=[colour.map(css)] { title { (named) } }
                @if cell >= 24.0 {
                    text class={ (colour.map_or("small", ink)) (style) } x=(one(x + cell / 2.0))
                        y=(one(y + cell / 2.0 + 4.0)) text-anchor="middle" {
                        @match value { Some(v) => { (self.short(*v)) }, None => { "–" } }
                    }
                }
            }
            (self.scale((right + room.beside + GAP, top), bottom - top))
        }
    }

    /// The colour bar.
    fn scale(&self, (x, top): (f64, f64), length: f64) -> Markup {
        let colour = |share: f64| css(viridis(self.scale.lightness(share)));
        html! {
            @for i in 0..40 {
                @let share = f64::from(i) / 40.0;
                rect x=(one(x)) y=(one(top + length * (1.0 - share - 0.025))) width=(BAR)
                    height=(one(length / 40.0 + 0.6)) fill=(colour(share + 0.0125)) {}
            }
            text class="small" x=(one(x + BAR + 4.0)) y=(top + FONT * 0.8) { (self.short(self.range.1)) }
            text class="small" x=(one(x + BAR + 4.0)) y=(one(top + length)) { (self.short(self.range.0)) }
        }
    }

    pub fn colour(&self, value: f64) -> [u8; 3] {
        let share = (value - self.range.0) / (self.range.1 - self.range.0);
        viridis(self.scale.lightness(share))
    }

    /// A number as short as it may be beside the others of the range.
    fn short(&self, value: f64) -> String {
        short(value, self.range.0.abs().max(self.range.1.abs()))
    }
}

pub(crate) fn one(v: f64) -> f64 {
    (10.0 * v).round() / 10.0
}

/// A number of at most four letters or so, in a table of numbers up to `largest`.
fn short(value: f64, largest: f64) -> String {
    let text = match largest {
        // Two decimals would show nothing, or too much.
        ..0.01 | 1e4.. if value != 0.0 => format!("{value:.0e}"),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    // 0.85 as .85, and no negative zero.
    match text.as_str() {
        "-0.00" | "0.00" | "-0.0" | "0.0" | "-0" => "0".into(),
        "1.00" => "1".into(),
        _ => text
            .replacen("0.", ".", usize::from(value.abs() < 1.0))
            .replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(names: &[&str], values: Vec<Option<f64>>) -> Panel {
        let names: Vec<String> = names.iter().map(|n| (*n).to_string()).collect();
        Panel {
            title: "a × b".into(),
            measure: "cka_linear_debiased".into(),
            scale: ValueScale {
                range: Some((f64::NEG_INFINITY, 1.0)),
                higher_is_more_alike: true,
            },
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

    /// The colours of the cells of a panel of one row.
    fn fills(svg: &str) -> Vec<&str> {
        let cells = svg.split("<rect").filter(|cell| cell.contains("<title>"));
        cells
            .filter_map(|cell| cell.split("fill=\"").nth(1)?.split('"').next())
            .collect()
    }

    #[test]
    fn what_is_more_alike_is_lighter() {
        let mut of = panel(&["a", "b"], [0.0, 1.0, 4.0, 8.0].map(Some).into());
        of.scale.range = Some((0.0, f64::INFINITY));
        let similarity = heatmap(std::slice::from_ref(&of));
        of.scale.higher_is_more_alike = false;
        let distance = heatmap(&[of]);
        let (similar, distant) = (fills(&similarity), fills(&distance));
        assert_eq!(similar.len(), 4);
        assert_eq!((similar[0], similar[3]), ("#440154", "#fde725"));
        assert_eq!((distant[0], distant[3]), ("#fde725", "#440154"));
        assert!(similarity.contains("similarity of layers"));
        assert!(distance.contains("distance of layers"));
    }

    #[test]
    fn numbers_are_as_short_as_their_range_allows() {
        // Of a share.
        assert_eq!(short(0.85, 1.0), ".85");
        assert_eq!(short(-0.25, 1.0), "−.25");
        assert_eq!(short(1.0, 1.0), "1");
        assert_eq!(short(-0.001, 1.0), "0");
        // Of a measure without bounds.
        assert_eq!(short(12.34, 50.0), "12.3");
        assert_eq!(short(0.04, 50.0), "0");
        assert_eq!(short(-123.6, 500.0), "−124");
        assert_eq!(short(123_456.0, 2e5), "1e5");
        assert_eq!(short(0.000_31, 0.000_9), "3e−4");
        assert_eq!(short(0.0, 0.000_9), "0");
    }
}
