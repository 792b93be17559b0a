//! One question, asked of activations from memory, from a device and from files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_activations::ActivationError;
use reprsim_metrics::{Layer, MetricError, Options, Permutations, REGISTRY, Set, named};
use reprsim_similarity::{
    Comparison, Form, LayerPairs, Mode, ModelActivations, PairResult, Question, Reading, Row,
    SampleIds, Scale, SimilarityError, Undefined, measures,
};

fn noise(n: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n * d).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// A layer that shares a cause with every other of as many samples.
fn values(n: usize, d: usize, seed: u64) -> Vec<f32> {
    let cause = noise(n, 1, 7_000);
    let own = noise(n, d, seed);
    (own.iter().enumerate())
        .map(|(i, v)| v + cause[i / d] * (1.0 + (i % d) as f32).cos())
        .collect()
}

fn model(name: &str, n: usize, widths: &[usize], seed: u64) -> ModelActivations {
    (widths.iter().enumerate()).fold(ModelActivations::new(name), |model, (l, d)| {
        let values = values(n, *d, seed + l as u64);
        model.layer(format!("layer{l}"), values, [n, *d]).unwrap()
    })
}

fn run(models: Vec<ModelActivations>, question: Question) -> Vec<PairResult> {
    let comparison = Comparison::new(models, question).unwrap();
    comparison.run(&Device::flex(), &mut |_| ()).unwrap()
}

fn rows(results: &[PairResult]) -> Vec<Row> {
    results
        .iter()
        .flat_map(|pair| pair.rows().cloned())
        .collect()
}

fn all() -> Question {
    Question {
        permutations: 19,
        seed: 5,
        ..Question::new(REGISTRY.to_vec())
    }
}

/// A float32 .npy file.
fn npy(path: &Path, values: &[f32], [n, d]: [usize; 2]) -> PathBuf {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {d}), }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header += "\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

#[test]
fn memory_device_and_file_give_the_same_numbers() {
    let n = 40;
    let shapes = [[n, 5], [n, 3]];
    let layers = [values(n, 5, 1), values(n, 3, 2)];
    let question = || Question {
        half_samples: 4,
        leverage: true,
        ..all()
    };
    let of =
        |with: &dyn Fn(usize) -> ModelActivations| rows(&run(vec![with(0), with(1)], question()));
    let new = |i: usize| ModelActivations::new(["a", "b"][i]);
    let single = of(&|i| {
        new(i)
            .layer(["a", "b"][i], layers[i].as_slice(), shapes[i])
            .unwrap()
    });
    let double = of(&|i| {
        let wide: Vec<f64> = layers[i].iter().map(|v| f64::from(*v)).collect();
        new(i).layer(["a", "b"][i], wide, shapes[i]).unwrap()
    });
    let tensor = of(&|i| {
        let data = TensorData::new(layers[i].clone(), shapes[i]);
        let tensor = Tensor::<2>::from_data(data, &Device::flex());
        new(i).tensor(["a", "b"][i], tensor).unwrap()
    });
    let dir = tempfile::tempdir().unwrap();
    let file = of(&|i| {
        let path = dir.path().join(["a.npy", "b.npy"][i]);
        ModelActivations::open(&npy(&path, &layers[i], shapes[i]), &Reading::default()).unwrap()
    });
    assert_eq!(single.len(), REGISTRY.len());
    assert_eq!(single, double);
    assert_eq!(single, tensor);
    assert_eq!(single, file);
    for (row, measure) in single.iter().zip(REGISTRY) {
        assert!(row.value.is_ok(), "{row:?}");
        let has_null = row.null_mean.is_some() && row.p.is_some();
        assert_eq!(has_null, measure.is_paired(), "{row:?}");
        assert_eq!((row.n, row.d_a, row.d_b), (n, 5, 3));
        assert_eq!(
            row.influence.is_some(),
            row.measure.starts_with("cka_linear_biased") || row.measure == "cka_linear_debiased",
            "{row:?}"
        );
    }
}

