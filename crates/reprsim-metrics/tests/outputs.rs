//! How alike two classifiers answer: values that other programs gave, and the ends of each scale.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use reprsim_metrics::{MetricError, Outputs, Undefined, mean_cross_entropy};

/// `scripts/golden_geometry.py` made them, CAPA with the package of its authors.
#[test]
fn values_of_peers() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/outputs.json");
    let text = std::fs::read_to_string(path).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let numbers = |of: &serde_json::Value| -> Vec<f64> {
            let all = of.as_array().unwrap().iter();
            all.map(|v| v.as_f64().unwrap()).collect()
        };
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let labels: Vec<usize> = numbers(&case["labels"])
            .iter()
            .map(|v| *v as usize)
            .collect();
        let classes = case["classes"].as_u64().unwrap() as usize;
        let found = Outputs::new([&a, &b], &labels, classes).unwrap();
        let found = found.agreement().unwrap();
        assert_eq!(found.accuracies.to_vec(), numbers(&case["accuracies"]));
        for (name, value) in [
            ("disagreement", found.disagreement),
            ("min_max_disagreement", found.min_max_disagreement.unwrap()),
            ("jsd", found.jsd),
            ("performance_difference", found.performance_difference),
            ("capa", found.capa.unwrap()),
        ] {
            let want = case["expected"][name].as_f64().unwrap();
            assert!(
                (value - want).abs() < 1e-12,
                "{name}: {value} is not {want}"
            );
        }
    }
}

#[test]
fn scales_end_where_they_say() {
    let (sure, labels) = (800.0, [0, 1, 0, 1]);
    let scores = |answers: [usize; 4]| -> Vec<f64> {
        let one = |answer| [0, 1].map(|class| if class == answer { sure } else { 0.0 });
        answers.into_iter().flat_map(one).collect()
    };
    let of = |a, b| {
        let (a, b) = (scores(a), scores(b));
        let outputs = Outputs::new([&a, &b], &labels, 2).unwrap();
        outputs.agreement().unwrap()
    };
    // Half right and the same, and half right and never the same.
    let same = of([0, 1, 1, 0], [0, 1, 1, 0]);
    assert_eq!((same.disagreement, same.jsd), (0.0, 0.0));
    assert_eq!((same.min_max_disagreement, same.capa), (Ok(0.0), Ok(1.0)));
    let other = of([0, 1, 1, 0], [1, 0, 0, 1]);
    assert_eq!((other.disagreement, other.jsd), (1.0, 1.0));
    assert_eq!(
        (other.min_max_disagreement, other.capa),
        (Ok(1.0), Ok(-1.0))
    );
    // Always right: there is nothing that they could disagree in.
    let right = of([0, 1, 0, 1], [0, 1, 0, 1]);
    assert_eq!(right.accuracies, [1.0, 1.0]);
    assert_eq!(right.min_max_disagreement, Err(Undefined::NoVariance));
    assert_eq!(right.capa, Err(Undefined::NoVariance));
}

/// Of two classes, models that are mostly wrong must agree where both are.
#[test]
fn the_most_that_two_classes_can_disagree_is_one() {
    let scores = |wrong: [usize; 3]| -> Vec<f64> {
        let one = |sample| match wrong.contains(&sample) {
            true => [0.0, 9.0],
            false => [9.0, 0.0],
        };
        (0..5).flat_map(one).collect()
    };
    let (a, b) = (scores([0, 1, 2]), scores([2, 3, 4]));
    let found = Outputs::new([&a, &b], &[0; 5], 2).unwrap();
    let found = found.agreement().unwrap();
    assert_eq!(found.disagreement, 0.8);
    let most = found.min_max_disagreement.unwrap();
    assert!((most - 1.0).abs() < 1e-12, "{most}");
}

#[test]
fn what_is_no_output_has_a_reason() {
    let wrong = |scores: [&[f64]; 2], labels: &[usize], classes| {
        matches!(
            Outputs::new(scores, labels, classes),
            Err(MetricError::Shape { .. })
        )
    };
    assert!(wrong([&[0.0; 4], &[0.0; 3]], &[0, 1], 2));
    assert!(wrong([&[0.0; 4], &[0.0; 4]], &[0, 2], 2));
    let reason = |scores: [&[f64]; 2], labels: &[usize], classes| {
        Outputs::new(scores, labels, classes)
            .unwrap()
            .agreement()
            .err()
    };
    assert_eq!(
        reason([&[], &[]], &[], 3),
        Some(Undefined::TooFewSamples { needed: 1 })
    );
    assert_eq!(
        reason([&[1.0], &[1.0]], &[0], 1),
        Some(Undefined::TooFewDimensions { needed: 2 })
    );
    let bad = [f64::NAN, 0.0];
    assert_eq!(
        reason([&bad, &[0.0; 2]], &[0], 2),
        Some(Undefined::NonFinite)
    );
    assert_eq!(mean_cross_entropy(&[], &[]), None);
    let loss = mean_cross_entropy(&[0.0, 0.0, 900.0, 0.0], &[1, 0]).unwrap();
    assert!((loss - 2f64.ln() / 2.0).abs() < 1e-12, "{loss}");
}
