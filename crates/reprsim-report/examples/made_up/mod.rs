//! A made-up report: numbers of no experiment, to look at and to measure the page by.

use reprsim_report::{
    AttributionRow, AxisSection, ChangeRow, Curve, CurvePanel, EffectRow, Fit, ForestRow,
    GridAnswer, GridLine, GridSection, GridTerm, HeatmapPair, LevelSummary, MeasureRow, Panel,
    Reference, Report, SizeSlope, SizeSlopes, SkillRow, StartRow, ValueScale, Verdict,
};

const LAYERS: [&str; 8] = [
    "conv1",
    "stage1",
    "stage2",
    "stage3",
    "stage4",
    "pool",
    "penultimate",
    "logits",
];
const MEASURES: [&str; 4] = [
    "cka_linear_debiased",
    "mutual_knn_cosine",
    "procrustes_similarity",
    "cka_linear_row_column",
];
const PROBES: [&str; 2] = ["test", "held-out styles"];
const LEVELS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// How debiased CKA is read.
pub const SCALE: ValueScale = ValueScale {
    range: Some((f64::NEG_INFINITY, 1.0)),
    higher_is_more_alike: true,
};

/// How large a report is.
#[derive(Clone, Copy)]
pub struct Size {
    /// Pairs of models at a level of an axis.
    pub pairs: usize,
    /// Epochs of a training curve.
    pub epochs: usize,
}

/// Numbers between -1 and 1 that look random.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// About normal.
    fn normal(&mut self) -> f64 {
        (0..4).map(|_| self.next()).sum::<f64>() * 0.85
    }
}

