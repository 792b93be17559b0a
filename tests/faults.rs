//! One fault, and one more run: nothing is lost, nothing wrong is used, and the results are those of
//! a run left alone, byte for byte. `docs/reliability.md` has the table.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{TINY, copy_folder, experiment, reprsim, run, start, stderr};

/// Three cells with everything that a cell can keep.
fn small() -> String {
    let start = TINY.find("[[axis]]\nkind = \"class\"").unwrap();
    let end = TINY.find("[[probe]]\nname = \"test\"").unwrap();
    let text = format!("{}{}", &TINY[..start], &TINY[end..]);
    let probe = "[[probe]]\nname = \"common\"\nkind = \"common-classes\"\nsamples = 50\n";
    text.replace("levels = [0, 0.5, 1]", "levels = [0, 1]")
        .replace(probe, "")
        + "\n[keep]\nactivations = true\n"
}

/// Files of a run but for what speeds are in, which no two runs share.
fn files(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![run.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let of_run = ["report.html", "figures", "run.lock", "cell.lock"];
            if path.is_dir() && name != "figures" {
                folders.push(path);
            } else if path.is_file()
                && !of_run.contains(&name.as_str())
                && !name.ends_with(".train.jsonl")
                && !name.ends_with(".damaged")
            {
                let relative = path.strip_prefix(run).unwrap().to_path_buf();
                found.insert(relative, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The experiment, a run of it that nothing happens to, and that run's files.
fn left_alone(dir: &Path) -> (PathBuf, PathBuf, BTreeMap<PathBuf, Vec<u8>>) {
    let file = experiment(dir, &small());
    let whole = dir.join("whole");
    let output = run(&file, &whole, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = files(&whole);
    (file, whole, expected)
}

/// Cells with trained models, in their order.
fn cells(run: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(run.join("cells")).unwrap().flatten();
    let mut cells: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    cells.sort();
    cells.split_off(1)
}

/// The names of what differs.
fn differing(a: &BTreeMap<PathBuf, Vec<u8>>, b: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<PathBuf> {
    let names: BTreeSet<&PathBuf> = a.keys().chain(b.keys()).collect();
    let differs = names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name));
    differs.cloned().collect()
}

/// What can happen to a file that lies on a disk.
const FAULTS: [&str; 7] = [
    "flipped first",
    "flipped within",
    "flipped last",
    "halved",
    "emptied",
    "removed",
    "swapped",
];

fn strike(fault: &str, path: &Path, other: &Path) {
    let bytes = fs::read(path).unwrap();
    let flip = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 16;
        fs::write(path, bytes).unwrap();
    };
    match fault {
        "flipped first" => flip(0),
        "flipped within" => flip(bytes.len() * 2 / 3),
        "flipped last" => flip(bytes.len() - 1),
        "halved" => fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
        "emptied" => fs::write(path, "").unwrap(),
        "removed" => fs::remove_file(path).unwrap(),
        _ => {
            fs::copy(other, path).unwrap();
            fs::write(other, bytes).unwrap();
        }
    }
}

/// Every file of a run that is done, and of one whose pairs are to be measured again from their
/// models, under every fault.
#[test]
fn every_stored_file_under_every_fault() {
    let dir = tempfile::tempdir().unwrap();
    let (file, whole, expected) = left_alone(dir.path());
    // (the file, whether it is read again where all is done, and where pairs are measured again)
    let of_cell = [
        ("result.json", true, false),
        ("similarity.json", true, false),
        ("accuracy.json", true, false),
        ("split.json", false, false),
        ("a.safetensors", false, true),
        ("b.train.jsonl", false, true),
        ("activations/test.a.safetensors", false, false),
    ];
    let of_run = [
        "plan.json",
        "experiment.toml",
        "results.csv",
        "analysis.json",
    ];
    let struck = dir.path().join("struck");
    let mut tried = 0;
    for again in [false, true] {
        let names = of_cell.iter().map(|(name, ..)| (true, *name));
        for (in_cell, name) in names.chain(of_run.map(|name| (false, name))) {
            if again && !of_cell.iter().any(|(n, _, read)| *read && *n == name) {
                continue;
            }
            for fault in FAULTS {
                let _ = fs::remove_dir_all(&struck);
                copy_folder(&whole, &struck);
                let [one, other] = [0, 1].map(|i| cells(&struck)[i].clone());
                let (path, mate) = match in_cell {
                    true => (one.join(name), other.join(name)),
                    // What a run has one of is swapped with another of its files.
                    false => (struck.join(name), one.join("split.json")),
                };
                if again {
                    for cell in [&one, &other] {
                        for found in ["result.json", "similarity.json", "accuracy.json"] {
                            fs::remove_file(cell.join(found)).unwrap();
                        }
                    }
                }
                strike(fault, &path, &mate);
                let output = run(&file, &struck, &[]);
                let said = stderr(&output);
                assert!(output.status.success(), "{name} {fault}: {said}");
                let now = files(&struck);
                let mut differing = differing(&expected, &now);
                // What is not read again is not made again; its seal tells whoever reads it.
                let unread = ["split.json", "activations", "safetensors", "jsonl"];
                differing.retain(|path| {
                    let path = path.to_string_lossy();
                    again || !unread.iter().any(|part| path.contains(part))
                });
                assert!(
                    differing.is_empty(),
                    "{name} {fault}: {differing:?}\n{said}"
                );
                tried += 1;
            }
        }
    }
    assert_eq!(tried, (11 + 2) * FAULTS.len());
}

/// The library that stands between the program and its disk.
fn failing_disk(dir: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults/disk.c");
    let library = dir.join("disk.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(
        compiled.unwrap().success(),
        "a C compiler, which Rust links with"
    );
    library
}

fn run_on(library: &Path, file: &Path, out: &Path, faults: &[(&str, &str)]) -> Output {
    reprsim()
        .arg("run")
        .arg(file)
        .arg("--out")
        .arg(out)
        .args(["--device", "cpu"])
        .env("LD_PRELOAD", library)
        .envs(faults.iter().copied())
        .output()
        .unwrap()
}

/// A file that is there and cannot be read is an error with its name, and nothing is changed; when it
/// can be read again, all is as it was.
#[test]
fn what_cannot_be_read_is_named_and_kept() {
    const NO_ACCESS: &str = "13";
    const DISK_ERROR: &str = "5";
    let dir = tempfile::tempdir().unwrap();
    let library = failing_disk(dir.path());
    let (file, whole, expected) = left_alone(dir.path());
    let tried = dir.path().join("tried");
    for (name, again) in [
        ("plan.json", false),
        ("result.json", false),
        ("similarity.json", false),
        ("accuracy.json", false),
        ("a.safetensors", true),
        ("b.train.jsonl", true),
    ] {
        for error in [NO_ACCESS, DISK_ERROR] {
            let _ = fs::remove_dir_all(&tried);
            copy_folder(&whole, &tried);
            if again {
                for cell in cells(&tried) {
                    fs::remove_file(cell.join("result.json")).unwrap();
                    fs::remove_file(cell.join("similarity.json")).unwrap();
                }
            }
            let before = files(&tried);
            let part = format!("tried/{name}");
            let part = if name == "plan.json" {
                part.as_str()
            } else {
                name
            };
            let output = run_on(
                &library,
                &file,
                &tried,
                &[("FAULT_OPEN", part), ("FAULT_ERROR", error)],
            );
            let said = stderr(&output);
            assert!(
                matches!(output.status.code(), Some(1 | 3)),
                "{name} {error}: {said}"
            );
            assert!(said.contains(name), "{name} {error}: {said}");
            let now = files(&tried);
            let lost = before.keys().filter(|path| !now.contains_key(*path));
            assert_eq!(lost.count(), 0, "{name} {error}");
            assert!(run(&file, &tried, &[]).status.success());
            let differing = differing(&expected, &files(&tried));
            assert!(differing.is_empty(), "{name} {error}: {differing:?}");
        }
    }
}

/// A disk that fills up at any size: exit code 1 or 3, nothing half-written under a final name, and
/// the next run ends with the same results.
#[test]
fn a_full_disk_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let library = failing_disk(dir.path());
    let (file, _, expected) = left_alone(dir.path());
    let size: usize = expected.values().map(Vec::len).sum();
    let full = dir.path().join("full");
    for eighth in 0..8 {
        let _ = fs::remove_dir_all(&full);
        let room = (size * eighth / 8 + 10).to_string();
        let faults = [("FAULT_UNDER", "/full/"), ("FAULT_ROOM", room.as_str())];
        let output = run_on(&library, &file, &full, &faults);
        let said = stderr(&output);
        assert!(
            matches!(output.status.code(), Some(1 | 3)),
            "{room}: {said}"
        );
        assert!(said.contains("No space left"), "{room}: {said}");
        let output = run(&file, &full, &[]);
        let said = stderr(&output);
        assert!(output.status.success(), "{room}: {said}");
        assert!(!said.contains("damaged"), "half-written: {said}");
        let differing = differing(&expected, &files(&full));
        assert!(differing.is_empty(), "{room}: {differing:?}");
    }
}

/// Killed as each file appears under its final name.
#[test]
fn killed_after_each_file() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _, expected) = left_alone(dir.path());
    let killed = dir.path().join("killed");
    // Files come and go while they are counted.
    fn there(folder: &Path) -> usize {
        let listed = fs::read_dir(folder).into_iter().flatten().flatten();
        let count = |entry: fs::DirEntry| match entry.path() {
            path if path.is_dir() => there(&path),
            path => usize::from(!path.to_string_lossy().contains("/.tmp")),
        };
        listed.map(count).sum()
    }
    for count in (1..expected.len()).step_by(4) {
        let _ = fs::remove_dir_all(&killed);
        let mut child = start(&file, &killed);
        let begun = Instant::now();
        while there(&killed) < count && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed().as_secs() < 60);
            sleep(Duration::from_micros(200));
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let output = run(&file, &killed, &[]);
        let said = stderr(&output);
        assert!(output.status.success(), "{count}: {said}");
        assert!(!said.contains("damaged"), "half-written: {said}");
        let differing = differing(&expected, &files(&killed));
        assert!(differing.is_empty(), "{count}: {differing:?}");
    }
}
