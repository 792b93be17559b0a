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

/// A .npy file of any type.
fn array(path: &Path, descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let mut header = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({},), }}",
        shape.join(", ")
    );
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header += "\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    fs::write(path, &bytes).unwrap();
    bytes
}

/// Maps of 8 channels and 5 x 5 positions of 80 samples, whose channels share a cause, with their axes
/// in the order of `axes` (`m` are both positions as one).
fn maps(dir: &Path, name: &str, axes: &str, seed: u32) -> PathBuf {
    let (n, c, p) = (80, 8, 5);
    let size = |letter: char| match letter {
        'n' => n,
        'c' => c,
        'm' => p * p,
        _ => p,
    };
    let flat = npy(&dir.join("flat.npy"), &[n, c * p * p], seed);
    let bytes = fs::read(flat).unwrap();
    let data = &bytes[bytes.len() - 4 * n * c * p * p..];
    let at = |i: usize, j: usize, k: usize| {
        let from = 4 * ((i * c + j) * p * p + k);
        let value = f32::from_le_bytes(data[from..from + 4].try_into().unwrap());
        // Of each channel its own share of the cause, at all positions the same.
        let cause = (i as f32 * 0.7).sin() * (1.0 + j as f32).cos();
        value * 0.5 + cause
    };
    let shape: Vec<usize> = axes.chars().map(size).collect();
    let mut out = Vec::new();
    for place in 0..n * c * p * p {
        let (mut rest, mut index) = (place, [0; 3]);
        for (letter, size) in axes
            .chars()
            .collect::<Vec<_>>()
            .into_iter()
            .zip(&shape)
            .rev()
        {
            let along = rest % size;
            rest /= size;
            match letter {
                'n' => index[0] = along,
                'c' => index[1] = along,
                'h' => index[2] += p * along,
                _ => index[2] += along,
            }
        }
        out.extend(at(index[0], index[1], index[2]).to_le_bytes());
    }
    let path = dir.join(name);
    array(&path, "<f4", &shape, &out);
    path
}

/// Channels are pooled over positions, wherever they are; and how an array was read is said.
#[test]
fn axes_say_where_channels_are() {
    let dir = tempfile::tempdir().unwrap();
    let b = maps(dir.path(), "b.npy", "nchw", 2);
    let json = [
        "--pool",
        "mean",
        "--measures",
        "unbiased_cka",
        "--format",
        "json",
    ];
    let a = maps(dir.path(), "a.npy", "nchw", 1);
    let usual = records(&compare(&[&a, &b], &json));
    assert_eq!((&usual[0]["d_a"], &usual[0]["d_b"]), (&8.into(), &8.into()));
    assert!(usual[0]["value"].as_f64().unwrap() > 0.5, "{usual:?}");
    for (stored, axes) in [
        ("nhwc", "NHWC"),
        ("hwcn", "hwcn"),
        ("ncm", "ncl,nchw"),
        ("nmc", "nchw,ntc"),
        ("mnc", "tnc"),
    ] {
        let a = maps(dir.path(), "a.npy", stored, 1);
        let output = compare(
            &[&a, &b],
            &[&json[..], &["--axes", axes, "--axes", "nchw"]].concat(),
        );
        let rows = records(&output);
        for field in ["value", "p_permutation", "d_a", "n"] {
            let (found, wanted) = (&rows[0][field], &usual[0][field]);
            let near = (found.as_f64().unwrap() - wanted.as_f64().unwrap()).abs() < 1e-6;
            assert!(near, "{stored} {field}: {found} is not {wanted}");
        }
        let read = format!("{} (", axes.split(',').next().unwrap().to_lowercase());
        assert!(
            stderr(&output).contains(&read) || axes.contains(','),
            "{}",
            stderr(&output)
        );
    }
    // Unsaid, the wrong axes are pooled: both the warning and the table show it.
    let a = maps(dir.path(), "a.npy", "nhwc", 1);
    let output = compare(&[&a, &b], &["--pool", "mean", "--measures", "unbiased_cka"]);
    assert!(
        stderr(&output).contains("say --axes nhwc"),
        "{}",
        stderr(&output)
    );
    let table = stdout(&output);
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["a", "5", "b", "8"], "{table}");
    assert!(
        table.contains(
            "a: a [80, 5, 5, 8] read as nchw (samples, channels, height, width), mean over height"
        ),
        "{table}"
    );
    let said = compare(
        &[&a, &b],
        &["--pool", "mean", "--axes", "nhwc", "--axes", "nchw"],
    );
    assert_eq!(stderr(&said), "");
    // Axes of one element and flattening need no names; a vector is one dimension.
    let flat = npy(&dir.path().join("flat.npy"), &[80, 8], 3);
    let bytes = fs::read(&flat).unwrap();
    let data = &bytes[bytes.len() - 80 * 8 * 4..];
    let vector: Vec<u8> = data.chunks(32).flat_map(|row| row[..4].to_vec()).collect();
    let value = |file: &Path, more: &[&str]| {
        let more = [&["--measures", "unbiased_cka", "--format", "json"], more].concat();
        records(&compare(
            &[file, &b, &flat],
            &[&more[..], &["--pool", "flatten"]].concat(),
        ))[0]["value"]
            .clone()
    };
    let wanted = value(&flat, &[]);
    for shape in [
        &[80, 8, 1, 1][..],
        &[80, 1, 8],
        &[80, 2, 2, 2, 1, 1],
        &[80, 1, 1, 8],
    ] {
        let path = dir.path().join("shaped.npy");
        array(&path, "<f4", shape, data);
        assert_eq!(value(&path, &[]), wanted, "{shape:?}");
    }
    array(&dir.path().join("v.npy"), "<f4", &[80], &vector);
    let rows = records(&compare(
        &[&dir.path().join("v.npy"), &flat],
        &["--format", "json"],
    ));
    assert_eq!(rows[0]["d_a"], 1);
    let told = |more: &[&str], what: &str| {
        let output = compare(&[&a, &b], more);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    };
    told(&["--axes", "nhxc"], "'x' is no axis; known: n (samples)");
    told(&["--axes", "hwc"], "lack n");
    told(
        &["--pool", "mean", "--axes", "ntc"],
        "axes 'ntc': no layer has 3 axes",
    );
    told(&["--pool", "mean", "--axes", "nhwc,nchw"], "both of 4 axes");
    told(
        &["--pool", "last", "--axes", "nhwc"],
        "no first or last token",
    );
    told(
        &["--axes", "nhwc"],
        "[samples, height, width, channels], say how to make it so with --pool",
    );
}

