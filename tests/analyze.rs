//! `reprsim analyze` as its users meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use common::{TINY, experiment, reprsim, run, stderr, stdout};
use serde_json::Value;

fn analyze(file: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = reprsim()
        .arg("analyze")
        .arg(file)
        .args(arguments)
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn close(value: &Value, expected: &Value, tolerance: f64, what: &str) {
    let (value, expected) = (value.as_f64().unwrap(), expected.as_f64().unwrap());
    assert!(
        (value - expected).abs() <= tolerance,
        "{what}: {value} is not {expected}"
    );
}

/// The figures that `expected.json` gives for the authors' raw results.
#[test]
fn published_tables_give_their_published_figures() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/published");
    if !folder.exists() {
        assert!(
            std::env::var_os("REPRSIM_REQUIRE_SHARED").is_none_or(|value| value.is_empty()),
            "the published tables are missing"
        );
        return;
    }
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(expected.len(), 30);
    for (key, figures) in &expected {
        let parts: Vec<&str> = key.split('|').collect();
        let [file, metric, column] = parts.as_slice() else {
            panic!("{key}");
        };
        let condition = format!("metric={metric}");
        let rows = analyze(
            &folder.join(format!("{file}.csv")),
            &[
                "--x",
                "frac_overlap",
                "--y",
                column,
                "--where",
                &condition,
                "--missing",
                "-1",
                "--permutations",
                "9",
            ],
        );
        let [row] = rows.as_slice() else {
            panic!("{key}: {} rows", rows.len());
        };
        assert_eq!(row["n"], figures["n"], "{key}");
        for name in ["slope", "stderr", "p_value", "r_squared", "spearman"] {
            let wanted = &figures[name];
            close(
                &row[name],
                wanted,
                1e-9 * wanted.as_f64().unwrap().abs(),
                key,
            );
        }
        for (name, place) in [("ci_low", 0), ("ci_high", 1)] {
            let wanted = &figures["ci95"][place];
            close(
                &row[name],
                wanted,
                1e-9 * wanted.as_f64().unwrap().abs(),
                key,
            );
        }
        close(&row["mi_ksg"], &figures["mi_ksg_k3_nats"], 1e-9, key);
    }
    // The partitions are text: partition1, partition2, partition3 are 1, 2, 3.
    let rows = analyze(
        &folder.join("resnet_partition_platonic.csv"),
        &[
            "--x",
            "partition",
            "--y",
            "partition_metric",
            "--where",
            "metric=cka",
            "--missing",
            "-1",
        ],
    );
    // ../shared/published/headline.md: +0.3214, R² 0.835.
    close(&rows[0]["slope"], &Value::from(0.3214), 5e-5, "partition");
    close(
        &rows[0]["r_squared"],
        &Value::from(0.835),
        5e-4,
        "partition",
    );
}

/// y = 1 + 2 a + 3 b + 4 a b + noise of each seed's own, on a 3 x 3 grid.
fn factorial(path: &Path) {
    let mut text = String::from("seed,a,b,y,z,same\n");
    for seed in 0..6 {
        for i in 0..3 {
            for j in 0..3 {
                let (a, b) = (f64::from(i) / 2.0, f64::from(j) / 2.0);
                let noise = f64::from((seed * 7 + i * 3 + j * 5) % 11) / 100.0;
                let y = 1.0 + 2.0 * a + 3.0 * b + 4.0 * a * b + noise;
                text += &format!("{seed},{a},{b},{y},{},1\n", noise * noise);
            }
        }
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn several_columns_are_a_design() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.csv");
    factorial(&file);
    let rows = analyze(&file, &["--x", "a,b", "--y", "y", "--cluster", "seed"]);
    let terms: Vec<&str> = rows
        .iter()
        .map(|row| row["term"].as_str().unwrap())
        .collect();
    assert_eq!(terms, ["a", "b", "a x b"]);
    // Main effects are those at the middle of the other axis: 2 + 4/2 and 3 + 4/2.
    for (row, slope) in rows.iter().zip([4.0, 5.0, 4.0]) {
        close(&row["slope"], &Value::from(slope), 0.1, "slope");
        assert_eq!(row["errors"], "6 clusters (CR2)");
        assert_eq!(row["n"], 54);
    }
    // The shares are parts of R², which is nearly all here.
    let shares: f64 = rows.iter().map(|row| row["share"].as_f64().unwrap()).sum();
    close(&Value::from(shares), &rows[0]["r_squared"], 1e-9, "shares");
    assert!(shares > 0.99);
    // A covariate is a row of its own; one that does not vary is named and left out.
    let more = ["--x", "a,b", "--y", "y", "--covariate", "z,same"];
    let rows = analyze(&file, &more);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3]["term"], "z");
    assert_eq!(rows[3]["dropped"], "same");
}

