//! What a finished run is turned into: the page, its figures, tables and statistics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{TINY, experiment, reprsim, run, stderr, stdout};
use reprsim_config::{Cell, Plan};
use reprsim_run::read_experiment;
use reprsim_run::results::{CellResult, ModelResult, PairResult, RESULT_SCHEMA, Score};
use reprsim_run::store::{finished, write_json, write_result};
use serde_json::Value;

/// A factorial design with more cells, layer pairs and measures than most have.
const LARGE: &str = r#"
name = "large"
seeds = 16

[dataset]
name = "color-shape-digit"
preset = "varied"
factor_classes = 8
train_per_model = 512

[model]
name = "vit"
width = 24
depth = 6

[training]
epochs = 30
batch = 64
optimizer = { name = "sgd", lr = 0.1 }

[[grid]]
data = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
task = [0, 0.5, 1]
factors = ["shape", "digit", "color", "background"]
factors_per_task = 2

[[probe]]
name = "test"
samples = 1000

[[probe]]
name = "plain"
preset = "plain"
samples = 1000

[analysis]
measures = ["cka_linear_debiased", "cka_linear_biased", "mutual_knn_cosine", "svcca_var99_mean"]
primary = { measure = "cka_linear_debiased", probe = "test", layer = "penultimate" }
"#;

/// Its levels of data overlap.
const LEVELS: &str = "[0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]";

/// Similarity that rises with both overlaps by known slopes, and noise.
fn similarity(cell: &Cell, salt: usize) -> f64 {
    if cell.point().is_none() {
        return 0.1;
    }
    if cell
        .point()
        .is_some_and(|(_, point)| point.levels.len() == 1)
    {
        return 0.3 + 0.01 * (cell.index % 7) as f64;
    }
    let noise = ((cell.index * 7919 + cell.seed * 104_729 + salt * 31) % 1009) as f64 / 1009.0;
    let level = |place: usize| cell.point().map_or(0.0, |(_, point)| point.levels[place].1);
    0.2 + 0.2 * level(0) + 0.3 * level(1) + 0.1 * level(0) * level(1) + 0.1 * (noise - 0.5)
}

/// A run directory as `reprsim run` leaves it, with made-up results.
fn made_up(root: &Path, text: &str, test_accuracy: impl Fn(&Cell) -> f64) -> Plan {
    let file = experiment(root, text);
    let plan = Plan::new(&read_experiment(&file).unwrap());
    let run = root.join("run");
    fs::create_dir_all(run.join("cells")).unwrap();
    write_json(&run.join("plan.json"), &plan).unwrap();
    let layers = plan.experiment.layer_names();
    for cell in &plan.cells {
        let mut scores = Vec::new();
        for probe in &plan.experiment.probes {
            for measure in plan.experiment.analysis.full_names() {
                for (i, a) in layers.iter().enumerate() {
                    for (j, b) in layers.iter().enumerate() {
                        scores.push(Score {
                            probe: probe.name.clone(),
                            layer_a: a.to_string(),
                            layer_b: b.to_string(),
                            measure: measure.clone(),
                            value: Some(similarity(cell, i * 17 + j)),
                            undefined: None,
                            n: 1000,
                            d_a: 16,
                            d_b: 16,
                            null_mean: Some(0.0),
                            p_permutation: Some(0.005),
                            calibrated: Some(0.5),
                        });
                    }
                }
            }
        }
        let model = ModelResult {
            train_loss: Some(0.1),
            train_accuracy: Some(1.0),
            validation_loss: None,
        };
        let result = CellResult {
            pair: PairResult {
                schema: RESULT_SCHEMA,
                cell: cell.hash.clone(),
                device: "CPU".into(),
                samples_shared: cell.point().map(|(_, point)| point.levels[0].1),
                samples_shared_by_content: cell.point().map(|(_, point)| point.levels[0].1),
                held_out_copies: cell.point().map(|_| 0),
                labels_shared: cell
                    .point()
                    .and_then(|(_, point)| Some(point.levels.last()?.1)),
                train_samples: 1000,
                a: model.clone(),
                b: model,
            },
            devices: Default::default(),
            scores,
            accuracy: [Some(test_accuracy(cell)); 2],
            others: Default::default(),
        };
        write_result(&run, &plan, cell, &result).unwrap();
        let directory = run.join("cells").join(cell.directory());
        let epochs: String = (1..=30)
            .map(|epoch| {
                format!(
                    "{{\"schema\":4,\"epoch\":{epoch},\"step\":{},\"loss\":{},\"metrics\":{{\"accuracy\":0.5}},\
                     \"lr\":0.1,\"samples_per_s\":1000.0}}\n",
                    epoch * 10,
                    1.0 / f64::from(epoch)
                )
            })
            .collect();
        for name in ["a.train.jsonl", "b.train.jsonl"] {
            fs::write(directory.join(name), &epochs).unwrap();
        }
    }
    plan
}

