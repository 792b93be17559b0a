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

/// A bit that flipped, a file of another model or cell, an edited result: nothing is used that is not
/// what was written there, it is kept and said, and the results are those of a run left alone.
#[test]
fn nothing_stored_is_believed_unread() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &[]).status.success());
    let cells: Vec<PathBuf> = {
        let mut cells: Vec<_> = fs::read_dir(out.join("cells"))
            .unwrap()
            .flatten()
            .map(|e| e.path())
            .filter(|cell| cell.join("a.safetensors").exists())
            .collect();
        cells.sort();
        cells
    };
    let [one, other] = [&cells[0], &cells[1]];
    let results = || fs::read(out.join("results.csv")).unwrap();
    let (expected, tensors_before) = (results(), tensors(&out));
    let forget = |cell: &Path| {
        FOUND
            .iter()
            .for_each(|f| fs::remove_file(cell.join(f)).unwrap())
    };
    let flip = |path: PathBuf, at: usize| {
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() * at / 100;
        bytes[at] ^= 4;
        fs::write(path, bytes).unwrap();
    };
    let swap = |a: PathBuf, b: PathBuf| {
        let (of_a, of_b) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
        fs::write(a, of_b).unwrap();
        fs::write(b, of_a).unwrap();
    };
    type Fault<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let faults: Vec<Fault<'_>> = vec![
        (
            "a.safetensors",
            Box::new(|| {
                forget(one);
                flip(one.join("a.safetensors"), 90);
            }),
        ),
        (
            "b.train.jsonl",
            Box::new(|| {
                forget(one);
                flip(one.join("b.train.jsonl"), 50);
            }),
        ),
        (
            "a.safetensors",
            Box::new(|| {
                // The two models of a cell, with their histories.
                forget(one);
                swap(one.join("a.safetensors"), one.join("b.safetensors"));
                swap(one.join("a.train.jsonl"), one.join("b.train.jsonl"));
            }),
        ),
        (
            "b.safetensors",
            Box::new(|| {
                // The same model of two cells.
                forget(one);
                forget(other);
                swap(one.join("b.safetensors"), other.join("b.safetensors"));
                swap(one.join("b.train.jsonl"), other.join("b.train.jsonl"));
            }),
        ),
        (
            "result.json",
            Box::new(|| flip(one.join("result.json"), 60)),
        ),
        (
            "similarity.json",
            Box::new(|| {
                let path = one.join("similarity.json");
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, text.replacen("\"value\": 0.", "\"value\": 1.", 1)).unwrap();
            }),
        ),
        (
            "accuracy.json",
            Box::new(|| {
                let path = one.join("accuracy.json");
                let bytes = fs::read(&path).unwrap();
                fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        (
            "similarity.json",
            Box::new(|| fs::write(one.join("similarity.json"), "").unwrap()),
        ),
    ];
    for (i, (name, fault)) in faults.iter().enumerate() {
        fault();
        let output = run(&file, &out, &[]);
        assert!(output.status.success(), "fault {i}: {}", stderr(&output));
        let said = stderr(&output);
        let aside = format!("{name}.damaged");
        assert!(said.contains(&aside), "fault {i}: {said}");
        assert!(one.join(&aside).exists(), "fault {i}");
        assert!(results() == expected, "fault {i}: the results are others");
        fs::remove_file(one.join(aside)).unwrap();
    }
    assert!(tensors(&out) == tensors_before, "and all models");

    // A foreign cell's result is not this cell's.
    fs::copy(other.join("result.json"), one.join("result.json")).unwrap();
    fs::copy(other.join("similarity.json"), one.join("similarity.json")).unwrap();
    assert!(run(&file, &out, &[]).status.success());
    assert!(results() == expected);

    // A copy of a cell beside it is not in the way.
    let copy = out.join("cells").join(format!("9999-{}", hash(one)));
    fs::create_dir(&copy).unwrap();
    fs::write(copy.join("result.json"), "{}").unwrap();
    let output = run(&file, &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("9999-"), "{}", stderr(&output));
    assert!(results() == expected);
    fs::remove_dir_all(copy).unwrap();

    // A plan that was damaged is not read.
    flip(out.join("plan.json"), 50);
    let output = common::reprsim().arg("report").arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("plan.json"), "{}", stderr(&output));
}

/// A cell's key, from the name of its folder.
fn hash(cell: &Path) -> String {
    let name = cell.file_name().unwrap().to_string_lossy().into_owned();
    name.split_once('-').unwrap().1.to_string()
}

/// The file is read once: what happens to it later does not matter, and a pipe will do.
#[test]
fn an_experiment_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    let mut child = start(&file, &out);
    let begin = Instant::now();
    while !out.join("plan.json").exists() && begin.elapsed() < Duration::from_secs(30) {
        sleep(Duration::from_millis(2));
    }
    fs::write(&file, "name = \"another\"").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        fs::read_to_string(out.join("experiment.toml")).unwrap(),
        TINY
    );
}

