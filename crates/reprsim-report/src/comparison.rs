//! Several reports side by side.

use maud::{Markup, html};

use crate::drawing::Drawing;
use crate::figures::{Declared, declared, slug};
use crate::forest::{self, Group, Row};
use crate::format::{capitalized, interval, p_value, signed};
use crate::page::{crossed_caption, document, found};
use crate::report::{AxisSection, GridSection, Report};
use crate::scale::padded_range;
use crate::sections::{self, scrolling};
use crate::value_scale::ValueScale;
use crate::{figure, interaction};

/// Renders several reports beside each other as one HTML page that loads nothing.
pub fn render_comparison(reports: &[Report]) -> String {
    let runs = named(reports);
    let title = runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>();
    let title = title.join(", ");
    let content = html! {
        header {
            h1 { (title) }
            p.lead { "The declared results of " (reports.len()) " runs side by side." }
        }
        section id="effects" {
            h2 { "Declared results" }
            (effects(&runs, crossed_caption(reports)))
        }
        @for (axis, title) in axes(reports) { (axis_section(&runs, axis, title)) }
        @for name in grids(reports) { (grid_section(&runs, name)) }
        section id="facts" {
            h2 { "What was run" }
            p.note { "≠ marks what differs between the runs." }
            (facts(&runs))
        }
        section id="caveats" {
            h2 { "Caveats" }
            div.figures { @for Run { name, report } in &runs { div {
                h3 { (name) }
                @for warning in &report.warnings { p.warning { (warning) } }
                (own_caveats(report))
            } } }
        }
    };
    document(&title, &content)
}

/// A run under a name of its own.
struct Run<'a> {
    name: String,
    report: &'a Report,
}

/// Runs under their titles; under their names where titles repeat, and numbered where
/// those do too.
fn named(reports: &[Report]) -> Vec<Run<'_>> {
    let unique = |title: &str| reports.iter().filter(|r| r.title == title).count() == 1;
    let mut runs: Vec<Run<'_>> = Vec::new();
    for report in reports {
        let own = match report.name.is_empty() || unique(&report.title) {
            true => &report.title,
            false => &report.name,
        };
        let mut name = own.clone();
        let mut count = 1;
        while runs.iter().any(|run| run.name == name) {
            count += 1;
            name = format!("{own} ({count})");
        }
        runs.push(Run { name, report });
    }
    runs
}

/// A declared result, run by run.
struct Shared<'a> {
    title: String,
    /// What a slope is of.
    unit: String,
    runs: Vec<(&'a str, Declared)>,
}

/// The declared results of all runs, under what they are of.
fn effects(all: &[Run<'_>], caption: &str) -> Markup {
    let mut groups: Vec<Shared<'_>> = Vec::new();
    for Run { name, report } in all {
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
            groups[place].runs.push((name, effect));
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
            (sections::figure(forest::draw("design", "slope, 95 % interval", &drawn).as_ref(), caption))
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
fn axis_section(runs: &[Run<'_>], name: &str, title: &str) -> Markup {
    let sections: Vec<Option<&AxisSection>> = (runs.iter())
        .map(|run| run.report.axes.iter().find(|a| a.name == name))
        .collect();
    let ranges = shared(runs, |place| {
        sections[place].map_or(vec![], figure::heights)
    });
    let drawn = (sections.iter().zip(ranges)).map(|(s, range)| figure::draw((*s)?, Some(range)));
    html! {
        section id=(sections::id(title)) class=(slug(name)) {
            h2 { (capitalized(title)) }
            (columns(runs, drawn, "This run has no such axis."))
        }
    }
}

/// Names of the designs of all runs, in order.
fn grids(reports: &[Report]) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for grid in reports.iter().flat_map(|r| &r.grids) {
        if !out.contains(&grid.name.as_str()) {
            out.push(&grid.name);
        }
    }
    out
}

/// The figures of a design, a column a run, over the same heights.
fn grid_section(runs: &[Run<'_>], name: &str) -> Markup {
    let sections: Vec<Option<&GridSection>> = (runs.iter())
        .map(|run| run.report.grids.iter().find(|g| g.name == name))
        .collect();
    let ranges = shared(runs, |place| {
        let heights = sections[place].into_iter().flat_map(interaction::heights);
        heights.collect()
    });
    let drawn =
        (sections.iter().zip(ranges)).map(|(s, range)| interaction::draw((*s)?, Some(range)));
    html! {
        section id=(sections::id(name)) class="design" {
            h2 { (capitalized(name)) }
            p.note { "Mean and standard deviation over pairs." }
            (columns(runs, drawn, "This run has no such design."))
        }
    }
}

/// The range of each run's figure: the same for all whose values are read alike, for a
/// similarity up to 1 beside a distance in the hundreds would be a line.
fn shared(runs: &[Run<'_>], heights: impl Fn(usize) -> Vec<f64>) -> Vec<(f64, f64)> {
    let of = |scale: ValueScale| {
        let like = (runs.iter().enumerate()).filter(|(_, run)| run.report.scale == scale);
        padded_range(like.flat_map(|(place, _)| heights(place)))
    };
    runs.iter().map(|run| of(run.report.scale)).collect()
}

/// A figure a run, beside each other.
fn columns(
    runs: &[Run<'_>],
    drawn: impl Iterator<Item = Option<Drawing>>,
    missing: &str,
) -> Markup {
    html! {
        div.figures.runs { @for (run, drawing) in runs.iter().zip(drawn) { div {
            h3 { (run.name) }
            @match drawing {
                Some(drawing) => { (sections::figure(Some(&drawing), "")) },
                None => { p.note { (missing) } },
            }
        } } }
    }
}

fn facts(runs: &[Run<'_>]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in runs.iter().flat_map(|r| &r.report.facts) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let value = |report: &Report, name: &str| {
        let fact = report.facts.iter().find(|(n, _)| n == name);
        fact.map_or("–".to_string(), |(_, value)| value.clone())
    };
    let rows = names.into_iter().map(|name| {
        let values: Vec<String> = runs.iter().map(|r| value(r.report, name)).collect();
        (name, values)
    });
    scrolling(
        "What was run",
        html! { table.facts {
            thead { tr { th.text { "" } th.text { "" } @for run in runs { th.text { (run.name) } } } }
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