fn analysis(run: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(run.join("analysis.json")).unwrap()).unwrap()
}

fn report(arguments: &[&str], runs: &[PathBuf]) -> std::process::Output {
    let output = reprsim()
        .arg("report")
        .args(runs)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

#[test]
fn five_hundred_cells_stay_small_and_their_effects_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let plan = made_up(dir.path(), LARGE, |_| 0.9);
    assert!(plan.cells.len() >= 500, "{}", plan.cells.len());
    let run = dir.path().join("run");
    report(&[], std::slice::from_ref(&run));
    let page = fs::metadata(run.join("report.html")).unwrap().len();
    assert!(page < 5_000_000, "{page} bytes");

    let analysis = analysis(&run);
    assert_eq!(analysis["flags"], serde_json::json!([]));
    let primary: Vec<&Value> = (analysis["effects"].as_array().unwrap().iter())
        .filter(|effect| effect["primary"] == true)
        .collect();
    assert_eq!(primary.len(), 3);
    // At the middle of the other axis: 0.2 + 0.1 / 2 and 0.3 + 0.1 / 2.
    for (effect, slope) in primary.iter().zip([0.25, 0.35, 0.1]) {
        let (low, high) = (&effect["ci_low"], &effect["ci_high"]);
        assert!(
            (low.as_f64().unwrap()..high.as_f64().unwrap()).contains(&slope),
            "{effect}"
        );
        assert!(effect["randomisation_p"].as_f64().unwrap() < 0.05);
        assert_eq!(
            effect["p_holm"],
            Value::Null,
            "the declared result is not corrected"
        );
    }
    let attribution = &analysis["attributions"][0]["attribution"];
    let shares: f64 = (attribution["terms"].as_array().unwrap().iter())
        .map(|term| term["share"].as_f64().unwrap())
        .sum();
    assert!((shares - attribution["r_squared"].as_f64().unwrap()).abs() < 1e-9);
    // The page says the answers, and holds the rows of equal layers alone.
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("Together, data overlap and task overlap do more than add up"));
    assert!(page.contains("this page holds the rows of equal layers"));
}

#[test]
fn a_model_that_did_not_train_is_flagged_and_left_out_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let text = LARGE
        .replace("seeds = 16", "seeds = 5")
        .replace(LEVELS, "[0, 1]")
        .replace("[0, 0.5, 1]", "[0, 1]")
        .replace("depth = 6", "depth = 2");
    let bad = |cell: &Cell| if cell.index == 9 { 0.1 } else { 0.9 };
    made_up(dir.path(), &text, bad);
    let run = dir.path().join("run");
    report(&[], std::slice::from_ref(&run));
    let found = analysis(&run);
    let flag = &found["flags"][0];
    assert_eq!(flag["kind"], "undertrained");
    assert_eq!(flag["cells"], serde_json::json!([9]));
    assert_eq!(found["left_out"], serde_json::json!([]));
    assert_eq!(found["effects"][0]["n"], 20);

    let asked = dir.path().join("asked");
    fs::create_dir_all(&asked).unwrap();
    let text = text.replace("[analysis]", "[analysis]\nleave_out_undertrained = true");
    made_up(&asked, &text, bad);
    let run = asked.join("run");
    report(&[], std::slice::from_ref(&run));
    let found = analysis(&run);
    assert_eq!(found["left_out"], serde_json::json!([9]));
    assert_eq!(found["effects"][0]["n"], 19);
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("leave_out_undertrained"), "the page says so");
}

#[test]
fn a_missing_cell_is_flagged() {
    let dir = tempfile::tempdir().unwrap();
    let text = LARGE
        .replace("seeds = 16", "seeds = 3")
        .replace(LEVELS, "[0, 1]")
        .replace("[0, 0.5, 1]", "[0, 1]")
        .replace("depth = 6", "depth = 2")
        .replace("samples = 1000", "samples = 90");
    let plan = made_up(dir.path(), &text, |_| 0.9);
    let run = dir.path().join("run");
    fs::remove_dir_all(run.join("cells").join(plan.cells[5].directory())).unwrap();
    report(&[], std::slice::from_ref(&run));
    let found = analysis(&run);
    assert_eq!(found["flags"][0]["kind"], "missing-seeds");
    assert_eq!(found["flags"][0]["cells"], serde_json::json!([5]));
}

