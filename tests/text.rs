//! Language models as the program's users meet them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use common::{experiment, reprsim, run, stderr, stdout, watched};

/// Data overlap on the built-in text: four pairs in a few seconds.
const TINY_TEXT: &str = r#"
name = "tiny-text"
seeds = 1

[dataset]
name = "text"
corpora = ["father-brown"]
tokenizer = "bytes"
window = 16
chunks = 10

[model]
name = "gpt"
width = 8
depth = 1
heads = 2

[training]
steps = 20
batch = 4
accumulate = 2
dropout = 0.1
optimizer = { name = "adamw", lr = 1e-3, weight_decay = 0.1, beta_2 = 0.95, decay_vectors = false }
schedule = { name = "cosine", warmup = 0.1, floor = 0.1 }
evaluate = { every = 10, samples = 20, patience = 100 }

[[axis]]
kind = "data"
levels = [0, 0.5, 1]

[[probe]]
name = "test"
samples = 60

[analysis]
permutations = 20
primary = { measure = "cka_linear_debiased", probe = "test", layer = "final_norm" }
"#;

/// Six small corpora beside the experiment file, each of many documents of its own words.
fn write_corpora(dir: &Path) -> [&'static str; 6] {
    let names = ["ash", "birch", "cedar", "elm", "fir", "oak"];
    for (i, name) in names.iter().enumerate() {
        let folder = dir.join(name);
        fs::create_dir_all(&folder).unwrap();
        for document in 0..40 {
            let words: Vec<String> = (0..60)
                .map(|word| format!("{name}{}", (word * (document + 2) + i) % 97))
                .collect();
            fs::write(folder.join(format!("{document}.txt")), words.join(" ")).unwrap();
        }
    }
    names
}

/// Corpus overlap, its factorial with chunks, and the paper's probes.
fn corpora(dir: &Path) -> String {
    let names = write_corpora(dir);
    let listed = format!("corpora = {names:?}");
    let probe = |name: &str, kind: &str, classes: &str| {
        format!("[[probe]]\nname = \"{name}\"\nkind = \"{kind}\"\nsamples = 20\n{classes}\n")
    };
    let probes = [
        probe("common", "common-classes", ""),
        probe("one", "one-model-classes", ""),
        probe("unseen", "unseen-classes", ""),
        probe("unseen-matched", "unseen-classes", "classes = 1"),
        "[[probe]]\nname = \"other\"\ncorpora = [\"father-brown\"]\nsamples = 20\n".to_string(),
    ];
    TINY_TEXT
        .replace("corpora = [\"father-brown\"]", &listed)
        .replace("chunks = 10", "chunks = 8\ntrain_per_model = 12")
        .replace(
            "[[axis]]\nkind = \"data\"\nlevels = [0, 0.5, 1]",
            "[[axis]]\nkind = \"class\"\nlevels = [0, 0.33, 1]\n\n\
             [[grid]]\nclass = [0.67, 1]\ndata = [0, 0.5]",
        )
        .replace("[analysis]", &format!("{}\n[analysis]", probes.join("\n")))
}

