//! What a data set holds decides what a run believes: changed pictures, and pictures that are there
//! more than once.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};

use common::{TINY, experiment, reprsim, stderr, stdout};

/// Pictures of class `class0` to `class3` in both parts, all different but for `copies` in each
/// class: of the training pictures of even and odd number `2 i` and `2 i + 1` are then the same, and
/// the first held-out picture is a training picture.
fn draw(folder: &Path, count: u32, copies: u32) {
    for (part, count) in [("train", count), ("test", 12)] {
        for class in 0..4u32 {
            let of_class = folder.join(format!("{part}/class{class}"));
            fs::create_dir_all(&of_class).unwrap();
            for i in 0..count {
                let number = match part {
                    "train" if i / 2 < copies => i / 2 * 2,
                    "train" => i,
                    _ if i == 0 && copies > 0 => 0,
                    _ => 1000 + i,
                };
                let shade = |x: u32, y: u32| {
                    let noise = (number * 64 + 8 * y + x).wrapping_mul(2_654_435_761) >> 24;
                    image::Rgb([60 * class as u8, noise as u8, (y * 7) as u8])
                };
                let picture = image::RgbImage::from_fn(8, 8, shade);
                // Not compressed: all files are of one size.
                let file = File::create(of_class.join(format!("{i:02}.png"))).unwrap();
                let (how, plain) = (CompressionType::Uncompressed, FilterType::NoFilter);
                let encoder = PngEncoder::new_with_quality(file, how, plain);
                picture.write_with_encoder(encoder).unwrap();
            }
        }
    }
}

/// The experiment on the folder `pictures` beside it: a data axis alone.
fn on_pictures(more: &str) -> String {
    let start = TINY.find("[[axis]]\nkind = \"class\"").unwrap();
    let end = TINY.find("[[probe]]").unwrap();
    let probes = "[[probe]]\nname = \"plain\"\npreset = \"plain\"\nsamples = 50\n\n[[probe]]\nname = \
                  \"common\"\nkind = \"common-classes\"\nsamples = 50\n";
    let text = format!("{}{}", &TINY[..start], &TINY[end..]);
    assert!(text.contains(probes));
    text.replace(
        "name = \"color-shape-digit\"\n",
        "name = \"folder\"\npath = \"pictures\"\n",
    )
    .replace(
        "preset = \"varied\"\nfactor_classes = 4\nlabel = [\"digit\"]\ntrain_samples = 400\n\
             train_per_model = 64",
        &format!("train_per_model = 32\n{more}"),
    )
    .replace("samples = 60", "samples = 10")
    .replace(probes, "")
}

fn go(dir: &Path, command: &str, file: &Path, more: &[&str]) -> Output {
    reprsim()
        .args([command, "--device", "cpu", "--data-dir"])
        .arg(dir.join("cache"))
        .args(more)
        .arg(file)
        .output()
        .unwrap()
}

