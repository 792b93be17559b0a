//! The sections of a page.

use maud::{Markup, html};

use crate::drawing::Drawing;
use crate::figures::{self, slug};
use crate::format::{capitalized, interval, number, p_value, percent, percents, signed};
use crate::report::{
    AttributionRow, AxisSection, CurvePanel, GridSection, HeatmapPair, Report, StartRow,
};
use crate::scale::tick_text;
use crate::value_scale::ValueScale;
use crate::{attribution, surface};

/// A table with more rows than this is closed at first.
const OPEN: usize = 60;

/// A figure with its caption, or nothing.
pub(crate) fn figure(drawing: Option<&Drawing>, caption: &str) -> Markup {
    html! {
        @if let Some(drawing) = drawing {
            figure id=[(!drawing.name.is_empty()).then(|| format!("figure-{}", drawing.name))] {
                (drawing.inline())
                @if !caption.is_empty() { figcaption { (caption) } }
            }
        }
    }
}

/// A figure under a heading, or nothing.
fn titled(title: &str, drawing: Option<Drawing>, caption: &str) -> Markup {
    html! {
        @if drawing.is_some() {
            div { h3 { (title) } (figure(drawing.as_ref(), caption)) }
        }
    }
}

/// A wide table, which scrolls in a box of its own.
pub(crate) fn scrolling(label: &str, table: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(label) { (table) } }
}

/// The section of an axis.
pub(crate) fn axis(axis: &AxisSection, scale: ValueScale) -> Markup {
    let over = format!("{} over the axis", capitalized(scale.noun()));
    html! {
        section id=(id(&axis.title)) class=(slug(&axis.name)) {
            h2 { (capitalized(&axis.title)) }
            p { (axis.explanation) }
            div.figures {
                div.stack {
                    (titled(&over, figures::axis(axis), ""))
                    (titled("Measure by measure", figures::measures(axis),
                        "The declared layer and probe, by every measure. Measures differ in scale."))
                    (statistics(axis))
                }
                div.stack {
                    (titled("Layer by layer", figures::layers(axis), ""))
                    (skill(axis, scale))
                }
            }
        }
    }
}

fn statistics(axis: &AxisSection) -> Markup {
    html! {
        @if !axis.statistics.is_empty() {
            div {
                h3 { "Statistics of the declared result" }
                dl { @for (name, value) in &axis.statistics { dt { (name) } dd { (value) } } }
            }
        }
    }
}

fn skill(axis: &AxisSection, scale: ValueScale) -> Markup {
    if axis.skill.is_empty() {
        return html! {};
    }
    let accuracy = axis.skill.iter().any(|row| row.test_accuracy.is_some());
    let skill = match accuracy {
        true => "Accuracy",
        false => "Loss",
    };
    let title = format!("{skill} beside {}", scale.noun());
    html! { div {
        h3 { (title) }
        (scrolling(&title, html! { table {
            thead { tr { th { (axis.title) } th { "training" } th { "held-out" } th { (scale.noun()) } } }
            tbody { @for row in &axis.skill { tr {
                td { (tick_text(row.level)) }
                @if accuracy {
                    td { (percent(row.train_accuracy)) }
                    td { (percent(row.test_accuracy)) }
                } @else {
                    td { (number(row.train_loss)) }
                    td { (number(row.validation_loss)) }
                }
                td { (number(row.value)) }
            } } }
        } }))
    } }
}

/// The section of a factorial design.
pub(crate) fn grid(grid: &GridSection, scale: ValueScale) -> Markup {
    let surface = surface::draw(grid, scale);
    let several = surface.len() > 1;
    html! {
        section id=(id(&grid.name)) class="design" {
            h2 { (capitalized(&grid.name)) }
            p { (grid.explanation) }
            div.figures {
                (titled("Is there an interaction?", figures::lines(grid),
                    "Mean and standard deviation over pairs. Parallel lines would mean that the effects add up."))
                @if !several { (panels(&surface, scale)) }
            }
            @if several { (panels(&surface, scale)) }
            @if !grid.slopes.is_empty() {
                div.figures {
                    @for slopes in &grid.slopes {
                        (titled(&format!("{} at each size", capitalized(&slopes.overlap)), figures::sizes(grid, slopes),
                            "The slope among pairs of each size alone, and its 95 % interval."))
                    }
                }
            }
            (means(grid, scale))
            (shares(grid, scale))
            @for term in &grid.terms {
                div.figures {
                    (titled(&format!("{}, layer by layer", capitalized(&term.name)), figures::term(grid, term), ""))
                    (titled("Measure by measure", figures::term_measures(grid, term),
                        "The declared layer and probe, by every measure. Measures differ in scale."))
                }
            }
        }
    }
}