/// What somebody put in the place of a file is neither read nor made again: it is said, with the remedy.
#[test]
#[cfg(unix)]
fn what_is_in_the_place_of_a_file_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &[]).status.success());
    let cells = fs::read_dir(out.join("cells")).unwrap();
    let cell = cells.flatten().next().unwrap().path();
    let expected = fs::read(out.join("results.csv")).unwrap();
    let of_cell = ["result.json", "similarity.json"].map(|name| cell.join(name));
    let of_run = ["plan.json", "results.csv", "report.html", "run.lock"].map(|name| out.join(name));
    for path in of_cell.into_iter().chain(of_run) {
        let kept = path.with_extension("kept");
        fs::rename(&path, &kept).unwrap();
        fs::create_dir(&path).unwrap();
        let output = run(&file, &out, &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{}: {said}", path.display());
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(
            said.contains(&*name) && said.contains("move it away"),
            "{said}"
        );
        fs::remove_dir(&path).unwrap();
        fs::rename(&kept, &path).unwrap();
    }
    // Locks are no links: of what they lead to another may hold the lock.
    let lead_nowhere = |path: &Path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("none/there"), path).unwrap();
    };
    lead_nowhere(&out.join("run.lock"));
    let output = run(&file, &out, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("move the link away"),
        "{}",
        stderr(&output)
    );
    fs::remove_file(out.join("run.lock")).unwrap();
    // One cell fails, and the others go on.
    lead_nowhere(&cell.join("cell.lock"));
    fs::remove_file(cell.join("result.json")).unwrap();
    let output = run(&file, &out, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("move the link away"),
        "{}",
        stderr(&output)
    );
    fs::remove_file(cell.join("cell.lock")).unwrap();
    let output = run(&file, &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(fs::read(out.join("results.csv")).unwrap() == expected);
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

/// What nobody needs goes, and nothing else; cells of an earlier form only when that is asked for.
#[test]
fn a_run_is_cleaned_of_what_nobody_needs() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &[]).status.success());
    let cells: Vec<PathBuf> = fs::read_dir(out.join("cells"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let kept = files(&out);
    let odd = [
        (cells[0].join(".tmpAbC"), 10),
        (cells[1].join("a.snapshot"), 20),
        (cells[2].join("result.json.damaged"), 30),
        (out.join("plan.json.damaged"), 5),
    ];
    for (path, size) in &odd {
        fs::write(path, vec![0; *size]).unwrap();
    }
    let earlier = out.join("cells/0042-0123456789ab");
    fs::create_dir(&earlier).unwrap();
    fs::write(earlier.join("a.safetensors"), [0; 7]).unwrap();
    let clean = |more: &[&str]| {
        let output = common::reprsim()
            .args(["clean", "--format", "json"])
            .arg(&out)
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        rows.iter()
            .map(|row| row["bytes"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(clean(&["--dry-run"]), 65);
    assert!(odd.iter().all(|(path, _)| path.exists()));
    assert_eq!(clean(&[]), 65);
    assert!(odd.iter().all(|(path, _)| !path.exists()) && earlier.exists());
    assert_eq!(clean(&["--unplanned"]), 7);
    assert_eq!(clean(&[]), 0);
    assert!(!earlier.exists());
    assert_eq!(files(&out), kept);
    // What is no run, and a run in use, are left alone.
    let output = common::reprsim()
        .arg("clean")
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let lock = fs::File::options()
        .write(true)
        .open(out.join("run.lock"))
        .unwrap();
    lock.lock().unwrap();
    let output = common::reprsim().arg("clean").arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

/// A run that is done says so though its data are gone.
#[test]
fn a_run_that_is_done_needs_its_data_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = dir.path().join("pictures");
    for (part, count) in [("train", 20u32), ("test", 12)] {
        for class in 0..2u8 {
            let folder = pictures.join(format!("{part}/class{class}"));
            fs::create_dir_all(&folder).unwrap();
            for i in 0..count {
                let shade = |x: u32, y: u32| image::Rgb([90 * class, (x * i) as u8, (y * 9) as u8]);
                let picture = image::RgbImage::from_fn(8, 8, shade);
                picture.save(folder.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    let end = TINY.find("[[axis]]\nkind = \"class\"").unwrap();
    let probes = TINY.find("[[probe]]\nname = \"test\"").unwrap();
    let plain = TINY.find("[[probe]]\nname = \"plain\"").unwrap();
    let analysis = TINY.find("[analysis]").unwrap();
    let text = format!(
        "{}{}{}",
        &TINY[..end],
        &TINY[probes..plain],
        &TINY[analysis..]
    )
    .replace(
        "name = \"color-shape-digit\"\n",
        "name = \"folder\"\npath = \"pictures\"\n",
    )
    .replace(
        "preset = \"varied\"\nfactor_classes = 4\nlabel = [\"digit\"]\ntrain_samples = 400\n\
             train_per_model = 64",
        "train_per_model = 16",
    )
    .replace("samples = 60", "samples = 10");
    let file = experiment(dir.path(), &text);
    let (out, cache) = (dir.path().join("run"), dir.path().join("cache"));
    let cache = ["--data-dir", cache.to_str().unwrap()];
    let output = run(&file, &out, &cache);
    assert!(output.status.success(), "{}", stderr(&output));
    // The pictures' content is gone, not their names: the experiment can still be read.
    for entry in fs::read_dir(pictures.join("train/class0"))
        .unwrap()
        .flatten()
    {
        fs::write(entry.path(), "gone").unwrap();
    }
    fs::remove_dir_all(dir.path().join("cache")).unwrap();
    for part in ["train", "test"] {
        for entry in fs::read_dir(pictures.join(part).join("class1"))
            .unwrap()
            .flatten()
        {
            fs::write(entry.path(), "gone").unwrap();
        }
    }
    for entry in fs::read_dir(pictures.join("test/class0"))
        .unwrap()
        .flatten()
    {
        fs::write(entry.path(), "gone").unwrap();
    }
    let output = run(&file, &out, &cache);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(common::stdout(&output).contains("0 cells in"));
}
