//! The program as its users meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use reprsim_activations::ActivationFile;

use common::{TINY, experiment, reprsim, run, stderr, stdout, watched_run};

#[test]
fn from_experiment_file_to_report() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    let output = run(&file, &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("device: CPU"),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).contains("report: "), "{}", stdout(&output));
    assert!(
        !stderr(&output).contains('\r'),
        "plain lines when not on a terminal"
    );

    let analysis: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("analysis.json")).unwrap()).unwrap();
    let effects = analysis["effects"].as_array().unwrap();
    for axis in ["data", "class", "task"] {
        let primary: Vec<_> = effects
            .iter()
            .filter(|e| e["axis"] == axis && e["primary"] == true)
            .collect();
        assert_eq!(primary.len(), 1, "{axis}");
        for key in [
            "slope",
            "ci_low",
            "ci_high",
            "p_value",
            "r_squared",
            "n",
            "probe",
            "layer",
            "measure",
        ] {
            assert!(primary[0].get(key).is_some(), "{key}");
        }
        assert!(primary[0]["floor"].is_number() && primary[0]["ceiling"].is_number());
    }
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("<svg") && !report.contains("https://"));

    let csv = fs::read_to_string(out.join("results.csv")).unwrap();
    let header = csv.lines().next().unwrap();
    assert!(
        header.starts_with("experiment,cell,seed,sweep,data,class,task"),
        "{header}"
    );
    assert!(!csv.contains("NaN") && !csv.contains(",-1,"));
    // What was asked for is what the split really has.
    let split = fs::read_dir(out.join("cells"))
        .unwrap()
        .flatten()
        .map(|e| fs::read_to_string(e.path().join("split.json")).unwrap())
        .map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap())
        .find(|s| s["point"]["levels"] == serde_json::json!([["data", 0.5]]))
        .unwrap();
    assert_eq!(split["overlap_reached"]["samples"], 0.5);
    assert_eq!(split["samples_per_model"], 64);

    // A second run has nothing to do and changes nothing.
    let again = run(&file, &out, &[]);
    assert!(stdout(&again).contains("0 cells in"), "{}", stdout(&again));
    assert_eq!(csv, fs::read_to_string(out.join("results.csv")).unwrap());
}

#[test]
fn the_same_experiment_twice_is_bit_identical_whatever_the_jobs() {
    let dir = tempfile::tempdir().unwrap();
    // Large enough for matrix products to be worth several threads.
    let text = TINY
        .replace("width = 2", "width = 16")
        .replace("epochs = 2", "epochs = 1")
        .replace("samples = 60", "samples = 1500");
    let file = experiment(dir.path(), &text);
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    assert!(run(&file, &one, &["--jobs", "1"]).status.success());
    assert!(run(&file, &two, &["--jobs", "3"]).status.success());
    for name in ["results.csv", "analysis.json"] {
        assert_eq!(
            fs::read(one.join(name)).unwrap(),
            fs::read(two.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn shards_and_single_cells_merge_to_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    assert!(run(&file, &whole, &[]).status.success());
    assert!(run(&file, &parts, &["--cell", "0"]).status.success());
    for shard in ["1/2", "2/2"] {
        let output = run(&file, &parts, &["--shard", shard]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("reprsim report"),
            "{}",
            stderr(&output)
        );
    }
    let merged = reprsim().arg("report").arg(&parts).output().unwrap();
    assert!(merged.status.success(), "{}", stderr(&merged));
    assert_eq!(
        fs::read(whole.join("results.csv")).unwrap(),
        fs::read(parts.join("results.csv")).unwrap()
    );
}

#[test]
fn changed_measures_measure_again_and_changed_epochs_train_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &[]).status.success());
    let checkpoints = || {
        let mut found: Vec<_> = fs::read_dir(out.join("cells"))
            .unwrap()
            .flatten()
            .filter_map(|e| {
                fs::metadata(e.path().join("a.safetensors"))
                    .ok()?
                    .modified()
                    .ok()
            })
            .collect();
        found.sort();
        found
    };
    let before = checkpoints();
    assert_eq!(before.len(), 7);

    let fewer = TINY.replace(
        "[analysis]",
        "[analysis]\nmeasures = [\"cka_linear_debiased\"]",
    );
    let output = run(&experiment(dir.path(), &fewer), &out, &[]);
    assert!(
        stdout(&output).contains("8 cells in"),
        "{}",
        stdout(&output)
    );
    assert_eq!(before, checkpoints(), "nothing was trained again");
    assert!(
        !fs::read_to_string(out.join("results.csv"))
            .unwrap()
            .contains("cka_linear_biased")
    );

    let longer = TINY.replace("epochs = 2", "epochs = 3");
    assert!(
        run(&experiment(dir.path(), &longer), &out, &[])
            .status
            .success()
    );
    assert_eq!(checkpoints().len(), 14, "new cells beside the old");
}

