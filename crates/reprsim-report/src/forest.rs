//! Slopes with their intervals, a line each, under headings.

use maud::{Markup, html};

use crate::drawing::{Drawing, WIDTH, fitted, text_width};
use crate::format::signed;
use crate::report::{ForestRow, MeasureRow};
use crate::scale::{Scale, padded_range, tick_text, ticks};

const ROW: f64 = 21.0;
const HEADING: f64 = 25.0;
const BELOW: f64 = 44.0;
/// Room at the right for the number.
const RIGHT: f64 = 58.0;
/// A label takes this at most.
const WIDEST: f64 = 214.0;

/// Rows that belong together.
pub(crate) struct Group {
    /// Above the rows; empty for none.
    pub heading: String,
    pub rows: Vec<Row>,
}

/// A slope.
pub(crate) struct Row {
    pub label: String,
    /// Name of its colour; empty for that of the figure.
    pub class: String,
    pub slope: Option<f64>,
    pub interval: Option<(f64, f64)>,
    pub strong: bool,
}

/// Draws groups of rows, or nothing if there is no row; `class` names the colour and
/// `label` says what a slope is.
pub(crate) fn draw(class: &str, label: &str, groups: &[Group]) -> Option<Drawing> {
    let rows = || groups.iter().flat_map(|g| &g.rows);
    rows().next()?;
    let shown = |row: &Row| match row.strong {
        true => 1.08 * text_width(&row.label, 13.0),
        false => text_width(&row.label, 13.0),
    };
    let left = rows().map(shown).fold(60.0, f64::max).min(WIDEST) + 14.0;
    let range = range(rows());
    let x = Scale::new(range, (left, WIDTH - RIGHT));
    let heading = |g: &Group| if g.heading.is_empty() { 0.0 } else { HEADING };
    let floor: f64 = groups
        .iter()
        .map(|g| heading(g) + ROW * g.rows.len() as f64)
        .sum::<f64>()
        + 4.0;
    let (from, to) = (x.at(range.0), x.at(range.1));
    let mut top = 0.0;
    let mut drawn = Vec::new();
    for group in groups {
        if !group.heading.is_empty() {
            let text = fitted(&group.heading, 13.0, WIDTH);
            drawn.push(html! { text class="heading over" x="2" y=(top + 17.0) { (text) } });
            top += HEADING;
        }
        for row in &group.rows {
            drawn.push(line(row, top + ROW / 2.0, x, (left, from, to)));
            top += ROW;
        }
    }
    let body = html! {
        @for tick in ticks(range, 5) {
            line class="gridline" x1=(x.at(tick)) x2=(x.at(tick)) y1="0" y2=(floor) {}
            text class="tick" x=(x.at(tick)) y=(floor + 16.0) text-anchor="middle" { (tick_text(tick)) }
        }
        line class="zero" x1=(x.at(0.0)) x2=(x.at(0.0)) y1="0" y2=(floor) {}
        text x=(WIDTH - 2.0) y=(floor + 35.0) text-anchor="end" { (fitted(label, 13.0, WIDTH)) }
        @for element in drawn { (element) }
    };
    Some(Drawing {
        name: String::new(),
        class: class.into(),
        size: (WIDTH, floor + BELOW),
        label: format!("{label}, with 95 % intervals"),
        body,
    })
}

fn line(row: &Row, y: f64, x: Scale, (left, from, to): (f64, f64, f64)) -> Markup {
    let label = fitted(&row.label, 13.0, WIDEST);
    html! {
        g class=[(!row.class.is_empty()).then_some(&row.class)] {
            text class=[row.strong.then_some("strong")] x=(left - 10.0) y=(y + 4.0) text-anchor="end" {
                (label)
                @if label != row.label { title { (row.label) } }
            }
            @match finite(row) {
                Some((slope, low, high)) => {
                    line class="interval" x1=(x.at(low).clamp(from, to)) x2=(x.at(high).clamp(from, to)) y1=(y) y2=(y) {}
                    // An interval that runs on ends in an arrow.
                    @if x.at(low) < from { polyline class="interval" points=(arrow(from, y, 5.0)) {} }
                    @if x.at(high) > to { polyline class="interval" points=(arrow(to, y, -5.0)) {} }
                    @if (from..=to).contains(&x.at(slope)) {
                        circle class=(if row.strong { "dot full" } else { "dot" })
                            cx=(x.at(slope)) cy=(y) r=(if row.strong { 5.0 } else { 4.0 }) {
                            title { (format!("{slope:+.4} ({low:+.4} to {high:+.4})")) }
                        }
                    }
                    text class="tick" x=(WIDTH - 2.0) y=(y + 4.0) text-anchor="end" { (signed(slope)) }
                }
                None => { text class="small" x=(x.at(0.0) + 6.0) y=(y + 4.0) { "undefined" } }
            }
        }
    }
}

