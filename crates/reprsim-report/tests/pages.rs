//! Whole pages and all figures, of a rich, an empty and a broken report.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use made_up::{Size, large, report};
use reprsim_report::{
    AttributionRow, AxisSection, Curve, CurvePanel, EffectRow, Fit, ForestRow, GridLine,
    GridSection, HeatmapPair, LevelSummary, MeasureRow, Panel, Reference, Report, ValueScale,
    figures, png, render, render_comparison,
};

use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};

#[path = "../examples/made_up/mod.rs"]
mod made_up;

fn rich() -> Report {
    let size = Size {
        pairs: 3,
        epochs: 5,
    };
    report("rich", 0.0, size)
}

/// A report in which no number is one.
fn broken(bad: f64) -> Report {
    let summary = LevelSummary {
        level: bad,
        n: 0,
        mean: bad,
        sd: Some(bad),
    };
    let panel = || Panel {
        title: "a".into(),
        measure: "m".into(),
        scale: Default::default(),
        rows: vec!["x".into(), "y".into()],
        columns: vec!["x".into()],
        values: vec![Some(bad)],
    };
    let row = ForestRow {
        slope: Some(bad),
        interval: Some((bad, bad)),
        ..ForestRow::default()
    };
    Report {
        axes: vec![AxisSection {
            name: "data".into(),
            range: (bad, bad),
            points: vec![(0.0, bad), (bad, 0.5), (0.5, 0.5)],
            levels: vec![summary],
            fit: Some(Fit {
                intercept: bad,
                slope: bad,
                ci_low: bad,
                ci_high: bad,
                p_value: bad,
            }),
            references: vec![Reference {
                name: "r".into(),
                value: bad,
            }],
            layers: vec![row.clone()],
            measures: vec![MeasureRow {
                slope: Some(bad),
                interval: Some((0.0, bad)),
                ..MeasureRow::default()
            }],
            published: vec![(bad, bad)],
            ..AxisSection::default()
        }],
        grids: vec![GridSection {
            name: "g".into(),
            lines: vec![GridLine {
                label: "l".into(),
                points: vec![summary],
            }],
            axes: vec!["a".into(), "b".into()],
            points: vec![
                (
                    vec![bad, bad],
                    LevelSummary {
                        mean: 0.5,
                        ..summary
                    },
                ),
                (vec![0.0], summary),
            ],
            attribution: vec![Default::default()],
            total_r2: Some(bad),
            covariates: vec![AttributionRow {
                coefficient: Some(bad),
                interval: Some((bad, bad)),
                ..AttributionRow::default()
            }],
            covariate_share: Some(bad),
            ..GridSection::default()
        }],
        heatmaps: vec![HeatmapPair {
            low: panel(),
            high: panel(),
            ..HeatmapPair::default()
        }],
        curves: vec![CurvePanel {
            lines: vec![Curve {
                group: bad,
                points: vec![(bad, bad), (1.0, bad)],
                ..Curve::default()
            }],
            ..CurvePanel::default()
        }],
        effects: vec![EffectRow {
            slope: Some(bad),
            interval: Some((bad, bad)),
            p_value: Some(bad),
            p_holm: Some(bad),
            primary: true,
            ..EffectRow::default()
        }],
        ..Report::default()
    }
}

#[test]
fn every_figure_is_a_picture_with_a_name_of_its_own() {
    let figures = figures(&rich());
    let mut names: Vec<&str> = figures.iter().map(|f| f.name.as_str()).collect();
    for expected in [
        "effects",
        "data-overlap",
        "data-layers",
        "data-measures",
        "data-x-task-lines",
        "data-x-task-surface",
        "data-x-task-attribution",
        "heatmap-data",
        "curves-loss",
    ] {
        assert!(
            names.contains(&expected),
            "{expected} is missing of {names:?}"
        );
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), figures.len());
    for figure in &figures {
        let inked = ink(&png(&figure.svg, 1.0).unwrap());
        assert!((0.005..0.9).contains(&inked), "{}: {inked}", figure.name);
        assert!(!figure.svg.contains("var("), "{}", figure.name);
    }
}

/// The share of a picture that is not white.
fn ink(png: &[u8]) -> f64 {
    let picture = Pixmap::decode_png(png).unwrap();
    let white = |p: &&PremultipliedColorU8| [p.red(), p.green(), p.blue()] == [255; 3];
    let pixels = picture.pixels();
    1.0 - pixels.iter().filter(white).count() as f64 / pixels.len() as f64
}

#[test]
fn what_is_no_number_is_left_out() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let report = broken(bad);
        for figure in figures(&report) {
            all_finite(&figure.svg);
            png(&figure.svg, 1.0).unwrap();
        }
        all_finite(&render(&report));
        all_finite(&render_comparison(&[report, rich()]));
    }
    for report in [
        broken(1e300),
        broken(-1e300),
        broken(0.0),
        Report::default(),
    ] {
        for figure in figures(&report) {
            png(&figure.svg, 1.0).unwrap();
        }
        assert!(render(&report).contains("</html>"));
    }
    assert!(render_comparison(&[]).contains("</html>"));
}