fn rows(out: &Path, probe: &str) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_path(out.join("results.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at = headers.iter().position(|h| h == "probe").unwrap();
    reader
        .records()
        .map(Result::unwrap)
        .filter(|r| &r[at] == probe)
        .collect()
}

#[test]
fn from_text_to_report_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY_TEXT);
    let data = dir.path().join("data");
    let more = ["--data-dir", data.to_str().unwrap(), "--jobs", "2"];
    let out = dir.path().join("run");
    let output = run(&file, &out, &more);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("Loss beside similarity"));
    let cells: Vec<_> = fs::read_dir(out.join("cells")).unwrap().flatten().collect();
    assert_eq!(cells.len(), 4);
    for cell in &cells {
        let history = fs::read_to_string(cell.path().join("a.train.jsonl"));
        let trained = !cell.file_name().to_string_lossy().starts_with("0000");
        assert_eq!(history.is_ok(), trained);
        assert!(
            !cell.path().join("a.snapshot").exists(),
            "no snapshot is left"
        );
        if let Ok(history) = history {
            assert_eq!(history.lines().count(), 2);
            assert!(history.contains("validation_loss") && history.contains("tokens_per_s"));
        }
    }
    assert_eq!(
        rows(&out, "test").len(),
        4 * 3 * 9,
        "pairs, measures, layer pairs"
    );
    // One job at a time gives the same to the last bit.
    let again = dir.path().join("again");
    let output = run(
        &file,
        &again,
        &["--data-dir", data.to_str().unwrap(), "--jobs", "1"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let csv = |out: &Path| fs::read(out.join("results.csv")).unwrap();
    assert_eq!(csv(&out), csv(&again));
}

#[test]
fn corpus_overlap_and_its_factorial_with_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), &corpora(dir.path()));
    let data = dir.path().join("data");
    let out = dir.path().join("run");
    let output = run(&file, &out, &["--data-dir", data.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("class x data"),
        "{}",
        stdout(&output)
    );
    // Overlap 0 of three corpora a model leaves no common and no unseen corpus, 1 no
    // corpus of one model: eight trained pairs, nine layer pairs, three measures.
    let pairs = |probe: &str| rows(&out, probe).len() / 27;
    assert_eq!(pairs("test"), 1 + 3 + 4);
    assert_eq!(pairs("other"), 1 + 3 + 4);
    assert_eq!(pairs("common"), 2 + 4);
    assert_eq!(pairs("one"), 2 + 2);
    assert_eq!(pairs("unseen"), 2 + 4);
    assert_eq!(pairs("unseen-matched"), 2 + 4);
    let split = fs::read_to_string(
        fs::read_dir(out.join("cells"))
            .unwrap()
            .flatten()
            .find(|c| c.file_name().to_string_lossy().starts_with("0001"))
            .unwrap()
            .path()
            .join("split.json"),
    )
    .unwrap();
    let split: serde_json::Value = serde_json::from_str(&split).unwrap();
    assert_eq!(split["samples_per_model"], 12);
    assert_eq!(split["overlap_reached"]["labels"], 0.0);

    // Corpora that lie elsewhere are the same experiment; other text is another.
    let hashes = |dir: &Path| -> Vec<String> {
        let plan = reprsim_run::read_experiment(&dir.join("experiment.toml"));
        let plan = reprsim_config::Plan::new(&plan.unwrap());
        let cells = plan.cells.iter().map(|c| c.hash.clone());
        let evaluations = reprsim_run::evaluation::EVALUATIONS.iter();
        let keys = evaluations.map(|evaluation| evaluation.key(&plan.experiment));
        cells.chain(keys).collect()
    };
    let elsewhere = tempfile::tempdir().unwrap();
    experiment(elsewhere.path(), &corpora(elsewhere.path()));
    assert_eq!(hashes(dir.path()), hashes(elsewhere.path()));
    fs::write(elsewhere.path().join("oak/0.txt"), "other words").unwrap();
    assert_ne!(hashes(dir.path())[1], hashes(elsewhere.path())[1]);
}

/// One damaged file of a folder of texts is named, not taken for a sign of pictures.
#[test]
fn a_damaged_text_of_a_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::write(
            dir.path().join(name).with_extension("txt"),
            "some words\n".repeat(50),
        )
        .unwrap();
    }
    let mut packed = vec![];
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::default());
    let words: String = (0..5000).map(|i| format!("word {i}\n")).collect();
    std::io::Write::write_all(&mut encoder, words.as_bytes()).unwrap();
    encoder.finish().unwrap();
    fs::write(dir.path().join("cut.txt.gz"), &packed[..packed.len() / 2]).unwrap();
    let output = reprsim()
        .args(["data", "check"])
        .arg(dir.path())
        .output()
        .unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("cut.txt.gz") && message.contains("gzip -t"),
        "{message}"
    );
}

