//! Several reports side by side.

use maud::{Markup, html};

use crate::figure;
use crate::figures::{Declared, declared, slug};
use crate::forest::{self, Group, Row};
use crate::format::{interval, p_value, signed};
use crate::page::{document, found};
use crate::report::{AxisSection, Report};
use crate::scale::padded_range;
use crate::sections::{self, capitalized, scrolling};

/// Renders several reports beside each other as one HTML page that loads nothing.
pub fn render_comparison(reports: &[Report]) -> String {
    let names: Vec<&str> = reports.iter().map(|r| r.title.as_str()).collect();
    let title = names.join(", ");
    let content = html! {
        header {
            h1 { (title) }
            p.lead { "The declared results of " (reports.len()) " runs side by side." }
        }
        section id="effects" {
            h2 { "Declared results" }
            (effects(reports))
        }
        @for (axis, title) in axes(reports) { (axis_section(reports, axis, title)) }
        section id="facts" {
            h2 { "What was run" }
            p.note { "≠ marks what differs between the runs." }
            (facts(reports))
        }
        section id="caveats" {
            h2 { "Caveats" }
            div.figures { @for report in reports { div {
                h3 { (report.title) }
                @for warning in &report.warnings { p.warning { (warning) } }
                (own_caveats(report))
            } } }
        }
    };
    document(&title, &content)
}

/// A declared result, run by run.
struct Shared<'a> {
    title: String,
    /// What a slope is of.
    unit: String,
    runs: Vec<(&'a str, Declared)>,
}

/// The declared results of all runs, under what they are of.
fn effects(reports: &[Report]) -> Markup {
    let mut groups: Vec<Shared<'_>> = Vec::new();
    for report in reports {
        for effect in declared(report) {
            let title = match effect.sweep.is_empty() || effect.sweep == effect.title {
                true => capitalized(&effect.title),
                false => format!("{} in {}", capitalized(&effect.title), effect.sweep),
            };
            let place = groups
                .iter()
                .position(|g| g.title == title && g.unit == effect.unit);
            let place = place.unwrap_or_else(|| {
                groups.push(Shared {
                    title,
                    unit: effect.unit.clone(),
                    runs: vec![],
                });
                groups.len() - 1
            });
            groups[place].runs.push((&report.title, effect));
        }
    }
    let drawn: Vec<Group> = groups
        .iter()
        .map(|Shared { title, runs, .. }| Group {
            heading: title.clone(),
            rows: runs
                .iter()
                .map(|(run, effect)| Row {
                    label: (*run).into(),
                    class: effect.class.clone(),
                    slope: effect.slope,
                    interval: effect.interval,
                    strong: false,
                })
                .collect(),
        })
        .collect();
    let table = html! { table {
        thead { tr {
            th.text { "run" } th { "slope" } th { "95 % interval" } th { "p" } th { "pairs" }
        } }
        @for Shared { title, unit, runs } in &groups { tbody {
            tr.group { th.text scope="rowgroup" colspan="5" {
                (title) @if !unit.is_empty() { " " small { (unit) } }
            } }
            @for (run, effect) in runs { tr {
                th.text scope="row" { (run) }
                td { (effect.slope.map_or("–".into(), signed)) }
                td { (interval(effect.interval)) }
                td { (p_value(effect.p_value)) }
                td { (effect.n) }
            } }
        } }
    } };
    html! {
        div.figures.uneven {
            (sections::figure(forest::draw("design", "slope, 95 % interval", &drawn).as_ref(), ""))
            (scrolling("Declared results", table))
        }
    }
}

/// Names and titles of the axes of all runs, in order.
fn axes(reports: &[Report]) -> Vec<(&str, &str)> {
    let mut out: Vec<(&str, &str)> = Vec::new();
    for axis in reports.iter().flat_map(|r| &r.axes) {
        if !out.iter().any(|(name, _)| *name == axis.name) {
            out.push((&axis.name, &axis.title));
        }
    }
    out
}

/// The figures of an axis, a column a run, over the same heights.
fn axis_section(reports: &[Report], name: &str, title: &str) -> Markup {
    let of = |report: &'_ Report| -> Option<AxisSection> {
        report.axes.iter().find(|a| a.name == name).cloned()
    };
    let sections: Vec<(&Report, Option<AxisSection>)> =
        reports.iter().map(|r| (r, of(r))).collect();
    let heights = sections
        .iter()
        .filter_map(|(_, s)| s.as_ref())
        .flat_map(figure::heights);
    let range = padded_range(heights);
    html! {
        section id=(sections::id(title)) class=(slug(name)) {
            h2 { (capitalized(title)) }
            div.figures.runs { @for (report, section) in &sections { div {
                h3 { (report.title) }
                @match section.as_ref().and_then(|s| figure::draw(s, Some(range))) {
                    Some(drawing) => { (sections::figure(Some(&drawing), "")) },
                    None => { p.note { "This run has no such axis." } },
                }
            } } }
        }
    }
}

fn facts(reports: &[Report]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in reports.iter().flat_map(|r| &r.facts) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let value = |report: &Report, name: &str| {
        let fact = report.facts.iter().find(|(n, _)| n == name);
        fact.map_or("–".to_string(), |(_, value)| value.clone())
    };
    let rows = names.into_iter().map(|name| {
        let values: Vec<String> = reports.iter().map(|r| value(r, name)).collect();
        (name, values)
    });
    scrolling(
        "What was run",
        html! { table.facts {
            thead { tr { th.text { "" } th.text { "" } @for report in reports { th.text { (report.title) } } } }
            tbody { @for (name, values) in rows {
                @let differs = values.windows(2).any(|w| w[0] != w[1]);
                tr class=[differs.then_some("differs")] {
                    td.text { @if differs { abbr title="differs" { "≠" } } }
                    th.text scope="row" { (name) }
                    @for value in &values { td.text { (value) } }
                }
            } }
        } },
    )
}

fn own_caveats(report: &Report) -> Markup {
    match report.caveats.is_empty() && !report.checked {
        true => html! { p.note { "No health checks were made." } },
        false => found(report),
    }
}