/// The results of a run of these pictures: rows by the names of columns.
fn results(dir: &Path, file: &Path, name: &str) -> Vec<csv::StringRecord> {
    let out = dir.join(name);
    let output = go(dir, "run", file, &["--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let mut reader = csv::Reader::from_path(out.join("results.csv")).unwrap();
    let names = reader.headers().unwrap().clone();
    std::iter::once(names)
        .chain(reader.records().map(Result::unwrap))
        .collect()
}

fn column(rows: &[csv::StringRecord], name: &str) -> Vec<String> {
    let at = rows[0].iter().position(|column| column == name).unwrap();
    rows[1..].iter().map(|row| row[at].to_string()).collect()
}

fn numbers(rows: &[csv::StringRecord], name: &str) -> Vec<f64> {
    let values = column(rows, name).into_iter();
    values.filter_map(|value| value.parse().ok()).collect()
}

/// Flags of the report of a run, by their kinds.
fn flags(dir: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(dir.join(name).join("analysis.json")).unwrap();
    let analysis: serde_json::Value = serde_json::from_str(&text).unwrap();
    let flags = analysis["flags"].as_array().unwrap().iter();
    flags
        .map(|flag| flag["kind"].as_str().unwrap().into())
        .collect()
}

/// A picture that was changed without a change of its size or its time of writing is another
/// picture: other cells, trained anew, and none of the old numbers.
#[test]
#[cfg(unix)]
fn a_picture_changed_behind_the_clock_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = dir.path().join("pictures");
    draw(&pictures, 20, 0);
    let file = experiment(dir.path(), &on_pictures(""));
    let before = results(dir.path(), &file, "run");
    // All pictures of two classes change places.
    let (a, b) = (pictures.join("train/class0"), pictures.join("train/class1"));
    for i in 0..20 {
        let of = |folder: &PathBuf| folder.join(format!("{i:02}.png"));
        let (a, b) = (of(&a), of(&b));
        let [of_a, of_b] = [&a, &b].map(|path| fs::read(path).unwrap());
        assert_eq!(of_a.len(), of_b.len());
        for (path, bytes) in [(&a, of_b), (&b, of_a)] {
            let time = fs::metadata(path).unwrap().modified().unwrap();
            fs::write(path, bytes).unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(time).unwrap();
        }
    }
    let after = results(dir.path(), &file, "run");
    assert_ne!(column(&before, "value"), column(&after, "value"));
    let fresh = results(dir.path(), &file, "fresh");
    assert_eq!(column(&fresh, "value"), column(&after, "value"));
}

/// Copies make models share what the design keeps apart, and a probe of what was trained on: it is
/// counted and said, and can be mended in two ways.
#[test]
fn copies_are_counted_and_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    draw(&dir.path().join("pictures"), 24, 4);
    let shared = |rows: &[csv::StringRecord]| {
        ["samples_shared", "samples_shared_by_content"].map(|name| numbers(rows, name))
    };
    let kept = experiment(dir.path(), &on_pictures(""));
    let rows = results(dir.path(), &kept, "kept");
    let [by_number, by_content] = shared(&rows);
    let lowest = (by_number.iter().zip(&by_content)).find(|(number, _)| **number == 0.0);
    assert!(*lowest.unwrap().1 > 0.0, "{by_content:?}");
    assert!(by_number.iter().zip(&by_content).all(|(a, b)| a <= b));
    let found = flags(dir.path(), "kept");
    assert!(found.contains(&"shared-copies".into()), "{found:?}");
    assert!(found.contains(&"held-out-copies".into()), "{found:?}");
    let page = fs::read_to_string(dir.path().join("kept/report.html")).unwrap();
    assert!(page.contains("copies of others") && page.contains("duplicates ="));
    for (setting, sizes) in [("drop", 32..33), ("together", 32..41)] {
        let text = on_pictures(&format!("duplicates = \"{setting}\""));
        let file = experiment(dir.path(), &text);
        let rows = results(dir.path(), &file, setting);
        let [by_number, by_content] = shared(&rows);
        for (number, content) in by_number.iter().zip(&by_content) {
            assert!(
                (number - content).abs() < 1e-12,
                "{setting}: {number} {content}"
            );
        }
        assert!(by_number.contains(&0.0), "{setting}: {by_number:?}");
        let found = flags(dir.path(), setting);
        assert!(
            !found.iter().any(|kind| kind.ends_with("-copies")),
            "{found:?}"
        );
        let cell = fs::read_dir(dir.path().join(setting).join("cells")).unwrap();
        for cell in cell
            .flatten()
            .filter(|c| !c.file_name().to_string_lossy().starts_with("0000"))
        {
            let text = fs::read_to_string(cell.path().join("split.json")).unwrap();
            let split: serde_json::Value = serde_json::from_str(&text).unwrap();
            let size = split["samples_per_model"].as_u64().unwrap();
            assert!(sizes.contains(&size), "{setting}: {size}");
        }
    }
}