/// Neither text nor places are other than finite numbers.
#[track_caller]
fn all_finite(page: &str) {
    let body = page.split("</style>").nth(1).unwrap();
    for word in [
        "NaN", "inf\"", "inf,", "inf ", "inf<", "+inf", "-inf", "−inf", ">inf", " inf",
    ] {
        if let Some(place) = body
            .find(word)
            .filter(|at| !body[*at..].starts_with(" info"))
        {
            let from = place.saturating_sub(100);
            panic!("{word} in {:?}", body.get(from..place + 20));
        }
    }
}

#[test]
fn pages_load_nothing_and_escape_everything() {
    let evil = "\"'><script>alert(1)</script>";
    let mut report = rich();
    report.title = evil.into();
    report.summary = vec![evil.into()];
    report.caveats = vec![evil.into()];
    report.facts.push((evil.into(), evil.into()));
    let axis = &mut report.axes[0];
    axis.published_label = evil.into();
    axis.statistics = vec![(evil.into(), evil.into())];
    axis.measures[0].measure = evil.into();
    report.name = evil.into();
    report.grids[0].attribution[0].term = evil.into();
    report.grids[0].covariates[0].term = evil.into();
    report.grids[0].dropped[0] = evil.into();
    report.grids[1].attribution_note = evil.into();
    report.grids[0].lines[0].label = evil.into();
    report.heatmaps[0].low.title = evil.into();
    report.curves[0].group_label = evil.into();
    report.curves[0].lines[0].label = evil.into();
    for page in [
        render(&report),
        render_comparison(&[report.clone(), rich()]),
        render_comparison(&[report.clone(), report.clone()]),
    ] {
        assert!(!page.contains("<script"), "text is escaped");
        for loads in ["http://", "https://", "src=", "url(", "@import"] {
            assert!(!page.contains(loads), "the page must load nothing: {loads}");
        }
        let ids: Vec<&str> = page
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "ids are used once");
    }
    for figure in figures(&report) {
        assert!(png(&figure.svg, 1.0).is_ok(), "{}", figure.name);
    }
}

#[test]
fn the_answer_comes_first_and_caveats_near_it() {
    let mut report = rich();
    let page = render(&report);
    let place = |text: &str| page.find(text).unwrap();
    assert!(place(&report.summary[0]) < place("class=\"answers\""));
    assert!(place("did not fall") < place("id=\"section-data-overlap\""));
    assert!(page.contains("<td>0.013</td>"), "Holm's p");
    assert!(
        page.contains("<details><summary>The table: "),
        "a long table is closed"
    );
    report.caveats.clear();
    assert!(render(&report).contains("No health check raised a flag."));
    report.checked = false;
    assert!(!render(&report).contains("Caveats"));
}

#[test]
fn a_comparison_marks_what_differs() {
    let size = Size {
        pairs: 3,
        epochs: 5,
    };
    let page = render_comparison(&[report("A", 0.0, size), report("B", 0.1, size)]);
    assert!(page.contains("<title>A, B · reprsim</title>"));
    assert_eq!(page.matches("<tr class=\"differs\">").count(), 2);
    assert!(page.contains("id=\"section-task-overlap\""));
}

#[test]
fn runs_of_one_title_go_by_their_names() {
    let run = |title: &str, name: &str| Report {
        title: title.into(),
        name: name.into(),
        ..rich()
    };
    let page = |runs: &[(&str, &str)]| {
        let runs: Vec<Report> = runs.iter().map(|(t, n)| run(t, n)).collect();
        render_comparison(&runs)
    };
    let heads = |page: &str, title: &str| {
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{title}");
    };
    let of_one_title = page(&[("A", "a-1"), ("B", "b"), ("A", "a-2")]);
    heads(&of_one_title, "a-1, B, a-2");
    for name in ["a-1", "B", "a-2"] {
        assert!(of_one_title.contains(&format!("<th class=\"text\">{name}</th>")));
        assert!(of_one_title.contains(&format!("<h3>{name}</h3>")));
    }
    heads(&page(&[("A", ""), ("A", "a")]), "A, a");
    heads(
        &page(&[("A", ""), ("A", ""), ("A", "a"), ("A", "a")]),
        "A, A (2), a, a (2)",
    );
}