/// The panels of a grid's means.
fn panels(surface: &[Drawing], scale: ValueScale) -> Markup {
    html! {
        @if !surface.is_empty() {
            div {
                h3 { "Mean " (scale.noun()) " of each cell" }
                div.figures.panels { @for panel in surface { (figure(Some(panel), "")) } }
            }
        }
    }
}

fn means(grid: &GridSection, scale: ValueScale) -> Markup {
    if grid.points.is_empty() {
        return html! {};
    }
    html! {
        details {
            summary { "Means as a table" }
            (scrolling("Means", html! { table {
                thead { tr {
                    @for place in 0..grid.axes.len() { th { (surface::axis(grid, place)) } }
                    th { "pairs" } th { (scale.noun()) } th { "sd" }
                } }
                tbody { @for (levels, summary) in &grid.points { tr {
                    @for level in levels { td { (tick_text(*level)) } }
                    td { (summary.n) }
                    td { (number(Some(summary.mean))) }
                    td { (number(summary.sd)) }
                } } }
            } }))
        }
    }
}

fn shares(grid: &GridSection, scale: ValueScale) -> Markup {
    if grid.attribution.is_empty() && grid.attribution_note.is_empty() {
        return html! {};
    }
    html! {
        h3 { "What the variance of " (scale.noun()) " is due to" }
        @if grid.attribution.is_empty() {
            p { (grid.attribution_note) }
        } @else {
            @if let Some(share) = attribution::of_terms(grid) {
                p {
                    "Together the terms explain " (percent(Some(share)))
                    " of the variance of " (scale.noun()) " over pairs."
                }
            }
            @if let Some(sentence) = attribution::held_fixed(grid) { p { (sentence) } }
            div.figures.uneven {
                (figure(figures::shares(grid).as_ref(), "Whiskers: 95 % intervals."))
                (scrolling("Attribution", share_table(grid)))
            }
            @if !grid.covariates.is_empty() {
                p.note { "Coefficients here are with the covariates held fixed, those above without." }
            }
        }
    }
}

fn share_table(grid: &GridSection) -> Markup {
    html! { table.narrow {
        thead { tr {
            th.text { "term" } th { "coefficient" } th { "p" } th { "p by" br; "randomisation" }
            th { "partial R²" } th { (attribution::label(grid)) }
        } }
        tbody { @for row in &grid.attribution { tr {
            (coefficient(row))
            td { (number(row.partial_r2)) (below(interval(row.partial_r2_interval))) }
            td { (percent(row.share)) (below(percents(row.share_interval))) }
        } } }
        @if !grid.covariates.is_empty() { tbody {
            tr.group { th.text scope="rowgroup" colspan="6" { "held fixed" } }
            @for row in &grid.covariates { tr { (coefficient(row)) td {} td {} } }
        } }
    } }
}

/// The first cells of a row: the term and its coefficient.
fn coefficient(row: &AttributionRow) -> Markup {
    html! {
        th.text scope="row" { (row.term) }
        td { (row.coefficient.map_or("–".into(), signed)) (below(interval(row.interval))) }
        td { (p_value(row.p_value)) }
        td { (p_value(row.randomisation_p)) }
    }
}

/// An interval under its estimate.
fn below(interval: String) -> Markup {
    html! { @if interval != "–" { small { (interval) } } }
}