#[test]
fn a_check_counts_samples_classes_and_copies() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = dir.path().join("pictures");
    draw(&pictures, 24, 4);
    let check = |format: &str| {
        let output = reprsim()
            .args(["data", "check", "--format", format, "--data-dir"])
            .arg(dir.path().join("cache"))
            .arg(&pictures)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let rows: serde_json::Value = serde_json::from_str(&check("json")).unwrap();
    let (train, test) = (&rows[0], &rows[1]);
    assert_eq!(
        (&train["samples"], &train["classes"]),
        (&96.into(), &4.into())
    );
    assert_eq!((&train["copies"], &test["copies"]), (&16.into(), &0.into()));
    assert_eq!(test["copies_of_training"], 4);
    assert_eq!(
        (&train["smallest"], &test["largest"]),
        (&24.into(), &12.into())
    );
    assert!(check("table").contains("train/class0/01.png = train/class0/00.png\n"));
    assert!(check("table").contains("test/class0/00.png = train/class0/00.png\n"));
    assert!(check("table").contains("and 6 more; all of them: --format json"));
    assert_eq!(train["copied"].as_array().unwrap().len(), 16);
    assert_eq!(test["copied"][3]["of"], "train/class3/00.png");
    // Equal pictures with other labels are told.
    let (from, to) = (
        pictures.join("train/class0/20.png"),
        pictures.join("train/class1/20.png"),
    );
    fs::copy(from, to).unwrap();
    assert!(check("table").contains("with another label"));
    // What is left out is counted once, whichever parts say it, and listed as a whole.
    for i in 0..11 {
        fs::write(pictures.join(format!("train/class0/note{i}.txt")), "x").unwrap();
    }
    fs::write(pictures.join("notes.txt"), "x").unwrap();
    let rows: serde_json::Value = serde_json::from_str(&check("json")).unwrap();
    assert_eq!(
        (&rows[0]["left_out"], &rows[1]["left_out"]),
        (&12.into(), &0.into())
    );
    let files = rows[0]["left_out_files"].as_array().unwrap();
    assert_eq!(files.len(), 12);
    assert_eq!(files[0]["path"], "notes.txt");
    assert!(
        files[1]["reason"]
            .as_str()
            .unwrap()
            .starts_with("left out: ")
    );
    assert!(check("table").contains("and 2 more; --format json has all"));
}

/// Two classes whose names look the same are one class of a person's.
#[test]
fn class_names_that_look_the_same_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = dir.path().join("pictures");
    draw(&pictures, 4, 0);
    let check = || {
        let output = reprsim()
            .args(["data", "check", "--data-dir"])
            .arg(dir.path().join("cache"))
            .arg(&pictures)
            .output()
            .unwrap();
        (output.status.code(), stderr(&output))
    };
    let name = |part: &str, from: &str, to: &str| {
        fs::rename(pictures.join(part).join(from), pictures.join(part).join(to)).unwrap();
    };
    name("train", "class0", "caf\u{e9}");
    name("test", "class0", "cafe\u{301}");
    let (code, said) = check();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the encoding of accents"), "{said}");
    name("test", "cafe\u{301}", "caf\u{e9}");
    assert_eq!(check().0, Some(0));
    name("train", "class1", "cafe\u{301}");
    let (code, said) = check();
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains(r"caf\u{e9} and cafe\u{301} look the same"),
        "{said}"
    );
}

