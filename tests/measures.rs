//! The similarity measures: published values, and the properties that each
//! measure declares, on every device that this machine has.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;
use std::path::PathBuf;

use burn::tensor::Device;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_metrics::{
    Bound, Cause, HalfSamples, Layer, LeaveOneOut, Matrix, Measure, MetricError, Mode, Options,
    Permutations, Properties, REGISTRY, Score, Set, Source, Space, Undefined, by_name, maximum,
    named,
};

#[macro_use]
#[path = "common/devices.rs"]
mod devices;

use devices::{close, cpu, gaussian, npy};

alike_on_every_device!(
    golden_values,
    values_of_peers,
    golden_values_of_peers,
    feature_and_gram_space_agree,
    permuted_scores_are_those_of_permuted_rows,
    reading_again_changes_nothing,
    all_pairs_at_once_equal_each_pair_alone,
    neighbours_are_the_same_everywhere,
);

/// How far values may lie apart on any device: what f32 leaves of them.
const TOLERANCE: f64 = 1e-6;

/// A matrix in f64, so that a transformed one is not rounded before it is
/// measured.
#[derive(Clone)]
struct Dense {
    values: Vec<f64>,
    n: usize,
    d: usize,
}

impl Dense {
    fn gaussian(n: usize, d: usize, seed: u64) -> Self {
        Self {
            values: gaussian(n, d, seed).into_iter().map(f64::from).collect(),
            n,
            d,
        }
    }

    /// A layer whose dimensions share four causes.
    fn layer(n: usize, d: usize, seed: u64) -> Self {
        Self::gaussian(n, 4, seed + 100_000).relative(d, seed)
    }

    /// A second view of `self`: half signal, half its own.
    fn relative(&self, d: usize, seed: u64) -> Self {
        let map = Self::gaussian(self.d, d, seed);
        let own = Self::gaussian(self.n, d, seed + 1);
        let mixed = self.times(&map);
        Self {
            values: (mixed.values.iter().zip(&own.values))
                .map(|(x, y)| x / (self.d as f64).sqrt() + 0.8 * y)
                .collect(),
            ..own
        }
    }

    fn times(&self, map: &Self) -> Self {
        let mut values = Vec::with_capacity(self.n * map.d);
        for row in self.values.chunks(self.d) {
            for j in 0..map.d {
                values.push(
                    (0..self.d)
                        .map(|c| row[c] * map.values[c * map.d + j])
                        .sum(),
                );
            }
        }
        Self {
            values,
            n: self.n,
            d: map.d,
        }
    }

    fn map(&self, of: impl Fn(usize, f64) -> f64) -> Self {
        Self {
            values: (self.values.iter().enumerate())
                .map(|(i, v)| of(i % self.d, *v))
                .collect(),
            ..*self
        }
    }

    fn rows(&self, order: &[u32]) -> Self {
        Self {
            values: (order.iter())
                .flat_map(|i| self.values[*i as usize * self.d..][..self.d].to_vec())
                .collect(),
            n: order.len(),
            d: self.d,
        }
    }

    /// A random rotation, by Gram-Schmidt.
    fn rotation(d: usize, seed: u64) -> Self {
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for row in Self::gaussian(d, d, seed).values.chunks(d) {
            let mut row = row.to_vec();
            for other in &rows {
                let along: f64 = row.iter().zip(other).map(|(x, y)| x * y).sum();
                row.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            rows.push(row.iter().map(|v| v / length).collect());
        }
        Self {
            values: rows.concat(),
            n: d,
            d,
        }
    }
}

impl Source for Dense {
    fn shape(&self) -> [usize; 2] {
        [self.n, self.d]
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Cause> {
        out.copy_from_slice(&self.values[rows.start * self.d..rows.end * self.d]);
        Ok(())
    }
}

fn set(a: &[Dense], b: &[Dense], device: &Device, options: Options) -> Set {
    let layers = |of: &[Dense]| {
        (of.iter().enumerate())
            .map(|(i, m)| Layer::new(format!("layer{i}"), m.clone()))
            .collect()
    };
    Set::new(vec![layers(a), layers(b)], device, options).unwrap()
}

/// The scores of one pair, a measure each.
fn scores(
    a: &Dense,
    b: &Dense,
    measures: &[&dyn Measure],
    permutations: &Permutations,
    device: &Device,
    options: Options,
) -> Vec<Score> {
    set(
        std::slice::from_ref(a),
        std::slice::from_ref(b),
        device,
        options,
    )
    .compare(measures, &[(0, 1)], permutations, &mut |_| ())
    .unwrap()
    .into_iter()
    .map(|mut row| row.remove(0))
    .collect()
}

fn values(a: &Dense, b: &Dense, device: &Device) -> Vec<f64> {
    let scores = scores(
        a,
        b,
        &REGISTRY,
        &Permutations::none(),
        device,
        Options::default(),
    );
    (scores.into_iter().zip(REGISTRY))
        .map(|(s, m)| match s.value {
            Ok(value) => value,
            Err(reason) => panic!("{}: {reason}", m.properties().name),
        })
        .collect()
}

/// The measures that have permutations to be tested against.
fn paired() -> Vec<&'static dyn Measure> {
    let all = REGISTRY.into_iter();
    all.filter(|m| m.is_paired()).collect()
}

fn value(name: &str, a: &Dense, b: &Dense) -> Result<f64, Undefined> {
    let measure = named(name).unwrap();
    let none = Permutations::none();
    scores(a, b, &[measure], &none, &cpu(), Options::default())[0].value
}

/// Where golden values are; a binary that was carried to another machine is told.
fn golden() -> PathBuf {
    std::env::var_os("REPRSIM_GOLDEN").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden"),
        PathBuf::from,
    )
}

/// What the peers' own programs give (scripts/golden_peers.py).
fn golden_values_of_peers(device: &Device) {
    let golden = golden();
    let text = std::fs::read_to_string(golden.join("peers.json")).unwrap();
    let peers: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    for (name, of) in peers["of"].as_object().unwrap() {
        let read = |side: &str| {
            let (values, n, d) = npy(&golden.join(format!("{name}_{side}.npy")));
            vec![Layer::new(side, Matrix::new(values, n, d).unwrap())]
        };
        let set = Set::new(vec![read("a"), read("b")], device, Options::default()).unwrap();
        let wanted = of["values"].as_object().unwrap();
        let measures: Vec<&dyn Measure> = wanted.keys().map(|m| named(m).unwrap()).collect();
        let none = Permutations::none();
        let scores = set
            .compare(&measures, &[(0, 1)], &none, &mut |_| ())
            .unwrap();
        for (scores, (measure, want)) in scores.iter().zip(wanted) {
            let what = format!("{name} {measure}");
            close(
                scores[0].value.unwrap(),
                want.as_f64().unwrap(),
                TOLERANCE,
                &what,
            );
            checked += 1;
        }
    }
    // Without Mahalanobis distances where dimensions are more than samples.
    assert_eq!(checked, 4 * 27 - 3);
}

