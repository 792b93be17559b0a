//! Killing, resuming and locking.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{TINY, experiment, run, start, stderr};

/// Long enough to be killed in the middle.
fn slow() -> String {
    TINY.replace("epochs = 2", "epochs = 12")
        .replace("width = 2", "width = 8")
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
            .map(|c| fs::read(c.join("result.json")).unwrap())
            .collect()
    };
    let before = results();
    for cell in &cells {
        let checkpoint = cell.join("a.safetensors");
        if let Ok(bytes) = fs::read(&checkpoint) {
            fs::write(&checkpoint, &bytes[..bytes.len() / 2]).unwrap();
        }
        fs::remove_file(cell.join("result.json")).unwrap();
    }
    let output = run(&file, &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(before == results(), "a result changed");
}
