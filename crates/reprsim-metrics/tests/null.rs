//! Scores under permutations: those of permuted rows, the same on any number of threads, and no more
//! of them than are needed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;

use burn::tensor::Device;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_metrics::{
    Layer, Matrix, Measure, Options, Permutations, REGISTRY, Score, Set, Undefined, named,
};

/// Two layers that share some of what they are.
fn layers(n: usize, widths: [usize; 2], shared: f32, seed: u64) -> [Vec<f32>; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || rng.random_range(-1.0f32..1.0);
    let common: Vec<f32> = (0..n).map(|_| draw()).collect();
    widths.map(|d| {
        let value = |at: usize| shared * common[at / d] + 0.5 * draw();
        (0..n * d).map(value).collect()
    })
}

fn scores(
    [a, b]: [Vec<f32>; 2],
    n: usize,
    measures: &[&dyn Measure],
    permutations: &Permutations,
) -> Vec<Score> {
    let layer = |name: &str, values: Vec<f32>| {
        let d = values.len() / n;
        Layer::new(name, Matrix::new(values, n, d).unwrap())
    };
    let models = vec![vec![layer("a", a)], vec![layer("b", b)]];
    let set = Set::new(models, &Device::flex(), Options::default()).unwrap();
    let scores = set.compare(measures, &[(0, 1)], permutations, &mut |_| ());
    scores.unwrap().into_iter().flatten().collect()
}

fn close(a: f64, b: f64, what: &str) {
    assert!(
        (a - b).abs() <= 1e-5 * b.abs().max(1.0),
        "{what}: {a} is not {b}"
    );
}

