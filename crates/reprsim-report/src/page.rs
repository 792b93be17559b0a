//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::format::{interval, number, p_value, percent, signed};
use crate::report::{AxisSection, GridAnswer, GridSection, Report, Verdict};
use crate::scale::tick_text;
use crate::{figure, forest, interaction};

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
                div.answers {
                    @for axis in &report.axes { (answer(axis)) }
                    @for grid in &report.grids { @for term in &grid.answers { (grid_answer(term)) } }
                }
                p.note { (report.primary) }
                @for axis in &report.axes { (section(axis)) }
                @for grid in &report.grids { (grid_section(grid)) }
                h2 { "All effects" }
                p.note {
                    "One line a layer, probe and measure; layer pairs across layers are in the table to download. "
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
    let headline = headline(axis.fit.map(|f| f.slope), axis.verdict);
    html! {
        div class={ "answer " (axis.name) } {
            span.axis-name { (capitalized(&axis.title)) }
            b { (headline) }
            span { (axis.sentence) }
        }
    }
}

fn headline(slope: Option<f64>, verdict: Verdict) -> String {
    match (slope, verdict) {
        (Some(slope), Verdict::Undecided) => format!("{} (not significant)", signed(slope)),
        (Some(slope), _) => signed(slope),
        (None, _) => "no fit".into(),
    }
}

fn grid_answer(answer: &GridAnswer) -> Markup {
    html! {
        div class="answer design" {
            span.axis-name { (capitalized(&answer.term)) }
            b { (headline(answer.slope, answer.verdict)) }
            span { (answer.sentence) }
        }
    }
}

fn grid_section(grid: &GridSection) -> Markup {
    html! {
        section class="design" {
            h2 { (capitalized(&grid.name)) }
            p { (grid.explanation) }
            div.columns {
                div {
                    (interaction::draw(grid))
                    p.note {
                        "Points and bars: mean and standard deviation over pairs. Parallel lines would "
                        "mean that the two add up. Dashed: references."
                    }
                    div.scroll { table {
                        thead { tr {
                            @for axis in &grid.axes { th { (axis) } }
                            th { "pairs" } th { "similarity" } th { "sd" }
                        } }
                        tbody { @for (levels, summary) in &grid.points { tr {
                            @for level in levels { td { (tick_text(*level)) } }
                            td { (summary.n) }
                            td { (number(Some(summary.mean))) }
                            td { (number(summary.sd)) }
                        } } }
                    } }
                }
                div {
                    @for term in &grid.terms {
                        h3 { (capitalized(&term.name)) ", layer by layer" }
                        (forest::draw("design", &term.slope_label, &term.rows))
                    }
                }
            }
        }
    }
}

fn section(axis: &AxisSection) -> Markup {
    html! {
        section class=(axis.name) {
            h2 { (capitalized(&axis.title)) }
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
                    (forest::draw(&axis.name, &axis.slope_label, &axis.layers))
                    @let accuracy = axis.skill.iter().any(|row| row.test_accuracy.is_some());
                    h3 { (if accuracy { "Accuracy beside similarity" } else { "Loss beside similarity" }) }
                    div.scroll { table {
                        thead { tr { th { (axis.title) } th { "training" } th { "held-out" } th { "similarity" } } }
                        tbody { @for row in &axis.skill { tr {
                            td { (tick_text(row.level)) }
                            @if accuracy {
                                td { (percent(row.train_accuracy)) }
                                td { (percent(row.test_accuracy)) }
                            } @else {
                                td { (number(row.train_loss)) }
                                td { (number(row.validation_loss)) }
                            }
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
                    td.text { (row.axis) @if row.axis != row.sweep { " in " (row.sweep) } }
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
    use crate::report::{Fit, GridLine, LevelSummary, Reference};

    #[test]
    fn a_page_is_self_contained_and_escaped() {
        let report = Report {
            title: "<script>alert(1)</script>".into(),
            csv: Some(("results.csv".into(), "a,b\n1,2\n".into())),
            axes: vec![AxisSection {
                name: "data".into(),
                title: "data overlap".into(),
                range: (0.0, 1.0),
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
            grids: vec![GridSection {
                name: "data x task".into(),
                lines: vec![GridLine {
                    label: "task 0.5".into(),
                    points: [0.0, 1.0]
                        .map(|level| LevelSummary {
                            level,
                            n: 2,
                            mean: level,
                            sd: Some(0.1),
                        })
                        .into(),
                }],
                ..GridSection::default()
            }],
            ..Report::default()
        };
        let page = render(&report);
        assert!(page.contains("task 0.5") && page.contains("Data x task"));
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
