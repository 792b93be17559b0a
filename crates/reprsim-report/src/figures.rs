//! All figures of a report with their names; a page and files show the same.

use crate::drawing::{Drawing, beside};
use crate::forest::{Group, Row};
use crate::report::{
    AxisSection, CurvePanel, GridSection, GridTerm, HeatmapPair, Report, SizeSlopes,
};
use crate::{attribution, curves, figure, forest, heatmap, interaction, sizes, surface};

/// A figure as a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Stem of the file's name, such as `data-overlap`.
    pub name: String,
    /// The figure: an SVG document that needs nothing else.
    pub svg: String,
}

/// All figures of a report, as files to print.
pub fn figures(report: &Report) -> Vec<Figure> {
    let mut drawings: Vec<Drawing> = Vec::new();
    drawings.extend(effects(report));
    for section in &report.axes {
        drawings.extend(
            [axis(section), layers(section), measures(section)]
                .into_iter()
                .flatten(),
        );
    }
    for grid in &report.grids {
        drawings.extend(lines(grid));
        let name = format!("{}-surface", slug(&grid.name));
        drawings.extend(beside(&name, 3, &surface::draw(grid, report.scale)));
        drawings.extend(grid.slopes.iter().filter_map(|slopes| sizes(grid, slopes)));
        drawings.extend(shares(grid));
        for of in &grid.terms {
            drawings.extend(
                [term(grid, of), term_measures(grid, of)]
                    .into_iter()
                    .flatten(),
            );
        }
    }
    for pair in &report.heatmaps {
        let name = format!("heatmap-{}", slug(&pair.name));
        drawings.extend(beside(&name, 2, &heatmap::pair(pair)));
    }
    drawings.extend(report.curves.iter().filter_map(training));
    let mut out: Vec<Figure> = Vec::new();
    for drawing in drawings {
        // Two figures of one name would become one file.
        let taken = |name: &str| out.iter().any(|f| f.name == name);
        let mut name = drawing.name.clone();
        let mut count = 1;
        while taken(&name) {
            count += 1;
            name = format!("{}-{count}", drawing.name);
        }
        let svg = drawing.file();
        out.push(Figure { name, svg });
    }
    out
}

/// The declared results beside each other.
pub(crate) fn effects(report: &Report) -> Option<Drawing> {
    let mut groups: Vec<Group> = Vec::new();
    for declared in declared(report) {
        let heading = match declared.sweep.is_empty() {
            true => declared.unit.clone(),
            false => declared.sweep.clone(),
        };
        let row = Row {
            label: declared.title,
            class: declared.class,
            slope: declared.slope,
            interval: declared.interval,
            strong: true,
        };
        forest::put(&mut groups, heading, row);
    }
    let drawing = forest::draw("design", "slope, 95 % interval", &groups)?;
    Some(named(drawing, "effects"))
}

/// A declared result.
pub(crate) struct Declared {
    pub title: String,
    /// The design that it is a term of; empty for a single axis.
    pub sweep: String,
    /// What a slope is of.
    pub unit: String,
    /// Name of its colour.
    pub class: String,
    pub slope: Option<f64>,
    pub interval: Option<(f64, f64)>,
    pub p_value: Option<f64>,
    pub n: usize,
}

/// The declared results of a report, as its table of effects has them.
pub(crate) fn declared(report: &Report) -> Vec<Declared> {
    let none = String::new();
    let mut out = Vec::new();
    for row in report.effects.iter().filter(|e| e.primary) {
        let section = report.axes.iter().find(|a| a.name == row.sweep);
        let grid = report.grids.iter().find(|g| g.name == row.sweep);
        let term = grid.and_then(|g| g.terms.iter().find(|t| t.axes == row.axes));
        let (title, sweep, class, unit) = match section {
            Some(s) => (s.title.clone(), "", s.name.as_str(), &s.slope_label),
            None => {
                let unit = term.map_or(&none, |t| &t.slope_label);
                (row.term(), row.sweep.as_str(), "design", unit)
            }
        };
        out.push(Declared {
            title,
            sweep: sweep.into(),
            unit: unit.clone(),
            class: class.into(),
            slope: row.slope,
            interval: row.interval,
            p_value: row.p_value,
            n: row.n,
        });
    }
    out
}

/// The measure over an axis.
pub(crate) fn axis(section: &AxisSection) -> Option<Drawing> {
    Some(named(figure::draw(section, None)?, &section.title))
}

