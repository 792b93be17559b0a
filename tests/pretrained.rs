//! Models that do not begin with random weights: pretrained ones, what they knew before, students of
//! a teacher; and sizes beside overlaps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::Value;

mod common;

use common::{experiment, reprsim, run, stderr};

const DATA: &str = r#"
[dataset]
name = "color-shape-digit"
factor_classes = 3
label = ["digit"]
train_samples = 300
"#;

const TRAINING: &str = r#"
[training]
epochs = 3
batch = 32
optimizer = { name = "sgd", lr = 0.05, momentum = 0.9 }
"#;

const PROBE: &str = r#"
[[probe]]
name = "test"
samples = 50

[analysis]
primary = { measure = "cka_linear_debiased", probe = "test", layer = "penultimate" }
permutations = 0
"#;

/// Pretrains `seeds` small models in `dir`.
fn pretrained(dir: &Path, seeds: usize) -> std::process::Output {
    let text = format!(
        "name = \"before\"\nseeds = {seeds}\n{DATA}\n[model]\nname = \"cnn\"\nwidth = 3\n{TRAINING}"
    );
    let file = dir.join("pretrain.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = reprsim();
    command.arg("pretrain").arg(&file);
    command.arg("--out").arg(dir.join("before"));
    command.args(["--device", "cpu", "--format", "json"]);
    command.output().unwrap()
}

/// An experiment of data overlap in `dir`, with more sections.
fn small(dir: &Path, width: usize, more: &str) -> std::path::PathBuf {
    let dataset = format!("{DATA}train_per_model = 64\n");
    let text = format!(
        "name = \"after\"\nseeds = 2\n{dataset}\n[model]\nname = \"cnn\"\nwidth = {width}\n{TRAINING}\n{more}\n\
         [[axis]]\nkind = \"data\"\nlevels = [0, 1]\n{PROBE}"
    );
    experiment(dir, &text)
}

fn analysis(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("analysis.json")).unwrap()).unwrap()
}

#[test]
fn pretrained_models_begin_an_experiment_that_says_what_they_knew() {
    let dir = tempfile::tempdir().unwrap();
    let first = pretrained(dir.path(), 2);
    assert!(first.status.success(), "{}", stderr(&first));
    let rows: Value = serde_json::from_slice(&first.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["was there"] == false));
    let files = [0, 1].map(|seed| dir.path().join(format!("before/seed-{seed}.safetensors")));
    let [a, b] = files.map(|file| std::fs::read(file).unwrap());
    assert!(a != b, "seeds differ");
    // What is there is not trained again, and stays.
    let again = pretrained(dir.path(), 2);
    let rows: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["was there"] == true)
    );
    assert_eq!(
        std::fs::read(dir.path().join("before/seed-0.safetensors")).unwrap(),
        a
    );

    let file = small(
        dir.path(),
        3,
        "[initial]\ncheckpoint = \"before/seed-0.safetensors\"\nreference = \"initial\"",
    );
    let out = dir.path().join("run");
    let done = run(&file, &out, &[]);
    assert!(done.status.success(), "{}", stderr(&done));
    let analysis = analysis(&out);
    let start = &analysis["starts"][0];
    // Both models of a pair begin alike but for their heads.
    let before = start["before"].as_f64().unwrap();
    assert!((before - 1.0).abs() < 1e-5, "{start}");
    assert_eq!(start["n"], 4);
    assert!(start["after"].as_f64().unwrap() < 1.0);
    assert_eq!(start["changes"][0]["axis"], "data");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("What was there before training"));
}

#[test]
fn students_learn_from_their_teachers() {
    let dir = tempfile::tempdir().unwrap();
    assert!(pretrained(dir.path(), 2).status.success());
    let task = |shared: bool, more: &str| {
        format!(
            "[task]\nname = \"distill\"\nshared = {shared}\nteachers = [\"before/seed-0.safetensors\", \
             \"before/seed-1.safetensors\"]\narchitecture = {{ name = \"cnn\", width = 3 }}\n{more}"
        )
    };
    let mut found = vec![];
    for (name, task) in [
        ("shared", task(true, "")),
        ("own", task(false, "")),
        ("hot", task(true, "temperature = 40.0")),
    ] {
        let out = dir.path().join(name);
        let done = run(&small(dir.path(), 2, &task), &out, &[]);
        assert!(done.status.success(), "{}", stderr(&done));
        found.push(analysis(&out)["effects"][0]["points"].clone());
    }
    assert!(found[0] != found[1] && found[0] != found[2]);

    let one =
        "[task]\nname = \"distill\"\nshared = false\nteachers = [\"before/seed-0.safetensors\"]";
    for (task, said) in [
        (one.to_string(), "at least 2"),
        (task(true, "weight = 0.0"), "weight = 0"),
        (
            one.replace("seed-0", "seed-7").replace("false", "true"),
            "seed-7",
        ),
        (
            task(true, "").replace("width = 3", "width = 4"),
            "before/seed-0.safetensors",
        ),
    ] {
        let out = dir.path().join("refused");
        let refused = run(&small(dir.path(), 2, &task), &out, &[]);
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn sizes_are_crossed_with_an_overlap_and_each_has_its_slope() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = format!("{DATA}train_per_model = 64\n");
    let text = format!(
        "name = \"sizes\"\nseeds = 2\n{dataset}\n[model]\nname = \"cnn\"\n{TRAINING}\n\
         [[grid]]\ndata = [0, 1]\nsize = [{{ name = \"cnn\", width = 2 }}, {{ name = \"cnn\", width = 4 }}, \
         {{ name = \"mlp\", hidden = [8] }}]\n{PROBE}"
    );
    let out = dir.path().join("run");
    let done = run(&experiment(dir.path(), &text), &out, &[]);
    assert!(done.status.success(), "{}", stderr(&done));
    let analysis = analysis(&out);
    let slopes = analysis["grids"][0]["slopes"].as_array().unwrap();
    assert_eq!(slopes.len(), 3);
    let level = |slope: &Value| slope["level"].as_f64().unwrap();
    assert!(
        slopes
            .windows(2)
            .all(|pair| level(&pair[0]) < level(&pair[1]))
    );
    assert!(
        slopes
            .iter()
            .all(|slope| slope["overlap"] == "data" && slope["n"] == 4)
    );
    assert!(
        out.join("figures/data-x-size-data-overlap-sizes.svg")
            .exists()
    );
    // Models are of the listed architectures.
    let plan: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["experiment"]["sweeps"][0]["models"][2]["name"], "mlp");

    for (list, said) in [
        ("[\"resnet18\", \"resnet17\"]", "resnet17"),
        ("[\"resnet34\", \"resnet18\"]", "smallest first"),
        ("[\"cnn\", { name = \"gpt\" }]", "learns something else"),
        ("3", "lists architectures"),
    ] {
        let text = text.replace(
            &text[text.find("size = ").unwrap()..text.find("}]").unwrap() + 2],
            &format!("size = {list}"),
        );
        let refused = run(
            &experiment(dir.path(), &text),
            &dir.path().join("refused"),
            &[],
        );
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains(said), "{list}: {told}");
    }
}