/// What the pipeline computed before there was this crate, statement by statement.
fn by_hand(models: &[ModelActivations], question: &Question) -> Vec<Row> {
    let layers = |m: &ModelActivations| -> Vec<Layer> { m.layers.clone() };
    let options = Options {
        k: question.k,
        ..Options::default()
    };
    let both = vec![layers(&models[0]), layers(&models[1])];
    let set = Set::new(both, &Device::flex(), options).unwrap();
    let permutations = match question.blocks.is_empty() {
        true => Permutations::random(set.rows(), question.permutations, question.seed),
        false => Permutations::of_blocks(&question.blocks, question.permutations, question.seed),
    };
    let pairs = set.pairs(0, 1);
    let table = set
        .compare(&question.measures, &pairs, &permutations, &mut |_| ())
        .unwrap();
    let mut rows = Vec::new();
    for (measure, row) in question.measures.iter().zip(table) {
        for ((i, j), score) in pairs.iter().zip(row) {
            let (x, y) = (&set.layers()[*i], &set.layers()[*j]);
            let calibration = score.calibration(measure.largest(question.k));
            rows.push(Row {
                model_a: models[0].name.clone(),
                model_b: models[1].name.clone(),
                layer_a: x.name.clone(),
                layer_b: y.name.clone(),
                measure: measure.full_name(question.k),
                value: score.value,
                scale: Scale::of(*measure, question.k),
                n: x.rows(),
                d_a: x.width(),
                d_b: y.width(),
                null_mean: (score.null_mean)
                    .filter(|_| question.blocks.is_empty())
                    .or(calibration.map(|c| c.null_mean)),
                p: calibration.map(|c| c.p),
                calibrated: calibration.and_then(|c| c.calibrated),
                interval: None,
                influence: None,
            });
        }
    }
    rows
}

#[test]
fn rows_are_those_of_the_measures_bit_by_bit() {
    let n = 36;
    let models = || vec![model("a", n, &[4, 7], 10), model("b", n, &[3, 5, 2], 20)];
    let blocks: Vec<u32> = (0..n as u32).map(|i| i / 3).collect();
    for blocks in [vec![], blocks] {
        let question = Question { blocks, ..all() };
        let results = run(models(), question.clone());
        let pairs: Vec<Row> = (results[0].measures.iter())
            .flat_map(|m| m.pairs.clone())
            .collect();
        assert_eq!(pairs.len(), REGISTRY.len() * 6);
        assert_eq!(pairs, by_hand(&models(), &question));
    }
}

#[test]
fn chance_is_known_in_closed_form_without_blocks_alone() {
    let n = 36;
    let models = || vec![model("a", n, &[4], 10), model("b", n, &[3], 20)];
    let blocks: Vec<u32> = (0..n as u32).map(|i| i / 3).collect();
    let mean = |blocks: Vec<u32>, permutations| {
        let question = Question {
            permutations,
            blocks,
            ..Question::new(vec![named("cka_linear_biased").unwrap()])
        };
        rows(&run(models(), question))[0].null_mean
    };
    // Without blocks: the same whatever is drawn, and known if nothing is.
    assert_eq!(mean(vec![], 19), mean(vec![], 0));
    assert!(mean(vec![], 0).is_some());
    // With blocks: the mean of what was drawn, and nothing if nothing was.
    assert_eq!(mean(blocks.clone(), 0), None);
    assert_ne!(mean(blocks.clone(), 19), mean(blocks, 20));
}

#[test]
fn the_best_of_several_pairs_is_tested_as_such() {
    let models = || vec![model("a", 30, &[4, 7], 10), model("b", 30, &[3, 5], 20)];
    let results = run(models(), all());
    for measure in &results[0].measures {
        let values: Vec<f64> = measure.pairs.iter().filter_map(|r| r.value.ok()).collect();
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let best = measure.maximum.as_ref().unwrap();
        assert_eq!(best.value, Ok(most), "{}", measure.measure);
        let of_pair = (measure.pairs.iter())
            .find(|r| (&r.layer_a, &r.layer_b) == (&best.layer_a, &best.layer_b))
            .unwrap();
        assert!(best.p >= of_pair.p, "{}", measure.measure);
    }
    // Of one pair there is no best.
    let one = run(
        vec![model("a", 30, &[4], 1), model("b", 30, &[3], 2)],
        all(),
    );
    assert!(one[0].measures.iter().all(|m| m.maximum.is_none()));
}

#[test]
fn layers_of_one_name_alone() {
    let models = vec![
        model("a", 30, &[4, 7], 10),
        model("b", 30, &[3, 5, 2], 20),
        model("c", 30, &[6, 5], 30),
    ];
    let question = Question {
        layers: LayerPairs::SameName,
        ..all()
    };
    let results = run(models, question);
    let names: Vec<(&str, &str)> = (results.iter())
        .map(|p| (p.model_a.as_str(), p.model_b.as_str()))
        .collect();
    assert_eq!(names, [("a", "b"), ("a", "c"), ("b", "c")]);
    for pair in &results {
        for measure in &pair.measures {
            assert_eq!(measure.pairs.len(), 2);
            assert!(measure.pairs.iter().all(|r| r.layer_a == r.layer_b));
        }
    }
}

