//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::format::{interval, number, p_value, percent, signed};
use crate::report::{AxisSection, Report, Verdict};
use crate::scale::tick_text;
use crate::{figure, forest};

const STYLE: &str = include_str!("style.css");

/// Renders the report as one HTML page that loads nothing.
pub fn render(report: &Report) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) " · reprsim" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (report.title) }
                p.lead { (report.description) }
                @for warning in &report.warnings { p.warning { (warning) } }
                div.answers { @for axis in &report.axes { (answer(axis)) } }
                p.note { (report.primary) }
                @for axis in &report.axes { (section(axis)) }
                h2 { "All effects" }
                p.note {
                    "One line a layer, probe and measure; the layer pairs across layers are in the table below it. "
                    "Bold: declared as primary before the run. † The probe's samples change with the "
                    "overlap, as in the paper; its slope mixes the effect with the change of probe."
                }
                (effects(report))
                @if let Some((name, content)) = &report.csv {
                    p { a download=(name) href={ "data:text/csv;charset=utf-8," (percent_encode(content)) } {
                        "Download " (name)
                    } }
                }
                h2 { "Methods" }
                @for paragraph in &report.methods { p { (paragraph) } }
                h2 { "What was run" }
                dl { @for (name, value) in &report.facts { dt { (name) } dd { (value) } } }
            }
        }
    }
    .into_string()
}

fn answer(axis: &AxisSection) -> Markup {
    let headline = match (axis.fit, axis.verdict) {
        (Some(fit), Verdict::Undecided) => format!("{} (not significant)", signed(fit.slope)),
        (Some(fit), _) => signed(fit.slope),
        (None, _) => "no fit".into(),
    };
    html! {
        div class={ "answer " (axis.name) } {
            span.axis-name { (capitalized(&axis.name)) " overlap" }
            b { (headline) }
            span { (axis.sentence) }
        }
    }
}

fn section(axis: &AxisSection) -> Markup {
    html! {
        section class=(axis.name) {
            h2 { (capitalized(&axis.name)) " overlap" }
            p { (axis.explanation) }
            div.columns {
                div {
                    (figure::draw(axis))
                    p.note {
                        "Points: pairs of models. Bars: mean and standard deviation. Line: least squares, "
                        "shaded by the 95 % interval of its slope. Dashed: references."
                    }
                }
                div {
                    h3 { "Layer by layer" }
                    (forest::draw(&axis.name, &axis.layers))
                    h3 { "Accuracy beside similarity" }
                    div.scroll { table {
                        thead { tr { th { "overlap" } th { "training" } th { "held-out" } th { "similarity" } } }
                        tbody { @for row in &axis.accuracy { tr {
                            td { (tick_text(row.level)) }
                            td { (percent(row.train)) }
                            td { (percent(row.test)) }
                            td { (number(row.similarity)) }
                        } } }
                    } }
                }
            }
        }
    }
}

fn effects(report: &Report) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.text { "axis" } th.text { "probe" } th.text { "layer" } th.text { "measure" }
                th { "slope" } th { "95 % interval" } th { "p" } th { "R²" } th { "n" }
                th { "floor" } th { "ceiling" } th { "chance" }
            } }
            tbody { @for row in &report.effects {
                tr class=(if row.primary { "primary" } else { "" }) {
                    td.text { (row.axis) }
                    td.text { (row.probe) @if row.probe_varies { " †" } }
                    td.text { (row.layer) }
                    td.text { (row.measure) }
                    @if let Some(reason) = &row.undefined {
                        td.text colspan="4" { (reason) }
                    } @else {
                        td { (row.slope.map_or("–".into(), signed)) }
                        td { (interval(row.interval)) }
                        td { (p_value(row.p_value)) }
                        td { (number(row.r_squared)) }
                    }
                    td { (row.n) }
                    td { (number(row.floor)) }
                    td { (number(row.ceiling)) }
                    td { (number(row.chance)) }
                }
            } }
        } }
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b',' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Fit, LevelSummary, Reference};

    #[test]
    fn a_page_is_self_contained_and_escaped() {
        let report = Report {
            title: "<script>alert(1)</script>".into(),
            csv: Some(("results.csv".into(), "a,b\n1,2\n".into())),
            axes: vec![AxisSection {
                name: "data".into(),
                y_label: "similarity".into(),
                points: vec![(0.0, 0.2), (1.0, 0.4)],
                levels: vec![LevelSummary {
                    level: 0.0,
                    n: 1,
                    mean: 0.2,
                    sd: None,
                }],
                fit: Some(Fit {
                    intercept: 0.2,
                    slope: 0.2,
                    ci_low: 0.1,
                    ci_high: 0.3,
                    p_value: 0.01,
                }),
                references: vec![Reference {
                    name: "floor".into(),
                    value: 0.1,
                }],
                verdict: Verdict::Rises,
                ..AxisSection::default()
            }],
            ..Report::default()
        };
        let page = render(&report);
        assert!(!page.contains("<script>"), "text is escaped");
        assert!(page.contains("+0.200"));
        assert!(page.contains("a,b%0A1,2%0A"));
        for loads in ["http://", "https://", "src="] {
            assert!(!page.contains(loads), "the page must load nothing: {loads}");
        }
    }

    #[test]
    fn an_empty_report_renders() {
        assert!(render(&Report::default()).contains("</html>"));
    }
}
