//! `reprsim compare` and `reprsim measures` as their users meet them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

mod common;

use common::{TINY, experiment, reprsim, run, stderr, stdout};
use reprsim_metrics::{Mode, REGISTRY, of_mode};

/// A float32 .npy file of `n` samples that share a cause.
fn npy(path: &Path, shape: &[usize], seed: u32) -> PathBuf {
    let count: usize = shape.iter().product();
    let d = count / shape[0];
    let noise = |i: usize| {
        let mut x = (i as u32).wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(0x9e37_79b9);
        x ^= x >> 15;
        x = x.wrapping_mul(0x85eb_ca6b);
        x ^= x >> 13;
        x = x.wrapping_mul(0xc2b2_ae35);
        f64::from(x ^ (x >> 16)) / f64::from(u32::MAX) - 0.5
    };
    let values = (0..count).flat_map(|at| {
        let (sample, dimension) = (at / d, at % d);
        let cause = (sample as f64 * 0.7).sin() * (1.0 + dimension as f64).cos();
        ((cause + noise(at)) as f32).to_le_bytes()
    });
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}",
        shape.join(", ")
    );
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header += "\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

fn compare(files: &[&Path], more: &[&str]) -> Output {
    let mut command = reprsim();
    command.arg("compare").args(files);
    command
        .args(["--device", "cpu"])
        .args(more)
        .output()
        .unwrap()
}

fn records(output: &Output) -> Vec<serde_json::Value> {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn two_matrices_give_a_number_to_trust() {
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[60, 7], 1);
    let b = npy(&dir.path().join("b.npy"), &[60, 5], 2);
    let rows = records(&compare(
        &[&a, &b],
        &[
            "--format",
            "json",
            "--null",
            "99",
            "--bootstrap",
            "20",
            "--leverage",
        ],
    ));
    let names: Vec<&str> = rows
        .iter()
        .map(|r| r["measure"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "cka_linear_debiased",
            "cka_linear_biased",
            "mutual_knn_cosine_k10"
        ]
    );
    for row in &rows {
        let number = |field: &str| row[field].as_f64().unwrap();
        assert_eq!(
            (&row["model_a"], &row["layer_b"]),
            (&"a".into(), &"b".into())
        );
        assert_eq!(
            (number("n"), number("d_a"), number("d_b")),
            (60.0, 7.0, 5.0)
        );
        assert!((number("p_permutation") - 0.01).abs() < 1e-12);
        assert!(number("null_mean") < number("value"));
        assert!((0.0..1.0).contains(&number("calibrated")));
        assert!(number("ci_low") < number("value") && number("value") < number("ci_high"));
    }
    assert!(rows[0]["influential_row"].is_u64() && rows[2]["influential_row"].is_null());

    // The same seed gives the same bytes, in any number of threads.
    let csv = |threads: &str| {
        let mut command = reprsim();
        command.args([
            "compare",
            "--device",
            "cpu",
            "--format",
            "csv",
            "--measures",
            "all",
        ]);
        let output = command
            .arg(&a)
            .arg(&b)
            .env("RAYON_NUM_THREADS", threads)
            .output();
        stdout(&output.unwrap())
    };
    assert_eq!(csv("1"), csv("3"));
    let exact = of_mode(Mode::Exact).count();
    assert!(exact > 19);
    assert_eq!(csv("2").lines().count(), 1 + exact);
    // For people: a table with the device and the permutations.
    let table = stdout(&compare(&[&a, &b], &[]));
    assert!(
        table.contains("60 samples") && table.contains("p from 200 permutations"),
        "{table}"
    );
}

#[test]
fn paper_mode_has_the_published_names() {
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[50, 6], 1);
    let b = npy(&dir.path().join("b.npy"), &[50, 6], 2);
    let rows = records(&compare(
        &[&a, &b],
        &["--mode", "paper", "--null", "0", "--format", "json"],
    ));
    let mut names: Vec<&str> = rows
        .iter()
        .map(|r| r["measure"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "cka",
            "cknna",
            "cycle_knn",
            "edit_distance_knn",
            "lcs_knn",
            "mutual_knn",
            "svcca",
            "unbiased_cka"
        ]
    );
    assert!(
        rows.iter()
            .all(|r| r["p_permutation"].is_null() && r["value"].is_number())
    );
    // A published name asks for the exact form where the mode is exact.
    let rows = records(&compare(
        &[&a, &b],
        &[
            "--measures",
            "cka,mutual_knn",
            "--k",
            "5",
            "--null",
            "0",
            "--format",
            "json",
        ],
    ));
    assert_eq!(rows[0]["measure"], "cka_linear_biased");
    assert_eq!(rows[1]["measure"], "mutual_knn_cosine_k5");
}