#[test]
fn what_is_being_done_is_told() {
    let models = vec![model("a", 30, &[4], 10), model("b", 30, &[3], 20)];
    let question = Question {
        half_samples: 2,
        leverage: true,
        ..Question::new(measures(&["cka"], Mode::Exact, 10).unwrap())
    };
    let mut heard = Vec::new();
    let comparison = Comparison::new(models, question).unwrap();
    let mut on_stage = |stage: &str| heard.push(stage.to_string());
    comparison.run(&Device::flex(), &mut on_stage).unwrap();
    assert_eq!(
        heard,
        [
            "linear kernels",
            "half-sample 1 of 2",
            "half-sample 2 of 2",
            "influence of each sample"
        ]
    );
}

#[test]
fn what_cannot_be_compared_is_refused_with_its_reason() {
    use SimilarityError as E;
    let a = || model("a", 12, &[4], 1);
    let b = || model("b", 12, &[3], 2);
    let told = |models: Vec<ModelActivations>, question: Question| {
        let error = Comparison::new(models, question).unwrap_err();
        assert!(error.is_usage(), "{error}");
        error
    };
    assert!(matches!(told(vec![], all()), E::TooFewModels(0)));
    assert!(matches!(told(vec![a()], all()), E::TooFewModels(1)));
    let empty = ModelActivations::new("c");
    assert!(matches!(told(vec![a(), empty], all()), E::NoLayers(name) if name == "c"));
    let twice = a().layer("layer0", vec![0.0f32; 12], [12, 1]).unwrap();
    assert!(matches!(
        told(vec![b(), twice], all()),
        E::LayerTwice { .. }
    ));
    let message = told(vec![a(), model("b", 11, &[3], 2)], all()).to_string();
    assert!(
        message.contains("'layer0' of b has 11 rows") && message.contains("of a has 12"),
        "{message}"
    );
    let numbers = |ids: Vec<i64>| SampleIds::Numbers(ids);
    let ids = || (0..12).collect::<Vec<i64>>();
    let mut moved = ids();
    moved.swap(4, 7);
    let message = told(
        vec![a().ids(numbers(ids())), b().ids(numbers(moved))],
        all(),
    )
    .to_string();
    assert!(
        message.contains("a and b are not of the same samples")
            && message.contains("row 4 is sample 4 in one and 7 in the other"),
        "{message}"
    );
    let hash = |of: &str| SampleIds::Hash(of.into());
    let models = vec![a().ids(hash("x")), b().ids(hash("y"))];
    assert!(matches!(told(models, all()), E::DifferentSamples { .. }));
    let models = vec![a().ids(numbers(vec![1, 2])), b()];
    assert!(matches!(
        told(models, all()),
        E::IdsAndRows {
            ids: 2,
            rows: 12,
            ..
        }
    ));
    let other = ModelActivations::new("c")
        .layer("head", values(12, 2, 3), [12, 2])
        .unwrap();
    let by_name = Question {
        layers: LayerPairs::SameName,
        ..all()
    };
    assert!(matches!(
        told(vec![a(), other], by_name),
        E::NoCommonLayer { .. }
    ));
    let blocks = Question {
        blocks: vec![0; 5],
        ..all()
    };
    assert!(matches!(
        told(vec![a(), b()], blocks),
        E::Blocks {
            blocks: 5,
            rows: 12
        }
    ));
    let none = Question { k: 0, ..all() };
    assert!(matches!(told(vec![a(), b()], none), E::NoNeighbors));
    let endless = Question {
        permutations: usize::MAX,
        ..all()
    };
    assert!(matches!(
        told(vec![a(), b()], endless),
        E::TooManyDraws { .. }
    ));
    let shape = ModelActivations::new("c")
        .layer("x", vec![0.0f32; 5], [2, 3])
        .unwrap_err();
    assert!(shape.is_usage() && matches!(shape, E::Metric(MetricError::Shape { .. })));
}