#[test]
fn scores_under_shifts_are_those_of_shifted_rows() {
    let all: Vec<&dyn Measure> = (REGISTRY.into_iter()).filter(|m| m.is_paired()).collect();
    let some: Vec<&dyn Measure> = ["cka_rbf_median_debiased", "rsa_correlation_spearman", "cka"]
        .map(|name| named(name).unwrap())
        .to_vec();
    // Even and odd, few samples and more than are gone through at once; wider than there are samples.
    let cases = [
        (40, [6, 5], &all),
        (41, [5, 60], &all),
        (601, [7, 9], &some),
    ];
    for (n, widths, measures) in cases {
        let [a, b] = layers(n, widths, 1.0, n as u64);
        // The same shifts, as the generator draws them.
        let (seed, count) = (3, 4);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut rng);
        let mut shifts: Vec<usize> = (1..n).collect();
        let shifts = shifts.partial_shuffle(&mut rng, count).0.to_vec();
        let permutations = Permutations::shifts(n, count, seed);
        let permuted = scores([a.clone(), b.clone()], n, measures, &permutations);
        for (p, shift) in shifts.iter().enumerate() {
            let d = widths[1];
            let mut moved = vec![0.0; n * d];
            for (t, i) in order.iter().enumerate() {
                let from = order[(t + shift) % n];
                moved[i * d..(i + 1) * d].copy_from_slice(&b[from * d..(from + 1) * d]);
            }
            let direct = scores([a.clone(), moved], n, measures, &Permutations::none());
            for ((score, direct), m) in permuted.iter().zip(direct).zip(measures) {
                // Whitened layers of more dimensions than samples have equal distances alone.
                if direct.value == Err(Undefined::NoVariance) {
                    assert!(score.permuted.is_empty() && widths[1] > n);
                    continue;
                }
                // Minibatches are drawn by place.
                close(
                    score.permuted[p],
                    direct.value.unwrap(),
                    m.properties().name,
                );
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_digits() {
    // More rows than are multiplied at once.
    let n = 2100;
    let measures: Vec<&dyn Measure> = [
        "cka_linear_debiased",
        "mutual_knn",
        "svcca",
        "cca_mean",
        "procrustes_similarity",
        "cka_rbf_median_debiased",
        "rank_knn_cosine",
        "second_order_cosine",
        "rtd",
    ]
    .map(|name| named(name).unwrap())
    .to_vec();
    for permutations in [Permutations::random(n, 3, 1), Permutations::shifts(n, 3, 1)] {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let layers = layers(n, [12, 20], 0.5, 7);
            pool.unwrap()
                .install(|| scores(layers, n, &measures, &permutations))
        };
        let one = run(1);
        assert!(one.iter().all(|score| score.permuted.len() == 3));
        assert_eq!(one, run(2));
        assert_eq!(one, run(5));
    }
}

#[test]
fn permutations_end_where_enough_have_reached_the_value() {
    let n = 60;
    for (shared, seed) in [(0.0, 1), (0.05, 2), (1.0, 3)] {
        let whole = Permutations::random(n, 199, seed);
        let until = whole.clone().until(NonZeroUsize::new(5));
        let run =
            |permutations| scores(layers(n, [6, 5], shared, seed), n, &REGISTRY, permutations);
        for ((all, few), m) in run(&whole).iter().zip(run(&until)).zip(REGISTRY) {
            let name = m.properties().name;
            assert_eq!(all.value, few.value, "{name}");
            assert_eq!(all.permuted[..few.permuted.len()], few.permuted, "{name}");
            let Some(calibration) = few.calibration(m.largest(10)) else {
                // One that is undefined under a permutation has no null, nor one that looks at no pairs.
                assert!(all.permuted.is_empty(), "{name}");
                continue;
            };
            let p = calibration.p;
            let reached = |score: &&f64| **score >= all.value.unwrap() - 1e-7;
            let as_large = all.permuted.iter().filter(reached).count();
            if as_large < 5 {
                assert_eq!(few.permuted.len(), 199, "{name}");
                assert_eq!(p, (1 + as_large) as f64 / 200.0, "{name}");
            } else {
                let places = all.permuted.iter().enumerate().filter(|(_, s)| reached(s));
                let last = places.map(|(at, _)| at + 1).nth(4).unwrap();
                assert_eq!(p, 5.0 / last as f64, "{name}");
                assert!(few.permuted.len() >= last, "{name}");
            }
        }
        if shared == 0.0 {
            let few = run(&until);
            assert!(
                few.iter().any(|score| score.permuted.len() < 199),
                "some end early"
            );
        }
    }
}

#[test]
fn canonical_correlations_hold_however_ill_conditioned_a_layer_is() {
    let n = 400;
    let d = 8;
    let [a, b] = layers(n, [d, 6], 0.5, 11);
    let measures = [
        named("cca_mean").unwrap(),
        named("linear_regression_r2_b_from_a").unwrap(),
    ];
    let run = |a: Vec<f64>| {
        let layers = vec![
            vec![Layer::new("a", Matrix::new(a, n, d).unwrap())],
            vec![Layer::new("b", Matrix::new(b.clone(), n, 6).unwrap())],
        ];
        let set = Set::new(layers, &Device::flex(), Options::default()).unwrap();
        let permutations = Permutations::random(n, 2, 1);
        set.compare(&measures, &[(0, 1)], &permutations, &mut |_| ())
            .unwrap()
    };
    let a: Vec<f64> = a.into_iter().map(f64::from).collect();
    let plain = run(a.clone());
    // Columns mixed, then of ever smaller share: what an invertible map does changes neither.
    for condition in [1e2, 1e4, 1e6, 1e8] {
        let scale = |j: usize| f64::powf(condition, -(j as f64) / (d as f64 - 1.0));
        let mixed = |at: usize| {
            let (row, j) = (&a[at / d * d..][..d], at % d);
            let next = row[(j + 1) % d];
            let own = (row[j] + 0.3 * next) * scale(j);
            own + if j > 0 { row[0] + 0.3 * row[1] } else { 0.0 }
        };
        let got = run((0..n * d).map(mixed).collect());
        for (got, plain) in got.iter().flatten().zip(plain.iter().flatten()) {
            close(
                got.value.unwrap(),
                plain.value.unwrap(),
                &format!("{condition}"),
            );
            for (got, plain) in got.permuted.iter().zip(&plain.permuted) {
                close(*got, *plain, &format!("{condition}, permuted"));
            }
        }
    }
}