#[test]
fn a_comparison_shows_designs_over_the_same_heights() {
    let mut other = rich();
    for line in &mut other.grids[0].lines {
        for point in &mut line.points {
            point.mean *= 3.0;
        }
    }
    other.grids.truncate(1);
    let page = render_comparison(&[rich(), other]);
    let section = |id: &str| {
        let from = page.find(&format!("id=\"section-{id}\"")).unwrap();
        let to = page[from..].find("</section>").unwrap();
        &page[from..from + to]
    };
    assert_eq!(heights(section("data-x-task")), vec![["0", "1", "2"]; 2]);
    let partial = section("data-x-class-x-task");
    assert!(partial.contains("<svg") && partial.contains("This run has no such design."));
}

/// The numbers at the vertical axis of each figure.
fn heights(html: &str) -> Vec<Vec<&str>> {
    html.split("<svg")
        .skip(1)
        .map(|svg| {
            let ticks = svg.split("<text class=\"tick\"").skip(1);
            ticks
                .filter_map(|tick| tick.split_once('>'))
                .filter(|(attributes, _)| attributes.contains("text-anchor=\"end\""))
                .filter_map(|(_, rest)| rest.split('<').next())
                .collect()
        })
        .collect()
}

#[test]
fn a_comparison_shows_axes_over_the_same_heights_where_values_are_read_alike() {
    let run = |scale: ValueScale, factor: f64| {
        let point = |level: f64| (level, factor * level);
        Report {
            title: format!("{factor}"),
            scale,
            axes: vec![AxisSection {
                name: "data".into(),
                title: "data overlap".into(),
                range: (0.0, 1.0),
                points: vec![point(0.1), point(1.0)],
                ..AxisSection::default()
            }],
            ..Report::default()
        }
    };
    let similarity = ValueScale::default();
    let distance = ValueScale {
        higher_is_more_alike: false,
        range: Some((0.0, f64::INFINITY)),
    };
    let runs = [
        run(similarity, 0.5),
        run(similarity, 1.0),
        run(distance, 400.0),
    ];
    let page = render_comparison(&runs);
    let found = heights(&page);
    let unit = vec!["0.5", "1"];
    assert_eq!(
        found,
        [unit.clone(), unit, vec!["100", "200", "300", "400"]]
    );
}

#[test]
fn a_term_with_a_cross_is_explained_where_there_is_one() {
    let mut report = rich();
    let explains = |page: String| page.contains("A term with ×");
    assert!(explains(render(&report)));
    assert!(explains(render_comparison(std::slice::from_ref(&report))));
    report.grids.clear();
    assert!(!explains(render(&report)));
    assert!(!explains(render_comparison(&[report])));
}

#[test]
fn an_attribution_says_what_was_held_fixed_or_why_there_is_none() {
    let mut report = rich();
    report.grids.truncate(1);
    let note = "Coefficients here are with the covariates held fixed, those above without.";
    let page = render(&report);
    assert!(page.contains("Together the terms explain 69.0 % "));
    assert!(page.contains("Held fixed: accuracy and loss, which account for 4.9 % "));
    assert!(page.contains("colspan=\"6\">held fixed</th>") && page.contains(note));

    let grid = &mut report.grids[0];
    (grid.covariates, grid.covariate_share, grid.dropped) = (vec![], None, vec![]);
    let page = render(&report);
    assert!(page.contains("Together the terms explain 73.9 % "));
    assert!(!page.to_lowercase().contains("held fixed"));

    report.grids[0].attribution.clear();
    let heading = "What the variance of similarity is due to";
    assert!(!render(&report).contains(heading));
    report.grids[0].attribution_note = "too many <terms>".into();
    let page = render(&report);
    assert!(page.contains(heading) && page.contains("<p>too many &lt;terms&gt;</p>"));
    assert!(!page.contains("Together the terms"));
}