/// Slopes of an axis, layer by layer.
pub(crate) fn layers(section: &AxisSection) -> Option<Drawing> {
    let groups = forest::of_layers(&section.layers);
    let drawing = forest::draw(&section.name, &section.slope_label, &groups)?;
    Some(named(drawing, &format!("{}-layers", section.name)))
}

/// Slopes of an axis, measure by measure.
pub(crate) fn measures(section: &AxisSection) -> Option<Drawing> {
    let groups = forest::of_measures(&section.measures);
    let drawing = forest::draw(&section.name, &section.slope_label, &groups)?;
    Some(named(drawing, &format!("{}-measures", section.name)))
}

/// The measure over the first axis of a grid.
pub(crate) fn lines(grid: &GridSection) -> Option<Drawing> {
    Some(named(
        interaction::draw(grid, None)?,
        &format!("{}-lines", grid.name),
    ))
}

/// Slopes on an overlap over the size.
pub(crate) fn sizes(grid: &GridSection, slopes: &SizeSlopes) -> Option<Drawing> {
    let name = format!("{}-{}-sizes", grid.name, slopes.overlap);
    Some(named(sizes::draw(slopes)?, &name))
}

/// What the terms of a grid account for.
pub(crate) fn shares(grid: &GridSection) -> Option<Drawing> {
    Some(named(
        attribution::draw(grid)?,
        &format!("{}-attribution", grid.name),
    ))
}

/// Slopes of a term of a grid, layer by layer.
pub(crate) fn term(grid: &GridSection, term: &GridTerm) -> Option<Drawing> {
    let groups = forest::of_layers(&term.rows);
    let drawing = forest::draw("design", &term.slope_label, &groups)?;
    Some(named(
        drawing,
        &format!("{}-{}-layers", grid.name, term.name),
    ))
}

/// Slopes of a term of a grid, measure by measure.
pub(crate) fn term_measures(grid: &GridSection, term: &GridTerm) -> Option<Drawing> {
    let groups = forest::of_measures(&term.measures);
    let drawing = forest::draw("design", &term.slope_label, &groups)?;
    Some(named(
        drawing,
        &format!("{}-{}-measures", grid.name, term.name),
    ))
}

/// Both ends of an axis, layer by layer.
pub(crate) fn ends(pair: &HeatmapPair) -> Vec<Drawing> {
    heatmap::pair(pair)
}

/// Training curves.
pub(crate) fn training(panel: &CurvePanel) -> Option<Drawing> {
    Some(named(
        curves::draw(panel)?,
        &format!("curves-{}", panel.title),
    ))
}

fn named(drawing: Drawing, name: &str) -> Drawing {
    Drawing {
        name: slug(name),
        ..drawing
    }
}

/// A name of small letters, digits and hyphens.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for letter in text.replace('×', "x").chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            out.push(letter);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_files() {
        assert_eq!(slug("data × task-lines"), "data-x-task-lines");
        assert_eq!(slug("  Loss (validation) "), "loss-validation");
        assert_eq!(slug("../x"), "x");
    }

    /// A declared result finds its term by the axes, in whatever order results come.
    #[test]
    fn declared_results_know_what_their_slopes_are_of() {
        use crate::report::EffectRow;

        let axes = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).into()).collect() };
        let term = |names: &[&str], unit: &str| GridTerm {
            axes: axes(names),
            slope_label: unit.into(),
            ..GridTerm::default()
        };
        let effect = |sweep: &str, names: &[&str]| EffectRow {
            sweep: sweep.into(),
            axes: axes(names),
            primary: true,
            ..EffectRow::default()
        };
        let report = Report {
            axes: vec![AxisSection {
                name: "data".into(),
                title: "data overlap".into(),
                slope_label: "of a line".into(),
                ..AxisSection::default()
            }],
            grids: vec![GridSection {
                name: "data × width".into(),
                terms: vec![
                    term(&["data"], "of overlap"),
                    term(&["width"], "of doubling"),
                    term(&["data", "width"], "of both"),
                ],
                ..GridSection::default()
            }],
            effects: vec![
                effect("data", &["data"]),
                effect("data × width", &["data", "width"]),
                effect("data × width", &["width"]),
                EffectRow::default(),
            ],
            ..Report::default()
        };
        let found: Vec<(String, String)> = (declared(&report).into_iter())
            .map(|d| (d.title, d.unit))
            .collect();
        let expected = [
            ("data overlap", "of a line"),
            ("data × width", "of both"),
            ("width", "of doubling"),
        ];
        assert_eq!(found, expected.map(|(t, u)| (t.to_string(), u.to_string())));
    }
}