/// The made-up report; `shift` makes another run of it, of another name.
pub fn report(title: &str, shift: f64, size: Size) -> Report {
    let mut noise = Noise(7 + (1000.0 * shift) as u64);
    let axes = [
        ("data", 0.21 + shift, 0.41),
        ("class", 0.30 - shift, 0.36),
        ("task", 0.62 + 0.5 * shift, 0.22),
    ];
    let sections: Vec<AxisSection> = axes
        .into_iter()
        .map(|(name, slope, low)| axis(name, slope, low, size, &mut noise))
        .collect();
    let mut effects = Vec::new();
    for section in &sections {
        for (place, measure) in MEASURES.iter().enumerate() {
            for row in &section.layers {
                effects.push(effect(
                    &section.name,
                    std::slice::from_ref(&section.name),
                    row,
                    measure,
                    place == 0,
                    size,
                ));
            }
        }
    }
    let grids = vec![
        grid("data × task", &["data", "task"], size, &mut noise),
        grid(
            "data × class × task",
            &["data", "class", "task"],
            size,
            &mut noise,
        ),
    ];
    for grid in &grids {
        for term in &grid.terms {
            effects.extend(
                term.rows
                    .iter()
                    .map(|row| effect(&grid.name, &term.axes, row, MEASURES[0], true, size)),
            );
        }
    }
    Report {
        title: title.into(),
        name: format!("sample-{:03.0}", 1000.0 * shift.abs()),
        description: "A sample with made-up numbers: no model was trained for it. It shows every part of a \
                      report as it looks with three axes and two designs."
            .into(),
        summary: vec![
            "Data overlap matters: sharing all training samples moves similarity by +0.21, a third of the way \
             from untrained pairs to pairs of one data set."
                .into(),
            "Task overlap matters more: +0.62.".into(),
            "Both together do more than add up: the effect of the task grows by 0.14 as data overlap goes from 0 \
             to 1."
                .into(),
        ],
        primary: "Declared before the run: cka_linear_debiased of layer penultimate on probe test."
            .into(),
        meaning: "Similarity runs from 0 (unrelated) to 1 (the same up to rotation and scale).".into(),
        scale: SCALE,
        warnings: vec![],
        starts: vec![StartRow {
            sweep: "data".into(),
            sentence: "data: before training the mean similarity of 30 pairs is 0.412, 61 % of what there is \
                       after it; training brings it to 0.675."
                .into(),
            before: 0.412,
            after: 0.675,
            share: Some(0.61),
            changes: vec![ChangeRow {
                term: "data overlap".into(),
                slope: Some(0.19),
                interval: Some((0.14, 0.24)),
                p_value: Some(0.0004),
            }],
        }],
        caveats: vec![
            "At class overlap 0, held-out accuracy is 12 points below that at overlap 1: part of the slope may \
             be that of skill."
                .into(),
            "Two of 45 pairs on the data axis have a model whose loss did not fall (cells 12 and 31).".into(),
            "The residuals of the task axis are curved (p = 0.003): a straight line understates the step from \
             0.75 to 1."
                .into(),
        ],
        checked: true,
        heatmaps: sections.iter().map(|s| ends(s, &mut noise)).collect(),
        curves: ["loss", "accuracy", "validation loss"]
            .map(|title| training(title, size, &mut noise))
            .into(),
        axes: sections,
        grids,
        effects,
        facts: [
            ("cells", "45 of 45"),
            ("models trained", "90"),
            ("seeds", if shift == 0.0 { "5" } else { "3" }),
            ("root seed", "20240611"),
            ("data set", "shapes and digits, made up"),
            ("training samples per model", if shift == 0.0 { "20000" } else { "5000" }),
            (
                "model",
                r#"{"architecture":"resnet18","width":64,"norm":"batch","activation":"relu"}"#,
            ),
            ("device", "none"),
            ("program", "reprsim, sample"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into(),
        methods: vec![
            "Pairs of models would be trained with a controlled overlap of their training data or tasks and \
             compared on held-out samples. Here every number comes from a formula with noise."
                .into(),
            "The floor is the mean over pairs of untrained models, the ceiling the mean over pairs with overlap 1."
                .into(),
        ],
        csv: Some(("sample-results.csv".into(), table(6, &mut noise))),
    }
}

fn mean_sd(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (n > 1.0).then(|| (squares / (n - 1.0)).sqrt()))
}

fn references() -> Vec<Reference> {
    [
        ("untrained pair", 0.38),
        ("overlap 1", 0.66),
        ("chance", 0.0),
    ]
    .map(|(name, value)| Reference {
        name: name.into(),
        value,
    })
    .into()
}

fn axis(name: &str, slope: f64, low: f64, size: Size, noise: &mut Noise) -> AxisSection {
    let mut points = Vec::new();
    let mut levels = Vec::new();
    for level in LEVELS {
        let values: Vec<f64> = (0..size.pairs)
            .map(|_| low + slope * level + 0.035 * noise.normal())
            .collect();
        let (mean, sd) = mean_sd(&values);
        points.extend(values.iter().map(|v| (level, *v)));
        levels.push(LevelSummary {
            level,
            n: size.pairs,
            mean,
            sd,
        });
    }
    let half = 0.05;
    AxisSection {
        name: name.into(),
        title: format!("{name} overlap"),
        range: (0.0, 1.0),
        slope_label: "change of similarity from overlap 0 to 1".into(),
        explanation: "The two models learn from training sets of equal size, of which the given share is common \
                      to both."
            .into(),
        sentence: format!(
            "More {name} overlap makes the models more alike: from overlap 0 to 1 similarity changes by \
             {slope:+.3} (95 % interval {:.3} to {:.3}, p < 0.0001, {} pairs).",
            slope - half,
            slope + half,
            points.len()
        ),
        verdict: Verdict::Rises,
        y_label: format!("{} (penultimate, test)", MEASURES[0]),
        levels,
        fit: Some(Fit {
            intercept: low,
            slope,
            ci_low: slope - half,
            ci_high: slope + half,
            p_value: 1e-6,
        }),
        references: references(),
        layers: layers(slope, noise),
        measures: measures(slope),
        published: match name {
            "data" => [(0.0, 0.52), (0.25, 0.55), (0.5, 0.57), (0.75, 0.61), (1.0, 0.64)].into(),
            _ => vec![],
        },
        published_label: "published (made up)".into(),
        statistics: [
            ("Spearman's ρ", "0.86 (p < 0.0001)"),
            ("curvature", "p = 0.31"),
            ("effect, in units of floor to ceiling", "0.75 (0.57 to 0.93)"),
            ("randomisation p", "0.0002"),
            ("mutual information", "0.71 nats, 44 % of H(overlap), p = 0.0010"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into(),
        skill: LEVELS
            .map(|level| SkillRow {
                level,
                train_accuracy: Some(0.999),
                test_accuracy: Some(0.71 + 0.08 * level + 0.01 * noise.next()),
                train_loss: Some(0.01),
                validation_loss: None,
                value: Some(low + slope * level),
            })
            .into(),
        points,
    }
}

fn measures(slope: f64) -> Vec<MeasureRow> {
    MEASURES
        .iter()
        .enumerate()
        .map(|(i, measure)| {
            let value = slope * [1.0, 0.55, 0.7, 1.3][i];
            MeasureRow {
                measure: (*measure).into(),
                slope: Some(value),
                interval: Some((value - 0.06, value + 0.05 + 0.02 * i as f64)),
                primary: i == 0,
            }
        })
        .collect()
}

fn layers(slope: f64, noise: &mut Noise) -> Vec<ForestRow> {
    let mut rows = Vec::new();
    for probe in PROBES {
        for (i, layer) in LAYERS.iter().enumerate() {
            let value = slope * (0.15 + 0.12 * i as f64) + 0.02 * noise.next();
            let half = 0.04 + 0.02 * noise.next().abs();
            rows.push(ForestRow {
                layer: (*layer).into(),
                probe: probe.into(),
                slope: Some(value),
                interval: Some((value - half, value + half)),
                primary: *layer == "penultimate" && probe == "test",
                probe_varies: probe != "test",
            });
        }
    }
    rows
}

fn effect(
    sweep: &str,
    axes: &[String],
    row: &ForestRow,
    measure: &str,
    first: bool,
    size: Size,
) -> EffectRow {
    EffectRow {
        sweep: sweep.into(),
        axes: axes.to_vec(),
        probe: row.probe.clone(),
        layer: row.layer.clone(),
        measure: measure.into(),
        slope: row.slope,
        interval: row.interval,
        p_value: Some(0.0004),
        p_holm: Some(0.0128),
        r_squared: Some(0.63),
        n: size.pairs * LEVELS.len(),
        floor: Some(0.38),
        ceiling: Some(0.66),
        chance: Some(0.0),
        primary: row.primary && first,
        probe_varies: row.probe_varies,
        undefined: None,
    }
}

fn grid(name: &str, axes: &[&str], size: Size, noise: &mut Noise) -> GridSection {
    let levels = [0.0, 0.5, 1.0];
    let mut points = Vec::new();
    let mut lines: Vec<GridLine> = Vec::new();
    let further: &[f64] = if axes.len() > 2 {
        &levels[..2]
    } else {
        &levels[..1]
    };
    for &class in further {
        for task in levels {
            let mut line = Vec::new();
            for data in levels {
                let values: Vec<f64> = (0..size.pairs)
                    .map(|_| {
                        let mean =
                            0.3 + 0.12 * data + 0.25 * task + 0.14 * data * task + 0.1 * class;
                        mean + 0.03 * noise.normal()
                    })
                    .collect();
                let (mean, sd) = mean_sd(&values);
                let summary = LevelSummary {
                    level: data,
                    n: size.pairs,
                    mean,
                    sd,
                };
                line.push(summary);
                // In the design of three axes, class stands second.
                points.push(match axes.len() {
                    2 => (vec![data, task], summary),
                    _ => (vec![data, task, class], summary),
                });
            }
            let label = match axes.len() {
                2 => format!("task {task}"),
                _ => format!("class {class}, task {task}"),
            };
            lines.push(GridLine {
                label,
                points: line,
            });
        }
    }
    // Of three axes nothing is attributed.
    let attributed = axes.len() == 2;
    let axes: Vec<String> = match axes.len() {
        2 => vec!["data".into(), "task".into()],
        _ => vec!["data".into(), "task".into(), "class".into()],
    };
    let terms = [
        "data overlap",
        "task overlap",
        "interaction of data and task",
    ];
    let shares = [0.17, 0.46, 0.06];
    GridSection {
        slopes: vec![SizeSlopes {
            overlap: "data overlap".into(),
            y_label: "change of similarity from overlap 0 to 1".into(),
            x_label: "size (millions of weights)".into(),
            points: [(11.2, 0.31), (23.5, 0.26), (42.5, 0.22), (58.1, 0.2)]
                .map(|(size, slope)| SizeSlope {
                    size,
                    slope,
                    interval: Some((slope - 0.06, slope + 0.06)),
                    n: 24,
                })
                .to_vec(),
        }],
        name: name.into(),
        explanation: "Every level of one axis is crossed with every level of the others. A coefficient is the \
                      change of similarity from level 0 to 1, averaged over the levels of the other axes; that of \
                      an interaction is how much one such change grows as the other level goes from 0 to 1."
            .into(),
        answers: terms
            .iter()
            .zip([0.19, 0.32, 0.14])
            .map(|(term, slope)| GridAnswer {
                term: match term.starts_with("inter") {
                    true => (*term).to_string(),
                    false => format!("{term} in {name}"),
                },
                slope: Some(slope),
                verdict: Verdict::Rises,
                sentence: format!(
                    "Similarity changes by {slope:+.3} (95 % interval {:.3} to {:.3}, p = 0.0004, 45 pairs).",
                    slope - 0.05,
                    slope + 0.05
                ),
            })
            .collect(),
        y_label: format!("{} (penultimate, test)", MEASURES[0]),
        x_label: "data overlap".into(),
        lines,
        references: references(),
        terms: terms
            .iter()
            .zip([0.19, 0.32, 0.14])
            .map(|(term, slope)| GridTerm {
                name: (*term).into(),
                axes: match *term {
                    "data overlap" => vec!["data".into()],
                    "task overlap" => vec!["task".into()],
                    _ => vec!["data".into(), "task".into()],
                },
                slope_label: match term.starts_with("inter") {
                    true => "change of one slope with the other level".into(),
                    false => "change of similarity from overlap 0 to 1".into(),
                },
                rows: layers(slope, noise),
                measures: measures(slope),
            })
            .collect(),
        axis_titles: axes.iter().map(|a| format!("{a} overlap")).collect(),
        axes,
        points,
        attribution: terms
            .iter()
            .zip(shares)
            .filter(|_| attributed)
            .map(|(term, share)| AttributionRow {
                term: (*term).into(),
                coefficient: Some(share),
                interval: Some((share - 0.05, share + 0.06)),
                p_value: Some(0.0004),
                randomisation_p: Some(0.0005),
                partial_r2: Some(share / (share + 0.31)),
                partial_r2_interval: Some((share - 0.04, share + 0.3)),
                share: Some(share),
                share_interval: Some(((share - 0.1).max(0.0), share + 0.09)),
            })
            .collect(),
        share_label: "share of variance beyond the covariates'".into(),
        total_r2: attributed.then_some(0.739),
        covariates: [("accuracy", 0.31), ("loss", -0.02)]
            .into_iter()
            .filter(|_| attributed)
            .map(|(term, coefficient)| AttributionRow {
                term: term.into(),
                coefficient: Some(coefficient),
                interval: Some((coefficient - 0.11, coefficient + 0.12)),
                p_value: Some(0.0123),
                randomisation_p: Some(0.015),
                ..AttributionRow::default()
            })
            .collect(),
        covariate_share: attributed.then_some(0.049),
        dropped: match attributed {
            true => vec!["size".into()],
            false => vec![],
        },
        attribution_note: match attributed {
            true => String::new(),
            false => "No attribution is made: too many terms.".into(),
        },
    }
}

fn ends(section: &AxisSection, noise: &mut Noise) -> HeatmapPair {
    let mut panel = |level: f64, gain: f64| Panel {
        title: format!("{} {level}", section.title),
        measure: MEASURES[0].into(),
        scale: SCALE,
        rows: LAYERS.map(String::from).into(),
        columns: LAYERS.map(String::from).into(),
        values: (0..64)
            .map(|i| {
                let (a, b) = ((i / 8) as f64, (i % 8) as f64);
                let near = (-(a - b).powi(2) / 9.0).exp();
                let value = near * (0.75 - 0.05 * a + gain * a * b / 49.0) + 0.02 * noise.next();
                (i != 63 || level > 0.0).then_some(value)
            })
            .collect(),
    };
    HeatmapPair {
        name: section.name.clone(),
        title: section.title.clone(),
        low: panel(0.0, 0.05),
        high: panel(1.0, 0.5),
    }
}

fn training(title: &str, size: Size, noise: &mut Noise) -> CurvePanel {
    let mut lines = Vec::new();
    for level in LEVELS {
        for model in 0..2 * size.pairs {
            let own = 1.0 + 0.25 * noise.next();
            let points = (1..=size.epochs)
                .map(|epoch| {
                    let t = epoch as f64 / size.epochs as f64;
                    let fall = (-4.0 * own * t).exp() * (1.0 + 0.1 * noise.next());
                    let value = match title {
                        "accuracy" => 0.97 - 0.85 * fall,
                        "loss" => 0.03 + 2.1 * fall,
                        _ => 0.5 - 0.2 * level + 1.8 * fall + 0.35 * t,
                    };
                    (epoch as f64, value)
                })
                .collect();
            lines.push(Curve {
                label: format!("data overlap {level}, model {}", model + 1),
                group: level,
                points,
            });
        }
    }
    CurvePanel {
        title: title.into(),
        y_label: match title {
            "loss" => "training loss".into(),
            "accuracy" => "training accuracy".into(),
            other => other.into(),
        },
        x_label: "epoch".into(),
        group_label: "data overlap".into(),
        lines,
    }
}

/// A table like `results.csv` of so many cells, 4 measures, 8 x 8 pairs of layers and 2
/// probes.
fn table(cells: usize, noise: &mut Noise) -> String {
    use std::fmt::Write;

    let mut out = String::from(
        "experiment,cell,seed,sweep,data,probe,layer_a,layer_b,measure,value,n,d_a,d_b,null_mean,p,calibrated\n",
    );
    for cell in 0..cells {
        for probe in PROBES {
            for measure in MEASURES {
                for a in LAYERS {
                    for b in LAYERS {
                        // As in a real table: chance is zero, the same everywhere, of each pair's
                        // own, or not known.
                        let value = 0.5 + 0.5 * noise.next();
                        let (null, calibrated) = match measure {
                            "cka_linear_debiased" => ("0".to_string(), value.to_string()),
                            "mutual_knn_cosine" => {
                                let null = 10.0 / 1999.0;
                                (
                                    null.to_string(),
                                    ((value - null) / (1.0 - null)).to_string(),
                                )
                            }
                            "procrustes_similarity" => {
                                let null = 0.1 + 0.01 * noise.next();
                                (
                                    null.to_string(),
                                    ((value - null) / (1.0 - null)).to_string(),
                                )
                            }
                            _ => (String::new(), String::new()),
                        };
                        // Writing to a string cannot fail.
                        let _ = writeln!(
                            out,
                            "sample,{cell},{},data,0.5,{probe},{a},{b},{measure},{value},2000,512,512,{null},,{calibrated}",
                            cell % 5
                        );
                    }
                }
            }
        }
    }
    out
}

/// A report of 500 cells.
pub fn large() -> Report {
    let size = Size {
        pairs: 33,
        epochs: 100,
    };
    Report {
        csv: Some(("sample-results.csv".into(), table(500, &mut Noise(3)))),
        ..report("large sample, made-up numbers", 0.0, size)
    }
}