#[test]
fn mistakes_get_one_clear_message_before_training() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "name = \"gpt\"\nwidth = 8\ndepth = 1\nheads = 2",
            "name = \"cnn\"\nwidth = 8",
            &[":13", "text needs a gpt"],
        ),
        (
            "steps = 20",
            "epochs = 20",
            &["'epochs' is a setting of models of images only"],
        ),
        ("steps = 20", "", &["the key 'steps'"]),
        ("heads = 2", "heads = 3", &["heads must divide the width"]),
        (
            "tokenizer = \"bytes\"",
            "tokenizer = \"byte\"",
            &[":8", "did you mean 'bytes'"],
        ),
        (
            "tokenizer = \"bytes\"",
            "tokenizer = \"cl100k_base\"",
            &[":8", "do not fit the 16 bits", "gpt2"],
        ),
        ("[\"father-brown\"]", "[]", &["no corpora"]),
        (
            "[\"father-brown\"]",
            "[\"father-bron\"]",
            &["did you mean 'father-brown'"],
        ),
        (
            "window = 16",
            "window = 16\nsize = 8",
            &["'size' is a setting of images only"],
        ),
        (
            "window = 16",
            "window = 16\nwindwo = 8",
            &["did you mean 'window'"],
        ),
        ("chunks = 10", "chunks = 1", &["chunks = 1"]),
        ("dropout = 0.1", "dropout = 1.5", &["dropout = 1.5"]),
        ("accumulate = 2", "accumulate = 0", &["accumulate = 0"]),
        ("every = 10", "every = 0", &["every = 0"]),
        (
            "kind = \"data\"\nlevels = [0, 0.5, 1]",
            "kind = \"class\"\nlevels = [0, 1]",
            &["a class axis needs at least 4 classes; the label has 1"],
        ),
        (
            "chunks = 10",
            "chunks = 40000",
            &["corpus 'father-brown'", "chunks"],
        ),
        (
            "samples = 60",
            "samples = 600000",
            &["a probe of 600000 samples", "test part"],
        ),
        (
            "[\"father-brown\"]",
            "[\"latin1.txt\"]",
            &["latin1.txt", "UTF-8", "byte 3"],
        ),
        (
            "[\"father-brown\"]",
            "[\"cut16.txt\"]",
            &["cut16.txt", "ends inside"],
        ),
        (
            "[\"father-brown\"]",
            "[\"half16.txt\"]",
            &["half16.txt", "byte 2"],
        ),
        (
            "[\"father-brown\"]",
            "[\"faulty.jsonl\"]",
            &["faulty.jsonl", "line 2"],
        ),
        (
            "[\"father-brown\"]",
            "[\"empty.txt\"]",
            &["corpus 'empty", "no text"],
        ),
        ("[\"father-brown\"]", "[\"short.txt\"]", &["corpus 'short"]),
        (
            "[\"father-brown\"]",
            "[\"broken.jsonl\"]",
            &["broken.jsonl", "line 2"],
        ),
        (
            "[\"father-brown\"]",
            "[\"paper.txt\"]",
            &["paper.txt: a PDF", "pdftotext"],
        ),
        (
            "[\"father-brown\"]",
            "[\"table.csv\"]",
            &["table.csv: a table", "JSON lines"],
        ),
        (
            "[\"father-brown\"]",
            "[\"rows.txt\"]",
            &["rows.txt: a table", "JSON lines"],
        ),
        (
            "[\"father-brown\"]",
            "[\"page.txt\"]",
            &["page.txt: HTML", "pandoc"],
        ),
        (
            "[\"father-brown\"]",
            "[\"cut.txt.gz\"]",
            &["cut.txt.gz: packed with gzip", "gzip -t"],
        ),
    ];
    for (old, new, expected) in cases {
        let text = TINY_TEXT.replacen(old, new, 1);
        assert_ne!(text, TINY_TEXT, "the case replaces nothing: {old}");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("latin1.txt"), b"caf\xe9 au lait").unwrap();
        fs::write(dir.path().join("cut16.txt"), b"\xff\xfea\0b").unwrap();
        fs::write(dir.path().join("half16.txt"), b"\xff\xfe\0\xd8a\0").unwrap();
        fs::write(
            dir.path().join("faulty.jsonl"),
            "{\"text\": \"a\"}\n{\"text\"\n",
        )
        .unwrap();
        fs::write(dir.path().join("empty.txt"), " \n").unwrap();
        fs::write(
            dir.path().join("short.txt"),
            "One line.\n\nAnother.\n\nA third.\n",
        )
        .unwrap();
        fs::write(
            dir.path().join("broken.jsonl"),
            "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n",
        )
        .unwrap();
        fs::write(dir.path().join("paper.txt"), "%PDF-1.4\n").unwrap();
        fs::write(dir.path().join("table.csv"), "text\nwords\n").unwrap();
        let rows = "text,label\nsome words,1\nother words,0\n".repeat(50);
        fs::write(dir.path().join("rows.txt"), rows).unwrap();
        let page = "<!DOCTYPE html>\n<p>words</p>\n".repeat(50);
        fs::write(dir.path().join("page.txt"), page).unwrap();
        // The beginning of a packed text, as a download leaves it.
        let begun = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c";
        fs::write(dir.path().join("cut.txt.gz"), begun).unwrap();
        let file = experiment(dir.path(), &text);
        let out = dir.path().join("run");
        let data = dir.path().join("data");
        let output = run(&file, &out, &["--data-dir", data.to_str().unwrap()]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{new}: {message}");
        for part in *expected {
            assert!(
                message.contains(part),
                "{new}: '{part}' is not in: {message}"
            );
        }
        assert!(!out.exists(), "{new}: refused before any work");
        assert!(!message.contains("panicked"), "{message}");
    }
}

