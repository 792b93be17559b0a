//! Models compared each with each, and which of their samples are compared.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_metrics::REGISTRY;
use reprsim_similarity::{
    Comparison, Exchange, Labels, ModelActivations, NotClustered, Question, Row, SampleIds,
    SimilarityError, SimilarityMatrix, align, blocks, draw,
};

const N: usize = 40;

/// Measures of which a model has the largest value with itself.
const ENDS: [&str; 4] = [
    "cka_linear_debiased",
    "cka_linear_biased",
    "mutual_knn_cosine_k10",
    "procrustes_similarity",
];

/// Values that share a cause with those of every other model, the more the larger `share`.
fn values(d: usize, seed: u64, share: f32) -> Vec<f32> {
    let noise = |seed: u64, count: usize| -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| rng.random_range(-1.0f32..1.0)).collect()
    };
    let cause = noise(9_000, N);
    let own = noise(seed, N * d);
    let at = |(i, v): (usize, &f32)| v + share * cause[i / d] * (1.0 + (i % d) as f32).cos();
    own.iter().enumerate().map(at).collect()
}

fn model(name: &str, d: usize, seed: u64, share: f32) -> ModelActivations {
    let values = values(d, seed, share);
    ModelActivations::new(name)
        .layer("x", values, [N, d])
        .unwrap()
}

fn four() -> Vec<ModelActivations> {
    vec![
        model("a", 5, 1, 4.0),
        model("b", 3, 2, 0.0),
        model("c", 6, 3, 4.0),
        model("d", 4, 4, 1.0),
    ]
}

fn all() -> Question {
    Question {
        permutations: 39,
        seed: 3,
        ..Question::new(REGISTRY.to_vec())
    }
}

fn matrix(models: Vec<ModelActivations>, question: Question) -> SimilarityMatrix {
    let comparison = Comparison::new(models, question).unwrap();
    SimilarityMatrix::of(&comparison, &Device::flex(), &mut |_| ()).unwrap()
}

/// The pairs one by one.
fn rows(models: Vec<ModelActivations>, question: Question) -> Vec<Row> {
    let comparison = Comparison::new(models, question).unwrap();
    let results = comparison.run(&Device::flex(), &mut |_| ()).unwrap();
    results
        .iter()
        .flat_map(|pair| pair.rows().cloned())
        .collect()
}

#[test]
fn each_pair_is_what_a_comparison_of_the_two_gives() {
    let models = four();
    let question = Question {
        half_samples: 3,
        ..all()
    };
    let found = matrix(models.clone(), question.clone());
    assert_eq!(found.models, ["a", "b", "c", "d"]);
    assert_eq!(found.measures.len(), REGISTRY.len());
    // All models in one comparison draw the same permutations as all in one matrix.
    let mut swapped = models.clone();
    swapped.reverse();
    let (forth, back) = (rows(models, question.clone()), rows(swapped, question));
    let mut directed = 0;
    for (measure, asked) in found.measures.iter().zip(REGISTRY) {
        let of = |rows: &[Row], a: &str, b: &str| -> Row {
            let mut those = rows.iter().filter(|row| row.measure == measure.measure);
            those
                .find(|row| row.model_a == a && row.model_b == b)
                .unwrap()
                .clone()
        };
        for i in 0..4 {
            for j in 0..4 {
                let cell = &measure.cells[i * 4 + j];
                let (a, b) = (&found.models[i], &found.models[j]);
                assert_eq!((&cell.model_a, &cell.model_b), (a, b));
                if i < j {
                    assert_eq!(*cell, of(&forth, a, b));
                } else if i > j && !measure.symmetric {
                    assert_eq!(cell.value, of(&back, a, b).value);
                    directed += 1;
                } else if i > j {
                    let mirrored = &measure.cells[j * 4 + i];
                    assert_eq!(
                        (cell.value, cell.p, cell.d_a),
                        (mirrored.value, mirrored.p, mirrored.d_b)
                    );
                } else {
                    // As alike as can be, where that has an end.
                    if ENDS.contains(&measure.measure.as_str()) {
                        let (value, largest) = (cell.value.unwrap(), measure.range.1);
                        assert!((value - largest).abs() < 1e-5, "{value} {measure:?}");
                    }
                    assert_eq!(measure.q[i * 4 + j], None);
                }
            }
        }
        let pairs = if measure.symmetric { 6 } else { 12 };
        assert_eq!(measure.pairs().count(), pairs, "{}", measure.measure);
        for (row, q) in measure.pairs() {
            match (row.p, q) {
                (Some(p), Some(q)) => assert!((p - 1e-12..=1.0).contains(&q), "{q} {row:?}"),
                (p, q) => assert!(
                    p.is_none() && q.is_none() && (row.value.is_err() || !asked.is_paired()),
                    "{q:?} {row:?}"
                ),
            }
        }
    }
    assert!(directed > 0);
}