/// What a user could write and no machine could do is refused at once, with the number and the place.
#[test]
fn what_no_machine_can_do_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("seeds = 1", "seeds = 1000000000", "seeds = 1000000000"),
        ("seeds = 1", "seeds = 9223372036854775807", "cells"),
        ("width = 2", "width = 1000000", "weights"),
        ("width = 2", "width = 1000000000000", "width 1000000000000"),
        (
            "train_samples = 400",
            "train_samples = 1000000000000",
            "1000000000000 samples",
        ),
        (
            "batch = 32",
            "batch = 1000000000000",
            "batch = 1000000000000",
        ),
        ("epochs = 2", "epochs = 9000000000000000000", "epochs = "),
        (
            "train_samples = 400",
            "size = 4096\ntrain_samples = 100000",
            "4096x4096",
        ),
        (
            "[analysis]",
            "[analysis]\npermutations = 1000000000000",
            "permutations = 1000000000000",
        ),
        (
            "name = \"cnn\"\nwidth = 2",
            "name = \"resnet\"\nwidth = 6000",
            "weights",
        ),
        (
            "name = \"cnn\"\nwidth = 2",
            "name = \"vit\"\nwidth = 2\nheads = 1\ndepth = 1000000000",
            "1000000000",
        ),
    ];
    for (from, to, told) in cases {
        let text = TINY.replacen(from, to, 1);
        assert_ne!(text, TINY, "{from}");
        let file = experiment(dir.path(), &text);
        for command in ["run", "plan"] {
            let begun = std::time::Instant::now();
            let output = go(dir.path(), command, &file, &["--memory", "2GiB"]);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{command} {to}: {said}");
            assert!(said.contains(told), "{to}: {said}");
            assert!(begun.elapsed().as_secs() < 20, "{to}: at once");
        }
    }
    for arguments in [
        &["compare", "a.npy", "b.npy", "--null", "100000000000"][..],
        &["compare", "a.npy", "b.npy", "--bootstrap", "2000000"],
        &[
            "analyze",
            "x.csv",
            "--x",
            "a",
            "--y",
            "b",
            "--permutations",
            "4000000000",
        ],
        &["models", "--classes", "100000000000"],
        &["models", "--input", "3x99999999x99999999"],
        &["bench", "--seconds", "nan"],
        &["bench", "--seconds", "-1"],
    ] {
        let output = reprsim().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// Classes of which the files of a set hold no sample are said before anything is trained, and counted.
#[test]
fn labels_with_gaps_are_said() {
    let dir = tempfile::tempdir().unwrap();
    let of_set = dir.path().join("cache/mnist");
    fs::create_dir_all(&of_set).unwrap();
    let idx = |dims: &[u32], values: Vec<u8>| {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
        bytes.extend(values);
        bytes
    };
    let n = 240u32;
    for prefix in ["train", "t10k"] {
        let noise = (0..n * 64).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        let images = idx(&[n, 8, 8], noise.collect());
        let labels = idx(&[n], (0..n).map(|i| [0, 1, 3][i as usize % 3]).collect());
        fs::write(of_set.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
        fs::write(of_set.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
    }
    let output = reprsim()
        .args(["data", "preview", "mnist", "--data-dir"])
        .arg(dir.path().join("cache"))
        .arg("--out")
        .arg(dir.path().join("grid.png"))
        .output()
        .unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    let told = "data set: 2: the test part has no sample of this class";
    assert!(said.contains(told), "{said}");
    // Where models are to learn all classes, it is refused for that.
    let text = on_pictures("").replace(
        "name = \"folder\"\npath = \"pictures\"\n",
        "name = \"mnist\"\n",
    );
    for command in ["run", "plan"] {
        let output = go(dir.path(), command, &experiment(dir.path(), &text), &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("no training sample of class '2'"), "{said}");
    }
}

/// Where models see samples of all classes that there are, a plan counts those that there are not.
#[test]
fn a_plan_counts_classes_without_a_sample() {
    let dir = tempfile::tempdir().unwrap();
    let (start, end) = (
        TINY.find("[[axis]]").unwrap(),
        TINY.find("[[probe]]").unwrap(),
    );
    let axis = "[[axis]]\nkind = \"task\"\nfactors = [\"shape\", \"digit\"]\nfactors_per_task = \
                1\nlevels = [0, 1]\n\n";
    let end_of_probes = TINY.find("[[probe]]\nname = \"plain\"").unwrap();
    let after = TINY.find("[analysis]").unwrap();
    let text = [
        &TINY[..start],
        axis,
        &TINY[end..end_of_probes],
        &TINY[after..],
    ]
    .concat();
    let text = text
        .replace("label = [\"digit\"]", "label = [\"digit\", \"shape\"]")
        .replace(
            "train_samples = 400\ntrain_per_model = 64",
            "train_samples = 10",
        );
    let output = go(dir.path(), "plan", &experiment(dir.path(), &text), &[]);
    let said = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(said.contains("16 classes of digit x shape ("), "{said}");
    assert!(said.contains(" without a training sample)"), "{said}");
}