#[test]
fn activations_are_kept_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{TINY}\n[keep]\nactivations = true\n");
    let file = experiment(dir.path(), &text);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &["--cell", "1"]).status.success());
    let cell = fs::read_dir(out.join("cells"))
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    let read = |name: &str| ActivationFile::open(&cell.join("activations").join(name)).unwrap();
    let (a, b, other) = (
        read("test.a.safetensors"),
        read("test.b.safetensors"),
        read("plain.a.safetensors"),
    );
    // Wanting the dumps after the fact measures again and leaves them.
    let late = dir.path().join("late");
    assert!(
        run(&experiment(dir.path(), TINY), &late, &["--cell", "1"])
            .status
            .success()
    );
    assert!(run(&file, &late, &["--cell", "1"]).status.success());
    let cell = fs::read_dir(late.join("cells"))
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    assert!(
        !cell.join("activations").exists(),
        "the file was replaced by the plain one"
    );
    let again = experiment(dir.path(), &text);
    assert!(run(&again, &late, &["--cell", "1"]).status.success());
    assert!(cell.join("activations/test.a.safetensors").exists());
    assert_eq!(a.layers.len(), 4);
    // In the order of the model, input side first.
    let names: Vec<&str> = a.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["conv1", "conv2", "penultimate", "logits"]);
    assert_eq!(a.layers[0].shape(), [60, 2]);
    let (a, b, other) = (a.ids.unwrap(), b.ids.unwrap(), other.ids.unwrap());
    assert_eq!(a.check(&b), Ok(()));
    assert!(a.check(&other).unwrap_err().to_string().contains("hashes"));
}

#[test]
fn a_diverging_cell_is_named_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let text = TINY.replace("lr = 0.1, momentum = 0.9", "lr = 1e30, momentum = 0.9");
    let file = experiment(dir.path(), &text);
    let out = dir.path().join("run");
    let output = run(&file, &out, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(
        text.contains("data 0.5, seed 0") && text.contains("the loss became"),
        "{text}"
    );
    // The untrained pair does not train and is done; the report says what is missing.
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("7 of 8 cells are not finished"));
}