#[test]
fn models_that_share_a_cause_join_first() {
    let question = Question {
        measures: reprsim_similarity::measures(
            &["cka_linear_debiased", "cka_linear_row_column"],
            reprsim_similarity::Mode::Exact,
            10,
        )
        .unwrap(),
        ..all()
    };
    let found = matrix(four(), question);
    let tree = found.measures[0].clustering.as_ref().unwrap();
    assert_eq!((tree.merges[0].a, tree.merges[0].b), (0, 2));
    assert_eq!(tree.order[..2], [0, 2]);
    let cka = found.measures[0].cells[2].value.unwrap();
    assert!((tree.merges[0].distance - (1.0 - cka)).abs() < 1e-12);
    assert_eq!(found.measures[1].clustering, Err(NotClustered::Unbounded));
    // Without a value of a pair there is no tree, and nothing else is lost.
    let constant = ModelActivations::new("e")
        .layer("x", vec![1.0f32; N], [N, 1])
        .unwrap();
    let mut models = four();
    models.push(constant);
    let found = matrix(models, all());
    let cka = &found.measures[0];
    assert_eq!(cka.clustering, Err(NotClustered::Undefined));
    assert!(cka.cells[4].value.is_err());
    assert!(cka.cells[2].value.is_ok() && cka.q[4].is_none() && cka.q[2].is_some());
}

#[test]
fn what_is_no_matrix_is_refused() {
    let two_layers = model("a", 3, 1, 0.0)
        .layer("y", vec![0.5f32; N], [N, 1])
        .unwrap();
    let told = |models: Vec<ModelActivations>| {
        let comparison = Comparison::new(models, all()).unwrap();
        let error = SimilarityMatrix::of(&comparison, &Device::flex(), &mut |_| ()).unwrap_err();
        assert!(error.is_usage());
        error.to_string()
    };
    let message = told(vec![two_layers, model("b", 3, 1, 0.0)]);
    assert!(
        message.contains("model 'a' has the layers x, y"),
        "{message}"
    );
    let message = told(vec![model("b", 3, 1, 0.0), model("b", 3, 1, 0.0)]);
    assert!(message.contains("two models are called 'b'"), "{message}");
}

fn numbers(of: impl IntoIterator<Item = i64>) -> SampleIds {
    SampleIds::Numbers(of.into_iter().collect())
}