/// Whatever is said in a report is on its page, once changed too.
#[test]
fn a_change_of_any_part_is_seen() {
    type Change = fn(&mut Report, String);
    let said: [(&str, Change); 32] = [
        ("title", |r, v| r.title = v),
        ("description", |r, v| r.description = v),
        ("summary", |r, v| r.summary[1] = v),
        ("primary", |r, v| r.primary = v),
        ("meaning", |r, v| r.meaning = v),
        ("warnings", |r, v| r.warnings = vec![v]),
        ("caveats", |r, v| r.caveats[2] = v),
        ("title of an axis", |r, v| r.axes[1].title = v),
        ("slope label", |r, v| r.axes[1].slope_label = v),
        ("explanation", |r, v| r.axes[1].explanation = v),
        ("sentence", |r, v| r.axes[1].sentence = v),
        ("y label", |r, v| r.axes[1].y_label = v),
        ("reference", |r, v| r.axes[1].references[0].name = v),
        ("layer", |r, v| r.axes[1].layers[3].layer = v),
        ("probe", |r, v| {
            r.axes[1]
                .layers
                .iter_mut()
                .for_each(|l| l.probe = v.clone())
        }),
        ("measure", |r, v| r.axes[1].measures[2].measure = v),
        ("published", |r, v| r.axes[0].published_label = v),
        ("statistic", |r, v| r.axes[1].statistics[0].1 = v),
        ("grid", |r, v| r.grids[1].explanation = v),
        ("answer", |r, v| r.grids[1].answers[0].sentence = v),
        ("line", |r, v| r.grids[1].lines[0].label = v),
        ("term", |r, v| r.grids[0].terms[2].name = v),
        ("attribution", |r, v| r.grids[0].attribution[1].term = v),
        ("share label", |r, v| r.grids[0].share_label = v),
        ("axis of a grid", |r, v| r.grids[0].axis_titles[1] = v),
        ("panel", |r, v| r.heatmaps[2].high.rows[5] = v),
        ("group of curves", |r, v| r.curves[1].group_label = v),
        ("effect", |r, v| r.effects[9].layer = v),
        ("undefined", |r, v| r.effects[9].undefined = Some(v)),
        ("method", |r, v| r.methods[1] = v),
        ("fact", |r, v| r.facts[4].1 = v),
        ("download", |r, v| r.csv = Some((v, String::new()))),
    ];
    let rich = rich();
    assert!(!render(&rich).to_lowercase().contains("of new"));
    for (part, change) in said {
        let mut report = rich.clone();
        change(&mut report, "of new".into());
        let page = render(&report);
        assert!(page.contains("of new") || page.contains("Of new"), "{part}");
    }
    type Shift = fn(&mut Report);
    let drawn: [(&str, &str, Shift); 9] = [
        ("point", "data-overlap", |r| r.axes[0].points[0].1 += 0.1),
        ("mean", "data-overlap", |r| r.axes[0].levels[2].mean += 0.1),
        ("published", "data-overlap", |r| {
            r.axes[0].published[1].1 -= 0.1
        }),
        ("slope", "data-layers", |r| {
            r.axes[0].layers[4].slope = Some(0.0)
        }),
        ("interval", "data-measures", |r| {
            r.axes[0].measures[1].interval = Some((0.0, 0.2))
        }),
        ("cell", "heatmap-data", |r| {
            r.heatmaps[0].low.values[10] = Some(0.9)
        }),
        ("grid", "data-x-task-surface", |r| {
            r.grids[0].points[3].1.mean = 0.0
        }),
        ("share", "data-x-task-attribution", |r| {
            r.grids[0].attribution[0].share = Some(0.3)
        }),
        ("curve", "curves-loss", |r| {
            r.curves[0].lines[0].points[2].1 = 3.0
        }),
    ];
    for (part, name, shift) in drawn {
        let mut report = rich.clone();
        let svg = |report: &Report| {
            let figure = figures(report).into_iter().find(|f| f.name == name);
            figure.map(|f| f.svg)
        };
        let before = svg(&report);
        shift(&mut report);
        let after = svg(&report);
        assert!(
            before.is_some() && after.is_some() && before != after,
            "{part} in {name}"
        );
    }
}

/// Nothing of a distance is called a similarity, and lighter cells are nearer.
#[test]
fn a_distance_is_drawn_and_spoken_of_as_one() {
    let mut report = rich();
    report.meaning = "Distance runs from 0 (the same but for rotation) up.".into();
    report.scale = ValueScale {
        range: Some((0.0, f64::INFINITY)),
        higher_is_more_alike: false,
    };
    let mut stated = report.clone();
    for pair in &mut stated.heatmaps {
        pair.low.scale = report.scale;
        pair.high.scale = report.scale;
    }
    let page = render(&stated);
    let without_texts = page.replace(&report.summary[0], "");
    for text in [
        "Distance over the axis",
        "Accuracy beside distance",
        "What the variance of distance is due to",
        "of the variance of distance over pairs",
        "Mean distance of each cell",
        "Mean distance of every layer",
        "Lighter is nearer.",
        "Distance runs from 0 (the same but for rotation) up.",
    ] {
        assert!(without_texts.contains(text), "{text}");
    }
    for heading in ["<h2>", "<h3>", "<th>"] {
        for text in page
            .split(heading)
            .skip(1)
            .filter_map(|rest| rest.split('<').next())
        {
            assert!(!text.to_lowercase().contains("similarity"), "{text}");
        }
    }
    let heatmap = |report: &Report| {
        let figure = figures(report)
            .into_iter()
            .find(|f| f.name == "heatmap-data");
        figure.map(|f| f.svg).unwrap()
    };
    assert_ne!(heatmap(&stated), heatmap(&rich()));
    assert!(!render(&rich()).contains("istance"));
}

#[test]
fn a_report_of_500_cells_stays_small() {
    let page = render(&large());
    assert!(page.len() < 5_000_000, "{}", page.len());
    assert!(page.contains("data:application/gzip;base64,"));
}