/// Whole numbers are compared as numbers, and as what they stand for where a scale says so.
#[test]
fn whole_numbers_and_quantised_ones_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let b = npy(&dir.path().join("b.npy"), &[60, 5], 2);
    let bytes: Vec<u8> = (0..180).map(|i| (i * 37 % 251) as u8).collect();
    let float = |scales: [f32; 3], zero: f32| -> Vec<u8> {
        let value = |(at, q): (usize, &u8)| (f32::from(*q) - zero) * scales[at % 3];
        bytes
            .iter()
            .enumerate()
            .flat_map(|at| value(at).to_le_bytes())
            .collect()
    };
    let npz = |name: &str, members: &[(&str, Vec<u8>)]| {
        use std::io::Write;
        let path = dir.path().join(name);
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, bytes) in members {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    };
    let member = |descr: &str, shape: &[usize], data: &[u8]| {
        array(&dir.path().join("member.npy"), descr, shape, data)
    };
    let q = member("|u1", &[60, 3], &bytes);
    let scales: Vec<u8> = [1.0f32, 20.0, 0.5]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let value = |file: &Path| {
        let more = [
            "--measures",
            "unbiased_cka,mutual_knn",
            "--null",
            "0",
            "--format",
            "json",
        ];
        let output = compare(&[file, &b], &more);
        let rows = records(&output);
        (
            (rows[0]["value"].clone(), rows[1]["value"].clone()),
            stderr(&output),
        )
    };
    let plain = npz("plain.npz", &[("x", q.clone())]);
    let (found, said) = value(&plain);
    assert!(said.contains("layer 'x' holds whole numbers"), "{said}");
    let as_floats = member("<f4", &[60, 3], &float([1.0; 3], 0.0));
    assert_eq!(found, value(&npz("floats.npz", &[("x", as_floats)])).0);
    let quantized = npz(
        "q.npz",
        &[
            ("x", q),
            ("x_scale", member("<f4", &[3], &scales)),
            ("x_zero_point", member("|u1", &[1], &[100])),
        ],
    );
    let (found, said) = value(&quantized);
    assert_eq!(said, "");
    let as_floats = member("<f4", &[60, 3], &float([1.0, 20.0, 0.5], 100.0));
    assert_eq!(found, value(&npz("floats.npz", &[("x", as_floats)])).0);
}