fn golden_values(device: &Device) {
    let golden = golden();
    let text = std::fs::read_to_string(golden.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    for (name, of) in expected.as_object().unwrap() {
        let read = |side: &str| {
            let (values, n, d) = npy(&golden.join(format!("{name}_{side}.npy")));
            Layer::new(side, Matrix::new(values, n, d).unwrap())
        };
        let set = Set::new(
            vec![vec![read("a")], vec![read("b")]],
            device,
            Options::default(),
        )
        .unwrap();
        let none = Permutations::none();
        let scores = set
            .compare(&REGISTRY, &[(0, 1)], &none, &mut |_| ())
            .unwrap();
        for (mode, key) in [(Mode::Exact, "exact"), (Mode::Paper, "paper")] {
            for (want_name, want) in of[key].as_object().unwrap() {
                let Some(want) = want.as_f64() else { continue };
                let at = (REGISTRY.iter())
                    .position(|m| m.properties().mode == mode && m.full_name(10) == *want_name)
                    .unwrap_or_else(|| panic!("no measure is called {want_name}"));
                let what = format!("{name} {want_name}");
                close(scores[at][0].value.unwrap(), want, TOLERANCE, &what);
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 4 * (8 + 11));
}

/// Values that other programs gave (`scripts/golden_geometry.py`).
fn values_of_peers(device: &Device) {
    let golden = golden();
    let text = std::fs::read_to_string(golden.join("geometry.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut checked = 0;
    for (pair, of) in expected["pairs"].as_object().unwrap() {
        for (name, want) in of.as_object().unwrap() {
            let plain = name.strip_suffix("_k10").unwrap_or(name);
            let measure = named(plain).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(measure.full_name(10), *name);
            // What the file holds is of activations a tenth as large, and of so many samples.
            let scale = match plain {
                "uniformity_difference" => 0.1,
                _ => 1.0,
            };
            let most = match plain {
                "rtd" => 128,
                _ => usize::MAX,
            };
            let layer = |side: &str| {
                let (values, n, d) = npy(&golden.join(format!("{pair}_{side}.npy")));
                let n = n.min(most);
                let values = values[..n * d]
                    .iter()
                    .map(|v| scale * f64::from(*v))
                    .collect();
                vec![Layer::new(side, Matrix::new(values, n, d).unwrap())]
            };
            let layers = vec![layer("a"), layer("b")];
            let set = Set::new(layers, device, Options::default()).unwrap();
            let none = Permutations::none();
            let scores = set.compare(&[measure], &[(0, 1)], &none, &mut |_| ());
            let found = scores.unwrap()[0][0].value.unwrap();
            let want = want.as_f64().unwrap();
            // Ripser has distances in f32.
            let tolerance = match plain {
                "rtd" => 10.0 * TOLERANCE,
                _ => TOLERANCE,
            };
            close(found, want, tolerance, &format!("{pair} {name}"));
            checked += 1;
        }
    }
    assert_eq!(checked, 4 * 10);
}

fn feature_and_gram_space_agree(device: &Device) {
    let measures: Vec<&dyn Measure> = ["cka_linear_biased", "cka_linear_debiased", "cka"]
        .into_iter()
        .chain([
            "unbiased_cka",
            "rsa_correlation_pearson",
            "cka_linear_row_column",
        ])
        .map(|name| named(name).unwrap())
        .collect();
    for (n, d_a, d_b) in [(60, 9, 5), (60, 80, 70), (600, 20, 12)] {
        let a = Dense::layer(n, d_a, 1);
        let b = a.relative(d_b, 2);
        let by = |space| {
            let options = Options {
                space: Some(space),
                ..Options::default()
            };
            scores(
                &a,
                &b,
                &measures,
                &Permutations::random(n, 3, 1),
                device,
                options,
            )
        };
        let (feature, gram) = (by(Space::Feature), by(Space::Gram));
        for ((f, g), m) in feature.iter().zip(&gram).zip(&measures) {
            let what = m.properties().name;
            close(f.value.unwrap(), g.value.unwrap(), TOLERANCE, what);
            for (f, g) in f.permuted.iter().zip(&g.permuted) {
                close(*f, *g, TOLERANCE, what);
            }
        }
    }
}

fn permuted_scores_are_those_of_permuted_rows(device: &Device) {
    let n = 40;
    let a = Dense::layer(n, 6, 11);
    let b = a.relative(5, 12);
    let permutations = Permutations::random(n, 2, 5);
    // The same permutations, as the generator draws them.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut order: Vec<u32> = (0..n as u32).collect();
    let mut maps = Vec::new();
    for _ in 0..2 {
        order.shuffle(&mut rng);
        maps.push(order.clone());
    }
    for kernel_bytes in [Options::default().kernel_bytes, 0] {
        let options = Options {
            kernel_bytes,
            ..Options::default()
        };
        let permuted = scores(&a, &b, &REGISTRY, &permutations, device, options);
        for (p, map) in maps.iter().enumerate() {
            let direct = values(&a, &b.rows(map), device);
            for ((score, direct), m) in permuted.iter().zip(direct).zip(REGISTRY) {
                if !m.is_paired() {
                    let (found, name) = (score.value.unwrap(), m.properties().name);
                    assert!(score.permuted.is_empty(), "{name}");
                    close(direct, found, TOLERANCE, name);
                    continue;
                }
                close(
                    score.permuted[p],
                    direct,
                    10.0 * TOLERANCE,
                    m.properties().name,
                );
            }
        }
    }
}

fn reading_again_changes_nothing(device: &Device) {
    let a = Dense::layer(70, 6, 21);
    let b = a.relative(5, 22);
    let streamed = Options {
        resident_bytes: 0,
        ..Options::default()
    };
    let permutations = Permutations::random(70, 1, 3);
    let kept = scores(&a, &b, &REGISTRY, &permutations, device, Options::default());
    let read = scores(&a, &b, &REGISTRY, &permutations, device, streamed);
    for ((x, y), m) in kept.iter().zip(&read).zip(REGISTRY) {
        let what = m.properties().name;
        close(x.value.unwrap(), y.value.unwrap(), TOLERANCE, what);
        for (x, y) in x.permuted.iter().zip(&y.permuted) {
            close(*x, *y, TOLERANCE, what);
        }
    }
}

fn all_pairs_at_once_equal_each_pair_alone(device: &Device) {
    let widths = [3, 8, 5, 4, 6];
    let a: Vec<Dense> = widths.map(|d| Dense::layer(50, d, d as u64)).to_vec();
    let b: Vec<Dense> = (a.iter().zip([4, 3, 7, 9, 5]))
        .map(|(m, d)| m.relative(d, 90 + d as u64))
        .collect();
    // The published clamping is over all layers of a model: not of one alone.
    let exact: Vec<&dyn Measure> = (REGISTRY.into_iter())
        .filter(|m| m.properties().mode == Mode::Exact)
        .collect();
    let all = set(&a, &b, device, Options::default());
    let none = Permutations::none();
    let pairs = all.pairs(0, 1);
    assert_eq!(pairs.len(), 25);
    let together = all.compare(&exact, &pairs, &none, &mut |_| ()).unwrap();
    for (at, (i, j)) in pairs.iter().enumerate() {
        let alone = scores(
            &a[*i],
            &b[*j - widths.len()],
            &exact,
            &none,
            device,
            Options::default(),
        );
        for ((row, alone), m) in together.iter().zip(alone).zip(&exact) {
            let what = m.properties().name;
            close(
                row[at].value.unwrap(),
                alone.value.unwrap(),
                TOLERANCE,
                what,
            );
        }
    }
}

fn neighbours_are_the_same_everywhere(device: &Device) {
    // Copies of samples tie exactly: the smaller index is the nearer.
    let distinct = Dense::gaussian(30, 5, 31);
    let order: Vec<u32> = (0..60).map(|i| i % 30).collect();
    let a = distinct.rows(&order);
    let b = distinct.relative(5, 32).rows(&order);
    let here = scores(
        &a,
        &b,
        &REGISTRY,
        &Permutations::none(),
        device,
        Options::default(),
    );
    let there = scores(
        &a,
        &b,
        &REGISTRY,
        &Permutations::none(),
        &cpu(),
        Options::default(),
    );
    for ((x, y), m) in here.iter().zip(&there).zip(REGISTRY) {
        let name = m.properties().name;
        // Lists are the same to the last sample; what is computed from products that
        // the device took is the same to its tolerance.
        let of_products = name.contains("cknna");
        if m.properties().uses_k && !of_products {
            assert_eq!(x.value, y.value, "{name}");
        } else {
            // Copies of samples leave ratios less to stand on in other arithmetic.
            let shaky = *device != cpu();
            let tolerance = if shaky { 10.0 * TOLERANCE } else { TOLERANCE };
            close(x.value.unwrap(), y.value.unwrap(), tolerance, name);
        }
    }
    // A sample and its copy are each other's nearest neighbour in both layers.
    let nearest = Options {
        k: 1,
        ..Options::default()
    };
    let mutual = named("mutual_knn_cosine").unwrap();
    let none = Permutations::none();
    let score = &scores(&a, &b, &[mutual], &none, device, nearest)[0];
    assert_eq!(score.value, Ok(1.0));
}

#[test]
fn every_measure_keeps_what_it_declares_and_no_more() {
    let device = cpu();
    let (n, d) = (120, 6);
    let a = Dense::layer(n, d, 3).map(|j, v| v + 0.3 * j as f64);
    let b = a.relative(d, 4);
    let base = values(&a, &b, &device);
    let far: Vec<f64> = Dense::gaussian(1, d, 9).values;
    let rotation = Dense::rotation(d, 5);
    let stretch = Dense {
        values: (0..d * d)
            .map(|i| match (i / d, i % d) {
                (0, 0) => 6.0,
                // Or measures that see units alone would not notice.
                (0, 1) => 3.0,
                (row, column) => f64::from(u8::from(row == column)),
            })
            .collect(),
        n: d,
        d,
    };
    type Change<'a> = &'a dyn Fn(&Dense) -> Dense;
    let scaled: Change = &|m| m.map(|_, v| 7.5 * v);
    let moved: Change = &|m| m.map(|j, v| v + 2.0 * far[j]);
    let turned: Change = &|m| m.times(&rotation);
    let stretched: Change = &|m| m.times(&stretch);
    let changes = [
        ("scale", scaled),
        ("translation", moved),
        ("rotation", turned),
        ("linear map", stretched),
    ];
    for (what, change) in changes {
        let first = values(&change(&a), &b, &device);
        let second = values(&a, &change(&b), &device);
        for (i, m) in REGISTRY.iter().enumerate() {
            let properties = m.properties();
            let declared = match what {
                "scale" => properties.invariances.scale,
                "translation" => properties.invariances.translation,
                "rotation" => properties.invariances.orthogonal,
                _ => properties.invariances.linear,
            };
            let changed = (first[i] - base[i]).abs().max((second[i] - base[i]).abs());
            let name = properties.name;
            if declared {
                assert!(changed < 2e-6, "{name} changes by {changed} under {what}");
            } else {
                assert!(
                    changed > 3e-4,
                    "{name} changes by only {changed} under {what}"
                );
            }
        }
    }
}

#[test]
fn symmetry_ranges_and_identity_are_as_declared() {
    let device = cpu();
    let a = Dense::layer(80, 7, 41);
    let b = a.relative(4, 42);
    let (there, back) = (values(&a, &b, &device), values(&b, &a, &device));
    let own = values(&a, &a, &device);
    for (i, m) in REGISTRY.iter().enumerate() {
        let properties = m.properties();
        let name = properties.name;
        let difference = (there[i] - back[i]).abs();
        if properties.symmetric {
            assert!(difference < 1e-6, "{name}: {} and {}", there[i], back[i]);
        } else {
            assert!(difference > 1e-4, "{name} looks symmetric");
        }
        for value in [there[i], own[i]] {
            assert!(value <= m.largest(10) + 1e-6, "{name}: {value}");
            if let Bound::Number(smallest) = properties.range.0 {
                assert!(value >= smallest - 1e-6, "{name}: {value}");
            }
        }
        // A cycle need not close even within one layer, and columns meet
        // themselves in the cross term of the column correction.
        let reaches = !name.starts_with("cycle_knn") && name != "cka_linear_row_column";
        // The published epsilon takes a little off.
        let tolerance = if properties.mode == Mode::Paper {
            2e-3
        } else {
            1e-6
        };
        if reaches {
            close(own[i], m.largest(10), tolerance, name);
        }
        assert!(
            properties.alias.is_none() || by_name(properties.alias.unwrap(), Mode::Exact).is_ok()
        );
    }
}

#[test]
fn a_large_offset_changes_no_translation_invariant_measure() {
    let device = cpu();
    let a = Dense::layer(300, 12, 51);
    let b = a.relative(9, 52);
    let base = values(&a, &b, &device);
    // As f32 files hold it: a thousand standard deviations away.
    let far = values(&a.map(|_, v| f64::from((v + 1000.0) as f32)), &b, &device);
    for (i, m) in REGISTRY.iter().enumerate() {
        let name = m.properties().name;
        if !m.properties().invariances.translation {
            continue;
        }
        let tolerance = match name {
            // What rounding to f32 makes of two samples that are nearly as near: another graph.
            "imd" => 2.0,
            // Sums of a hundred lengths.
            "rtd" => 1e-2,
            _ => 1e-4,
        };
        close(far[i], base[i], tolerance, name);
    }
}

#[test]
fn scale_may_be_extreme() {
    let device = cpu();
    let a = Dense::layer(50, 4, 53);
    let b = a.relative(4, 54);
    let base = values(&a, &b, &device);
    for scale in [1e-30, 1e30] {
        let scaled = values(&a.map(|_, v| v * scale), &b, &device);
        for (i, m) in REGISTRY.iter().enumerate() {
            if m.properties().invariances.scale {
                close(scaled[i], base[i], 1e-5, m.properties().name);
            }
        }
    }
}

#[test]
fn unrelated_layers_score_what_permutations_say() {
    let (n, d, repeats) = (100, 30, 30);
    let measures = paired();
    let mut sums = vec![(0.0, 0.0, 0.0); measures.len()];
    for seed in 0..repeats {
        let a = Dense::layer(n, d, 100 + seed);
        let b = Dense::layer(n, d, 500 + seed);
        let permutations = Permutations::random(n, 20, seed);
        let scores = scores(&a, &b, &measures, &permutations, &cpu(), Options::default());
        for (sum, score) in sums.iter_mut().zip(&scores) {
            let value = score.value.unwrap();
            let null = score.permuted.iter().sum::<f64>() / score.permuted.len() as f64;
            sum.0 += value - null;
            sum.1 += (value - null).powi(2);
            sum.2 += value;
        }
    }
    let count = repeats as f64;
    for ((difference, squares, total), m) in sums.into_iter().zip(&measures) {
        let name = m.properties().name;
        let error = (squares / count).sqrt() / count.sqrt();
        assert!(
            difference.abs() / count < 3.5 * error + 1e-9,
            "{name}: {} +- {error}",
            difference / count
        );
        let mean = total / count;
        match name {
            "cka_linear_debiased" | "cka_rbf_median_debiased" => close(mean, 0.0, 0.02, name),
            "mutual_knn_cosine" => close(mean, 10.0 / 99.0, 0.01, name),
            "gulp" => close(mean, 2.0 * 900.0 / 99.0 - 60.0, 0.5, name),
            "linear_regression_r2_b_from_a" => close(mean, 30.0 / 99.0, 0.01, name),
            _ => (),
        }
    }
}

#[test]
fn gaussian_noise_has_the_published_level() {
    // Kornblith's estimator for independent Gaussians: d / (n + d).
    for (n, d, expected) in [(128, 512, 0.796), (512, 512, 0.4995), (1000, 512, 0.338)] {
        let (a, b) = (Dense::gaussian(n, d, 1), Dense::gaussian(n, d, 2));
        let biased = value("cka_linear_biased", &a, &b).unwrap();
        close(biased, expected, 0.01, "biased");
        let debiased = value("cka_linear_debiased", &a, &b).unwrap();
        close(debiased, 0.0, 0.02, "debiased");
    }
}

#[test]
fn the_exact_null_mean_is_that_of_permutations() {
    let (n, draws) = (12, 4000);
    let a = Dense::layer(n, 4, 8);
    let b = a.relative(4, 9);
    let options = Options {
        k: 3,
        ..Options::default()
    };
    let permutations = Permutations::random(n, draws, 1);
    let scores = scores(&a, &b, &REGISTRY, &permutations, &cpu(), options);
    let mut exact = 0;
    for (score, m) in scores.iter().zip(REGISTRY) {
        let Some(mean) = score.null_mean else {
            continue;
        };
        exact += 1;
        let drawn = score.permuted.iter().sum::<f64>() / draws as f64;
        let variance = (score
            .permuted
            .iter()
            .map(|v| (v - drawn).powi(2))
            .sum::<f64>())
            / draws as f64;
        let error = (variance / draws as f64).sqrt();
        let name = m.properties().name;
        assert!(
            (drawn - mean).abs() < 4.0 * error,
            "{name}: {drawn} is not {mean} +- {error}"
        );
    }
    // CKA, RSA and mutual_knn, each in both modes where it has two, and what is told of neighbours in
    // common.
    assert_eq!(exact, 5 + 12 + 2 + 2 + 3);
}

/// The largest distance between the empirical distribution of p-values and the
/// uniform one, and the largest excess of small ones.
fn distance_from_uniform(p: &mut [f64]) -> (f64, f64) {
    p.sort_by(f64::total_cmp);
    let n = p.len() as f64;
    let excess = |i: usize| (i + 1) as f64 / n - p[i];
    let lack = |i: usize| p[i] - i as f64 / n;
    let above = (0..p.len()).map(excess).fold(0.0, f64::max);
    let below = (0..p.len()).map(lack).fold(0.0, f64::max);
    (above.max(below), above)
}

#[test]
fn p_values_are_uniform_for_unrelated_layers() {
    let (n, repeats, draws) = (30, 300, 99);
    let options = || Options {
        k: 5,
        ..Options::default()
    };
    let measures = paired();
    let mut found: Vec<Vec<f64>> = vec![vec![]; measures.len()];
    let mut best: Vec<f64> = vec![];
    let debiased: &dyn Measure = named("cka_linear_debiased").unwrap();
    for seed in 0..repeats {
        let layers = |seed: u64| [Dense::layer(n, 12, seed), Dense::layer(n, 3, seed + 5000)];
        let (a, b) = (layers(seed), layers(10_000 + seed));
        let permutations = Permutations::random(n, draws, seed);
        let scores = scores(&a[0], &b[0], &measures, &permutations, &cpu(), options());
        for ((found, score), m) in found.iter_mut().zip(&scores).zip(&measures) {
            found.push(score.calibration(m.largest(5)).unwrap().p);
        }
        let set = set(&a, &b, &cpu(), options());
        let all = set
            .compare(&[debiased], &set.pairs(0, 1), &permutations, &mut |_| ())
            .unwrap();
        let (_, top) = maximum(all[0].iter()).unwrap();
        best.push(top.calibration(1.0).unwrap().p);
    }
    // Kolmogorov and Smirnov: 1.95 / sqrt(n) is exceeded once in a thousand; p
    // has steps of 1 / (draws + 1).
    let bound = 1.95 / (repeats as f64).sqrt() + 1.0 / (draws as f64 + 1.0);
    for (mut p, m) in found.into_iter().zip(&measures) {
        let name = m.properties().name;
        let (distance, excess) = distance_from_uniform(&mut p);
        // Scores that take few values tie with their permutations: p-values are
        // then too large, never too small.
        let distance = if m.properties().uses_k {
            excess
        } else {
            distance
        };
        assert!(distance < bound, "{name}: {distance} from uniform");
    }
    let (distance, _) = distance_from_uniform(&mut best);
    assert!(
        distance < bound,
        "the maximum over layers: {distance} from uniform"
    );
}

#[test]
fn related_layers_have_the_smallest_p_and_identity_is_calibrated_to_one() {
    let n = 100;
    let a = Dense::layer(n, 5, 61);
    let b = a.relative(5, 62);
    let permutations = Permutations::random(n, 99, 1);
    let measures = paired();
    let related = scores(&a, &b, &measures, &permutations, &cpu(), Options::default());
    let own = scores(&a, &a, &measures, &permutations, &cpu(), Options::default());
    for ((score, own), m) in related.iter().zip(&own).zip(measures) {
        let name = m.properties().name;
        close(
            score.calibration(m.largest(10)).unwrap().p,
            0.01,
            1e-12,
            name,
        );
        if m.largest(10).is_finite() && !name.starts_with("cycle_knn") {
            let calibration = own.calibration(m.largest(10)).unwrap();
            close(calibration.calibrated.unwrap(), 1.0, 5e-3, name);
            let largest = m.largest(10);
            let room = 0.1 * largest.max(1.0);
            assert!(calibration.threshold < largest - room, "{name}");
        }
    }
}

#[test]
fn cknna_of_all_neighbours_is_debiased_cka() {
    let n = 40;
    let a = Dense::gaussian(n, 6, 71);
    let b = a.relative(5, 72);
    let debiased = value("cka_linear_debiased", &a, &b).unwrap();
    for name in ["cknna_linear", "cknna_symmetric"] {
        let options = Options {
            k: n - 1,
            ..Options::default()
        };
        let none = Permutations::none();
        let score = &scores(&a, &b, &[named(name).unwrap()], &none, &cpu(), options)[0];
        close(score.value.unwrap(), debiased, 1e-6, name);
    }
}

#[test]
fn minibatches_estimate_the_whole() {
    let small = Dense::gaussian(200, 20, 73);
    let other = small.relative(10, 74);
    let whole = value("cka_linear_debiased", &small, &other).unwrap();
    let one_batch = value("cka_linear_minibatch", &small, &other).unwrap();
    close(one_batch, whole, 1e-6, "one batch is the whole");
    let large = Dense::gaussian(2100, 20, 75);
    let other = large.relative(10, 76);
    let whole = value("cka_linear_debiased", &large, &other).unwrap();
    let batches = value("cka_linear_minibatch", &large, &other).unwrap();
    close(batches, whole, 0.01, "eight batches");
    assert!((batches - whole).abs() > 1e-6, "batches are not the whole");
}

#[test]
fn row_and_column_correction_sees_through_few_columns() {
    // Two populations of 400 units that read out 10 shared causes; a handful of
    // units of each is recorded.
    let (n, units, recorded, repeats) = (150, 400, 15, 40);
    let causes = Dense::gaussian(n, 10, 81);
    let (a, b) = (causes.relative(units, 82), causes.relative(units, 84));
    let whole = value("cka_linear_debiased", &a, &b).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(86);
    let mut sums = [0.0; 2];
    for _ in 0..repeats {
        let mut pick = |m: &Dense| {
            let columns: Vec<usize> = (0..recorded).map(|_| rng.random_range(0..units)).collect();
            Dense {
                values: (m.values.chunks(units))
                    .flat_map(|row| columns.iter().map(|c| row[*c]).collect::<Vec<_>>())
                    .collect(),
                n,
                d: recorded,
            }
        };
        let (a, b) = (pick(&a), pick(&b));
        sums[0] += value("cka_linear_row_column", &a, &b).unwrap();
        sums[1] += value("cka_linear_debiased", &a, &b).unwrap();
    }
    let [corrected, rows_only] = sums.map(|s| s / f64::from(repeats));
    assert!(
        (corrected - whole).abs() < 0.04,
        "{corrected} is not {whole}"
    );
    assert!(
        rows_only < whole - 0.1,
        "{rows_only} should fall short of {whole}"
    );
}

#[test]
fn one_moved_sample_takes_cka_and_leaving_it_out_gives_it_back() {
    // Davari et al. 2022: n = 2000, d = 128, one row moved by c.
    let (n, d) = (2000, 128);
    let a = Dense::gaussian(n, d, 91);
    let mut seen = vec![];
    for (c, expected) in [
        (10.0, 0.9996),
        (50.0, 0.986),
        (100.0, 0.894),
        (500.0, 0.097),
    ] {
        let mut b = a.clone();
        let step = c / (d as f64).sqrt();
        b.values[17 * d..18 * d].iter_mut().for_each(|v| *v += step);
        let score = value("cka_linear_biased", &a, &b).unwrap();
        seen.push(score);
        close(score, expected, 0.02, "published value");
        if c > 50.0 {
            let set = set(std::slice::from_ref(&a), &[b], &cpu(), Options::default());
            let without = set.leave_one_out(&[(0, 1)]).unwrap().remove(0).unwrap();
            let sample = LeaveOneOut::most_influential(score, &without.biased).unwrap();
            assert_eq!(sample, 17);
            let biased = named("cka_linear_biased").unwrap();
            let left = set.without(sample, biased, (0, 1)).unwrap().unwrap();
            close(left, 1.0, 1e-6, "without it");
        }
    }
    assert!(seen.is_sorted_by(|x, y| x > y));
}

#[test]
fn leaving_out_is_what_it_says() {
    let n = 12;
    let a = Dense::gaussian(n, 4, 95);
    let b = a.relative(20, 96);
    let without = set(
        std::slice::from_ref(&a),
        std::slice::from_ref(&b),
        &cpu(),
        Options::default(),
    )
    .leave_one_out(&[(0, 1)])
    .unwrap()
    .remove(0)
    .unwrap();
    for i in 0..n {
        let rest: Vec<u32> = (0..n as u32).filter(|j| *j != i as u32).collect();
        let (a, b) = (a.rows(&rest), b.rows(&rest));
        let direct = |name| value(name, &a, &b).unwrap();
        let biased = without.biased[i].unwrap();
        close(biased, direct("cka_linear_biased"), 2e-6, "biased");
        let debiased = without.debiased[i].unwrap();
        close(debiased, direct("cka_linear_debiased"), 2e-6, "debiased");
    }
}

#[test]
fn intervals_are_as_wide_as_scores_vary() {
    let (n, repeats) = (200, 60);
    let names = [
        "cka_linear_debiased",
        "mutual_knn_cosine",
        "procrustes_similarity",
    ];
    let measures: Vec<&dyn Measure> = names.map(|name| named(name).unwrap()).to_vec();
    let map = Dense::gaussian(5, 5, 7);
    let draw = |seed: u64| {
        let a = Dense::gaussian(n, 5, seed);
        let own = Dense::gaussian(n, 5, seed + 70_000);
        let mixed = a.times(&map);
        let b = Dense {
            values: (mixed.values.iter().zip(&own.values))
                .map(|(x, y)| x / 2.0 + y)
                .collect(),
            ..own
        };
        (a, b)
    };
    let mut found = vec![vec![]; names.len()];
    for seed in 0..repeats {
        let (a, b) = draw(1000 + seed);
        let none = Permutations::none();
        let scores = scores(&a, &b, &measures, &none, &cpu(), Options::default());
        for (found, score) in found.iter_mut().zip(scores) {
            found.push(score.value.unwrap());
        }
    }
    let (a, b) = draw(1);
    let set = set(&[a], &[b], &cpu(), Options::default());
    let none = Permutations::none();
    let scores = set
        .compare(&measures, &[(0, 1)], &none, &mut |_| ())
        .unwrap();
    let own: Vec<Vec<Option<f64>>> = (scores.iter())
        .map(|row| row.iter().map(|s| s.value.ok()).collect())
        .collect();
    let halves = HalfSamples {
        draws: 200,
        seed: 3,
        blocks: &[],
        groups: &[],
    };
    let intervals = set
        .intervals(&measures, &[(0, 1)], &own, &halves, &mut |_| ())
        .unwrap();
    for (((found, interval), own), name) in found.iter().zip(&intervals).zip(&own).zip(names) {
        let mean = found.iter().sum::<f64>() / repeats as f64;
        let variance =
            found.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (repeats as f64 - 1.0);
        let interval = interval[0].unwrap();
        let value = own[0].unwrap();
        assert!(interval.low < value && value < interval.high, "{name}");
        let ratio = (interval.high - interval.low) / (2.0 * 1.96 * variance.sqrt());
        assert!((0.6..1.6).contains(&ratio), "{name}: {ratio} times as wide");
    }
}

#[test]
fn ties_with_the_null_are_no_evidence() {
    // Against equidistant samples every permutation gives the same biased CKA.
    let n = 20;
    let equidistant = Dense {
        values: (0..n * n)
            .map(|i| f64::from(u8::from(i / n == i % n)))
            .collect(),
        n,
        d: n,
    };
    let b = Dense::layer(n, 6, 3);
    let permutations = Permutations::random(n, 99, 1);
    let measures: Vec<&dyn Measure> = [
        "cka_linear_biased",
        "procrustes_similarity",
        "cca_mean",
        "cka_linear_debiased",
    ]
    .map(|name| named(name).unwrap())
    .to_vec();
    let scores = scores(
        &equidistant,
        &b,
        &measures,
        &permutations,
        &cpu(),
        Options::default(),
    );
    for score in &scores[..3] {
        let calibration = score.calibration(1.0).unwrap();
        assert_eq!((calibration.p, calibration.calibrated), (1.0, Some(0.0)));
    }
    assert_eq!(scores[3].value, Err(Undefined::NoVariance));
    // Four samples have few permutations: many of them are the identity.
    let four = Dense::layer(4, 6, 5);
    let permutations = Permutations::random(4, 199, 2);
    let none = named("cka_rbf_median_biased").unwrap();
    let own = &scores_of(&four, &four, none, &permutations);
    assert!(own.calibration(1.0).unwrap().p > 0.02);
}

fn scores_of(a: &Dense, b: &Dense, measure: &dyn Measure, permutations: &Permutations) -> Score {
    scores(a, b, &[measure], permutations, &cpu(), Options::default()).remove(0)
}

#[test]
fn wide_layers_keep_their_digits() {
    // Where d is a thousand times n, the diagonal of the kernel is a thousand
    // times the rest: from the definition, in f64.
    let (n, d) = (30, 30_000);
    let a = Dense::gaussian(n, d, 6);
    let b = Dense {
        values: (a.values.iter().zip(Dense::gaussian(n, d, 7).values))
            .map(|(x, y)| x + y)
            .collect(),
        ..a.clone()
    };
    let u_centred = |m: &Dense| -> Vec<f64> {
        let row = |i: usize| &m.values[i * d..(i + 1) * d];
        let dot = |i, j| row(i).iter().zip(row(j)).map(|(x, y)| x * y).sum::<f64>();
        let mut k: Vec<f64> = (0..n * n)
            .map(|at| {
                if at / n == at % n {
                    0.0
                } else {
                    dot(at / n, at % n)
                }
            })
            .collect();
        let size = n as f64;
        let sums: Vec<f64> = k
            .chunks(n)
            .map(|r| r.iter().sum::<f64>() / (size - 2.0))
            .collect();
        let half = sums.iter().sum::<f64>() / (2.0 * (size - 1.0));
        for i in 0..n {
            for j in 0..n {
                k[i * n + j] -= if i == j {
                    0.0
                } else {
                    sums[i] + sums[j] - 2.0 * half
                };
            }
        }
        k
    };
    let (k, l) = (u_centred(&a), u_centred(&b));
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let expected = dot(&k, &l) / (dot(&k, &k) * dot(&l, &l)).sqrt();
    let found = value("cka_linear_debiased", &a, &b).unwrap();
    close(found, expected, 1e-6, "debiased");
    // At this width the Gaussian kernel is a straight line of the linear one.
    let gaussian = value("cka_rbf_median_debiased", &a, &b).unwrap();
    close(gaussian, expected, 0.02, "Gaussian");
}

#[test]
fn neighbours_and_distances_survive_offsets_and_outliers() {
    let n = 400;
    let a = Dense::layer(n, 16, 8);
    let b = a.relative(16, 9);
    // Far from the origin cosines are all but 1; from the definition, in f64.
    let lists = |m: &Dense| -> Vec<Vec<usize>> {
        let unit: Vec<Vec<f64>> = (m.values.chunks(m.d))
            .map(|row| {
                let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                row.iter().map(|v| v / length).collect()
            })
            .collect();
        (0..n)
            .map(|i| {
                let mut others: Vec<(f64, usize)> = (0..n)
                    .filter(|j| *j != i)
                    .map(|j| {
                        // Distances of unit rows keep more digits than products.
                        let apart = unit[i].iter().zip(&unit[j]).map(|(x, y)| (x - y).powi(2));
                        (apart.sum::<f64>(), j)
                    })
                    .collect();
                others.sort_by(|x, y| x.0.total_cmp(&y.0));
                others.into_iter().take(10).map(|(_, j)| j).collect()
            })
            .collect()
    };
    let (far_a, far_b) = (a.map(|_, v| v + 1000.0), b.map(|_, v| v + 1000.0));
    let (x, y) = (lists(&far_a), lists(&far_b));
    let common: usize = (x.iter().zip(&y))
        .map(|(x, y)| x.iter().filter(|j| y.contains(j)).count())
        .sum();
    let mutual = value("mutual_knn_cosine", &far_a, &far_b).unwrap();
    close(mutual, common as f64 / (10 * n) as f64, 2e-3, "mutual");

    // One sample a million deviations away leaves the others' distances alone.
    let moved = |m: &Dense, by: f64| {
        let mut moved = m.clone();
        moved.values[7 * m.d..8 * m.d]
            .iter_mut()
            .for_each(|v| *v += by);
        moved
    };
    let name = "cka_rbf_median_debiased";
    let near = value(name, &moved(&a, 1e3), &moved(&b, 1e3)).unwrap();
    let far = value(name, &moved(&a, 1e6), &moved(&b, 1e6)).unwrap();
    close(far, near, 1e-5, name);

    // What is left without an outlier is what it is without it.
    let (a, b) = (moved(&a, 1e5), moved(&b, 1e5));
    let set = set(
        std::slice::from_ref(&a),
        std::slice::from_ref(&b),
        &cpu(),
        Options::default(),
    );
    let biased = named("cka_linear_biased").unwrap();
    let without = set.leave_one_out(&[(0, 1)]).unwrap().remove(0).unwrap();
    let sample = LeaveOneOut::most_influential(1.0, &without.biased).unwrap();
    assert_eq!(sample, 7);
    let rest: Vec<u32> = (0..n as u32).filter(|i| *i != 7).collect();
    let expected = value("cka_linear_biased", &a.rows(&rest), &b.rows(&rest)).unwrap();
    let left = set.without(7, biased, (0, 1)).unwrap().unwrap();
    close(left, expected, 1e-9, "without the outlier");
}

#[test]
fn equal_correlations_share_their_rank() {
    // Binary activations have few distinct correlations: Spearman with mean ranks,
    // by definition.
    let (n, d) = (60, 6);
    let binary =
        |seed| Dense::layer(n, d, seed).map(|j, v| f64::from(u8::from(v > 0.1 * j as f64)));
    // No sample may be the same in every dimension.
    let sound = |m: Dense| {
        let mut m = m;
        for row in m.values.chunks_mut(d) {
            if row.iter().all(|v| *v == row[0]) {
                row[0] = 1.0 - row[0];
            }
        }
        m
    };
    let (a, b) = (sound(binary(1)), sound(binary(2)));
    let ranks = |m: &Dense| -> Vec<f64> {
        let row = |i: usize| &m.values[i * d..(i + 1) * d];
        let mut all = Vec::new();
        for i in 0..n {
            for j in i + 1..n {
                let centred = |i| -> Vec<f64> {
                    let mean = row(i).iter().sum::<f64>() / d as f64;
                    row(i).iter().map(|v| v - mean).collect()
                };
                let (x, y) = (centred(i), centred(j));
                let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                all.push((1e9 * dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt()).round());
            }
        }
        (all.iter())
            .map(|v| {
                let below = all.iter().filter(|w| *w < v).count();
                let equal = all.iter().filter(|w| *w == v).count();
                below as f64 + equal as f64 / 2.0
            })
            .collect()
    };
    let (x, y) = (ranks(&a), ranks(&b));
    let mean = x.len() as f64 / 2.0;
    let cov = |x: &[f64], y: &[f64]| {
        (x.iter().zip(y))
            .map(|(x, y)| (x - mean) * (y - mean))
            .sum::<f64>()
    };
    let expected = cov(&x, &y) / (cov(&x, &x) * cov(&y, &y)).sqrt();
    let found = value("rsa_correlation_spearman", &a, &b).unwrap();
    close(found, expected, 1e-6, "Spearman");
}

/// A measure that gives every half of the samples the same, because they are too few for it, has no
/// interval; one of layers that are alike has.
#[test]
fn what_is_saturated_has_no_interval() {
    let (a, b) = (Dense::gaussian(60, 30, 1), Dense::gaussian(60, 30, 2));
    let measures = [
        named("cca_mean").unwrap(),
        named("cka_linear_debiased").unwrap(),
    ];
    let halves = HalfSamples {
        draws: 20,
        seed: 3,
        blocks: &[],
        groups: &[],
    };
    let of = |a: &Dense, b: &Dense| {
        let one = std::slice::from_ref;
        let set = set(one(a), one(b), &cpu(), Options::default());
        let none = Permutations::none();
        let scores = set
            .compare(&measures, &[(0, 1)], &none, &mut |_| ())
            .unwrap();
        let values: Vec<Vec<Option<f64>>> = (scores.iter())
            .map(|row| row.iter().map(|s| s.value.ok()).collect())
            .collect();
        let found = set.intervals(&measures, &[(0, 1)], &values, &halves, &mut |_| ());
        found.unwrap().concat()
    };
    let unrelated = of(&a, &b);
    assert_eq!(unrelated[0], None, "30 samples of 30 dimensions");
    assert!(unrelated[1].is_some_and(|interval| interval.high > interval.low));
    let same = of(&a, &a);
    assert!(
        same.iter()
            .all(|i| i.is_some_and(|i| (i.low - 1.0).abs() < 1e-6))
    );
}

/// The value of a measure of two matrices that were stored in f32.
fn stored(name: &str, a: &Dense, b: &Dense) -> f64 {
    let layer = |name: &str, of: &Dense| {
        let values: Vec<f32> = of.values.iter().map(|v| *v as f32).collect();
        Layer::new(name, Matrix::new(values, of.n, of.d).unwrap())
    };
    let layers = vec![vec![layer("a", a)], vec![layer("b", b)]];
    let set = Set::new(layers, &cpu(), Options::default()).unwrap();
    let none = Permutations::none();
    let measure = [named(name).unwrap()];
    let scores = set.compare(&measure, &[(0, 1)], &none, &mut |_| ());
    scores.unwrap()[0][0].value.unwrap()
}

/// What rounding leaves beside ten directions are no further ones, centred or not.
#[test]
fn rounding_is_no_direction() {
    for (n, d, offset) in [
        (500, 40, 0.0),
        (300, 200, 0.0),
        (500, 40, 30.0),
        (60, 128, 3.0),
    ] {
        let causes = Dense::gaussian(n, 10, 1);
        let wide = |of: &Dense, seed: u64| {
            of.times(&Dense::gaussian(10, d, seed))
                .map(|_, v| v + offset)
        };
        let (a, b) = (wide(&causes, 2), wide(&causes, 3));
        let other = wide(&Dense::gaussian(n, 10, 4), 5);
        for name in ["cca_mean", "pwcca", "linear_regression_r2_b_from_a"] {
            let same = stored(name, &a, &b);
            assert!(
                (same - 1.0).abs() < 1e-3,
                "{name}, {n} {d} {offset}: {same}"
            );
            let (unrelated, exact) = (stored(name, &a, &other), value(name, &a, &other).unwrap());
            assert!(
                (unrelated - exact).abs() < 1e-3,
                "{name}, {n} {d} {offset}: {unrelated} is not {exact}"
            );
        }
    }
}

/// What a model computed in 16 bits is often stored in 32: what counts is how precise values are, not
/// the type that they are stored in.
#[test]
fn rounding_of_values_is_no_direction_in_whatever_type_they_are_stored() {
    let half: fn(f64) -> f64 = |v| half::f16::from_f64(v).to_f64();
    let brain: fn(f64) -> f64 = |v| half::bf16::from_f64(v).to_f64();
    let single: fn(f64) -> f64 = |v| f64::from(v as f32);
    for (n, d, offset) in [(500, 40, 0.0), (300, 200, 0.0), (400, 40, 3.0)] {
        let causes = Dense::gaussian(n, 10, 1);
        let layer = |of: &Dense, seed: u64, round: fn(f64) -> f64| {
            let wide = of.times(&Dense::gaussian(10, d, seed));
            wide.map(|_, v| round(v + offset))
        };
        let unrelated = Dense::gaussian(n, 10, 4);
        for (round, tolerance) in [(half, 1e-3), (brain, 5e-3), (single, 1e-6)] {
            let (a, b) = (layer(&causes, 2, round), layer(&causes, 3, round));
            let other = layer(&unrelated, 5, round);
            for name in ["cca_mean", "pwcca", "linear_regression_r2_b_from_a"] {
                let exact = |v: f64| v;
                let expected = value(
                    name,
                    &layer(&causes, 2, exact),
                    &layer(&unrelated, 5, exact),
                );
                let expected = expected.unwrap();
                for of in [stored, |name: &str, a: &Dense, b: &Dense| {
                    value(name, a, b).unwrap()
                }] {
                    let (same, apart) = (of(name, &a, &b), of(name, &a, &other));
                    assert!(
                        (same - 1.0).abs() < tolerance,
                        "{name}, {n} {d} {offset}: {same}"
                    );
                    assert!(
                        (apart - expected).abs() < tolerance.max(1e-3),
                        "{name}, {n} {d} {offset}: {apart} is not {expected}"
                    );
                }
            }
        }
    }
}

/// Language models have dimensions hundreds of times as large as all others; what is rounded there is
/// noise of that dimension alone.
#[test]
fn one_massive_dimension_hides_no_others() {
    let brain: fn(f64) -> f64 = |v| half::bf16::from_f64(v).to_f64();
    let (n, d) = (400, 40);
    let plain = Dense::gaussian(n, d, 31);
    let massive = |layer: &Dense, round: fn(f64) -> f64| {
        layer.map(|column, v| round(if column == 0 { 1000.0 + 5.0 * v } else { v }))
    };
    let mixed = plain.times(&Dense::gaussian(d, 12, 32));
    let noise = Dense::gaussian(n, 12, 33);
    let other = Dense {
        values: (mixed.values.iter().zip(&noise.values))
            .map(|(x, y)| x + 4.0 * y)
            .collect(),
        ..mixed
    };
    let (rounded, exact) = (massive(&plain, brain), massive(&plain, |v| v));
    for name in ["cca_mean", "pwcca", "linear_regression_r2_b_from_a"] {
        let expected = value(name, &exact, &other).unwrap();
        let found = value(name, &rounded, &other).unwrap();
        // One of forty directions, the massive one, is noise.
        assert!(
            (found - expected).abs() < 0.03,
            "{name}: {found} is not {expected}"
        );
    }
}

/// Data that are exact lose no direction, however small, because their numbers are short: counts,
/// one-hot codes, fractions of a power of two.
#[test]
fn small_directions_of_exact_data_are_directions() {
    let n = 500;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (largest, step) in [(2000i32, 1.0), (200, 1.0), (1000, 0.0078125), (1, 1.0)] {
        // Columns of whole numbers; the last differs from the first in four samples, by one.
        let columns: Vec<Vec<f64>> = (0..5)
            .map(|_| {
                (0..n)
                    .map(|_| f64::from(rng.random_range(0..=largest)) * step)
                    .collect()
            })
            .collect();
        let rare = |i: usize| f64::from(u8::from(i % 125 == 7)) * step;
        let a = Dense {
            values: (0..n)
                .flat_map(|i| {
                    let row: Vec<f64> = columns.iter().map(|column| column[i]).collect();
                    let last = row[0] + rare(i);
                    row.into_iter().chain([last]).collect::<Vec<_>>()
                })
                .collect(),
            n,
            d: 6,
        };
        let b = Dense {
            values: (0..n).map(rare).collect(),
            n,
            d: 1,
        };
        for of in [stored, |name: &str, a: &Dense, b: &Dense| {
            value(name, a, b).unwrap()
        }] {
            let told = of("linear_regression_r2_b_from_a", &a, &b);
            assert!((told - 1.0).abs() < 1e-4, "{largest} {step}: {told}");
        }
    }
}

/// A sample so far from the others that no number holds its square leaves every measure at the value
/// to which it tends.
#[test]
fn samples_may_be_as_far_as_numbers_go() {
    let device = cpu();
    let (n, d) = (120, 6);
    let a = Dense::layer(n, d, 41);
    let b = a.relative(5, 42);
    let moved = |of: &Dense, rows: &[(usize, f64)]| {
        let mut moved = of.clone();
        for (row, factor) in rows {
            let row = row * of.d..(row + 1) * of.d;
            moved.values[row].iter_mut().for_each(|v| *v *= factor);
        }
        moved
    };
    let limit = values(&moved(&a, &[(7, 1e12)]), &b, &device);
    let limit_of_two = values(&moved(&a, &[(7, 1e24), (9, 1e12)]), &b, &device);
    let both = |by: f64| values(&moved(&a, &[(7, by)]), &moved(&b, &[(7, by)]), &device);
    let limit_of_both = both(1e12);
    for factor in [1e30, 1e75, 1e150, 1e200, 1e300] {
        let far = values(&moved(&a, &[(7, factor)]), &b, &device);
        let two = [(7, factor), (9, factor.sqrt())];
        let two = values(&moved(&a, &two), &b, &device);
        let both = both(factor);
        for (i, m) in REGISTRY.iter().enumerate() {
            let name = m.properties().name;
            // What is a length, or a number of distances, grows with them.
            if ["rtd", "magnitude_difference"].contains(&name) {
                continue;
            }
            close(far[i], limit[i], 1e-6, &format!("{name}, {factor:e}"));
            close(
                both[i],
                limit_of_both[i],
                1e-6,
                &format!("{name}, both {factor:e}"),
            );
            // Twice as far as half of it is not yet the limit.
            if factor > 1e40 {
                close(
                    two[i],
                    limit_of_two[i],
                    1e-6,
                    &format!("{name}, two {factor:e}"),
                );
            }
        }
    }
    // One value alone; and by the definition, from products without the diagonal.
    let mut one = a.clone();
    one.values[3] *= 1e300;
    let mut nearer = a.clone();
    nearer.values[3] *= 1e12;
    let debiased = value("cka_linear_debiased", &one, &b).unwrap();
    close(debiased, by_definition(&nearer, &b), 1e-6, "debiased");
    let far = moved(&a, &[(7, 1e300)]);
    let debiased = value("cka_linear_debiased", &far, &b).unwrap();
    close(
        debiased,
        by_definition(&moved(&a, &[(7, 1e12)]), &b),
        1e-6,
        "debiased",
    );
    // Samples of all magnitudes leave no sum of products, and cosines all the same.
    let spread: Vec<(usize, f64)> = (0..n)
        .map(|i| (i, 10f64.powi(5 * i as i32 - 300)))
        .collect();
    let spread = moved(&a, &spread);
    for name in [
        "cka_linear_debiased",
        "cka_rbf_median_biased",
        "cca_mean",
        "cka_linear_minibatch",
    ] {
        assert_eq!(
            value(name, &spread, &b),
            Err(Undefined::TooFarApart),
            "{name}"
        );
    }
    for name in ["mutual_knn_cosine", "rsa_correlation_pearson"] {
        let (found, expected) = (value(name, &spread, &b), value(name, &a, &b));
        close(found.unwrap(), expected.unwrap(), 1e-6, name);
    }
}

/// Debiased linear CKA in f64 (Song et al. 2012, eq. 5), the diagonals left out.
fn by_definition(a: &Dense, b: &Dense) -> f64 {
    let n = a.n;
    let gram = |m: &Dense| -> Vec<f64> {
        let row = |i: usize| &m.values[i * m.d..][..m.d];
        let product = |i, j| row(i).iter().zip(row(j)).map(|(x, y)| x * y).sum::<f64>();
        let entry = |at: usize| match (at / n, at % n) {
            (i, j) if i == j => 0.0,
            (i, j) => product(i, j),
        };
        (0..n * n).map(entry).collect()
    };
    let hsic = |k: &[f64], l: &[f64]| {
        let rows = |k: &[f64]| -> Vec<f64> { k.chunks(n).map(|row| row.iter().sum()).collect() };
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let (r, s, m) = (rows(k), rows(l), n as f64);
        let totals = r.iter().sum::<f64>() * s.iter().sum::<f64>();
        dot(k, l) + totals / ((m - 1.0) * (m - 2.0)) - 2.0 / (m - 2.0) * dot(&r, &s)
    };
    let (k, l) = (gram(a), gram(b));
    hsic(&k, &l) / (hsic(&k, &k) * hsic(&l, &l)).sqrt()
}

/// What varies is not constant, however large it is; what varies by no more than its type tells
/// apart says so.
#[test]
fn offsets_may_be_as_large_as_the_type_allows() {
    let device = cpu();
    let a = Dense::layer(200, 12, 51);
    let b = a.relative(9, 52);
    for offset in [1e6, 1e12, -1e12] {
        // What the digits of f64 leave of the layer.
        let far = a.map(|j, v| v + offset * (1.0 + j as f64 / 16.0));
        let left = far.map(|j, v| v - offset * (1.0 + j as f64 / 16.0));
        let base = values(&left, &b, &device);
        for (m, base) in REGISTRY.iter().zip(base) {
            let Properties {
                name,
                invariances,
                uses_k,
                ..
            } = m.properties();
            let found = value(name, &far, &b);
            if invariances.translation {
                close(found.unwrap(), base, 1e-6, name);
            } else if *uses_k && offset.abs() > 1e7 {
                assert_eq!(found, Err(Undefined::EqualCosines), "{name}");
            }
        }
        // The same for all dimensions of a sample is what correlations do not see.
        let name = "rsa_correlation_pearson";
        let same = a.map(|_, v| (v + offset) - offset);
        let far = a.map(|_, v| v + offset);
        close(
            value(name, &far, &b).unwrap(),
            value(name, &same, &b).unwrap(),
            1e-6,
            name,
        );
    }
    let single = |offset: f64, deviation: f64, name: &str| {
        let layer = |of: &Dense| {
            let values: Vec<f32> = of.values.iter().map(|v| *v as f32).collect();
            Layer::new("x", Matrix::new(values, of.n, of.d).unwrap())
        };
        let moved = layer(&a.map(|_, v| v * deviation + offset));
        let layers = vec![vec![moved], vec![layer(&b)]];
        let set = Set::new(layers, &cpu(), Options::default()).unwrap();
        let measure = [named(name).unwrap()];
        let none = Permutations::none();
        let scores = set.compare(&measure, &[(0, 1)], &none, &mut |_| ());
        scores.unwrap()[0][0].value
    };
    for name in [
        "cka_linear_debiased",
        "procrustes_similarity",
        "cka_rbf_median_biased",
    ] {
        let base = single(0.0, 1.0, name).unwrap();
        close(single(1e5, 10.0, name).unwrap(), base, 1e-3, name);
        // Numbers near 1e8 lie 8 apart.
        assert_eq!(
            single(1e8, 1e-3, name),
            Err(Undefined::ConstantLayer),
            "{name}"
        );
        assert_eq!(
            single(1e8, 2.0, name),
            Err(Undefined::OnlyRounding),
            "{name}"
        );
        close(single(1e8, 1e3, name).unwrap(), base, 1e-2, name);
    }
}

/// Neighbours that are equally near to a sample are taken at random, in each layer by itself: by
/// their place, codes of few values would agree where nothing is shared.
#[test]
fn equally_near_neighbours_are_no_agreement() {
    let (n, k) = (400, 10);
    let codes = |seed: u64, classes: usize, width: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut values = vec![0.0; n * width];
        for row in values.chunks_mut(width) {
            match width {
                1 => row[0] = f64::from(rng.random_range(0..2u8)) * 2.0 - 1.0,
                _ => row[rng.random_range(0..classes)] = 1.0,
            }
        }
        Dense {
            values,
            n,
            d: width,
        }
    };
    let chance = k as f64 / (n - 1) as f64;
    for width in [1, 8] {
        for name in [
            "mutual_knn_cosine",
            "mutual_knn",
            "cycle_knn_cosine",
            "lcs_knn",
            "cknna_symmetric",
        ] {
            let measure = named(name).unwrap();
            let (mut low, mut values) = (0, vec![]);
            for seed in 0..6 {
                let [a, b] = [2 * seed, 2 * seed + 1].map(|seed| codes(seed, 8, width));
                let permutations = Permutations::random(n, 99, seed);
                let score = scores_of(&a, &b, measure, &permutations);
                let calibration = score.calibration(measure.largest(k)).unwrap();
                // The least that 99 permutations can give.
                low += usize::from(calibration.p <= 0.011);
                values.push(score.value.unwrap());
            }
            assert!(
                low <= 1,
                "{name} of {width}: {low} of 6 beat all permutations"
            );
            if name.starts_with("mutual_knn") {
                let mean = values.iter().sum::<f64>() / 6.0;
                assert!(
                    (mean - chance).abs() < 0.2 * chance,
                    "{width}: {mean} is not {chance}"
                );
            }
        }
    }
}

#[test]
fn degenerate_input_has_a_reason() {
    let n = 20;
    let good = Dense::layer(n, 3, 1);
    let constant = good.map(|j, _| 5.0 + j as f64);
    let zero = good.map(|_, _| 0.0);
    let hole = |with: f64| {
        let mut holes = good.clone();
        holes.values[7] = with;
        holes
    };
    let empty = Dense {
        values: vec![],
        n,
        d: 0,
    };
    for m in REGISTRY {
        let name = m.properties().name;
        for bad in [f64::NAN, f64::INFINITY] {
            for (a, b) in [(&hole(bad), &good), (&good, &hole(bad))] {
                assert_eq!(value(name, a, b), Err(Undefined::NonFinite), "{name}");
            }
        }
        assert_eq!(
            value(name, &empty, &good),
            Err(Undefined::NoDimensions),
            "{name}"
        );
        assert_eq!(value(name, &zero, &good).ok(), None, "{name}");
        assert!(value(name, &constant, &good).is_err(), "{name}");
        // Nearly all NaN: no clamping threshold either.
        let mostly = good.map(|j, v| if j == 0 { v } else { f64::NAN });
        assert_eq!(
            value(name, &mostly, &good),
            Err(Undefined::NonFinite),
            "{name}"
        );
        // Too few samples.
        let few = Dense::gaussian(3, 3, 1);
        if m.properties().samples > 3 || m.properties().uses_k {
            let reason = value(name, &few, &few);
            assert!(
                matches!(reason, Err(Undefined::TooFewSamples { .. })),
                "{name}: {reason:?}"
            );
        }
        let least = if m.properties().uses_k { 11 } else { 4 };
        let least = Dense::layer(least.max(m.properties().samples), 3, 1);
        let score = value(name, &least, &least.relative(3, 5));
        assert!(
            score.is_ok_and(f64::is_finite) || score == Err(Undefined::NoVariance),
            "{name}: {score:?}"
        );
    }
    let narrow = Dense::gaussian(n, 1, 4);
    assert_eq!(
        value("rsa_correlation_pearson", &narrow, &good),
        Err(Undefined::TooFewDimensions { needed: 2 })
    );
    let mut flat = good.clone();
    flat.values[3..6].fill(0.5);
    assert_eq!(
        value("rsa_correlation_spearman", &flat, &good),
        Err(Undefined::ConstantSample)
    );
    let few = Dense::gaussian(3, 3, 1);
    let layers = |m: &Dense| vec![Layer::new("x", m.clone())];
    let error = Set::new(
        vec![layers(&good), layers(&few)],
        &cpu(),
        Options::default(),
    );
    assert!(matches!(error, Err(MetricError::RowsDiffer { .. })));
}
