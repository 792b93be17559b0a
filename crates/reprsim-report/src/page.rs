//! The page of one report.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use reprsim_base::printable;

use crate::download;
use crate::figures::{self, slug};
use crate::format::{capitalized, signed};
use crate::palette::page_style;
use crate::report::{AxisSection, GridAnswer, Report};
use crate::sections::{self, figure};
use crate::value_scale::Verdict;

/// A page may do nothing but show itself and its own styles and figures: no scripts, nothing loaded,
/// nothing sent.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const DECLARED: &str = "The declared results with 95 % intervals.";
const CROSSED: &str = "A term with × is the change of one slope as the other level rises.";

/// Renders the report as one HTML page that loads nothing.
pub fn render(report: &Report) -> String {
    let content = html! {
        header {
            h1 { (report.title) }
            p.lead { (report.description) }
            @for warning in &report.warnings { p.warning { (warning) } }
        }
        (summary(report))
        (contents(report))
        @for axis in &report.axes { (sections::axis(axis, report.scale)) }
        @for grid in &report.grids { (sections::grid(grid, report.scale)) }
        (sections::starts(&report.starts, report.scale))
        (sections::heatmaps(&report.heatmaps, report.scale))
        (sections::curves(&report.curves))
        section id="all-effects" {
            h2 { "All effects" }
            p.note {
                "One line a layer, probe and measure; layer pairs across layers are in the table to download. "
                "Bold: declared as primary before the run. † The probe's samples change with the "
                "overlap, as in the paper; its slope mixes the effect with the change of probe."
            }
            (sections::effects(report))
            @if let Some((name, content)) = &report.csv { (download::link(name, content)) }
        }
        section id="methods" {
            h2 { "Methods" }
            @for paragraph in &report.methods { p { (paragraph) } }
        }
        section id="facts" {
            h2 { "What was run" }
            dl { @for (name, value) in &report.facts { dt { (name) } dd { (value) } } }
        }
    };
    document(&report.title, &content)
}

/// A page that loads nothing.
pub(crate) fn document(title: &str, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · reprsim" }
                style { (PreEscaped(page_style())) }
            }
            body { main { (content) } }
        }
    }
    .into_string();
    printable(&page).into_owned()
}

/// The answers: in words, in numbers, in a figure, and what speaks against them.
fn summary(report: &Report) -> Markup {
    html! {
        section aria-label="The answer" {
            div.summary { @for sentence in &report.summary { p { (sentence) } } }
            div.answers {
                @for axis in &report.axes { (answer(axis)) }
                @for grid in &report.grids { @for term in &grid.answers { (grid_answer(term)) } }
            }
            p.note { (declared(report)) }
            div.figures {
                (figure(figures::effects(report).as_ref(), &declared_caption(report)))
                (caveats(report))
            }
        }
    }
}

/// What was declared, and what a value of it means.
fn declared(report: &Report) -> String {
    let parts = [report.primary.as_str(), &report.meaning];
    parts.join(" ").trim().into()
}

fn declared_caption(report: &Report) -> String {
    let crossed = crossed_caption(std::slice::from_ref(report));
    format!("{DECLARED} {crossed}").trim_end().into()
}

/// What a term of a design is, where there is a design.
pub(crate) fn crossed_caption(reports: &[Report]) -> &'static str {
    match reports.iter().any(|r| !r.grids.is_empty()) {
        true => CROSSED,
        false => "",
    }
}

fn caveats(report: &Report) -> Markup {
    html! {
        @if report.checked || !report.caveats.is_empty() {
            div.caveats { h2 { "Caveats" } (found(report)) }
        }
    }
}

/// What the health checks found.
pub(crate) fn found(report: &Report) -> Markup {
    html! {
        @if report.caveats.is_empty() {
            p { "No health check raised a flag." }
        } @else {
            ul { @for caveat in &report.caveats { li { (caveat) } } }
        }
    }
}

fn contents(report: &Report) -> Markup {
    let sections =
        (report.axes.iter().map(|a| &a.title)).chain(report.grids.iter().map(|g| &g.name));
    html! {
        nav aria-label="Contents" {
            @for title in sections { a href={ "#" (sections::id(title)) } { (capitalized(title)) } " " }
            @if !report.starts.is_empty() { a href="#starts" { "Before training" } " " }
            @if !report.heatmaps.is_empty() { a href="#heatmaps" { "Layer against layer" } " " }
            @if !report.curves.is_empty() { a href="#curves" { "Training" } " " }
            a href="#all-effects" { "All effects" } " "
            a href="#methods" { "Methods" } " "
            a href="#facts" { "What was run" }
        }
    }
}

fn answer(axis: &AxisSection) -> Markup {
    let headline = headline(axis.fit.map(|f| f.slope), axis.verdict);
    card(&axis.name, &axis.title, &headline, &axis.sentence)
}

fn grid_answer(answer: &GridAnswer) -> Markup {
    let headline = headline(answer.slope, answer.verdict);
    card("design", &answer.term, &headline, &answer.sentence)
}

fn card(class: &str, title: &str, headline: &str, sentence: &str) -> Markup {
    html! {
        div class={ "answer " (slug(class)) } {
            h3 { (capitalized(title)) }
            b { (headline) }
            p { (sentence) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Fit, GridLine, GridSection, LevelSummary, Reference};

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
    fn an_empty_report_has_no_empty_sections() {
        let page = render(&Report::default());
        assert!(page.ends_with("</main></body></html>"));
        let body = page.split("</style>").nth(1).unwrap();
        for part in [
            "<figure",
            "<svg",
            "<h3",
            "id=\"heatmaps\"",
            "id=\"curves\"",
            "Download",
        ] {
            assert!(!body.contains(part), "{part}");
        }
        let links = ["#all-effects", "#methods", "#facts"];
        assert_eq!(body.matches("<a href=").count(), links.len());
        for link in links {
            assert!(body.contains(&format!("<a href=\"{link}\">")), "{link}");
        }
    }

    #[test]
    fn what_was_declared_stands_before_what_it_means() {
        let note = |primary: &str, meaning: &str| {
            declared(&Report {
                primary: primary.into(),
                meaning: meaning.into(),
                ..Report::default()
            })
        };
        assert_eq!(
            note("Declared: a.", "Larger is more alike."),
            "Declared: a. Larger is more alike."
        );
        assert_eq!(note("Declared: a.", ""), "Declared: a.");
        assert_eq!(note("", "Larger is more alike."), "Larger is more alike.");
    }
}