/// A run that is let begin keeps within the memory that it was given.
#[test]
#[cfg(target_os = "linux")]
fn a_run_keeps_within_its_memory() {
    let dir = tempfile::tempdir().unwrap();
    let text = TINY.replace(
        "name = \"cnn\"\nwidth = 2",
        "name = \"mlp\"\nhidden = [1500, 1500]",
    );
    assert!(text.contains("hidden"), "{text}");
    let file = experiment(dir.path(), &text);
    let out = dir.path().join("run");
    let refused = run(&file, &out, &["--memory", "80MB"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let said = stderr(&refused);
    let least = said
        .split(" takes ")
        .nth(1)
        .and_then(|rest| rest.split(" of memory").next());
    let least: f64 = (least.and_then(|least| least.strip_suffix(" MiB")))
        .and_then(|least| least.parse().ok())
        .unwrap_or_else(|| panic!("{said}"));
    // One cell at a time, then two.
    for budget in [least + 1.0, 2.0 * least] {
        let out = dir.path().join(format!("run-{budget:.0}"));
        let budget = format!("{budget:.0}MiB");
        let (output, peak) = watched_run(&file, &out, &["--memory", &budget, "--shard", "1/2"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let peak = peak as f64 / f64::from(1 << 20);
        let budget: f64 = budget.trim_end_matches("MiB").parse().unwrap();
        assert!(
            peak > 100.0 && peak <= budget,
            "{peak:.0} of {budget:.0} MiB"
        );
    }
}

/// Each mistake of a user: what replaces what in the file, and what the message
/// must say. All are refused with exit code 2 before any work.
#[test]
fn mistakes_in_an_experiment_file_get_one_clear_message() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "epochs = 2",
            "epohcs = 2",
            &[
                "experiment.toml:18",
                "unknown key 'epohcs'",
                "did you mean 'epochs'",
            ],
        ),
        ("epochs = 2", "epochs = \"two\"", &[":18", "expected"]),
        ("epochs = 2", "", &["the key 'epochs' is missing"]),
        (
            "seeds = 1",
            "seeds = 0",
            &["experiment.toml:3", "seeds = 0: it must be at least 1"],
        ),
        ("seeds = 1", "seeds = -1", &[":3", "-1"]),
        (
            "levels = [0, 0.5, 1]",
            "levels = [0, 0.5, 1.3]",
            &[":26", "1.3", "between 0 and 1"],
        ),
        (
            "levels = [0, 0.5, 1]",
            "levels = [0, 0.5, 0.2]",
            &[":26", "must ascend"],
        ),
        (
            "kind = \"class\"\nlevels = [0, 1]",
            "kind = \"class\"\nlevels = [0, 0.3, 1]",
            &[":30", "class overlap 0.3 cannot be reached", "0, 0.5, 1"],
        ),
        (
            "name = \"color-shape-digit\"",
            "name = \"color-shape-digits\"",
            &["did you mean 'color-shape-digit'", "fashion-mnist"],
        ),
        (
            "name = \"cnn\"",
            "name = \"cn\"",
            &["unknown model 'cn'", "did you mean 'cnn'"],
        ),
        (
            "layer = \"penultimate\"",
            "layer = \"penultimat\"",
            &["unknown layer", "did you mean 'penultimate'", "conv1"],
        ),
        (
            "probe = \"test\"",
            "probe = \"tset\"",
            &["unknown probe 'tset'", "did you mean 'test'"],
        ),
        (
            "measure = \"cka_linear_debiased\"",
            "measure = \"ckka\"",
            &["unknown measure 'ckka'", "cka_linear_biased"],
        ),
        (
            "label = [\"digit\"]",
            "label = [\"digits\"]",
            &["unknown label factor 'digits'", "did you mean 'digit'"],
        ),
        ("factors_per_task = 1", "", &["a task axis needs"]),
        (
            "width = 2",
            "hidden = [8]",
            &["'hidden' is a setting of mlp only"],
        ),
        (
            "name = \"tiny\"",
            "name = \"../tiny\"",
            &[":2", "names a file or directory"],
        ),
        ("name = \"sgd\"", "name = \"sdg\"", &["did you mean 'sgd'"]),
        ("lr = 0.1", "lr = inf", &[":20", "lr = inf", "a number"]),
        (
            "train_per_model = 64",
            "train_per_model = 300",
            &[":11", "needs 600", "there are 400"],
        ),
        (
            "label = [\"digit\"]",
            "label = [\"digit\", \"digit\"]",
            &["'digit' is listed twice"],
        ),
        (
            "name = \"plain\"\npreset",
            "name = \"pl/ain\"\npreset",
            &["letters, digits"],
        ),
        (
            "samples = 60",
            "samples = 60000",
            &["samples = 60000", "has 8000"],
        ),
        (
            "probe = \"test\"",
            "probe = \"common\"",
            &["the same samples at every level"],
        ),
        (
            "drop_last = true",
            "augment = [{ name = \"flop\" }]",
            &["unknown augmentation 'flop'", "did you mean 'flip'"],
        ),
        (
            "drop_last = true",
            "augment = [{ name = \"cutout\" }]",
            &["the key 'side' is missing"],
        ),
        (
            "drop_last = true",
            "augment = [{ name = \"flip\", pixels = 2 }]",
            &["'pixels' is a setting of translate only"],
        ),
        (
            "name = \"cnn\"\nwidth = 2",
            "name = \"resnet\"\ndepth = 19",
            &["a depth of 18, 34, 50, 101 or 152, not 19"],
        ),
        (
            "[[axis]]\nkind = \"data\"\nlevels = [0, 0.5, 1]",
            "[[grid]]\ndata = [0, 1]",
            &["a grid crosses two or more axes"],
        ),
        (
            "[[axis]]\nkind = \"data\"\nlevels = [0, 0.5, 1]",
            "[[grid]]\nclass = [0, 1]\ndata = [0, 1]",
            &["class overlap 0 has no common classes"],
        ),
        (
            "[[axis]]\nkind = \"data\"\nlevels = [0, 0.5, 1]",
            "[[grid]]\nclass = [0.5, 1]\ntask = [0, 1]",
            &["cannot cross class x task"],
        ),
        (
            "[[axis]]\nkind = \"data\"\nlevels = [0, 0.5, 1]",
            "[[axis]]\nkind = \"partition\"\npairs = [[\"shape\", \"shape+colour\"]]",
            &["unknown label factor 'colour'", "did you mean 'color'"],
        ),
        (
            "kind = \"common-classes\"",
            "classes = 2",
            &["a setting of probes by classes only"],
        ),
        (
            "drop_last = true",
            "augment = [{ name = \"cutout\", side = 28 }]",
            &["a cutout of 28 pixels: the images are 28x28"],
        ),
        (
            "train_samples = 400",
            "train_samples = 400\nnormalization = { mean = [0.5], std = [0.2] }",
            &["1 values a statistic", "3 channels"],
        ),
        (
            "train_samples = 400",
            "train_samples = 400\nnormalization = { mean = [0.5], std = [1e308] }",
            &["experiment.toml:11", "std = 1e308", "0.001 to 1"],
        ),
        (
            "train_samples = 400",
            "train_samples = 400\nnormalization = { mean = [0.5], std = [1e-310] }",
            &["std = 1e-310", "0.001 to 1"],
        ),
        (
            "train_samples = 400",
            "train_samples = 400\nnormalization = { mean = [0.5], std = [0.0] }",
            &["std = 0.0", "0.001 to 1"],
        ),
        (
            "train_samples = 400",
            "train_samples = 400\nnormalization = { mean = [127.5], std = [0.5] }",
            &["mean = 127.5", "from 0 to 1", "divide it by 255"],
        ),
        (
            "kind = \"common-classes\"\nsamples = 50",
            "kind = \"common-classes\"\nclasses = 2",
            &["a matched probe needs 'samples'"],
        ),
        (
            "kind = \"common-classes\"\nsamples = 50",
            "kind = \"common-classes\"\nclasses = 1\nsamples = 5000",
            &["probe 'common'", "5000 of each"],
        ),
        (
            "[[axis]]\nkind = \"data\"\nlevels = [0, 0.5, 1]",
            "[[axis]]\nkind = \"partition\"\npairs = [[\"shape\", \"digit\"], [\"shape\", \"digit\"]]",
            &["is listed twice"],
        ),
        (
            "train_samples = 400",
            "path = \"pictures\"",
            &["'path' is a setting of folder only"],
        ),
    ];
    for (old, new, expected) in cases {
        let text = TINY.replacen(old, new, 1);
        assert_ne!(text, TINY, "the case replaces nothing: {old}");
        let dir = tempfile::tempdir().unwrap();
        let file = experiment(dir.path(), &text);
        let out = dir.path().join("run");
        let output = run(&file, &out, &[]);
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

/// A factorial design of every kind of sweep, on a residual network, with
/// augmentation and matched probes.
#[test]
fn grids_partitions_and_model_sizes_run_to_their_report() {
    let sweeps = r#"
[[grid]]
data = [0, 1]
task = [0, 1]
factors = ["shape", "digit"]
factors_per_task = 1

[[grid]]
class = [0.5, 1]
data = [0, 1]

[[grid]]
task = [0, 1]
width = [2, 4]
factors = ["shape", "digit"]
factors_per_task = 1

[[axis]]
kind = "partition"
pairs = [["shape", "digit"], ["shape", "shape+digit"], ["shape+digit", "shape+digit"]]

[[axis]]
kind = "class"
levels = [0, 1]

[[probe]]
name = "matched"
kind = "common-classes"
classes = 1
samples = 40

[[probe]]"#;
    let start = TINY.find("[[axis]]").unwrap();
    let end = TINY.find("[[probe]]").unwrap();
    let text = format!(
        "{}{sweeps}{}",
        &TINY[..start],
        &TINY[end + "[[probe]]".len()..]
    )
    .replace("seeds = 1", "seeds = 2")
    .replace("name = \"cnn\"", "name = \"resnet\"\nstem = \"stock\"")
    .replace(
        "drop_last = true",
        "augment = [{ name = \"flip\" }, { name = \"translate\", pixels = 2 }]\nfill = [9, 9, 9]",
    );
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), &text);
    let out = dir.path().join("run");
    let output = run(&file, &out, &["--format", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let effects: Vec<serde_json::Value> = serde_json::from_str(&stdout(&output)).unwrap();
    let terms = |sweep: &str| -> Vec<String> {
        effects
            .iter()
            .filter(|e| e["sweep"] == sweep && e["primary"] == true)
            .map(|e| e["axis"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(terms("data x task"), ["data", "task", "data x task"]);
    assert_eq!(terms("class x data"), ["class", "data", "class x data"]);
    assert_eq!(terms("task x width"), ["task", "width", "task x width"]);
    assert_eq!(terms("partition"), ["partition"]);
    let defined = |e: &&serde_json::Value| e["primary"] == true && e["slope"].is_number();
    assert_eq!(effects.iter().filter(defined).count(), 11);

    // What was crossed is what the splits hold.
    let splits: Vec<serde_json::Value> = fs::read_dir(out.join("cells"))
        .unwrap()
        .flatten()
        .map(|e| fs::read_to_string(e.path().join("split.json")).unwrap())
        .map(|text| serde_json::from_str(&text).unwrap())
        .collect();
    for split in &splits {
        let Some(levels) = split["point"]["levels"].as_array() else {
            continue;
        };
        let level = |name: &str| {
            let found = levels.iter().find(|l| l[0] == name);
            found.map(|l| l[1].as_f64().unwrap())
        };
        let reached = &split["overlap_reached"];
        match (split["sweep"].as_str().unwrap(), level("data")) {
            ("data x task", Some(data)) => {
                assert_eq!(reached["samples"], data);
                assert_eq!(reached["labels"], level("task").unwrap());
            }
            ("class x data", Some(data)) => {
                assert_eq!(reached["samples"], data * level("class").unwrap());
            }
            ("partition", _) => assert_eq!(reached["samples"], 1.0),
            _ => {}
        }
    }
    // Widths differ, matched probes have as many samples at every level.
    let csv = fs::read_to_string(out.join("results.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let widths: std::collections::BTreeSet<(String, String)> = rows
        .iter()
        .filter(|r| &r[column("layer_a")] == "penultimate" && !r[column("width")].is_empty())
        .map(|r| (r[column("width")].to_string(), r[column("d_a")].to_string()))
        .collect();
    assert_eq!(
        widths.into_iter().collect::<Vec<_>>(),
        [("2".into(), "16".into()), ("4".into(), "32".into())]
    );
    let matched: Vec<_> = rows
        .iter()
        .filter(|r| &r[column("probe")] == "matched")
        .collect();
    assert!(!matched.is_empty());
    assert!(matched.iter().all(|r| &r[column("n")] == "40"));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for part in ["Data × task", "Class × data", "Shared factors", "task 0"] {
        assert!(page.contains(part), "{part}");
    }
}

/// An autoencoder has no labels and no accuracy; its latent means are a layer.
#[test]
fn autoencoders_and_transformers_run() {
    let dir = tempfile::tempdir().unwrap();
    for (model, layer) in [
        ("name = \"vae\"\nwidth = 2\nlatent = 4", "mu"),
        (
            "name = \"vit\"\nwidth = 8\ndepth = 2\nheads = 2",
            "penultimate",
        ),
    ] {
        let start = TINY.find("[[axis]]\nkind = \"class\"").unwrap();
        let end = TINY.find("[[probe]]").unwrap();
        let text = format!("{}{}", &TINY[..start], &TINY[end..])
            .replace("name = \"cnn\"\nwidth = 2", model)
            .replace("\n[task]\nname = \"classify\"\nlabel_smoothing = 0.1\n", "")
            .replace("layer = \"penultimate\"", &format!("layer = \"{layer}\""))
            .replace(
                "name = \"sgd\", lr = 0.1, momentum = 0.9",
                "name = \"adam\", lr = 0.001",
            );
        let file = experiment(dir.path(), &text);
        let out = dir.path().join(layer);
        let output = run(&file, &out, &[]);
        assert!(output.status.success(), "{}", stderr(&output));
        let csv = fs::read_to_string(out.join("results.csv")).unwrap();
        assert!(csv.contains(&format!(",{layer},{layer},cka_linear_debiased,")));
    }
}

/// A checkpoint of a run gives the activations that the run kept.
#[test]
fn extract_gives_the_activations_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{TINY}\n[keep]\nactivations = true\n");
    let file = experiment(dir.path(), &text);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &["--cell", "1"]).status.success());
    let cell = fs::read_dir(out.join("cells")).unwrap().next().unwrap();
    let cell = cell.unwrap().path();
    let extracted = dir.path().join("again");
    let output = reprsim()
        .args(["extract", "--device", "cpu", "--classes", "4"])
        .arg(&file)
        .arg(cell.join("a.safetensors"))
        .arg("--out")
        .arg(&extracted)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let layer = |path: &std::path::Path| {
        let bytes = fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensor("penultimate").unwrap().data().to_vec()
    };
    assert_eq!(
        layer(&cell.join("activations/test.a.safetensors")),
        layer(&extracted.join("test.safetensors"))
    );
    // A user's file that is none is a mistake in a file.
    let (none, missing) = (
        dir.path().join("none.safetensors"),
        dir.path().join("missing.pth"),
    );
    fs::write(&none, "no checkpoint").unwrap();
    for checkpoint in [none, missing] {
        let output = reprsim()
            .args(["extract", "--device", "cpu", "--classes", "4"])
            .arg(&file)
            .arg(&checkpoint)
            .arg("--out")
            .arg(&extracted)
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&*checkpoint.to_string_lossy()), "{said}");
    }
}

/// Images of 28 x 28 that models see as 16 x 16: in training, in probes and in what is extracted.
#[test]
fn images_are_seen_at_the_size_of_the_input() {
    let dir = tempfile::tempdir().unwrap();
    let start = TINY.find("[[axis]]\nkind = \"class\"").unwrap();
    let end = TINY.find("[[probe]]").unwrap();
    let plain = format!(
        "{}{}\n[keep]\nactivations = true\n",
        &TINY[..start],
        &TINY[end..]
    )
    .replace(
        "name = \"cnn\"\nwidth = 2",
        "name = \"vit\"\nwidth = 8\ndepth = 2\nheads = 2\npatch = 8",
    );
    let out = dir.path().join("run");
    let output = run(&experiment(dir.path(), &plain), &out, &[]);
    assert_eq!(output.status.code(), Some(2));
    let message = stderr(&output);
    for part in ["divisible by 8; these are 28x28", "under [input]"] {
        assert!(message.contains(part), "{message}");
    }
    let text = plain.replace(
        "train_per_model = 64",
        "train_per_model = 64\nnormalization = \"imagenet\"\n\n[input]\nsize = 16\nresize = 19\nfilter = \"bicubic\"",
    );
    let file = experiment(dir.path(), &text);
    let output = run(&file, &out, &["--cell", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let cell = fs::read_dir(out.join("cells")).unwrap().next().unwrap();
    let cell = cell.unwrap().path();
    let extracted = dir.path().join("again");
    let output = reprsim()
        .args(["extract", "--device", "cpu", "--classes", "4"])
        .arg(&file)
        .arg(cell.join("a.safetensors"))
        .arg("--out")
        .arg(&extracted)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let tensor = |path: &std::path::Path, name: &str| {
        let bytes = fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor(name).unwrap();
        (tensor.shape().to_vec(), tensor.data().to_vec())
    };
    assert_eq!(
        tensor(&cell.join("activations/test.a.safetensors"), "penultimate"),
        tensor(&extracted.join("test.safetensors"), "penultimate")
    );
    // Four patches of 8 x 8 and the token of the class, at whose places something is added.
    let bytes = fs::read(cell.join("a.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(
        weights
            .iter()
            .any(|(_, tensor)| tensor.shape() == [1, 5, 8])
    );
    let shown = reprsim()
        .args(["data", "preview", "--out"])
        .arg(dir.path().join("grid.png"))
        .arg(&file)
        .output()
        .unwrap();
    let shown = stdout(&shown);
    assert!(
        shown.contains("28 x 28, colour") && shown.contains("seen as 16 x 16"),
        "{shown}"
    );
}

/// A folder of pictures: a run says what it left out, cells are named by what the
/// folder holds and not by where it is, and new pictures are trained on anew. The run is
/// in the folder itself, and is no class of it.
#[test]
fn folders_of_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let draw = |folder: &std::path::Path, count: u32| {
        for class in 0..4u8 {
            let of_class = folder.join(format!("class{class}"));
            fs::create_dir_all(&of_class).unwrap();
            for i in 0..count {
                let shade = |x: u32, y: u32| image::Rgb([60 * class, (x * i) as u8, (y * 7) as u8]);
                let picture = image::RgbImage::from_fn(8, 8, shade);
                picture.save(of_class.join(format!("{i}.png"))).unwrap();
            }
        }
    };
    let pictures = dir.path().join("pictures");
    draw(&pictures, 20);
    fs::write(pictures.join("class0/notes.txt"), "no picture").unwrap();
    fs::create_dir(pictures.join("empty")).unwrap();
    let start = TINY.find("[[axis]]\nkind = \"task\"").unwrap();
    let end = TINY.find("[[probe]]").unwrap();
    let text = format!("{}{}", &TINY[..start], &TINY[end..])
        .replace("name = \"color-shape-digit\"\n", "name = \"folder\"\npath = \".\"\n")
        .replace("preset = \"varied\"\nfactor_classes = 4\nlabel = [\"digit\"]\ntrain_samples = 400\ntrain_per_model = 64", "train_per_model = 16")
        .replace("samples = 60", "samples = 10")
        .replace("[[probe]]\nname = \"plain\"\npreset = \"plain\"\nsamples = 50\n", "");
    experiment(&pictures, &text);
    let go = |folder: &std::path::Path, command: &[&str]| {
        let output = reprsim()
            .args(command)
            .arg("experiment.toml")
            .current_dir(folder)
            .arg("--data-dir")
            .arg(dir.path().join("cache"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        output
    };
    let run = ["run", "--device", "cpu"];
    let said = stderr(&go(&pictures, &run));
    for remark in [
        "data set: class0/notes.txt: left out: not an image by its name",
        "data set: empty: left out: no image in it, so no class",
    ] {
        assert!(said.contains(remark), "{said}");
    }
    let report = fs::read_to_string(pictures.join("runs/tiny/report.html")).unwrap();
    assert!(report.contains("class0/notes.txt: left out"));
    assert!(pictures.join("runs/tiny/skipped.json").exists());
    assert!(stdout(&go(&pictures, &run)).contains("0 cells in"));
    let plan = stdout(&go(&pictures, &["plan", "--device", "cpu"]));
    for line in [
        "data set: folder, 4 classes of class, 67 samples to train on, 13 held out",
        "data set: runs/tiny: left out: written by reprsim",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    let shown = stdout(&go(&pictures, &["data", "preview", "--out", "grid.png"]));
    assert!(
        shown.contains("trained on: 67 of 67 images, 8 x 8, colour, 4 classes"),
        "{shown}"
    );
    assert!(shown.contains("held out: 13 of 13 images"), "{shown}");
    let grid = image::open(pictures.join("grid.png")).unwrap();
    assert_eq!(grid.width(), 10 * (128 + 8) + 8);
    // The same elsewhere: nothing to do.
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&pictures, &elsewhere).unwrap();
    assert!(stdout(&go(&elsewhere, &run)).contains("0 cells in"));
    // Other pictures: other cells.
    draw(&elsewhere, 24);
    assert!(!stdout(&go(&elsewhere, &run)).contains("0 cells in"));
}

/// Reads an experiment that comes with the program, with weights in place of those that it names,
/// which are not here.
fn shipped(path: &std::path::Path, weights: &std::path::Path) -> reprsim_config::Experiment {
    let text = fs::read_to_string(path).unwrap();
    let is_named = |part: &str| part.starts_with("hub:") || part.starts_with("../runs/");
    let parts: Vec<&str> = (text.split('"'))
        .map(|part| match is_named(part) {
            true => weights.to_str().unwrap(),
            false => part,
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join(path.file_name().unwrap());
    fs::write(&copy, parts.join("\"")).unwrap();
    reprsim_run::read_experiment(&copy).unwrap()
}

/// Every experiment that comes with the program can be read, and each at full size
/// has a small sibling; those of model size have one together.
#[test]
fn the_experiments_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let names = |folder: &std::path::Path| -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|n| n.ends_with(".toml"))
            .collect();
        names.sort();
        names
    };
    let dir = tempfile::tempdir().unwrap();
    let weights = dir.path().join("weights.safetensors");
    let none = std::collections::HashMap::<String, safetensors::tensor::TensorView<'_>>::new();
    safetensors::serialize_to_file(none, None, &weights).unwrap();
    let paper = names(&folder.join("paper"));
    assert!(paper.len() >= 20);
    for name in &paper {
        let path = folder.join("paper").join(name);
        let read = shipped(&path, &weights);
        assert_eq!(format!("{}.toml", read.name), *name);
        let is_small = read.name.ends_with("-small") || read.name.starts_with("model_size");
        assert!(is_small || paper.contains(&format!("{}-small.toml", read.name)));
    }
    assert!(folder.join("size_small.toml").exists());
    for name in names(&folder) {
        shipped(&folder.join(name), &weights);
    }
    for name in names(&folder.join("pretrain")) {
        reprsim_config::read_pretraining(&folder.join("pretrain").join(name)).unwrap();
    }
}

#[test]
fn wrong_use_is_exit_code_2_and_says_what_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let file = file.to_str().unwrap();
    let nowhere = dir.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let preview = [
        "data",
        "preview",
        "mnist",
        "--out",
        "x.png",
        "--data-dir",
        nowhere,
    ];
    let cases: &[(&[&str], i32, &str)] = &[
        (&["run", "nothing.toml"], 2, "no such experiment file"),
        (&["run", file, "--shard", "3/2"], 2, "i from 1 to N"),
        (&["run", file, "--cell", "99"], 2, "cells 0 to 7"),
        (
            &["run", file, "--device", "gpu"],
            2,
            "known: auto, cpu, all",
        ),
        (
            &["run", file, "--device", "cpu:1"],
            2,
            "unknown device 'cpu:1'",
        ),
        (&["report", nowhere], 2, "is not a run directory"),
        (&["data", "fetch", "mnits"], 2, "did you mean 'mnist'"),
        (&preview, 2, "reprsim data fetch mnist"),
        (
            &["data", "preview", "color-shape-digit", "--out", nowhere],
            1,
            "could not write",
        ),
    ];
    for (args, code, expected) in cases {
        let output = reprsim().args(*args).output().unwrap();
        let message = stderr(&output);
        assert!(message.contains(expected), "{args:?}: {message}");
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {message}");
    }
}

#[test]
fn a_missing_data_set_or_an_impossible_split_leaves_a_finished_run_alone() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let file = experiment(dir.path(), TINY);
    assert!(run(&file, &out, &["--cell", "0"]).status.success());
    let plan = fs::read(out.join("plan.json")).unwrap();
    let data = dir.path().join("no-data");
    let elsewhere = TINY.replace("preset = \"plain\"\nsamples = 50", "dataset = \"mnist\"");
    let output = run(
        &experiment(dir.path(), &elsewhere),
        &out,
        &["--data-dir", data.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("run: reprsim data fetch mnist"),
        "{}",
        stderr(&output)
    );
    // 400 samples of 64 combinations: some have too few for 4 + 4.
    let fine = TINY.replace(
        "label = [\"digit\"]",
        "label = [\"shape\", \"digit\", \"color\"]",
    );
    let fine = fine.replace("train_per_model = 64", "train_per_model = 199");
    let output = run(&experiment(dir.path(), &fine), &out, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("training samples"),
        "{}",
        stderr(&output)
    );
    assert_eq!(plan, fs::read(out.join("plan.json")).unwrap());
}

#[test]
fn tables_come_in_three_formats() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    for args in [
        vec!["devices"],
        vec!["data", "list"],
        vec!["plan", file.to_str().unwrap(), "--device", "cpu"],
    ] {
        let json = reprsim()
            .args(&args)
            .args(["--format", "json"])
            .output()
            .unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
        let csv = reprsim()
            .args(&args)
            .args(["--format", "csv"])
            .output()
            .unwrap();
        assert_eq!(stdout(&csv).lines().count(), rows.len() + 1, "{args:?}");
        let table = reprsim().args(&args).output().unwrap();
        assert!(table.status.success(), "{args:?}: {}", stderr(&table));
    }
    let plan = reprsim()
        .args([
            "run",
            file.to_str().unwrap(),
            "--dry-run",
            "--device",
            "cpu",
        ])
        .output()
        .unwrap();
    assert!(
        stdout(&plan).contains("14 models to train"),
        "{}",
        stdout(&plan)
    );
    assert!(stdout(&plan).contains("estimated training time"));
}

#[test]
fn benches_write_their_figures() {
    let dir = tempfile::tempdir().unwrap();
    let figures = |what: &str, model: &str| -> serde_json::Value {
        let out = dir.path().join("figures.json");
        let output = reprsim()
            .args(["bench", what, "--model", model, "--device", "cpu"])
            .args(["--seconds", "0.01", "--repeats", "2", "--jobs", "2"])
            .arg("--out")
            .arg(&out)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&fs::read(out).unwrap()).unwrap()
    };
    for (what, model) in [("train", "mlp"), ("extract", "cnn"), ("measure", "mlp")] {
        let found = figures(what, model);
        let values = found["values"].as_array().unwrap();
        assert_eq!(values.len(), 2, "{found}");
        assert!(values.iter().all(|v| v.as_f64().unwrap() > 0.0), "{found}");
        let [q1, median, q3] = ["q1", "median", "q3"].map(|key| found[key].as_f64().unwrap());
        assert!(q1 <= median && median <= q3, "{found}");
        assert_eq!(
            (found["jobs"].as_u64(), &found["model"]),
            (Some(2), &model.into())
        );
    }
    let sweep = figures("sweep", "mlp");
    assert_eq!(sweep["models"], 8);
    assert!(sweep["side_by_side_s"].as_f64().unwrap() > 0.0, "{sweep}");
}

#[test]
fn previews_and_completions() {
    let dir = tempfile::tempdir().unwrap();
    let grid = dir.path().join("grid.png");
    let output = reprsim()
        .args([
            "data",
            "preview",
            "color-shape-digit",
            "--preset",
            "varied",
            "--out",
        ])
        .arg(&grid)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(&fs::read(grid).unwrap()[1..4], b"PNG");
    let shell = reprsim().args(["completions", "bash"]).output().unwrap();
    assert!(stdout(&shell).contains("_reprsim"));
}