#[test]
fn strange_activations_have_a_reason_and_never_a_panic() {
    let strange: Vec<(usize, usize, Vec<f64>)> = vec![
        (0, 3, vec![]),
        (5, 0, vec![]),
        (0, 0, vec![]),
        (1, 1, vec![2.0]),
        (2, 2, vec![1.0, 2.0, 3.0, 5.0]),
        (3, 1, vec![1.0, 2.0, 3.0]),
        (6, 2, vec![0.0; 12]),
        (6, 2, vec![f64::NAN; 12]),
        (6, 2, vec![f64::INFINITY; 12]),
        (
            6,
            1,
            vec![1e300, -1e300, 1e-300, 0.0, f64::MIN_POSITIVE, 1.0],
        ),
        (5, 2, vec![1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0]),
    ];
    for (n, d, values) in strange {
        let each: Vec<u32> = (0..n as u32).collect();
        // A block of all rows leaves nothing to permute, and so does a single row.
        for (blocks, permutations) in [
            (vec![], 3),
            (vec![3; n], 0),
            (each, if n == 1 { 0 } else { 3 }),
        ] {
            let question = Question {
                permutations,
                half_samples: 3,
                leverage: true,
                k: 2,
                blocks,
                ..Question::new(REGISTRY.to_vec())
            };
            let one = ModelActivations::new("a")
                .layer("x", values.as_slice(), [n, d])
                .unwrap();
            let same = ModelActivations {
                name: "b".into(),
                ..one.clone()
            };
            let other = model("c", n, &[3], 4);
            for models in [vec![one.clone(), same], vec![one.clone(), other]] {
                for row in rows(&run(models, question.clone())) {
                    let numbers = [row.value.ok(), row.null_mean, row.p, row.calibrated];
                    assert!(numbers.iter().flatten().all(|v| v.is_finite()), "{row:?}");
                }
            }
        }
    }
}

#[test]
fn rows_that_a_file_only_claims_take_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    // A file that claims rows without values is refused.
    let path = npy(&dir.path().join("a.npy"), &[], [1 << 40, 0]);
    let error = ModelActivations::open(&path, &Reading::default()).unwrap_err();
    assert!(error.to_string().contains("axis of length 0"), "{error}");
    // In memory they are no samples.
    let empty = |name: &str, rows: usize| {
        let model = ModelActivations::new(name);
        model.layer("x", Vec::<f32>::new(), [rows, 0]).unwrap()
    };
    let question = Question {
        half_samples: 3,
        ..all()
    };
    for row in rows(&run(
        vec![empty("a", 1 << 31), empty("b", 1 << 31)],
        question,
    )) {
        assert_eq!(row.value, Err(Undefined::NoDimensions));
    }
    let models = vec![empty("a", 1 << 40), empty("b", 1 << 40)];
    let comparison = Comparison::new(models, all()).unwrap();
    let error = comparison.run(&Device::flex(), &mut |_| ()).unwrap_err();
    assert!(error.is_usage(), "{error}");
}

#[test]
fn files_are_called_by_their_stems_or_by_their_paths() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("other")).unwrap();
    let file = |name: &str| npy(&dir.path().join(name), &values(12, 2, 1), [12, 2]);
    let paths = [file("a.npy"), file("b.npy"), file("other/a.npy")];
    let models = ModelActivations::open_all(&paths, &[Reading::default()]).unwrap();
    let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(
        names,
        [paths[0].to_str().unwrap(), "b", paths[2].to_str().unwrap()]
    );
}

#[test]
fn a_file_that_goes_bad_is_an_error_with_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let path = npy(&dir.path().join("a.npy"), &values(12, 2, 1), [12, 2]);
    let model = ModelActivations::open(&path, &Reading::default()).unwrap();
    let other = model.clone();
    // Cut off after it was opened.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(140).unwrap();
    let comparison = Comparison::new(vec![model, other], all()).unwrap();
    let error = comparison.run(&Device::flex(), &mut |_| ()).unwrap_err();
    assert!(!error.is_usage(), "{error}");
    let first: &dyn Error = &error;
    let chain: Vec<&dyn Error> = std::iter::successors(Some(first), |e| (*e).source()).collect();
    assert!(chain.iter().any(|e| e.is::<ActivationError>()), "{chain:?}");
    assert!(chain.iter().any(|e| e.is::<std::io::Error>()), "{chain:?}");
    let missing =
        ModelActivations::open(&dir.path().join("none.npz"), &Reading::default()).unwrap_err();
    assert!(missing.is_usage() && missing.to_string().contains("none.npz"));
}

/// A golden matrix: float32, C order.
fn golden(name: &str) -> (Vec<f32>, [usize; 2]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let bytes = std::fs::read(path.join(name)).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
    let shape = header.split_once("'shape': (").unwrap().1;
    let mut sizes = shape.split([',', ')']).map(|s| s.trim().parse().unwrap());
    let shape = [sizes.next().unwrap(), sizes.next().unwrap()];
    let value = |v: &[u8]| f32::from_le_bytes(v.try_into().unwrap());
    (bytes[start..].chunks_exact(4).map(value).collect(), shape)
}

