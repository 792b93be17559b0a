//! What a measure says of itself for readers of a report is there, and true.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_metrics::{Bound, Invariances, Layer, Matrix, Options, Permutations, REGISTRY, Set};

#[test]
fn every_measure_says_what_it_is() {
    for measure in REGISTRY {
        let p = measure.properties();
        for (what, text) in [
            ("title", p.title),
            ("what", p.what),
            ("range", p.range_in_words),
            ("chance", p.chance),
            ("estimator", p.estimator),
            ("reference", p.reference),
        ] {
            assert!(!text.trim().is_empty(), "{}: no {what}", p.name);
            assert!(!text.contains("  "), "{}: {what}: {text}", p.name);
        }
        // One or two sentences with a year: whose idea it is.
        assert!(p.what.ends_with('.') && p.what.contains("("), "{}", p.name);
        assert!(
            ["19", "20"].iter().any(|c| p.what.contains(c)),
            "{}",
            p.name
        );
    }
}

#[test]
fn ranges_in_words_are_those_in_numbers() {
    for measure in REGISTRY {
        let p = measure.properties();
        let words = p.range_in_words;
        assert!(words.starts_with("from "), "{}: {words}", p.name);
        match p.range.1 {
            Bound::K => assert!(words.contains("to k ("), "{}: {words}", p.name),
            Bound::Number(end) => {
                assert!(
                    words.contains(&format!("to {end} (")),
                    "{}: {words}",
                    p.name
                );
            }
            Bound::None => assert!(
                words.contains("no upper end") || words.contains("without bounds"),
                "{}: {words}",
                p.name
            ),
        }
        // Where no less than 0 can be reached, nothing is negative.
        let negative = words.contains("negative") || words.contains("from -1");
        assert_eq!(
            negative,
            p.range.0 != Bound::Number(0.0),
            "{}: {words}",
            p.name
        );
    }
}

#[test]
fn the_upper_end_is_that_of_the_more_alike() {
    let (n, d) = (100, 8);
    let layer = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut noise = |count: usize| -> Vec<f32> {
            (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
        };
        // Dimensions share two causes, or a layer would have nothing of its own beyond its
        // single columns.
        let (causes, map, own) = (noise(n * 2), noise(2 * d), noise(n * d));
        let values = (own.iter().enumerate())
            .map(|(i, v)| {
                let (row, column) = (i / d, i % d);
                v + 2.0 * (causes[2 * row] * map[column] + causes[2 * row + 1] * map[d + column])
            })
            .collect();
        Layer::new("x", Matrix::new(values, n, d).unwrap())
    };
    let models = vec![vec![layer(1)], vec![layer(1)], vec![layer(2)]];
    let set = Set::new(models, &Device::flex(), Options::default()).unwrap();
    let none = Permutations::none();
    let scores = set
        .compare(&REGISTRY, &[(0, 1), (0, 2)], &none, &mut |_| ())
        .unwrap();
    for (row, measure) in scores.iter().zip(REGISTRY) {
        let [same, unrelated] = [0, 1].map(|at| row[at].value.unwrap());
        let name = measure.properties().name;
        let largest = measure.largest(10);
        if largest.is_finite() && !name.starts_with("cycle_knn") {
            let least = largest - 0.01 * largest.max(1.0);
            assert!(same > least, "{name}: {same} of {largest}");
        }
        // Layers that are made alike have one shape, whichever sample is which; cosines of one sign
        // are alike anyway.
        let apart = match (measure.is_paired(), name) {
            (false, _) => 1e-4,
            (true, "second_order_cosine") => 0.05,
            (true, _) => 0.2,
        };
        assert!(same > unrelated + apart, "{name}: {same} and {unrelated}");
    }
}

#[test]
fn invariances_have_names() {
    let names = |of: Invariances| of.names().collect::<Vec<_>>();
    assert_eq!(names(Invariances::SCALE), ["scale"]);
    assert_eq!(
        names(Invariances::LINEAR),
        ["scale", "translation", "rotation", "linear maps"]
    );
}