#[test]
fn rows_are_matched_by_the_ids_of_their_samples() {
    let whole = model("a", 3, 1, 1.0).ids(numbers(0..N as i64));
    let groups: Vec<i64> = (0..N as i64).map(|i| i / 4).collect();
    // In reverse, without the first three samples and with one that the other lacks; by text.
    let order: Vec<u32> = (3..N as u32).rev().collect();
    let mut texts: Vec<String> = order.iter().map(ToString::to_string).collect();
    let mut shuffled = model("b", 3, 2, 1.0).select(&order);
    texts[5] = "strange".into();
    shuffled.ids = Some(SampleIds::Names(texts));
    let whole = whole.labelled("group", Labels::Numbers(groups)).unwrap();
    let (models, found) = align(&[whole.clone(), shuffled]).unwrap();
    assert_eq!(found.kept, N - 4);
    assert_eq!((found.left_out[0].count, found.left_out[1].count), (4, 1));
    assert_eq!(found.left_out[0].first, ["0", "1", "2", "34"]);
    assert_eq!(found.left_out[1].first, ["strange"]);
    assert!(!found.left_out[0].reordered && found.left_out[1].reordered);
    // The same as if both had been cut by hand.
    let kept: Vec<u32> = (3..N as u32).filter(|row| *row != 34).collect();
    let by_hand = vec![whole.select(&kept), model("b", 3, 2, 1.0).select(&kept)];
    assert_eq!(models[0].column("group"), by_hand[0].column("group"));
    assert_eq!(rows(models, all()), rows(by_hand, all()));

    let told = |models: &[ModelActivations]| align(models).unwrap_err().to_string();
    let no_ids = model("b", 3, 2, 1.0);
    assert!(
        told(&[whole.clone(), no_ids.clone()]).contains("b says nothing of its samples one by one")
    );
    let hash = no_ids.clone().ids(SampleIds::Hash("x".into()));
    assert!(told(&[whole.clone(), hash]).contains("b says nothing"));
    let twice = no_ids.clone().ids(numbers((0..N as i64).map(|i| i / 2)));
    assert!(told(&[whole.clone(), twice]).contains("b has sample 0 twice, in rows 0 and 1"));
    let other = no_ids.clone().ids(numbers(100..100 + N as i64));
    let message = told(&[whole.clone(), other]);
    assert!(
        message.contains("first of a is 0, the first of b is 100"),
        "{message}"
    );
    let short = no_ids.ids(numbers(0..3));
    assert!(matches!(
        align(&[whole.clone(), short]),
        Err(SimilarityError::IdsAndRows { .. })
    ));
    assert!(matches!(
        align(&[whole]),
        Err(SimilarityError::TooFewModels(1))
    ));
}

#[test]
fn the_same_samples_are_drawn_of_every_model() {
    let ids = || numbers(0..N as i64);
    let models: Vec<ModelActivations> = four().into_iter().map(|m| m.ids(ids())).collect();
    let drawn = draw(&models, 10, &[], 7).unwrap();
    let of = |model: &ModelActivations| match &model.ids {
        Some(SampleIds::Numbers(ids)) => ids.clone(),
        other => panic!("{other:?}"),
    };
    let first = of(&drawn[0]);
    assert_eq!(first.len(), 10);
    assert!(first.is_sorted());
    assert!(
        drawn
            .iter()
            .all(|model| of(model) == first && model.rows() == 10)
    );
    assert_eq!(of(&draw(&models, 10, &[], 7).unwrap()[1]), first);
    assert_ne!(of(&draw(&models, 10, &[], 8).unwrap()[1]), first);
    assert_eq!(of(&draw(&models, N, &[], 8).unwrap()[0]).len(), N);
    // Blocks as wholes, as many as there is room for.
    let blocks: Vec<u32> = (0..N as u32).map(|i| i / 4).collect();
    let drawn = of(&draw(&models, 11, &blocks, 7).unwrap()[0]);
    assert_eq!(drawn.len(), 8);
    for block in drawn.chunks(4) {
        assert_eq!((block[0] % 4, block[3]), (0, block[0] + 3));
    }
    assert!(matches!(
        draw(&models, 3, &blocks, 7),
        Err(SimilarityError::NoSamples)
    ));
    assert!(matches!(
        draw(&models, 0, &[], 7),
        Err(SimilarityError::NoSamples)
    ));
    assert!(matches!(
        draw(&models, 3, &blocks[1..], 7),
        Err(SimilarityError::Blocks { .. })
    ));
}

#[test]
fn groups_are_of_a_name_that_all_models_agree_in() {
    let labels =
        |of: &[&str]| Labels::Names((0..N).map(|i| of[i % of.len()].to_string()).collect());
    let a = model("a", 3, 1, 1.0)
        .labelled("who", labels(&["x", "y", "x"]))
        .unwrap();
    let b = model("b", 3, 2, 1.0);
    let found = blocks(&[a.clone(), b.clone()], "who").unwrap();
    assert_eq!(found[..4], [0, 1, 0, 0]);
    let told =
        |models: &[ModelActivations], name: &str| blocks(models, name).unwrap_err().to_string();
    assert!(told(&[a.clone(), b.clone()], "whom").contains("called 'whom'; there are: who"));
    let other = b.clone().labelled("who", labels(&["x", "y"])).unwrap();
    let message = told(&[a, other], "who");
    assert!(
        message.contains("'who' is not the same in a and b: row 3 is sample x"),
        "{message}"
    );
    let short = Labels::Numbers(vec![1, 2]);
    assert!(matches!(
        b.labelled("who", short),
        Err(SimilarityError::ColumnAndRows { .. })
    ));
}

