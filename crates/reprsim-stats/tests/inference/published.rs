//! The published tables and the figures that they give.

use std::io::Write;
use std::path::{Path, PathBuf};

use reprsim_stats::{Series, describe_series};

use crate::close;

/// The folder, or nothing where it is absent and need not be there.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/published");
    if folder.exists() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("REPRSIM_REQUIRE_SHARED").is_none_or(|value| value.is_empty()),
        "the published tables are missing"
    );
    // Past the test harness, which hides what passing tests print.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: no published tables at {}",
        folder.display()
    );
    None
}

/// Level, value and seed of each row of a metric; -1 stands for a missing value.
///
/// A partition has the level of its number: 1, 2, 3.
fn read(file: &Path, metric: &str, column: &str) -> (Vec<f64>, Vec<f64>, Vec<u64>) {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let headers = reader.headers().unwrap().clone();
    let place = |name: &str| headers.iter().position(|h| h == name);
    let (mut x, mut y, mut seeds) = (vec![], vec![], vec![]);
    for row in reader.records().map(Result::unwrap) {
        let value: f64 = row[place(column).unwrap()].parse().unwrap();
        if &row[place("metric").unwrap()] != metric || value == -1.0 {
            continue;
        }
        let level = match place("frac_overlap") {
            Some(at) => row[at].parse(),
            None => row[place("partition").unwrap()]
                .trim_start_matches("partition")
                .parse(),
        };
        x.push(level.unwrap());
        y.push(value);
        seeds.push(row[place("seed").unwrap()].parse().unwrap());
    }
    (x, y, seeds)
}

#[test]
fn figures_of_the_published_tables() {
    let Some(folder) = folder() else { return };
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    for (key, figures) in expected.as_object().unwrap() {
        let [file, metric, column] = key.split('|').collect::<Vec<_>>()[..] else {
            panic!("{key}")
        };
        let (x, y, _) = read(&folder.join(format!("{file}.csv")), metric, column);
        let series = describe_series(&x, &y, None, 99, 1);
        assert!(series.missing.is_empty(), "{key}: {:?}", series.missing);
        assert_eq!(
            series.line.n as u64,
            figures["n"].as_u64().unwrap(),
            "{key}"
        );
        let figure = |name: &str| figures[name].as_f64().unwrap();
        close(series.line.slope.unwrap(), figure("slope"), 1e-9);
        close(series.line.intercept.unwrap(), figure("intercept"), 1e-9);
        close(series.line.stderr.unwrap(), figure("stderr"), 1e-9);
        close(series.line.r_squared.unwrap(), figure("r_squared"), 1e-9);
        close(series.line.p_value.unwrap(), figure("p_value"), 1e-9);
        close(series.spearman.unwrap(), figure("spearman"), 1e-9);
        let ends = |i: usize| figures["ci95"][i].as_f64().unwrap();
        close(series.line.ci_low.unwrap(), ends(0), 1e-9);
        close(series.line.ci_high.unwrap(), ends(1), 1e-9);
        close(series.mi_ksg.unwrap(), figure("mi_ksg_k3_nats"), 1e-9);
        checked += 1;
    }
    assert_eq!(checked, 30);
}

/// What expected.json lacks: figures of scripts/check_inference.py.
#[test]
fn clustered_and_discrete_figures_of_the_published_tables() {
    let Some(folder) = folder() else { return };
    let describe = |file: &str, column: &str| -> (Series, Series) {
        let (x, y, seeds) = read(&folder.join(format!("{file}.csv")), "cka", column);
        (
            describe_series(&x, &y, Some(&seeds), 99, 1),
            describe_series(&x, &y, None, 99, 1),
        )
    };
    // Clustered error and p, p of sign flips, information, entropy, p of curvature.
    let check = |file: &str, column: &str, expected: [f64; 6]| {
        let (clustered, independent) = describe(file, column);
        close(clustered.line.stderr.unwrap(), expected[0], 1e-9);
        close(clustered.line.p_value.unwrap(), expected[1], 1e-8);
        close(clustered.line.randomisation_p.unwrap(), expected[2], 1e-12);
        let information = independent.mi_discrete.unwrap();
        close(information.nats, expected[3], 1e-9);
        close(information.entropy, expected[4], 1e-12);
        close(independent.curvature_p.unwrap(), expected[5], 1e-7);
    };
    check(
        "resnet_cifar100_ds_platonic",
        "metric_ood_all_mnist",
        [
            0.011_743_664_331_589_578,
            0.000_237_342_258_744_910_86,
            0.001_953_125,
            0.262_580_714_299_450_96,
            11f64.ln(),
            0.027_802_224_675_915_765,
        ],
    );
    check(
        "nanogpt_shakespeare_ds_platonic",
        "metric_wikitext",
        [
            0.028_388_922_973_510_634,
            0.046_036_467_103_764_606,
            0.062_5,
            0.066_506_186_931_214_46,
            6f64.ln(),
            0.152_491_051_977_500_49,
        ],
    );
    check(
        "resnet_partition_platonic",
        "shape",
        [
            0.015_081_437_050_495_432,
            1.419_791_880_958_876_8e-6,
            0.001_953_125,
            0.403_003_019_817_151_25,
            0.950_270_539_233_234_7,
            2.228_322_656_514_118_4e-5,
        ],
    );
}

/// Partitions coded as 1, 2, 3, as in the published plots, give the published slope a
/// step (CKA on images of the training set: 0.3214, R² 0.835).
#[test]
fn partitions_are_numbered() {
    let Some(folder) = folder() else { return };
    let file = folder.join("resnet_partition_platonic.csv");
    let (x, y, _) = read(&file, "cka", "partition_metric");
    let series = describe_series(&x, &y, None, 9, 1);
    assert_eq!((series.line.n, series.levels), (50, 3));
    assert!((series.line.slope.unwrap() - 0.3214).abs() < 0.000_05);
    assert!((series.line.r_squared.unwrap() - 0.835).abs() < 0.000_5);
    close(series.line.p_value.unwrap(), 2.0e-20, 0.03);
}