#[test]
fn own_dumps_files_and_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let text = TINY.replace("[analysis]", "[keep]\nactivations = true\n\n[analysis]");
    let file = experiment(dir.path(), &text);
    let out = dir.path().join("run");
    let output = run(&file, &out, &["--cell", "0"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let dump = |name: &str| -> PathBuf {
        let cell = fs::read_dir(out.join("cells"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        cell.path().join("activations").join(name)
    };
    let (a, b) = (dump("test.a.safetensors"), dump("test.b.safetensors"));
    let picture = dir.path().join("layers.png");
    let vector = dir.path().join("layers.svg");
    let table = dir.path().join("rows.parquet");
    let path = |p: &Path| p.to_str().unwrap().to_string();
    let rows = records(&compare(
        &[&a, &b],
        &[
            "--format",
            "json",
            "--null",
            "20",
            "--heatmap",
            &path(&picture),
            "--heatmap",
            &path(&vector),
            "--out",
            &path(&table),
        ],
    ));
    // What compare says of the dump is what the run said of the model.
    let cell: serde_json::Value = {
        let cell = fs::read_dir(out.join("cells"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let text = fs::read_to_string(cell.path().join("similarity.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut same = 0;
    for score in cell["rows"].as_array().unwrap() {
        if score["probe"] != "test" {
            continue;
        }
        assert!(score["p_permutation"].is_number() && score["calibrated"].is_number());
        let row = rows.iter().find(|r| {
            r["scope"] == "pair"
                && ["layer_a", "layer_b", "measure"]
                    .iter()
                    .all(|f| r[f] == score[f])
        });
        assert_eq!(row.unwrap()["value"], score["value"]);
        same += 1;
    }
    let pairs = rows.iter().filter(|r| r["scope"] == "pair").count();
    let maxima = rows.iter().filter(|r| r["scope"] == "maximum").count();
    assert!(
        same > 0 && pairs == same && maxima == 3,
        "{same} {pairs} {maxima}"
    );
    assert_eq!(&fs::read(&table).unwrap()[..4], b"PAR1");
    assert_eq!(&fs::read(&picture).unwrap()[1..4], b"PNG");
    let svg = fs::read_to_string(&vector).unwrap();
    assert!(svg.contains("penultimate") && svg.contains("cka_linear_debiased"));

    // Dumps of different probes are of different samples.
    let refused = compare(&[&a, &dump("plain.b.safetensors")], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("not of the same samples"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn mistakes_are_told_with_their_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[30, 4], 1);
    let short = npy(&dir.path().join("short.npy"), &[29, 4], 2);
    let maps = npy(&dir.path().join("maps.npy"), &[30, 2, 3, 3], 3);
    let pickle = dir.path().join("a.pt");
    fs::write(&pickle, b"x").unwrap();
    let cut = dir.path().join("cut.npy");
    let bytes = fs::read(&a).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    let missing = dir.path().join("missing.npz");
    let told = |output: &Output, what: &str| {
        assert_eq!(output.status.code(), Some(2), "{}", stderr(output));
        let message = stderr(output);
        assert!(message.contains(what), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    };
    told(&compare(&[&a, &short], &[]), "29 rows");
    told(&compare(&[&a, &maps], &[]), "--pool");
    told(&compare(&[&a, &pickle], &[]), "save_file");
    told(&compare(&[&a, &cut], &[]), "truncated");
    told(&compare(&[&a, &missing], &[]), "missing.npz");
    told(&compare(&[&a], &[]), "2 values required");
    told(
        &compare(&[&a, &a], &["--measures", "ckaa"]),
        "did you mean 'cka",
    );
    told(&compare(&[&a, &a], &["--out", "x.xlsx"]), ".parquet");
    told(&compare(&[&a, &a], &["--heatmap", "x.jpg"]), ".svg");
    told(&compare(&[&a, &a], &["--pool", "median"]), "flatten");
    told(&compare(&[&a, &a], &["--k", "0"]), "0");
    told(
        &compare(&[&a, &a], &["--null", "0", "--null-stop", "10"]),
        "--null 0 draws none",
    );
    assert!(compare(&[&a, &maps], &["--pool", "mean"]).status.success());

    // Too few samples for k is a reason in the table, not a failure.
    let output = compare(
        &[&a, &a],
        &["--k", "30", "--measures", "all", "--format", "json"],
    );
    let rows = records(&output);
    let knn = rows
        .iter()
        .find(|r| r["measure"] == "mutual_knn_cosine_k30")
        .unwrap();
    assert!(knn["value"].is_null());
    assert_eq!(knn["undefined"], "fewer than 31 samples");
}

/// A .npy file of `count` whole numbers of one byte.
/// Permutations ask for their memory before they are drawn.
#[test]
fn permutations_fit_into_memory_or_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| npy(&dir.path().join(format!("{name}.npy")), &[300, 4], 1));
    let output = compare(&[&a, &b], &["--null", "1000000", "--memory", "100MB"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("1000000 permutations of 300 samples"),
        "{message}"
    );
    assert!(message.contains("--memory"), "{message}");
    // What is kept of each half-sample is, too.
    let more = ["--null", "0", "--bootstrap", "1000000", "--measures", "all"];
    let output = compare(&[&a, &b], &[&more[..], &["--memory", "100MB"]].concat());
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("values on each of 1000000 half-samples") && message.contains("--memory"),
        "{message}"
    );
}

/// What is no number is named by file, layer, sample and unit, once.
#[test]
fn values_that_are_no_numbers_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[40, 5], 1);
    let odd = npy(&dir.path().join("odd.npy"), &[40, 5], 2);
    let mut bytes = fs::read(&odd).unwrap();
    let start = bytes.len() - 40 * 5 * 4;
    for (at, value) in [(17 * 5 + 3, f32::NAN), (30 * 5, f32::INFINITY)] {
        bytes[start + 4 * at..][..4].copy_from_slice(&value.to_le_bytes());
    }
    fs::write(&odd, bytes).unwrap();
    let output = compare(&[&a, &odd], &["--measures", "all", "--format", "json"]);
    let said = stderr(&output);
    assert!(
        said.contains("odd.npy: layer 'odd': sample 17, unit 3 (from 0) is NaN"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let rows = records(&output);
    assert!(
        rows.iter()
            .all(|row| row["undefined"] == "activation is not finite")
    );
}

fn bytes_npy(path: &Path, shape: [usize; 2], values: &[u8]) -> PathBuf {
    let [n, d] = shape;
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({n}, {d}), }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header += "\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

/// Tokens of unrelated models, padded with zeros to one length: what they share is how long each
/// sample is.
#[test]
fn padding_is_said_and_a_mask_leaves_it_out() {
    let dir = tempfile::tempdir().unwrap();
    let (n, tokens, d) = (120, 12, 6);
    let length = |i: usize| 1 + i * 7 % tokens;
    let filled = |name: &str, seed: u32, pad: fn(usize) -> f32| {
        let path = npy(&dir.path().join(name), &[n, tokens, d], seed);
        let mut bytes = fs::read(&path).unwrap();
        let start = bytes.len() - n * tokens * d * 4;
        for (at, value) in bytes[start..].chunks_exact_mut(4).enumerate() {
            let (sample, token, dimension) = (at / (tokens * d), at / d % tokens, at % d);
            // A mean of its own for each dimension and model, and noise.
            let mut noise = (at as u32 ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
            noise = (noise ^ (noise >> 13)).wrapping_mul(0xc2b2_ae35);
            let noise = (noise >> 8) as f32 / (1 << 24) as f32;
            let own = ((dimension as u32 + 1) * (seed + 3)) as f32;
            let kept = if token < length(sample) {
                3.0 + own.sin() + noise
            } else {
                pad(token)
            };
            value.copy_from_slice(&kept.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        path
    };
    let padded = |name: &str, seed: u32| filled(name, seed, |_| 0.0);
    let (a, b) = (padded("a.npy", 1), padded("b.npy", 2));
    let real: Vec<u8> = (0..n * tokens)
        .map(|at| u8::from(at % tokens < length(at / tokens)))
        .collect();
    let mask = bytes_npy(&dir.path().join("mask.npy"), [n, tokens], &real);
    let mask = mask.to_str().unwrap();
    let whole = &[
        "--pool",
        "mean",
        "--measures",
        "unbiased_cka",
        "--format",
        "json",
    ];
    let output = compare(&[&a, &b], whole);
    let said = stderr(&output);
    assert_eq!(said.matches("--mask FILE.npy").count(), 2, "{said}");
    assert!(
        said.contains("a.npy: sample 0") && said.contains("b.npy"),
        "{said}"
    );
    let plain = records(&output)[0]["value"].as_f64().unwrap();
    assert!(plain > 0.9, "{plain}");
    for masks in [&["--mask", mask][..], &["--mask", mask, "--mask", mask]] {
        let output = compare(&[&a, &b], &[whole, masks].concat());
        assert!(!stderr(&output).contains("--mask"), "{}", stderr(&output));
        let masked = records(&output)[0]["value"].as_f64().unwrap();
        assert!(masked.abs() < 0.3, "{masked} {plain}");
    }
    // A token of its own, with or without its position; real ones alone are no padding.
    let same = filled("same.npy", 1, |_| 9.0);
    let placed = filled("placed.npy", 2, |token| 9.0 + token as f32 / 8.0);
    for file in [&same, &placed] {
        let output = compare(&[file, file], whole);
        let said = stderr(&output);
        let expected = "samples the last tokens are one and the same, as padding is";
        assert_eq!(said.matches(expected).count(), 2, "{said}");
        let output = compare(&[file, file], &[whole, &["--mask", mask][..]].concat());
        assert!(!stderr(&output).contains("--mask"), "{}", stderr(&output));
    }
    let real = npy(&dir.path().join("real.npy"), &[n, tokens, d], 3);
    let output = compare(&[&real, &real], whole);
    let said = stderr(&output);
    assert!(!said.contains("as padding is"), "{said}");
    // No look at values tells padding that a model has worked on: that all are pooled is said.
    assert_eq!(
        said.matches("all tokens of a sample are pooled").count(),
        1,
        "{said}"
    );
    let matrix = npy(&dir.path().join("matrix.npy"), &[n, d], 3);
    for (files, pool) in [(&real, "flatten"), (&matrix, "mean")] {
        let output = compare(&[files, files], &["--pool", pool]);
        assert_eq!(stderr(&output), "");
    }
    let told = |more: &[&str], what: &str| {
        let output = compare(&[&a, &b, &a], more);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    };
    told(
        &["--pool", "mean", "--mask", mask, "--mask", mask],
        "2 masks for 3 files",
    );
    told(&["--mask", mask], "--pool");
    told(&["--pool", "flatten", "--mask", mask], "not with flatten");
}

/// A pipe gives its bytes once, and they are wanted more often.
#[cfg(unix)]
#[test]
fn pipes_are_refused_with_their_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[30, 4], 1);
    let mut command = reprsim();
    command.arg("compare").arg("/dev/stdin").arg(&a);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let output = command.stdin(reader).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(
        message.contains("/dev/stdin") && message.contains("to a file first"),
        "{message}"
    );
}

/// Values of f64 that neither f32 nor their own squares hold are values like others.
#[test]
fn values_beyond_f32_are_measured() {
    let dir = tempfile::tempdir().unwrap();
    let (n, d) = (40, 3);
    let file = |name: &str, seed: f64, scale: f64| {
        let path = dir.path().join(name);
        let mut header =
            format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({n}, {d}), }}");
        header += &" ".repeat(63 - (10 + header.len()) % 64);
        header += "\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        for at in 0..n * d {
            let value = ((at as f64 * 0.7).sin() + (at as f64 * seed).cos()) * scale;
            bytes.extend(value.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        path
    };
    for mode in ["exact", "paper"] {
        let more = [
            "--measures",
            "all",
            "--null",
            "20",
            "--bootstrap",
            "4",
            "--mode",
            mode,
        ];
        let more = [&more[..], &["--leverage", "--format", "json"]].concat();
        let found = |scale: f64| {
            let b = file("b.npy", 1.9, 1.0);
            records(&compare(&[&file("a.npy", 1.3, scale), &b], &more))
        };
        let base = found(1.0);
        for scale in [1e300, 1e-300] {
            for (row, base) in found(scale).iter().zip(&base) {
                let name = &row["measure"];
                assert_eq!(row["undefined"], base["undefined"], "{name} {scale}");
                let number = |row: &serde_json::Value| row["value"].as_f64().unwrap_or_default();
                // They see the scale.
                if ["uniformity_difference", "magnitude_difference"]
                    .iter()
                    .any(|of| name == of)
                {
                    continue;
                }
                assert!((number(row) - number(base)).abs() < 1e-5, "{name} {scale}");
            }
        }
    }
}

#[test]
fn every_measure_is_listed_and_documented() {
    let output = reprsim()
        .args(["measures", "--format", "json"])
        .output()
        .unwrap();
    let rows = records(&output);
    assert_eq!(rows.len(), REGISTRY.len());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/measures.md");
    let docs = fs::read_to_string(docs).unwrap();
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        assert!(
            docs.contains(&format!("`{name}`")),
            "docs/measures.md lacks {name}"
        );
        assert!(!row["reference"].as_str().unwrap().is_empty());
    }
    let table = stdout(&reprsim().arg("measures").output().unwrap());
    assert!(
        table.contains("cka_linear_debiased") && table.contains("arXiv"),
        "{table}"
    );
}

/// Under the names of the public registry measures are the same.
#[test]
fn measures_are_known_by_their_names_elsewhere() {
    let output = reprsim()
        .args(["measures", "--aliases", "--format", "json"])
        .output()
        .unwrap();
    let rows = records(&output);
    let of = |name: &str| {
        let found = rows.iter().find(|row| row["registry_name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name}"));
        (
            found["measure"].as_str().unwrap(),
            found["value"].as_str().unwrap(),
        )
    };
    assert_eq!(
        of("measure/*/procrustes-distance=angular"),
        ("procrustes_similarity", "arccos of ours")
    );
    assert_eq!(of("resi/JaccardSimilarity"), ("jaccard_knn_cosine", ""));
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[60, 7], 1);
    let b = npy(&dir.path().join("b.npy"), &[60, 5], 2);
    let scores = |names: &str| {
        let output = compare(&[&a, &b], &["--format", "csv", "--measures", names]);
        stdout(&output)
    };
    let theirs = "resi/JaccardSimilarity,measure/netrep/procrustes-distance=angular,resi/Gulp";
    let ours = "jaccard_knn_cosine,procrustes_similarity,gulp";
    assert_eq!(scores(theirs), scores(ours));
    assert_eq!(scores(ours).lines().count(), 4);
}

#[test]
fn values_are_told_as_distances_and_angles() {
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[60, 7], 1);
    let b = npy(&dir.path().join("b.npy"), &[60, 5], 2);
    let json = ["--null", "19", "--format", "json"];
    let of = |more: &[&str]| records(&compare(&[&a, &b], &[&json, more].concat()));
    let measures = ["--measures", "cka_linear_debiased,procrustes"];
    let similarity = of(&measures);
    let angular = of(&[&measures[..], &["--as", "angular"]].concat());
    for (s, angle) in similarity.iter().zip(&angular) {
        let number = |row: &serde_json::Value, field: &str| row[field].as_f64().unwrap();
        assert_eq!(number(angle, "value"), number(s, "value").acos());
        assert_eq!(number(angle, "null_mean"), number(s, "null_mean").acos());
        assert_eq!(s["p_permutation"], angle["p_permutation"]);
        assert_eq!(s["calibrated"], angle["calibrated"]);
        assert_eq!(angle["form"], "angular");
        assert!(s.get("form").is_none());
    }
    // Of the default measures those that have angles; named, one that has none is refused.
    let names: Vec<_> = of(&["--as", "angular"])
        .iter()
        .map(|row| row["measure"].clone())
        .collect();
    assert_eq!(names, ["cka_linear_debiased", "cka_linear_biased"]);
    let refused = compare(&[&a, &b], &["--measures", "mutual_knn", "--as", "angular"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("'mutual_knn_cosine' has no form 'angular'"));
    let told = compare(&[&a, &b], &["--null", "0", "--as", "distance"]);
    assert!(stdout(&told).contains("distance") && told.status.success());
}

#[test]
fn a_covariate_is_held_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let a = npy(&dir.path().join("a.npy"), &[60, 7], 1);
    let b = npy(&dir.path().join("b.npy"), &[60, 5], 2);
    let cause = npy(&dir.path().join("cause.npy"), &[60, 40], 3);
    let covariate = ["--covariate", cause.to_str().unwrap()];
    let of = |more: &[&str]| {
        let json = ["--null", "99", "--format", "json"];
        records(&compare(&[&a, &b], &[&json, more].concat()))
    };
    let (alone, beyond) = (of(&[]), of(&covariate));
    // Mutual kNN takes none.
    assert_eq!((alone.len(), beyond.len()), (3, 2));
    assert_eq!(beyond[0]["covariate"], "cause");
    let value = |row: &serde_json::Value| row["value"].as_f64().unwrap();
    assert!(value(&beyond[0]) < value(&alone[0]) - 0.2);
    let refused = compare(
        &[&a, &b],
        &[&covariate[..], &["--measures", "cca_mean"]].concat(),
    );
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("'cca_mean' takes no covariate"));
}