/// Files that a folder holds beside its text are said, in the run and in the report.
#[test]
fn what_is_left_out_of_a_folder_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let notes = dir.path().join("notes");
    fs::create_dir(&notes).unwrap();
    let lines: String = (0..60)
        .map(|i| format!("{{\"text\": \"{}\"}}\n", format!("line {i} ").repeat(60)))
        .collect();
    fs::write(notes.join("a.jsonl"), lines).unwrap();
    fs::write(notes.join("README.md"), "what these notes are").unwrap();
    fs::write(notes.join("paper.pdf"), "%PDF-1.4\n").unwrap();
    fs::write(notes.join("none.txt"), "").unwrap();
    fs::write(notes.join("blank.md"), " \n\t\n").unwrap();
    fs::create_dir(notes.join(".git")).unwrap();
    fs::write(notes.join(".git/HEAD"), "ref").unwrap();
    let text = TINY_TEXT
        .replace("father-brown", "notes")
        .replace("steps = 20", "steps = 2");
    let file = experiment(dir.path(), &text);
    let (out, data) = (dir.path().join("run"), dir.path().join("data"));
    let output = run(&file, &out, &["--data-dir", data.to_str().unwrap()]);
    let message = stderr(&output);
    assert!(output.status.success(), "{message}");
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    for said in [&message, &report] {
        assert!(said.contains("notes/README.md"), "{said}");
        assert!(said.contains("notes/paper.pdf"), "{said}");
        assert!(said.contains("pdftotext"), "{said}");
        assert!(said.contains("notes/.git: left out: hidden"), "{said}");
        assert!(
            said.contains("notes/none.txt: left out: no text in it"),
            "{said}"
        );
        assert!(
            said.contains("notes/blank.md: left out: no text in it"),
            "{said}"
        );
    }
    let output = reprsim()
        .args(["data", "check", "notes", "--data-dir", "data"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        said.contains("notes/.git: left out: hidden") && said.contains("notes/none.txt: left"),
        "{said}"
    );
    // With nothing left out, nothing is said of it any more.
    fs::remove_file(notes.join("README.md")).unwrap();
    fs::remove_file(notes.join("paper.pdf")).unwrap();
    fs::remove_file(notes.join("none.txt")).unwrap();
    fs::remove_file(notes.join("blank.md")).unwrap();
    fs::remove_dir_all(notes.join(".git")).unwrap();
    fs::remove_dir_all(out.join("cells")).unwrap();
    let output = run(&file, &out, &["--data-dir", data.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(!report.contains("files left out") && !out.join("skipped.json").exists());
}

/// Marks and control characters inside a text are no part of it: they are taken out, which the run, its
/// report and a look at the data say, also when the tokens were kept.
#[test]
fn what_is_taken_out_of_a_text_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let notes: String = (0..60)
        .map(|i| format!("\u{feff}{}\u{7}\n\n", format!("line {i} ").repeat(60)))
        .collect();
    fs::write(dir.path().join("notes.txt"), notes).unwrap();
    let text = TINY_TEXT
        .replace("father-brown", "notes.txt")
        .replace("steps = 20", "steps = 2");
    let file = experiment(dir.path(), &text);
    let data = dir.path().join("data");
    for name in ["first", "again"] {
        let out = dir.path().join(name);
        let output = run(&file, &out, &["--data-dir", data.to_str().unwrap()]);
        let message = stderr(&output);
        assert!(output.status.success(), "{message}");
        let report = fs::read_to_string(out.join("report.html")).unwrap();
        let skipped = fs::read_to_string(out.join("skipped.json")).unwrap();
        for said in [&message, &report, &skipped] {
            // The first mark is how a text may begin.
            assert!(said.contains("byte order marks inside it (59)"), "{said}");
            assert!(said.contains("control characters (60: 60 BEL)"), "{said}");
        }
    }
}

/// Files of a folder of text whose documents are those of others are named.
#[test]
fn copies_of_text_are_named_by_their_files() {
    let dir = tempfile::tempdir().unwrap();
    write_corpora(dir.path());
    let ash = dir.path().join("ash");
    fs::create_dir(ash.join("more")).unwrap();
    fs::copy(ash.join("0.txt"), ash.join("more/0.txt")).unwrap();
    let output = reprsim()
        .args(["data", "check", "ash", "--data-dir", "data"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(said.contains("ash/more/0.txt = ash/0.txt"), "{said}");
}

/// A few bytes that unpack to many are refused before they take much memory.
#[test]
#[cfg(target_os = "linux")]
fn a_packed_text_takes_no_more_memory_than_may_be_used() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let file = fs::File::create(dir.path().join("many.txt.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    for i in 0..6_000u32 {
        let words = (1000 * i..1000 * (i + 1)).map(|i| i.wrapping_mul(2_654_435_761));
        let words: String = words.map(|word| format!("{word:x} ")).collect();
        packed.write_all(words.as_bytes()).unwrap();
    }
    packed.finish().unwrap();
    let zeros = fs::File::create(dir.path().join("spaces.txt.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(zeros, flate2::Compression::best());
    for _ in 0..400 {
        packed.write_all(&[b' '; 1 << 20]).unwrap();
    }
    packed.finish().unwrap();
    for (name, told) in [
        ("many.txt.gz", "--memory"),
        ("spaces.txt.gz", "which no text does"),
    ] {
        let text = TINY_TEXT.replace("father-brown", name);
        let file = experiment(dir.path(), &text);
        let mut command = reprsim();
        command
            .arg("run")
            .arg(&file)
            .args(["--device", "cpu", "--memory", "100MB"]);
        command.arg("--out").arg(dir.path().join("run"));
        command.arg("--data-dir").arg(dir.path().join("data"));
        let (output, peak) = watched(command);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(
            said.contains(name.split('.').next().unwrap()) && said.contains(told),
            "{said}"
        );
        assert!(peak > 0 && peak < 300_000_000, "{name}: {peak} bytes");
    }
}

/// Tokens that are kept are freed when that is asked for, not when it is asked what would be.
#[test]
fn tokens_are_freed_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = |arguments: &[&str]| {
        let mut command = reprsim();
        command.arg("data").args(arguments).current_dir(dir.path());
        command.args(["--data-dir", "cache"]).output().unwrap()
    };
    let kept = || fs::read_dir(dir.path().join("cache/text")).unwrap().count();
    for _ in 0..2 {
        let output = data(&["preview", "father-brown", "--out", "x.txt"]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(kept(), 1);
        let output = data(&["clean", "--dry-run", "--format", "csv"]);
        let (table, note) = (stdout(&output), stderr(&output));
        assert!(
            table.contains("text,tokens,") && table.lines().count() == 2,
            "{table}"
        );
        assert!(note.contains("would be freed") && kept() == 1, "{note}");
        let output = data(&["clean", "father-brown"]);
        assert!(output.status.success() && stdout(&output).contains("tokens"));
        assert_eq!(kept(), 0);
    }
    let output = data(&["clean", "father-bron"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean 'father-brown'"));
}

/// Settings of language models are refused elsewhere, and the other way round.
#[test]
fn settings_of_text_are_not_those_of_images() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "width = 2",
            "width = 2\nheads = 2",
            "'heads' is a setting of vit, gpt only",
        ),
        (
            "epochs = 2",
            "epochs = 2\nsteps = 5",
            "'steps' is a setting of models of text only",
        ),
        (
            "epochs = 2",
            "epochs = 2\ndropout = 0.1",
            "a cnn drops no activations",
        ),
        (
            "label = [\"digit\"]",
            "label = [\"digit\"]\nwindow = 5",
            "'window' is a setting of the data set text only",
        ),
        (
            "primary = {",
            "pooling = \"last\"\nprimary = {",
            "pooling 'last' is for text only",
        ),
    ];
    for (old, new, expected) in cases {
        let text = common::TINY.replacen(old, new, 1);
        let dir = tempfile::tempdir().unwrap();
        let output = run(&experiment(dir.path(), &text), &dir.path().join("run"), &[]);
        let message = stderr(&output);
        assert!(message.contains(expected), "{new}: {message}");
        assert_eq!(output.status.code(), Some(2), "{message}");
    }
}

/// Positions can be averaged, cut to the last, or kept: then every token is a sample.
#[test]
fn every_pooling_runs() {
    for (pooling, n) in [("last", 60), ("tokens", 60 * 16)] {
        let dir = tempfile::tempdir().unwrap();
        let text = TINY_TEXT
            .replace(
                "permutations = 20",
                &format!("permutations = 5\npooling = \"{pooling}\""),
            )
            .replace("steps = 20", "steps = 2");
        let file = experiment(dir.path(), &text);
        let (out, data) = (dir.path().join("run"), dir.path().join("data"));
        let output = run(&file, &out, &["--data-dir", data.to_str().unwrap()]);
        assert!(output.status.success(), "{}", stderr(&output));
        let mut reader = csv::Reader::from_path(out.join("results.csv")).unwrap();
        let at = reader
            .headers()
            .unwrap()
            .iter()
            .position(|h| h == "n")
            .unwrap();
        for row in reader.records() {
            assert_eq!(row.unwrap()[at], n.to_string());
        }
    }
}