/// What two models have in common through their groups alone is nothing within groups.
#[test]
fn within_groups_what_groups_share_counts_for_nothing() {
    let blocks: Vec<u32> = (0..N as u32).map(|i| i / 10).collect();
    let grouped = |name: &str, seed: u64| {
        let values: Vec<f32> = (values(3, seed, 0.0).iter().enumerate())
            .map(|(i, v)| v + 5.0 * (blocks[i / 3] as f32 * 1.3 + (i % 3) as f32).sin())
            .collect();
        ModelActivations::new(name)
            .layer("x", values, [N, 3])
            .unwrap()
    };
    let p = |blocks: &[u32], exchange: Exchange| {
        let question = Question {
            permutations: 99,
            blocks: blocks.to_vec(),
            exchange,
            ..Question::new(
                reprsim_similarity::measures(&["cka_linear_debiased"], Default::default(), 10)
                    .unwrap(),
            )
        };
        let row = &rows(vec![grouped("a", 11), grouped("b", 12)], question)[0];
        (row.p.unwrap(), row.null_mean.unwrap(), row.value.unwrap())
    };
    let (free, chance, value) = p(&[], Exchange::Whole);
    assert!(
        free <= 0.01 && chance.abs() < 0.1 && value > 0.5,
        "{free} {chance} {value}"
    );
    let (within, chance, _) = p(&blocks, Exchange::Within);
    assert!(
        within > 0.1 && (chance - value).abs() < 0.1,
        "{within} {chance} {value}"
    );
    let (whole, ..) = p(&blocks, Exchange::Whole);
    // Of four groups there are 24 orders.
    assert!(whole > 0.01, "{whole}");
    let question = |blocks: &[u32], exchange| Question {
        blocks: blocks.to_vec(),
        exchange,
        ..all()
    };
    assert_eq!(question(&blocks, Exchange::Whole).immovable(), 0);
    assert_eq!(question(&[1, 1, 2], Exchange::Whole).immovable(), 3);
    assert_eq!(question(&[1, 1, 2], Exchange::Within).immovable(), 1);
    assert_eq!(question(&[1, 1, 2, 3, 3], Exchange::Whole).immovable(), 1);
    assert_eq!(question(&[], Exchange::Whole).immovable(), 0);
}

/// Groups that are missing, or that no permutation can move, would give a p of no test.
#[test]
fn groups_that_leave_nothing_to_permute_are_refused() {
    let each: Vec<u32> = (0..N as u32).collect();
    let (one, half) = (vec![7; N], each.iter().map(|i| i / 20).collect());
    let told = |blocks: &[u32], exchange: Exchange, permutations: usize| {
        let question = Question {
            permutations,
            blocks: blocks.to_vec(),
            exchange,
            ..all()
        };
        let model = |name: &str, seed: u64| {
            ModelActivations::new(name)
                .layer("x", values(3, seed, 0.0), [N, 3])
                .unwrap()
        };
        Comparison::new(vec![model("a", 1), model("b", 2)], question).err()
    };
    for permutations in [0, 9] {
        let found = told(&[], Exchange::Within, permutations);
        assert!(matches!(found, Some(SimilarityError::NoBlocks)));
    }
    for (blocks, exchange, remedy) in [
        (&one, Exchange::Whole, "or permute within them"),
        (&each, Exchange::Within, "or permute them as a whole"),
    ] {
        let found = told(blocks, exchange, 9).unwrap();
        assert!(matches!(found, SimilarityError::NothingToPermute(of) if of == exchange));
        assert!(found.to_string().ends_with(remedy), "{found}");
        // Without permutations they say what half-samples take.
        assert!(told(blocks, exchange, 0).is_none());
    }
    let half: Vec<u32> = half;
    for exchange in [Exchange::Whole, Exchange::Within] {
        assert!(told(&half, exchange, 9).is_none());
    }
}