#[test]
fn groups_are_analysed_apart_and_what_has_no_value_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.csv");
    let text =
        "m,x,y\nup,0,1\nup,1,2.5\nup,2,3\nup,3,4.25\nflat,0,1\nflat,1,1\nflat,2,1\none,0,1\n";
    std::fs::write(&file, text).unwrap();
    let rows = analyze(&file, &["--x", "x", "--y", "y", "--group", "m"]);
    let groups: Vec<&Value> = rows.iter().map(|row| &row["group"]).collect();
    assert_eq!(groups, ["up", "flat", "one"]);
    close(&rows[0]["slope"], &Value::from(1.025), 1e-12, "slope");
    assert_eq!(rows[0]["spearman"], 1.0);
    assert_eq!(rows[1]["slope"], Value::Null);
    let flat = rows[1]["undefined"].as_str().unwrap();
    assert!(flat.contains("do not vary"), "{flat}");
    assert_eq!(rows[2]["slope"], Value::Null);
    assert!(
        rows[2]["undefined"]
            .as_str()
            .unwrap()
            .contains("too few points")
    );
    // Every format has the same fields; csv leaves what is missing empty.
    let output = reprsim()
        .args([
            "analyze", "--x", "x", "--y", "y", "--group", "m", "--format", "csv",
        ])
        .arg(&file)
        .output()
        .unwrap();
    let csv = stdout(&output);
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let mut fields: Vec<&str> = rows[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut sorted = header.clone();
    sorted.sort_unstable();
    fields.sort_unstable();
    assert_eq!(sorted, fields);
    for name in [
        "slope",
        "stderr",
        "ci_low",
        "ci_high",
        "p_value",
        "r_squared",
        "spearman",
        "mi_ksg",
        "n",
    ] {
        assert!(header.contains(&name), "{name}");
    }
    assert!(!csv.contains("NaN") && !csv.contains("null"));
}

#[test]
fn mistakes_are_named_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.csv");
    std::fs::write(&file, "m,x,y\na,0,1\nb,1,two\n").unwrap();
    let cases: [(&[&str], &str); 12] = [
        (&["--x", "overlap", "--y", "y"], "unknown column 'overlap'"),
        (&["--x", "x", "--y", "yy"], "did you mean 'y'?"),
        (
            &["--x", "x", "--y", "y"],
            "t.csv:3: 'two' in column y is no number",
        ),
        (
            &["--x", "x", "--y", "y", "--where", "m=c"],
            "no row has m = c",
        ),
        (
            &["--x", "x", "--y", "y", "--where", "m"],
            "'m' is not COL=VALUE",
        ),
        (
            &["--x", "x", "--y", "x", "--cluster", "s"],
            "unknown column 's'",
        ),
        (&["--y", "y"], "--x"),
        // Of each of two the correction for many would count both.
        (&["--x", "x", "--y", "y,y"], "--y: 'y' is named twice"),
        (
            &["--x", "x", "--y", "y", "--y", "y"],
            "--y: 'y' is named twice",
        ),
        (
            &["--x", "x", "--y", "y", "--group", "m,m"],
            "--group: 'm' is named twice",
        ),
        (&["--x", "x,x", "--y", "y"], "'x' is named twice"),
        (
            &["--x", "x", "--y", "y", "--covariate", "x"],
            "--x and --covariate: 'x' is named twice",
        ),
    ];
    for (arguments, expected) in cases {
        let output = reprsim()
            .arg("analyze")
            .arg(&file)
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{expected}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    let absent = reprsim()
        .args(["analyze", "no.csv", "--x", "x", "--y", "y"])
        .output()
        .unwrap();
    assert_eq!(absent.status.code(), Some(2));
    assert!(stderr(&absent).contains("no.csv"), "{}", stderr(&absent));
}