/// Rows in any order are matched by their samples' ids, and what is missing is said.
#[test]
fn rows_are_matched_by_ids_in_files_or_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let (n, d) = (50, 4);
    let a = npy(&dir.path().join("a.npy"), &[n, d], 1);
    let b = npy(&dir.path().join("b.npy"), &[n, d], 2);
    let json = ["--measures", "unbiased_cka", "--format", "json"];
    // The rows of b from the last to the fourth.
    let bytes = fs::read(&b).unwrap();
    let data = &bytes[bytes.len() - n * d * 4..];
    let order: Vec<usize> = (3..n).rev().collect();
    let turned: Vec<u8> = order
        .iter()
        .flat_map(|row| data[row * d * 4..][..d * 4].to_vec())
        .collect();
    let other = dir.path().join("other.npy");
    array(&other, "<f4", &[n - 3, d], &turned);
    let same = |file: &Path, name: &str| {
        let bytes = fs::read(file).unwrap();
        let kept = &bytes[bytes.len() - (n - 3) * d * 4..];
        let path = dir.path().join(name);
        array(&path, "<f4", &[n - 3, d], kept);
        path
    };
    let wanted = records(&compare(&[&same(&a, "a4.npy"), &same(&b, "b4.npy")], &json));
    let ids_a = dir.path().join("a.txt");
    fs::write(
        &ids_a,
        (0..n).map(|i| format!("img{i}.png\n")).collect::<String>(),
    )
    .unwrap();
    let ids_b = dir.path().join("b.csv");
    let rows: String = order.iter().map(|i| format!("{i},img{i}.png\n")).collect();
    fs::write(&ids_b, format!("row,file\n{rows}")).unwrap();
    let path = |p: &Path| p.to_str().unwrap().to_string();
    let (first, second) = (
        format!("--ids={}", path(&ids_a)),
        format!("--ids={}:file", path(&ids_b)),
    );
    let output = compare(&[&a, &other], &[&json[..], &[&first, &second]].concat());
    let rows = records(&output);
    assert_eq!(
        (&rows[0]["value"], &rows[0]["n"]),
        (&wanted[0]["value"], &(n - 3).into())
    );
    let said = stderr(&output);
    assert!(
        said.contains("47 samples matched")
            && said.contains("a: 3 samples left out")
            && said.contains("img0.png, img1.png, img2.png"),
        "{said}"
    );
    assert!(
        said.contains("other: put in the order of the first model"),
        "{said}"
    );
    let told = |more: &[&str], what: &str| {
        let output = compare(&[&a, &other], more);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(
            message.contains(what) && !message.contains("panicked"),
            "{message}"
        );
    };
    told(&["--ids"], "a says nothing of its samples");
    told(&[&first], "1 files of ids for 2 files");
    told(
        &[&first, &first],
        "model 'other' has 50 sample ids and 47 rows",
    );
    told(
        &[&first, &format!("--ids={}", path(&ids_b))],
        "the columns row, file",
    );
    told(
        &[&first, &format!("--ids={}:id", path(&ids_b))],
        "unknown column 'id'",
    );
    told(
        &[&first, &format!("--ids={}:row", path(&ids_b))],
        "the first of a is img0.png, the first of other is 49",
    );
    told(&[&first, "--ids=nowhere.txt"], "nowhere.txt");
    fs::write(&ids_a, "same\n".repeat(n)).unwrap();
    told(&[&first, &second], "sample same twice, in rows 0 and 1");
}