fn arrow(x: f64, y: f64, back: f64) -> String {
    format!("{0},{1} {x},{y} {0},{2}", x + back, y - 4.0, y + 4.0)
}

fn finite(row: &Row) -> Option<(f64, f64, f64)> {
    let (slope, (low, high)) = (row.slope?, row.interval?);
    [slope, low, high]
        .iter()
        .all(|v| v.is_finite())
        .then_some((slope, low, high))
}

/// The range of all intervals, but for those of a row far beyond the others': one measure
/// without bounds would leave no room for the rest. Declared results are always seen whole.
fn range<'a>(rows: impl Iterator<Item = &'a Row>) -> (f64, f64) {
    let (mut ends, mut reach, mut declared) = (vec![], vec![], 0.0f64);
    for row in rows {
        if let Some((_, low, high)) = finite(row) {
            let far = low.abs().max(high.abs());
            ends.push((low, high));
            reach.push(far);
            if row.strong {
                declared = declared.max(far);
            }
        }
    }
    reach.sort_by(f64::total_cmp);
    let most = declared.max(4.0 * reach.get(reach.len() / 2).copied().unwrap_or(1.0));
    let kept = ends
        .iter()
        .flat_map(|(a, b)| [a, b].map(|end| end.clamp(-most, most)));
    padded_range(kept.chain([0.0]))
}

/// Puts a row under a heading, which is new if it is not there.
pub(crate) fn put(groups: &mut Vec<Group>, heading: String, row: Row) {
    match groups.iter_mut().find(|group| group.heading == heading) {
        Some(group) => group.rows.push(row),
        None => groups.push(Group {
            heading,
            rows: vec![row],
        }),
    }
}

/// Slopes of layers, under the names of their probes.
pub(crate) fn of_layers(rows: &[ForestRow]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let mark = if row.probe_varies { " †" } else { "" };
        let heading = format!("probe {}{mark}", row.probe);
        let row = Row {
            label: row.layer.clone(),
            class: String::new(),
            slope: row.slope,
            interval: row.interval,
            strong: row.primary,
        };
        put(&mut groups, heading, row);
    }
    groups
}

/// Slopes of measures.
pub(crate) fn of_measures(rows: &[MeasureRow]) -> Vec<Group> {
    let rows = rows.iter().map(|row| Row {
        label: row.measure.clone(),
        class: String::new(),
        slope: row.slope,
        interval: row.interval,
        strong: row.primary,
    });
    vec![Group {
        heading: String::new(),
        rows: rows.collect(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(low: f64, high: f64, strong: bool) -> Row {
        Row {
            label: "a".into(),
            class: String::new(),
            slope: Some(0.5 * (low + high)),
            interval: Some((low, high)),
            strong,
        }
    }

    fn of(rows: &[Row]) -> (f64, f64) {
        let (low, high) = range(rows.iter());
        let thousandths = |v: f64| (1e3 * v).round() / 1e3;
        (thousandths(low), thousandths(high))
    }

    #[test]
    fn the_range_holds_zero_and_all_intervals() {
        assert_eq!(
            of(&[row(0.1, 0.2, true), row(0.05, 0.4, false)]),
            (-0.02, 0.42)
        );
        assert_eq!(of(&[row(-0.3, -0.1, true)]), (-0.315, 0.015));
        assert_eq!(of(&[row(f64::NAN, 1.0, true)]), (-0.001, 0.001));
    }

    /// A measure without bounds leaves room for the others, unless it is the declared one.
    #[test]
    fn a_row_far_beyond_the_others_runs_off() {
        let usual = || [row(0.1, 0.2, false), row(0.1, 0.3, false)];
        let [a, b] = usual();
        assert_eq!(of(&[a, b, row(50.0, 90.0, false)]), (-0.06, 1.26));
        let [a, b] = usual();
        assert_eq!(of(&[a, b, row(50.0, 90.0, true)]), (-4.5, 94.5));
        // What runs off ends in an arrow, without its dot.
        let [a, b] = usual();
        let groups = [Group {
            heading: String::new(),
            rows: vec![a, b, row(50.0, 90.0, false)],
        }];
        let drawn = draw("design", "slope", &groups).unwrap().body.into_string();
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert_eq!(drawn.matches("<polyline").count(), 1);
    }

    #[test]
    fn rows_are_put_under_their_headings_in_order() {
        let mut groups = Vec::new();
        for heading in ["a", "b", "a"] {
            put(&mut groups, heading.into(), row(0.0, 1.0, false));
        }
        let counts: Vec<(&str, usize)> = (groups.iter())
            .map(|g| (g.heading.as_str(), g.rows.len()))
            .collect();
        assert_eq!(counts, [("a", 2), ("b", 1)]);
        assert!(draw("design", "slope", &[]).is_none());
    }
}