/// What is exactly a line has a slope and no error to test it with.
#[test]
fn an_exact_line_has_no_p() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.csv");
    let line = |noise: f64| -> String {
        let row = |i: i32| {
            let x = f64::from(i) / 10.0;
            format!(
                "{x},{},{}\n",
                0.2 + 0.3 * x + noise * f64::from(i * i % 7),
                i % 5
            )
        };
        format!("x,y,s\n{}", (0..30).map(row).collect::<String>())
    };
    for clustered in [&[][..], &["--cluster", "s"]] {
        let columns = [&["--x", "x", "--y", "y"][..], clustered].concat();
        std::fs::write(&file, line(0.0)).unwrap();
        let row = &analyze(&file, &columns)[0];
        close(&row["slope"], &Value::from(0.3), 1e-12, "slope");
        for name in ["p_value", "p_holm", "stderr", "ci_low"] {
            assert!(row[name].is_null(), "{name}: {row}");
        }
        let reason = row["undefined"].as_str().unwrap();
        assert!(
            reason.contains("p_value: the fit leaves nothing but rounding"),
            "{reason}"
        );
        std::fs::write(&file, line(1e-9)).unwrap();
        let row = &analyze(&file, &columns)[0];
        let p = row["p_value"].as_f64().unwrap();
        assert!(p < 1e-20 && row["stderr"].as_f64().unwrap() > 0.0, "{row}");
    }
}

/// Two clusters whose slopes nearly agree: a t test with one degree of freedom finds that, and a
/// test that takes nothing for normal cannot.
#[test]
fn few_clusters_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.csv");
    let table = |clusters: u32| {
        let mut text = String::from("seed,x,y,between\n");
        for seed in 0..clusters {
            for i in 0..4 {
                let slope = 1.0 + 0.002 * f64::from(seed % 3);
                let y = slope * f64::from(i) + 0.01 * f64::from(i * i % 3);
                text += &format!("{seed},{i},{y},{}\n", seed % 2);
            }
        }
        std::fs::write(&file, text).unwrap();
        analyze(&file, &["--x", "x", "--y", "y", "--cluster", "seed"]).remove(0)
    };
    let two = table(2);
    close(&two["df"], &Value::from(1.0), 1e-9, "df");
    assert_eq!(two["randomisation_p"], 0.5);
    assert_eq!(two["randomisation_least_p"], 0.5);
    let caveat = two["caveat"].as_str().unwrap();
    assert!(caveat.contains("2 clusters"), "{caveat}");
    // What differs between two clusters alone has a slope, but no error.
    let between = analyze(&file, &["--x", "between", "--y", "y", "--cluster", "seed"]).remove(0);
    assert!(between["slope"].is_number());
    assert_eq!(
        (&between["stderr"], &between["p_value"]),
        (&Value::Null, &Value::Null)
    );
    let reason = between["undefined"].as_str().unwrap();
    assert!(reason.contains("rests on one cluster alone"), "{reason}");
    let six = table(6);
    close(&six["df"], &Value::from(5.0), 1e-9, "df");
    assert_eq!(
        (&six["randomisation_least_p"], &six["caveat"]),
        (&Value::from(0.03125), &Value::Null)
    );
}

#[test]
fn numbers_at_the_ends_of_the_scale_are_numbers_like_others() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, factor: f64| {
        let file = dir.path().join(name);
        let rows = (0..12).map(|i| {
            let y = [1.0, 1.2, 1.5, 1.1][i % 4] + 0.01 * (i * i % 7) as f64;
            format!("{},{:e}\n", i % 4, y * factor)
        });
        std::fs::write(&file, "x,y\n".to_string() + &rows.collect::<String>()).unwrap();
        analyze(&file, &["--x", "x", "--y", "y"]).remove(0)
    };
    let plain = write("plain.csv", 1.0);
    for factor in [1e308, 1e-300] {
        let far = write("far.csv", factor);
        let slope = plain["slope"].as_f64().unwrap() * factor;
        close(&far["slope"], &Value::from(slope), 1e-9 * factor, "slope");
        for name in [
            "p_value",
            "r_squared",
            "spearman",
            "curvature_p",
            "mi_ksg",
            "mi",
        ] {
            let expected = plain[name].as_f64().unwrap();
            close(
                &far[name],
                &Value::from(expected),
                1e-6 * expected.abs(),
                name,
            );
        }
    }
    // Constants have no slope, whatever they are.
    for constant in ["1e308", "0.1", "0", "1e-310"] {
        let file = dir.path().join("flat.csv");
        let rows = (0..8).map(|i| format!("{},{constant}\n", i % 4));
        std::fs::write(&file, "x,y\n".to_string() + &rows.collect::<String>()).unwrap();
        for (arguments, reason) in [
            (["--x", "x", "--y", "y"], "the values do not vary"),
            (["--x", "y", "--y", "x"], "all points are at one level"),
        ] {
            let row = analyze(&file, &arguments).remove(0);
            for name in [
                "slope",
                "p_value",
                "r_squared",
                "spearman",
                "mi_ksg",
                "mi",
                "mi_p",
            ] {
                assert_eq!(row[name], Value::Null, "{constant}: {name}");
            }
            let said = row["undefined"].as_str().unwrap();
            assert_eq!(
                said.matches(reason).count(),
                said.split("; ").count(),
                "{said}"
            );
        }
    }
}