/// Models that share nothing but their groups are alike among all samples, and not within groups.
#[test]
fn groups_are_moved_whole_or_samples_within_them() {
    let dir = tempfile::tempdir().unwrap();
    let (groups, each, d) = (8, 10, 6);
    let grouped = |name: &str, seed: u32| {
        let path = npy(&dir.path().join(name), &[groups * each, d], seed);
        let mut bytes = fs::read(&path).unwrap();
        let start = bytes.len() - groups * each * d * 4;
        for (at, value) in bytes[start..].chunks_exact_mut(4).enumerate() {
            let (group, dimension) = (at / d / each, at % d);
            let mut noise = (at as u32 ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
            noise = (noise ^ (noise >> 13)).wrapping_mul(0xc2b2_ae35);
            let noise = (noise >> 8) as f32 / (1 << 24) as f32;
            let shared = 3.0 * (group as f32 * 1.3 + dimension as f32).sin();
            value.copy_from_slice(&(shared + noise).to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        path
    };
    let (a, b) = (grouped("a.npy", 1), grouped("b.npy", 2));
    let table = dir.path().join("samples.csv");
    let rows: String = (0..groups * each)
        .map(|i| format!("{i},subject {}\n", i / each))
        .collect();
    fs::write(&table, format!("id,subject\n{rows}")).unwrap();
    let subject = format!("{}:subject", table.to_str().unwrap());
    let p = |more: &[&str]| {
        let json = ["--measures", "unbiased_cka", "--format", "json"];
        let rows = records(&compare(&[&a, &b], &[&json[..], more].concat()));
        rows[0]["p_permutation"].as_f64().unwrap()
    };
    assert!(p(&[]) < 0.01);
    assert!(p(&["--group", &subject]) < 0.05);
    let within = p(&["--group", &subject, "--permute", "within"]);
    assert!(within > 0.05, "{within}");
    let shown = stdout(&compare(
        &[&a, &b],
        &["--group", &subject, "--permute", "within"],
    ));
    assert!(shown.contains("200 permutations within groups"), "{shown}");
    let whole = stdout(&compare(
        &[&a, &b],
        &["--group", &subject, "--max-samples", "35"],
    ));
    assert!(whole.contains("permutations of whole groups"), "{whole}");
    assert!(
        whole.contains("30 of 80 samples, the same of every model"),
        "{whole}"
    );
    let drawn = compare(&[&a, &b], &["--max-samples", "35", "--format", "json"]);
    assert!(
        stderr(&drawn).contains("35 of 80 samples"),
        "{}",
        stderr(&drawn)
    );
    assert_eq!(records(&drawn)[0]["n"], 35);
    assert_eq!(
        stdout(&drawn),
        stdout(&compare(
            &[&a, &b],
            &["--max-samples", "35", "--format", "json"]
        ))
    );
    let told = |more: &[&str], what: &str| {
        let output = compare(&[&a, &b], more);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    };
    told(
        &["--group", "subject"],
        "there is no such file, and no model has",
    );
    told(&["--permute", "within"], "--group");
    told(&["--group", &subject, "--permute", "all"], "whole");
    told(&["--max-samples", "0"], "0");
    told(
        &["--group", &subject, "--max-samples", "5"],
        "one whole group",
    );
    fs::write(&table, format!("id,subject\n{}", "1,2\n".repeat(3))).unwrap();
    told(&["--group", &subject], "3 labels");
    let ids: String = (0..groups * each).map(|i| format!("{i},{i}\n")).collect();
    fs::write(&table, format!("id,subject\n{ids}")).unwrap();
    told(
        &["--group", &subject, "--permute", "within"],
        "nothing to permute",
    );
    fs::write(
        &table,
        format!("id,subject\n{}", "1,2\n".repeat(groups * each)),
    )
    .unwrap();
    told(
        &["--group", &subject],
        "take groups of equal size, or permute within them",
    );
}

/// What is held fixed is of the samples that are compared.
#[test]
fn a_covariate_is_drawn_and_matched_with_the_models() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, c] =
        [1, 2, 3].map(|seed| npy(&dir.path().join(format!("{seed}.npy")), &[60, 4], seed));
    let covariate = c.to_str().unwrap();
    let json = [
        "--measures",
        "unbiased_cka",
        "--format",
        "json",
        "--covariate",
        covariate,
    ];
    let drawn = records(&compare(
        &[&a, &b],
        &[&json[..], &["--max-samples", "30"]].concat(),
    ));
    assert_eq!(drawn[0]["n"], 30);
    assert!(
        drawn[0]["value"].is_number() && drawn[0]["covariate"] == "3",
        "{drawn:?}"
    );
    let output = compare(&[&a, &b], &[&json[..], &["--ids"]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn layers_are_picked_by_name_and_pattern() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("model");
    fs::create_dir(&folder).unwrap();
    for (name, seed) in [("conv1", 1), ("conv2", 2), ("fc", 3)] {
        npy(&folder.join(format!("{name}.npy")), &[40, 5], seed);
    }
    let b = npy(&dir.path().join("conv9.npy"), &[40, 3], 4);
    let layers = |more: &[&str]| -> Vec<String> {
        let more = [
            &["--measures", "cka", "--null", "0", "--format", "json"],
            more,
        ]
        .concat();
        let rows = records(&compare(&[&folder, &b], &more));
        let pairs = rows.iter().filter(|row| row["scope"] == "pair");
        pairs
            .map(|row| row["layer_a"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(layers(&[]), ["conv1", "conv2", "fc"]);
    assert_eq!(layers(&["--layers", "conv*"]), ["conv1", "conv2"]);
    assert_eq!(layers(&["--layers", "fc,conv9"]), ["fc"]);
    let output = compare(&[&folder, &b], &["--layers", "fc"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("no layer is called 'fc'; there are: conv9"),
        "{}",
        stderr(&output)
    );
    let output = compare(&[&folder, &b], &["--layers", "fc,conv9,con1"]);
    assert_eq!(output.status.code(), Some(2));
    let told = "no layer of any file is called 'con1'; there are: conv1, conv2, conv9, fc";
    assert!(stderr(&output).contains(told), "{}", stderr(&output));
}

fn matrix(files: &[&Path], more: &[&str]) -> Output {
    let mut command = reprsim();
    command.arg("matrix").args(files).args(["--device", "cpu"]);
    command.args(more).output().unwrap()
}

/// Many models in one pass are what pairs of them are; the picture has the tree.
#[test]
fn a_matrix_of_models_has_all_pairs_with_q_values() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("c");
    fs::create_dir(&folder).unwrap();
    let files: Vec<PathBuf> = (1..5)
        .map(|seed| npy(&dir.path().join(format!("m{seed}.npy")), &[60, 6], seed))
        .collect();
    npy(&folder.join("layer1.npy"), &[60, 4], 7);
    npy(&folder.join("layer2.npy"), &[60, 5], 8);
    let mut all: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    all.push(&folder);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let (svg, png, out) = (path("m.svg"), path("m.png"), path("m.parquet"));
    let output = matrix(
        &all,
        &[
            "--measures",
            "unbiased_cka,linear_regression_r2_b_from_a",
            "--format",
            "json",
            "--heatmap",
            &svg,
            "--heatmap",
            &png,
            "--out",
            &out,
            "--bootstrap",
            "40",
        ],
    );
    let rows = records(&output);
    assert_eq!(rows.len(), 10 + 20);
    let pair = records(&compare(
        &[&files[1], &files[3]],
        &["--measures", "unbiased_cka", "--format", "json"],
    ));
    let same = rows
        .iter()
        .find(|row| row["model_a"] == "m2" && row["model_b"] == "m4")
        .unwrap();
    for field in [
        "value",
        "null_mean",
        "p_permutation",
        "calibrated",
        "n",
        "d_a",
    ] {
        assert_eq!(same[field], pair[0][field], "{field}");
    }
    let by_folder = rows.iter().find(|row| row["model_b"] == "c").unwrap();
    assert_eq!(
        (&by_folder["layer_b"], &by_folder["d_b"]),
        (&"layer2".into(), &5.into())
    );
    for row in &rows {
        let number = |field: &str| row[field].as_f64().unwrap();
        assert!(number("q") >= number("p_permutation") - 1e-12, "{row}");
        assert!(number("ci_low") <= number("value"), "{row}");
    }
    let drawn = fs::read_to_string(&svg).unwrap();
    assert!(drawn.contains("cka_linear_debiased") && drawn.contains(">m3</text>"));
    // Two trees of five models.
    assert_eq!(drawn.matches("<path").count(), 8);
    assert_eq!(&fs::read(&png).unwrap()[1..4], b"PNG");
    assert_eq!(&fs::read(&out).unwrap()[..4], b"PAR1");
    let shown = stdout(&matrix(
        &all,
        &[
            "--layer", "m*", "--layer", "m*", "--layer", "m*", "--layer", "m*", "--layer", "layer1",
        ],
    ));
    assert!(
        shown.contains("order of the tree, cka_linear_debiased: "),
        "{shown}"
    );
    assert!(shown.contains("layers: c by layer1"), "{shown}");
    assert!(
        shown.contains("q of all pairs of a measure by Benjamini and Hochberg"),
        "{shown}"
    );
    let same = |threads: &str| {
        let mut command = reprsim();
        command.arg("matrix").args(&all).args([
            "--device",
            "cpu",
            "--measures",
            "all",
            "--format",
            "csv",
        ]);
        stdout(&command.env("RAYON_NUM_THREADS", threads).output().unwrap())
    };
    assert_eq!(same("1"), same("3"));
    let told = |files: &[&Path], more: &[&str], what: &str| {
        let output = matrix(files, more);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(
            message.contains(what) && !message.contains("panicked"),
            "{message}"
        );
    };
    told(
        &[&folder, &folder],
        &["--layer", "layer*"],
        "has the layers layer1, layer2",
    );
    told(&[&files[0], &files[0]], &[], "two models are called");
    told(&all[..1], &[], "2 values required");
    told(
        &all,
        &["--layer", "m*", "--layer", "c"],
        "2 layers for 5 files",
    );
    told(&all, &["--heatmap", "x.jpg"], ".svg");
    told(&all, &["--measures", "ckaa"], "did you mean 'cka");
    let short = npy(&dir.path().join("short.npy"), &[59, 6], 9);
    told(&[&files[0], &short], &[], "59 rows");
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