/// What was there before training.
pub(crate) fn starts(starts: &[StartRow], scale: ValueScale) -> Markup {
    if starts.is_empty() {
        return html! {};
    }
    html! {
        section id="starts" {
            h2 { "What was there before training" }
            p {
                "Models here do not begin with random weights. Each pair was measured as it began, too; a "
                "change is its " (scale.noun()) " after training less that before."
            }
            @for start in starts { p { (start.sentence) } }
            (scrolling("Before training", html! { table {
                thead { tr {
                    th.text { "sweep" } th { "before" } th { "after" } th { "share before" }
                    th.text { "term" } th { "effect on the change" } th { "p" }
                } }
                tbody { @for start in starts { @for (place, change) in start.changes.iter().enumerate() { tr {
                    @if place == 0 {
                        @let rows = start.changes.len();
                        th.text scope="rowgroup" rowspan=(rows) { (start.sweep) }
                        td rowspan=(rows) { (number(Some(start.before))) }
                        td rowspan=(rows) { (number(Some(start.after))) }
                        td rowspan=(rows) { (percent(start.share)) }
                    }
                    td.text { (change.term) }
                    td { (change.slope.map_or("–".into(), signed)) (below(interval(change.interval))) }
                    td { (p_value(change.p_value)) }
                } } } }
            } }))
        }
    }
}

/// Both ends of all axes, layer by layer.
pub(crate) fn heatmaps(pairs: &[HeatmapPair], scale: ValueScale) -> Markup {
    if pairs.is_empty() {
        return html! {};
    }
    html! {
        section id="heatmaps" {
            h2 { "Layer against layer" }
            p {
                "Mean " (scale.noun()) " of every layer of one model (down) with every layer of the other (across), at "
                "the lowest and the highest level of each axis. The colours of an axis share one scale."
                @if !scale.higher_is_more_alike { " Lighter is nearer." }
            }
            @for pair in pairs {
                h3 { (capitalized(&pair.title)) }
                div.figures { @for drawing in figures::ends(pair) { (figure(Some(&drawing), "")) } }
            }
        }
    }
}

/// Training curves.
pub(crate) fn curves(panels: &[CurvePanel]) -> Markup {
    if panels.is_empty() {
        return html! {};
    }
    html! {
        section id="curves" {
            h2 { "Training" }
            p {
                "Thin lines: models (with more than 60 of them, shading: mean ± sd). Thick lines: the mean of a level."
            }
            div.figures.runs {
                @for panel in panels { (titled(&capitalized(&panel.title), figures::training(panel), "")) }
            }
        }
    }
}

/// The table of all effects.
pub(crate) fn effects(report: &Report) -> Markup {
    let rows = report.effects.len();
    html! {
        @if rows > OPEN {
            details { summary { "The table: " (rows) " rows" } (effect_table(report)) }
        } @else {
            (effect_table(report))
        }
    }
}

fn effect_table(report: &Report) -> Markup {
    scrolling(
        "All effects",
        html! { table {
            thead { tr {
                th.text { "axis" } th.text { "probe" } th.text { "layer" } th.text { "measure" }
                th { "slope" } th { "95 % interval" } th { "p" } th { "p (Holm)" } th { "R²" } th { "n" }
                th { "floor" } th { "ceiling" } th { "chance" }
            } }
            tbody { @for row in &report.effects {
                tr class=[row.primary.then_some("primary")] {
                    td.text { (row.term()) @if row.term() != row.sweep { " in " (row.sweep) } }
                    td.text { (row.probe) @if row.probe_varies { " †" } }
                    td.text { (row.layer) }
                    td.text { (row.measure) }
                    @if let Some(reason) = &row.undefined {
                        td.text colspan="5" { (reason) }
                    } @else {
                        td { (row.slope.map_or("–".into(), signed)) }
                        td { (interval(row.interval)) }
                        td { (p_value(row.p_value)) }
                        td { (p_value(row.p_holm)) }
                        td { (number(row.r_squared)) }
                    }
                    td { (row.n) }
                    td { (number(row.floor)) }
                    td { (number(row.ceiling)) }
                    td { (number(row.chance)) }
                }
            } }
        } },
    )
}

/// The anchor of a section.
pub(crate) fn id(title: &str) -> String {
    format!("section-{}", slug(title))
}