#[test]
fn a_run_becomes_figures_tables_events_and_a_comparison() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let one = dir.path().join("one");
    let output = run(&file, &one, &["--tensorboard"]);
    assert!(output.status.success(), "{}", stderr(&output));
    for name in ["data-overlap", "task-measures", "heatmap-class", "effects"] {
        let svg = fs::read_to_string(one.join(format!("figures/{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("xmlns"), "{name}");
        let png = fs::read(one.join(format!("figures/{name}.png"))).unwrap();
        assert!(
            image::load_from_memory(&png).unwrap().width() > 800,
            "{name}"
        );
    }
    let parquet = fs::read(one.join("results.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    let events: Vec<_> = fs::read_dir(one.join("tensorboard")).unwrap().collect();
    assert!(!events.is_empty());

    // `analyze` as its help has it gives the effects of the report.
    let output = reprsim()
        .arg("analyze")
        .arg(one.join("results.csv"))
        .args(["--x", "data", "--y", "value", "--where", "role=level"])
        .args(["--where", "sweep=data", "--format", "json"])
        .args(["--group", "probe,layer_a,layer_b,measure"])
        .output()
        .unwrap();
    let rows: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
    let same = "test, penultimate, penultimate, cka_linear_debiased";
    let row = rows.iter().find(|row| row["group"] == same).unwrap();
    let effect = &analysis(&one)["effects"][0];
    assert_eq!(effect["primary"], true);
    for name in ["slope", "p_value", "n", "spearman", "randomisation_p"] {
        assert_eq!(row[name], effect[name], "{name}");
    }

    // A tiny run has few samples, and says so.
    let kinds: Vec<String> = (analysis(&one)["flags"].as_array().unwrap().iter())
        .map(|flag| flag["kind"].as_str().unwrap().to_string())
        .collect();
    assert!(kinds.contains(&"small-probe".to_string()), "{kinds:?}");

    let published = dir.path().join("published.csv");
    let text =
        "seed,metric,frac_overlap,metric_overlap\n0,unbiased_cka,0.0,0.3\n0,unbiased_cka,1.0,0.6\n";
    fs::write(&published, text).unwrap();
    let paper = format!("data={}", published.display());
    let page = dir.path().join("both.html");
    let output = report(
        &["--paper", &paper, "--out", page.to_str().unwrap()],
        &[one.clone(), one.clone()],
    );
    assert!(
        stdout(&output).contains("side by side: "),
        "{}",
        stdout(&output)
    );
    assert!(fs::read_to_string(&page).unwrap().contains("<svg"));
    assert!(
        fs::read_to_string(one.join("report.html"))
            .unwrap()
            .contains("published: published")
    );

    let wrong = reprsim()
        .arg("report")
        .arg(&one)
        .args(["--paper", &paper.replace("data=", "style=")])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
}

#[test]
fn a_pilot_says_how_many_seeds_are_needed() {
    let dir = tempfile::tempdir().unwrap();
    let text = LARGE
        .replace("seeds = 16", "seeds = 4")
        .replace("depth = 6", "depth = 2");
    made_up(dir.path(), &text, |_| 0.9);
    let (file, run) = (dir.path().join("experiment.toml"), dir.path().join("run"));
    let plan = |arguments: &[&str]| {
        reprsim()
            .arg("plan")
            .arg(&file)
            .args(arguments)
            .args(["--format", "json", "--pilot"])
            .arg(&run)
            .output()
            .unwrap()
    };
    let rows = |slope: &str| -> Vec<Value> {
        let output = plan(&["--power", slope]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let (small, large) = (rows("0.01"), rows("0.05"));
    assert_eq!(small.len(), 3);
    for (small, large) in small.iter().zip(&large) {
        let seeds = |row: &Value, field: &str| row[field].as_u64().unwrap();
        assert!(seeds(small, "seeds_80") > seeds(large, "seeds_80"));
        assert!(seeds(small, "seeds_90") > seeds(small, "seeds_80"));
        // What the planned seeds can find is found by that many.
        let detectable = large["detectable"].as_f64().unwrap();
        let again = rows(&detectable.to_string());
        let same = again
            .iter()
            .find(|row| row["axis"] == large["axis"])
            .unwrap();
        assert_eq!(seeds(same, "seeds_80"), 4);
    }
    let output = plan(&["--power", "0"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    // The spread of other levels, or of pairs that share other things, is another one.
    for (from, to, expected) in [
        (LEVELS, "[0, 0.1]", "no sweep of the same levels"),
        (
            "seeds = 4",
            "seeds = 4\npairing = \"nested\"",
            "the pilot's pairs are independent",
        ),
    ] {
        experiment(dir.path(), &text.replace(from, to));
        let output = plan(&["--power", "0.1"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

/// Writes new values into every finished result of a run.
fn change(run: &Path, mut to: impl FnMut(&mut CellResult)) {
    let plan = Plan::read(run).unwrap();
    for (cell, mut result) in finished(run, &plan).unwrap() {
        to(&mut result);
        write_result(run, &plan, &cell, &result).unwrap();
    }
}

#[test]
fn measures_without_room_are_flagged() {
    let dir = tempfile::tempdir().unwrap();
    let text = LARGE
        .replace("seeds = 16", "seeds = 3")
        .replace(LEVELS, "[0, 0.5, 1]")
        .replace("depth = 6", "depth = 2");
    made_up(dir.path(), &text, |_| 0.9);
    let run = dir.path().join("run");
    let flags = |run: &Path| -> Vec<(String, String)> {
        report(&[], std::slice::from_ref(&run.to_path_buf()));
        let found = analysis(run);
        let flags = found["flags"].as_array().unwrap().iter();
        let text = |flag: &Value, name: &str| flag[name].as_str().unwrap().to_string();
        flags
            .map(|f| (text(f, "kind"), text(f, "message")))
            .collect()
    };
    assert_eq!(flags(&run), []);

    // Two measures near their largest value, one of them also no more than chance.
    change(&run, |result| {
        for score in &mut result.scores {
            match score.measure.as_str() {
                "cka_linear_biased" => score.value = Some(0.99),
                "svcca_var99_mean" => score.p_permutation = Some(0.4),
                _ => {}
            }
        }
    });
    let found = flags(&run);
    let kinds: Vec<&str> = found.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["at-ceiling", "no-range", "at-chance"]);
    for ((_, message), measure) in
        found
            .iter()
            .zip(["cka_linear_biased", "cka_linear_biased", "svcca_var99_mean"])
    {
        assert!(
            message.contains(&format!("{measure} (data × task")),
            "{message}"
        );
    }

    // Training on different data and tasks takes pairs further apart than no training.
    change(&run, |result| {
        if result.pair.samples_shared.is_none() {
            result
                .scores
                .iter_mut()
                .for_each(|score| score.value = Some(0.5));
        }
    });
    let kinds: Vec<String> = flags(&run).into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&"below-floor".to_string()), "{kinds:?}");
    for effect in analysis(&run)["effects"].as_array().unwrap() {
        // Below the floor, or of values that do not vary.
        assert!(effect["share_of_range"].is_null(), "{effect}");
    }
}

/// docs/analysis.md names every field, so that what reads the file can rely on it.
#[test]
fn the_layout_of_the_analysis_is_documented() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/analysis.md");
    let docs = fs::read_to_string(docs).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let text = LARGE
        .replace("seeds = 16", "seeds = 4")
        .replace(LEVELS, "[0, 0.5, 1]")
        .replace("depth = 6", "depth = 2")
        .replace("[analysis]", "[analysis]\ncovariates = [\"accuracy\"]");
    made_up(dir.path(), &text, |cell| {
        0.8 + 0.01 * (cell.index % 3) as f64
    });
    let run = dir.path().join("run");
    report(&[], std::slice::from_ref(&run));
    let mut names = Vec::new();
    fields(&analysis(&run), &mut names);
    // A sweep of one axis has fields of its own.
    let single = dir.path().join("single");
    fs::create_dir_all(&single).unwrap();
    let text = text.replace(
        "[[grid]]\ndata = [0, 0.5, 1]\ntask = [0, 0.5, 1]",
        "[[axis]]\nkind = \"task\"\nlevels = [0, 0.5, 1]",
    );
    made_up(&single, &text, |_| 0.9);
    let run = single.join("run");
    report(&[], std::slice::from_ref(&run));
    fields(&analysis(&run), &mut names);
    for name in [
        "information",
        "ksg",
        "points",
        "attribution",
        "covariate_share",
    ] {
        assert!(names.contains(&name.to_string()), "{name} is in neither");
    }
    for name in names {
        assert!(
            docs.contains(&format!("`{name}`")),
            "{name} is not in docs/analysis.md"
        );
    }
}

fn fields(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if !names.contains(name) {
                    names.push(name.clone());
                }
                fields(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, names)),
        _ => {}
    }
}