#[test]
fn what_is_beyond_a_covariate_is_what_its_authors_define() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/peers.json");
    let peers: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (name, of) in peers["of"].as_object().unwrap() {
        let (a, [n, d_a]) = golden(&format!("{name}_a.npy"));
        let (b, [_, d_b]) = golden(&format!("{name}_b.npy"));
        let shared = (0..n * 12).map(|at| {
            let (i, j) = (at / 12, at % 12);
            f64::from(a[i * d_a + j]) + f64::from(b[i * d_b + j])
        });
        let covariate = ModelActivations::new("shared")
            .layer("x", shared.collect::<Vec<f64>>(), [n, 12])
            .unwrap();
        let model = |name, values: &[f32], d| {
            ModelActivations::new(name)
                .layer("x", values, [n, d])
                .unwrap()
        };
        let wanted = of["beyond"].as_object().unwrap();
        let names: Vec<&String> = wanted.keys().collect();
        let question = Question {
            covariate: Some(covariate),
            permutations: 9,
            ..Question::new(measures(&names, Mode::Exact, 10).unwrap())
        };
        let found = rows(&run(
            vec![model("a", &a, d_a), model("b", &b, d_b)],
            question,
        ));
        assert_eq!(found.len(), 2);
        for (row, want) in found.iter().zip(wanted.values()) {
            let (value, want) = (row.value.unwrap(), want.as_f64().unwrap());
            assert!(
                (value - want).abs() < 1e-6,
                "{name} {}: {value}, {want}",
                row.measure
            );
        }
    }
}

#[test]
fn a_covariate_that_all_is_made_of_leaves_nothing() {
    // Two layers that share one cause and nothing else.
    let n = 200;
    let question = |covariate| Question {
        permutations: 99,
        covariate,
        ..Question::new(measures(&["cka_linear_debiased"], Mode::Exact, 10).unwrap())
    };
    let models = || vec![model("a", n, &[6], 1), model("b", n, &[5], 100)];
    let cause = ModelActivations::new("cause")
        .layer("x", noise(n, 1, 7_000), [n, 1])
        .unwrap();
    let score = |covariate| rows(&run(models(), question(covariate)))[0].clone();
    let (alone, beyond) = (score(None), score(Some(cause.clone())));
    assert!(
        alone.value.unwrap() > 0.3 && alone.p == Some(0.01),
        "{alone:?}"
    );
    assert!(
        beyond.value.unwrap().abs() < 0.1 && beyond.p > Some(0.02),
        "{beyond:?}"
    );
    // A layer that is the covariate has nothing left.
    let same = vec![cause.clone(), models().remove(1)];
    let row = rows(&run(same, question(Some(cause.clone()))));
    assert_eq!(row[0].value, Err(Undefined::NoVariance));
    // What cannot be told is said.
    let told = |change: &dyn Fn(&mut Question)| {
        let mut question = question(Some(cause.clone()));
        change(&mut question);
        Comparison::new(models(), question)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    assert!(
        told(&|q| q.measures = vec![named("mutual_knn_cosine").unwrap()])
            .contains("takes no covariate")
    );
    assert!(told(&|q| q.leverage = true).contains("no leverage"));
    assert!(told(&|q| q.covariate = Some(ModelActivations::new("none"))).contains("0 layers"));
    assert!(told(&|q| q.covariate = Some(model("few", 9, &[2], 3))).contains("9"));
}

#[test]
fn a_row_tells_its_value_as_a_distance_and_an_angle() {
    let question = Question {
        half_samples: 20,
        ..Question::new(measures(&["procrustes", "mutual_knn"], Mode::Exact, 10).unwrap())
    };
    let found = rows(&run(
        vec![model("a", 80, &[6], 1), model("b", 80, &[5], 100)],
        question,
    ));
    let (shape, share) = (&found[0], &found[1]);
    let value = shape.value.unwrap();
    assert_eq!(shape.value_as(Form::Similarity), Some(value));
    assert_eq!(shape.value_as(Form::Angular), Some(value.acos()));
    assert_eq!(
        shape.value_as(Form::Distance),
        Some((2.0 - 2.0 * value).sqrt())
    );
    assert_eq!(
        share.value_as(Form::Distance),
        Some(1.0 - share.value.unwrap())
    );
    assert_eq!(share.value_as(Form::Angular), None);
    let (interval, angles) = (
        shape.interval.unwrap(),
        shape.interval_as(Form::Angular).unwrap(),
    );
    assert_eq!(
        (angles.low, angles.high),
        (interval.high.acos(), interval.low.acos())
    );
}
