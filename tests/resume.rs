//! Killing, resuming and locking.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use common::{TINY, experiment, run, start, stderr};

/// Long enough to be killed in the middle.
fn slow() -> String {
    let text = TINY.replace("epochs = 2", "epochs = 12");
    text.replace("width = 2", "width = 8") + "\n[keep]\nactivations = true\n"
}

#[test]
fn killed_at_any_moment_and_resumed_gives_the_same_results() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), &slow());
    let whole = dir.path().join("whole");
    let begin = Instant::now();
    assert!(run(&file, &whole, &[]).status.success());
    let duration = begin.elapsed();

    let killed = dir.path().join("killed");
    for kill in 1..=4u32 {
        let mut child = start(&file, &killed);
        sleep(duration.mul_f64(0.13 * f64::from(kill)));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
    }
    let output = run(&file, &killed, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    for name in ["results.csv", "analysis.json"] {
        assert_eq!(
            fs::read(whole.join(name)).unwrap(),
            fs::read(killed.join(name)).unwrap(),
            "{name}"
        );
    }
    // Models and activations too, byte for byte.
    let (whole, killed) = (tensors(&whole), tensors(&killed));
    assert!(
        whole
            .keys()
            .any(|name| name.to_string_lossy().contains("activations"))
    );
    assert!(whole.keys().eq(killed.keys()));
    for (name, bytes) in &whole {
        assert!(killed[name] == *bytes, "{}", name.display());
    }
}

/// All files of tensors of a run.
fn tensors(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![run.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(end) if end == "safetensors" => {
                    let name = path.strip_prefix(run).unwrap().to_path_buf();
                    found.insert(name, fs::read(path).unwrap());
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn a_second_run_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), &slow());
    let out = dir.path().join("run");
    let mut first = start(&file, &out);
    let begin = Instant::now();
    while !out.join("plan.json").exists() && begin.elapsed() < Duration::from_secs(30) {
        sleep(Duration::from_millis(10));
    }
    let second = run(&file, &out, &[]);
    let shard = run(&file, &out, &["--shard", "1/2"]);
    first.kill().unwrap();
    first.wait().unwrap();
    for output in [second, shard] {
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains("is in use by another run"),
            "{}",
            stderr(&output)
        );
    }
    // The lock died with its process.
    assert!(run(&file, &out, &["--cell", "0"]).status.success());
}

#[test]
fn a_damaged_checkpoint_is_trained_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &[]).status.success());
    let cells: Vec<_> = fs::read_dir(out.join("cells"))
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    let results = || -> Vec<Vec<u8>> {
        cells
            .iter()
            .flat_map(|c| FOUND.map(|file| fs::read(c.join(file)).unwrap()))
            .collect()
    };
    let before = results();
    // Of a pair that is trained again nothing that was found is left, removed or not.
    for removed in [&FOUND[..], &FOUND[..1], &FOUND[1..2]] {
        damage(&cells, removed);
        let output = run(&file, &out, &[]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(before == results(), "a result changed without {removed:?}");
    }
}

/// Halves the checkpoint of every cell's model a, and removes some files.
fn damage(cells: &[PathBuf], removed: &[&str]) {
    for cell in cells {
        let checkpoint = cell.join("a.safetensors");
        if let Ok(bytes) = fs::read(&checkpoint) {
            fs::write(&checkpoint, &bytes[..bytes.len() / 2]).unwrap();
        }
        for file in removed {
            fs::remove_file(cell.join(file)).unwrap();
        }
    }
}

/// What a cell finds, file by file.
const FOUND: [&str; 3] = ["result.json", "similarity.json", "accuracy.json"];

/// The content of every file of every cell, and when it was written.
fn files(out: &std::path::Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for cell in fs::read_dir(out.join("cells")).unwrap().flatten() {
        for file in fs::read_dir(cell.path()).unwrap().flatten() {
            let name = format!("{:?}/{:?}", cell.file_name(), file.file_name());
            let written = file.metadata().unwrap().modified().unwrap();
            found.insert(name, (fs::read(file.path()).unwrap(), written));
        }
    }
    found
}

/// A change of what is measured measures again, from the checkpoints, and moves nothing else.
#[test]
fn a_changed_evaluation_is_computed_again_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    assert!(
        run(&experiment(dir.path(), TINY), &out, &[])
            .status
            .success()
    );
    let before = files(&out);
    let text = TINY.replace("[analysis]\n", "[analysis]\nk = 5\n");
    let output = run(&experiment(dir.path(), &text), &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let after = files(&out);
    assert!(before.keys().eq(after.keys()));
    for (name, old) in &before {
        let new = &after[name];
        if name.contains("similarity.json") {
            assert_ne!(old.0, new.0, "{name}");
        } else if name.contains("split.json") {
            assert_eq!(old.0, new.0, "{name}");
        } else if !name.contains("cell.lock") {
            assert_eq!(old, new, "{name} was written again");
        }
    }
    // A finished run is left as it is, and opens nothing.
    let settled = files(&out);
    let output = run(
        &experiment(dir.path(), &text),
        &out,
        &["--data-dir", "/nowhere"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(settled, files(&out));
}

/// A run of an earlier program is refused with one clear sentence, and not touched.
#[test]
fn a_run_of_another_layout_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (experiment(dir.path(), TINY), dir.path().join("run"));
    fs::create_dir_all(&out).unwrap();
    let old = "{\"schema\": 2, \"version\": \"0.1.0\", \"experiment\": {}, \"cells\": []}";
    fs::write(out.join("plan.json"), old).unwrap();
    let report = common::reprsim().arg("report").arg(&out).output().unwrap();
    for output in [run(&file, &out, &[]), report] {
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let message = stderr(&output);
        assert!(
            message.contains("layout 2") && message.contains("--out"),
            "{message}"
        );
        let errors = message.lines().filter(|line| line.starts_with("error"));
        assert_eq!(errors.count(), 1, "{message}");
    }
    assert_eq!(fs::read_to_string(out.join("plan.json")).unwrap(), old);
    assert!(!out.join("report.html").exists());
}