#[test]
fn tables_are_read_as_people_have_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.csv");
    let run = |text: &[u8], arguments: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let output = reprsim()
            .arg("analyze")
            .arg(&file)
            .args(["--x", "frac overlap", "--y", "y", "--format", "json"])
            .args(arguments)
            .output()
            .unwrap();
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let plain = "frac overlap,y\n0,0.5\n0.5,0.75\n1,1.25\n0.25,0.5\n";
    let (code, expected, said) = run(plain.as_bytes(), &[]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let semicolons = "\u{feff} frac overlap ;y\r\n0;0,5\r\n0,5;0,75\r\n1;1,25\r\n0,25;0,5\r\n";
    let (code, found, said) = run(semicolons.as_bytes(), &[]);
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    assert!(
        said.contains("fields are separated by semicolons, decimals are commas"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let tabs = plain.replace(',', "\t");
    let (code, found, said) = run(tabs.as_bytes(), &[]);
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    assert!(said.contains("separated by tabs"), "{said}");
    let excel = format!("sep=;\r\n{}", semicolons.trim_start_matches('\u{feff}'));
    let (code, found, said) = run(excel.as_bytes(), &[]);
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    assert!(
        said.contains("line 1 says that fields are separated by semicolons"),
        "{said}"
    );
    let remarked = format!("# of 3 May\n# by hand; no commas\n{plain}");
    let (code, found, said) = run(remarked.as_bytes(), &[]);
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    assert!(said.contains("lines 1 to 2 are remarks (#)"), "{said}");
    let (code, found, said) = run(format!("# {plain}").as_bytes(), &[]);
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    assert!(said.contains("line 1 is the header, after #"), "{said}");
    // Remarks and blank lines may stand anywhere.
    let (code, found, said) = run(
        plain
            .replace("0.5,0.75", "# half of 3 May\n0.5,0.75\n  \n#the rest")
            .as_bytes(),
        &[],
    );
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    assert!(
        said.contains("2 lines from 3 to 6 are remarks (#)"),
        "{said}"
    );
    // What has all fields is a row, whatever it begins with.
    let (code, _, said) = run(
        plain
            .replace("0.5,0.75", "# half, of 3 May\n0.5,0.75")
            .as_bytes(),
        &[],
    );
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("t.csv:3: '# half'"), "{said}");
    let noted = "\"# a\",0,0.5\n\"# b\",0.5,0.75\n\"# c\",1,1.25\n\"# d\",0.25,0.5\n";
    let (code, found, said) = run(format!("note,frac overlap,y\n{noted}").as_bytes(), &[]);
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    let (code, found, said) = run(format!("sep=\n{plain}").as_bytes(), &[]);
    assert_eq!((code, &found, said.as_str()), (Some(0), &expected, ""));
    // As it is told, nothing is said.
    let (code, found, said) = run(
        semicolons.as_bytes(),
        &["--delimiter", ";", "--decimal", ","],
    );
    assert_eq!((code, &found, said.as_str()), (Some(0), &expected, ""));
    let bars = plain.replace(',', "|");
    assert_eq!(run(bars.as_bytes(), &["--delimiter", "|"]).1, expected);
    for (text, reason) in [
        (
            "frac overlap;y\n1,234;2\n1,5;3\n2,5;1.234,5\n",
            "t.csv:4: '1.234,5' in column y is no number",
        ),
        (
            "frac overlap;y\n1,234;2\n",
            "line 2 has 1,234, which may be thousands or decimals",
        ),
        (
            "frac overlap;y\n0,5;2\n1;0.5\n",
            "say what stands before decimals with --decimal",
        ),
        ("frac overlap|y\n1|2\n", "name it with --delimiter"),
        (
            "frac overlap,y\n1,2\n2,\"3\n3,4\n4,5\n",
            "t.csv:3: a quotation mark (\") is opened there and never closed",
        ),
        (
            "frac overlap,y\n1,2\n\"2,3\n3,4\n",
            "t.csv:3: a quotation mark (\") is opened there and never closed",
        ),
        (
            "frac overlap,\"y\n1,2\n3,4\n",
            "t.csv:1: a quotation mark (\") is opened there and never closed",
        ),
        (
            "frac overlap,y\n1,2\n2,3,4\n",
            "t.csv:3: fields in the row: 3, in the header: 2",
        ),
    ] {
        let (code, _, said) = run(text.as_bytes(), &[]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    let wide: Vec<u8> = "\u{feff}frac overlap,y\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (code, _, said) = run(&wide, &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("save the table as UTF-8"), "{said}");
    let (code, _, said) = run(b"frac overlap,y\n0,\xe4\n", &[]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("save the table as UTF-8") && said.contains("t.csv"),
        "{said}"
    );
    // Of an odd number of quotation marks none need be open.
    let (code, found, said) = run(
        "frac overlap,y,note\n0,0.5,\"a\nb\"\n0.5,0.75,5\" wide\n1,1.25,\n0.25,0.5,\n".as_bytes(),
        &[],
    );
    assert_eq!((code, &found), (Some(0), &expected), "{said}");
    let output = reprsim()
        .args(["analyze", "--x", "x", "--y", "y"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("it is a folder: name the table in it"),
        "{said}"
    );
}

/// A table gives the same figures in any form, of other programs and of a run.
#[test]
fn parquet_gives_what_csv_gives() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tables");
    let asked: [&[&str]; 5] = [
        &[
            "--x",
            "a",
            "--y",
            "y,gap",
            "--group",
            "measure",
            "--cluster",
            "seed",
        ],
        &[
            "--x",
            "single",
            "--y",
            "y",
            "--group",
            "category",
            "--cluster",
            "big",
        ],
        &["--x", "byte,nullable", "--y", "y"],
        &[
            "--x",
            "a",
            "--y",
            "y",
            "--where",
            "measure=knn",
            "--where",
            "byte=2",
        ],
        &[
            "--x",
            "a",
            "--y",
            "y",
            "--where",
            "single=0.6",
            "--where",
            "seed=3",
        ],
    ];
    for asked in asked {
        let asked = [asked, &["--permutations", "19"]].concat();
        let csv = analyze(&folder.join("table.csv"), &asked);
        for name in ["pandas", "pandas-gzip", "polars-snappy"] {
            let parquet = analyze(&folder.join(format!("{name}.parquet")), &asked);
            assert_eq!(parquet, csv, "{name} {asked:?}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let output = run(&experiment(dir.path(), TINY), &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let asked = [
        "--x",
        "data",
        "--y",
        "value",
        "--where",
        "sweep=data",
        "--where",
        "layer_a=penultimate",
        "--where",
        "layer_b=penultimate",
        "--permutations",
        "19",
        "--group",
        "probe,measure",
    ];
    let csv = analyze(&out.join("results.csv"), &asked);
    assert!(csv.len() > 3 && csv[0]["slope"].is_number(), "{csv:?}");
    assert_eq!(analyze(&out.join("results.parquet"), &asked), csv);
}

#[test]
fn what_parquet_does_not_hold_is_named() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tables");
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(folder.join("pandas.parquet")).unwrap();
    let cut = dir.path().join("cut.parquet");
    std::fs::write(&cut, &whole[..whole.len() - 100]).unwrap();
    let told = |file: &Path, arguments: &[&str], what: &str| {
        let output = reprsim()
            .arg("analyze")
            .arg(file)
            .args(arguments)
            .output()
            .unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(
            message.contains(what) && !message.contains("panicked"),
            "{message}"
        );
    };
    let sound = folder.join("pandas.parquet");
    told(
        &cut,
        &["--x", "a", "--y", "y"],
        "cut.parquet: is not a sound Parquet file",
    );
    told(
        &sound,
        &["--x", "list", "--y", "y"],
        "column 'list' holds lists",
    );
    told(&sound, &["--x", "aa", "--y", "y"], "did you mean 'a'?");
    told(
        &sound,
        &["--x", "measure", "--y", "y"],
        "row 1: 'cka' in column measure is no number",
    );
    told(
        &folder.join("polars-zstd.parquet"),
        &["--x", "a", "--y", "y"],
        "packed with zstd, which is not read: write it with compression='snappy'",
    );
    // What ends like one and is none is read as text.
    let named = dir.path().join("named.parquet");
    std::fs::copy(folder.join("table.csv"), &named).unwrap();
    assert_eq!(
        analyze(&named, &["--x", "a", "--y", "y", "--permutations", "19"]).len(),
        1
    );
}
