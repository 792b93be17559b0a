//! What an experiment asks for of its finished pairs, by `[evaluation.NAME]`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{TINY, experiment, run, stderr};

/// The rows of an evaluation, by their columns.
fn rows(out: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(out.join("evaluations").join(name)).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn outputs_and_stitches_of_every_pair() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let sections = "[evaluation.outputs]\n\n[evaluation.stitching]\nsamples = 64\nsteps = 5\n";
    let text = TINY.replace("[analysis]\n", &format!("{sections}\n[analysis]\n"));
    let output = run(&experiment(dir.path(), &text), &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));

    let outputs = rows(&out, "outputs.csv");
    let number = |row: &BTreeMap<String, String>, name: &str| -> f64 { row[name].parse().unwrap() };
    let measures = [
        "disagreement",
        "min_max_disagreement",
        "jsd",
        "performance_difference",
        "capa",
    ];
    assert!(!outputs.is_empty() && outputs.len().is_multiple_of(measures.len()));
    for rows in outputs.chunks(measures.len()) {
        let found: Vec<&str> = rows.iter().map(|row| row["measure"].as_str()).collect();
        assert_eq!(found, measures);
        let apart = number(&rows[3], "accuracy_a") - number(&rows[3], "accuracy_b");
        assert!((number(&rows[3], "value") - apart.abs()).abs() < 1e-12);
        // Models that answer differently cannot both be right more often than that.
        let disagreement = number(&rows[0], "value");
        assert!((0.0..=1.0).contains(&disagreement) && disagreement >= apart.abs() - 1e-12);
        assert!(number(&rows[0], "samples") > 0.0);
    }
    // No two classes in common, or other labels: nothing to agree in.
    let none = |row: &&BTreeMap<String, String>| row["class"] == "0" || row["task"] == "0";
    assert_eq!(outputs.iter().filter(none).count(), 0);

    let stitches = rows(&out, "stitching.csv");
    // Three layers, two directions, before and after training.
    assert!(!stitches.is_empty() && stitches.len().is_multiple_of(12));
    for row in &stitches {
        let difference = number(row, "loss") - number(row, "receiver_loss");
        assert!((difference - number(row, "loss_barrier")).abs() < 1e-9);
        let gap = number(row, "receiver_accuracy") - number(row, "accuracy");
        assert!((gap - number(row, "accuracy_gap")).abs() < 1e-9);
    }
    let receiver = |from: &str| {
        let row = stitches.iter().find(|row| row["from"] == from).unwrap();
        number(row, "receiver_accuracy")
    };
    // What a model is right in by itself is what the accuracies say.
    let outputs = &outputs[0];
    let cell = |row: &&BTreeMap<String, String>| row["cell"] == outputs["cell"];
    if outputs["classes"] == "4" {
        let of_cell: Vec<_> = stitches.iter().filter(cell).collect();
        assert_eq!(
            number(of_cell[0], "receiver_accuracy"),
            number(outputs, "accuracy_b")
        );
    }
    assert!((0.0..=1.0).contains(&receiver("a")));
}

#[test]
fn what_cannot_be_stitched_is_refused_before_anything_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let refused = |section: &str, model: &str| {
        let text = TINY.replace("[analysis]\n", &format!("{section}\n\n[analysis]\n"));
        let text = text.replace("name = \"cnn\"\nwidth = 2", model);
        let text = match model.contains("vae") {
            true => (text.replace("[task]\nname = \"classify\"\nlabel_smoothing = 0.1\n", ""))
                .replace("penultimate", "mu"),
            false => text,
        };
        let output = run(&experiment(dir.path(), &text), &out, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!out.join("plan.json").exists());
        stderr(&output)
    };
    let message = refused("[evaluation.stitching]", "name = \"vae\"\nwidth = 2");
    assert!(
        message.contains("a vae cannot go on from a layer"),
        "{message}"
    );
    let message = refused(
        "[evaluation.stitching]\nlayers = [\"conv3\"]",
        "name = \"cnn\"\nwidth = 2",
    );
    assert!(
        message.contains("'conv3'") && message.contains("conv2"),
        "{message}"
    );
    let names = refused("[evaluation.stitches]", "name = \"cnn\"\nwidth = 2");
    assert!(names.contains("stitching"), "{names}");
    assert!(fs::metadata(&out).is_err(), "nothing is left behind");
}
