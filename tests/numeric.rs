//! One suite of numeric tests, run on every device that this machine has: the
//! CPU always, and a GPU (a software one included) through wgpu.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_data::color_shape_digit::{Settings, generate};
use reprsim_data::{Dataset, Part, Stream};
use reprsim_experiment::device;
use reprsim_extract::extract;
use reprsim_metrics::{Layer, Measure, Undefined, linear_cka};
use reprsim_models::{ModelConfig, Pooling};
use reprsim_train::{
    DeviceSamples, Normalization, OptimizerConfig, ScheduleConfig, TrainingConfig, TrainingSet,
    load_checkpoint, save_checkpoint, train,
};

/// Makes each of the named tests twice, `cpu::NAME` and `wgpu::NAME`. Each takes
/// the device and the tolerance of its arithmetic.
macro_rules! on_every_device {
    ($($name:ident),* $(,)?) => {
        mod cpu {
            $(#[test] fn $name() { super::$name(&super::cpu(), 1e-6); })*
        }
        mod wgpu {
            $(#[test] fn $name() {
                if let Some(device) = super::gpu() {
                    super::$name(&device, 1e-4);
                }
            })*
        }
    };
}

on_every_device!(
    golden_values,
    feature_and_gram_space_agree,
    invariances_and_their_absence,
    chance_levels,
    degenerate_input_has_a_reason,
    all_pairs_at_once_equal_each_pair_alone,
    training_agrees_with_the_cpu,
    checkpoints_return_the_same_model,
);

fn cpu() -> Device {
    device::choose("cpu").unwrap().device
}

/// The GPU, a software one included. Where there is none the tests are skipped
/// and say so, unless `REPRSIM_REQUIRE_WGPU` is set.
fn gpu() -> Option<Device> {
    match device::choose("wgpu") {
        Ok(gpu) => Some(gpu.device),
        Err(error) => {
            assert!(
                std::env::var_os("REPRSIM_REQUIRE_WGPU").is_none(),
                "{error}"
            );
            say(&format!("SKIPPED on wgpu: {error}"));
            None
        }
    }
}

/// Speaks past the test harness, which keeps the output of tests that pass.
fn say(text: &str) {
    use std::io::Write;
    let mut stream = std::io::stderr();
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(b"\n").unwrap();
}

fn gaussian(n: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Sums of 12 uniforms are close enough to normal here.
    (0..n * d)
        .map(|_| (0..12).map(|_| rng.random_range(-0.5f32..0.5)).sum())
        .collect()
}

fn tensor(values: Vec<f32>, n: usize, d: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, [n, d]), device)
}

fn layer(values: &Tensor<2>) -> Layer {
    Layer::new("x", values.clone()).unwrap()
}

fn cka(a: &Tensor<2>, b: &Tensor<2>, measure: Measure) -> f64 {
    score(a, b, measure).unwrap()
}

fn score(a: &Tensor<2>, b: &Tensor<2>, measure: Measure) -> Result<f64, Undefined> {
    linear_cka(&[layer(a)], &[layer(b)])
        .unwrap()
        .score(0, 0, measure)
        .value
}

fn close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!(
        (a - b).abs() <= tolerance * b.abs().max(1.0),
        "{what}: {a} is not {b}"
    );
}

/// Reads a float32 matrix in C order.
fn npy(path: &PathBuf) -> (Vec<f32>, usize, usize) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..10 + header_len]).into_owned();
    assert!(
        header.contains("'<f4'") && header.contains("'fortran_order': False"),
        "{header}"
    );
    let shape = header.split('(').nth(1).unwrap().split(')').next().unwrap();
    let dims: Vec<usize> = shape
        .split(',')
        .map(|d| d.trim().parse().unwrap())
        .collect();
    let values = bytes[10 + header_len..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    (values, dims[0], dims[1])
}

fn golden_values(device: &Device, tolerance: f64) {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    if !golden.exists() {
        assert!(
            std::env::var_os("REPRSIM_REQUIRE_SHARED").is_none(),
            "golden values are missing"
        );
        say(&format!(
            "SKIPPED: no golden values at {}",
            golden.display()
        ));
        return;
    }
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(golden.join("expected.json")).unwrap())
            .unwrap();
    for (name, of) in expected.as_object().unwrap() {
        let read = |side: &str| {
            let (values, n, d) = npy(&golden.join(format!("{name}_{side}.npy")));
            tensor(values, n, d, device)
        };
        let (a, b) = (read("a"), read("b"));
        for measure in Measure::ALL {
            let want = of["exact"][measure.name()].as_f64().unwrap();
            let what = format!("{name} {}", measure.name());
            close(cka(&a, &b, measure), want, tolerance, &what);
        }
    }
}

fn feature_and_gram_space_agree(device: &Device, tolerance: f64) {
    // 40 samples: layers of 60 and 50 dimensions take the Gram form.
    let (n, d_a, d_b) = (40, 60, 50);
    let a = tensor(gaussian(n, d_a, 1), n, d_a, device);
    let b = tensor(gaussian(n, d_b, 2), n, d_b, device) + a.clone().slice([0..n, 0..d_b]);
    let wide = cka(&a, &b, Measure::CkaLinearBiased);
    // The same by definition, in f64 on the host.
    let host = |t: &Tensor<2>| t.clone().into_data().iter::<f64>().collect::<Vec<_>>();
    let centred_gram = |values: &[f64], d: usize| {
        let mut x = values.to_vec();
        for j in 0..d {
            let mean = (0..n).map(|i| x[i * d + j]).sum::<f64>() / n as f64;
            (0..n).for_each(|i| x[i * d + j] -= mean);
        }
        let mut k = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                k[i * n + j] = (0..d).map(|c| x[i * d + c] * x[j * d + c]).sum();
            }
        }
        k
    };
    let (k, l) = (centred_gram(&host(&a), d_a), centred_gram(&host(&b), d_b));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let expected = dot(&k, &l) / (dot(&k, &k) * dot(&l, &l)).sqrt();
    close(wide, expected, tolerance, "biased, Gram form");
    // Song et al. (2012) eq. 5 on zero-diagonal Grams, uncentred.
    let song = |k: &[f64], l: &[f64]| {
        let nf = n as f64;
        let off = |m: &[f64]| {
            let mut m = m.to_vec();
            (0..n).for_each(|i| m[i * n + i] = 0.0);
            m
        };
        let (k, l) = (off(k), off(l));
        let rows = |m: &[f64]| {
            m.chunks(n)
                .map(|r| r.iter().sum::<f64>())
                .collect::<Vec<_>>()
        };
        let (rk, rl) = (rows(&k), rows(&l));
        (dot(&k, &l) + rk.iter().sum::<f64>() * rl.iter().sum::<f64>() / ((nf - 1.0) * (nf - 2.0))
            - 2.0 / (nf - 2.0) * dot(&rk, &rl))
            / (nf * (nf - 3.0))
    };
    let expected = song(&k, &l) / (song(&k, &k) * song(&l, &l)).sqrt();
    close(
        cka(&a, &b, Measure::CkaLinearDebiased),
        expected,
        4.0 * tolerance,
        "debiased",
    );
    // Narrow against wide takes the feature form.
    let narrow = b.clone().slice([0..n, 0..6]);
    let l = centred_gram(&host(&narrow), 6);
    let expected = song(&k, &l) / (song(&k, &k) * song(&l, &l)).sqrt();
    close(
        cka(&a, &narrow, Measure::CkaLinearDebiased),
        expected,
        4.0 * tolerance,
        "narrow",
    );
}

fn invariances_and_their_absence(device: &Device, tolerance: f64) {
    let (n, d) = (120, 6);
    let a = tensor(gaussian(n, d, 3), n, d, device);
    let b = tensor(gaussian(n, d, 4), n, d, device) + a.clone().mul_scalar(0.7);
    for measure in Measure::ALL {
        let base = cka(&a, &b, measure);
        close(cka(&a, &a, measure), 1.0, tolerance, "identity");
        close(cka(&b, &a, measure), base, tolerance, "symmetry");
        close(
            cka(&a.clone().mul_scalar(7.5), &b, measure),
            base,
            tolerance,
            "scale",
        );
        close(
            cka(&(a.clone() + 3.0), &b, measure),
            base,
            tolerance,
            "translation",
        );
        let far = a.clone() + 1000.0;
        close(
            cka(&far, &b, measure),
            base,
            1e-4,
            "a mean offset of 1000 deviations",
        );
        // A Householder reflection is orthogonal.
        let v = gaussian(d, 1, 5);
        let norm: f32 = v.iter().map(|x| x * x).sum();
        let reflection: Vec<f32> = (0..d * d)
            .map(|i| f32::from(i / d == i % d) - 2.0 * v[i / d] * v[i % d] / norm)
            .collect();
        let turned = a.clone().matmul(tensor(reflection, d, d, device));
        close(cka(&turned, &b, measure), base, tolerance, "rotation");
        // Stretching one direction must change the score.
        let mut stretch = vec![0.0; d * d];
        (0..d).for_each(|i| stretch[i * d + i] = if i == 0 { 6.0 } else { 1.0 });
        let stretched = a.clone().matmul(tensor(stretch, d, d, device));
        assert!(
            (cka(&stretched, &b, measure) - base).abs() > 1e-2,
            "anisotropic stretch"
        );
    }
}

fn chance_levels(device: &Device, _: f64) {
    let (n, d, repeats) = (100, 30, 30);
    let mut debiased = Vec::new();
    for seed in 0..repeats {
        let a = tensor(gaussian(n, d, 100 + seed), n, d, device);
        let b = tensor(gaussian(n, d, 500 + seed), n, d, device);
        let table = linear_cka(&[layer(&a)], &[layer(&b)]).unwrap();
        let biased = table.score(0, 0, Measure::CkaLinearBiased);
        // d / (n + d) for independent Gaussians, also as permutation mean.
        close(biased.value.unwrap(), 30.0 / 130.0, 0.06, "biased chance");
        close(
            biased.null_mean.unwrap(),
            30.0 / 130.0,
            0.03,
            "permutation mean",
        );
        debiased.push(table.score(0, 0, Measure::CkaLinearDebiased).value.unwrap());
    }
    let mean = debiased.iter().sum::<f64>() / repeats as f64;
    let sd = (debiased.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / repeats as f64).sqrt();
    assert!(
        mean.abs() < 3.0 * sd / (repeats as f64).sqrt(),
        "{mean} with sd {sd}"
    );
}

#[test]
fn the_permutation_mean_is_that_of_permutations() {
    let device = device::choose("cpu").unwrap().device;
    let (n, d) = (12, 4);
    let a = tensor(gaussian(n, d, 8), n, d, &device);
    let values = gaussian(n, d, 9);
    let exact = linear_cka(
        &[layer(&a)],
        &[layer(&tensor(values.clone(), n, d, &device))],
    )
    .unwrap()
    .score(0, 0, Measure::CkaLinearBiased)
    .null_mean
    .unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut order: Vec<usize> = (0..n).collect();
    let draws = 3000;
    let mut sum = 0.0;
    for _ in 0..draws {
        rand::seq::SliceRandom::shuffle(order.as_mut_slice(), &mut rng);
        let shuffled: Vec<f32> = order
            .iter()
            .flat_map(|&i| values[i * d..(i + 1) * d].to_vec())
            .collect();
        sum += cka(
            &a,
            &tensor(shuffled, n, d, &device),
            Measure::CkaLinearBiased,
        );
    }
    close(
        sum / f64::from(draws),
        exact,
        0.005,
        "mean over permutations",
    );
}

fn degenerate_input_has_a_reason(device: &Device, _: f64) {
    let good = tensor(gaussian(10, 3, 1), 10, 3, device);
    let constant = tensor(vec![5.0; 30], 10, 3, device);
    let mut holes = gaussian(10, 3, 2);
    holes[7] = f32::NAN;
    let holes = tensor(holes, 10, 3, device);
    let few = tensor(gaussian(3, 3, 1), 3, 3, device);
    for measure in Measure::ALL {
        assert_eq!(
            score(&good, &constant, measure),
            Err(Undefined::ConstantLayer)
        );
        assert_eq!(score(&holes, &good, measure), Err(Undefined::NonFinite));
    }
    assert_eq!(
        score(&few, &few, Measure::CkaLinearDebiased),
        Err(Undefined::TooFewSamples { needed: 4 })
    );
    let error = linear_cka(&[layer(&good)], &[layer(&few)]).unwrap_err();
    assert!(error.to_string().contains("same samples"), "{error}");
}

fn all_pairs_at_once_equal_each_pair_alone(device: &Device, tolerance: f64) {
    let set = |seed: u64| -> Vec<Tensor<2>> {
        [3, 8, 5]
            .iter()
            .map(|&d| tensor(gaussian(50, d, seed + d as u64), 50, d, device))
            .collect()
    };
    let (a, b) = (set(1), set(40));
    let layers = |set: &[Tensor<2>]| set.iter().map(layer).collect::<Vec<_>>();
    let table = linear_cka(&layers(&a), &layers(&b)).unwrap();
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            for measure in Measure::ALL {
                let together = table.score(i, j, measure).value.unwrap();
                close(together, cka(x, y, measure), tolerance, "pair");
            }
        }
    }
}

/// Telling the eight shapes apart on a few built-in images.
struct ShapeTask {
    dataset: Dataset,
    indices: Vec<u32>,
    labels: Vec<u32>,
}

impl ShapeTask {
    fn new(count: usize) -> Self {
        let dataset = generate(&Settings::default(), Part::Train, count, 0).unwrap();
        let (labels, _) = dataset.joint_label(&["shape"]).unwrap();
        Self {
            dataset,
            indices: (0..count as u32).collect(),
            labels,
        }
    }

    fn samples(&self, device: &Device) -> DeviceSamples {
        DeviceSamples::new(
            &self.dataset,
            None,
            &Normalization::of(&self.dataset),
            device,
        )
    }

    fn training_set<'a>(&'a self, samples: &'a DeviceSamples) -> TrainingSet<'a> {
        TrainingSet {
            samples,
            indices: &self.indices,
            labels: &self.labels,
            classes: 8,
        }
    }
}

fn training() -> TrainingConfig {
    TrainingConfig {
        epochs: 2,
        batch: 16,
        optimizer: OptimizerConfig::Sgd {
            lr: 0.05,
            momentum: 0.9,
            weight_decay: 5e-4,
        },
        schedule: ScheduleConfig::Triangular { peak: 0.5 },
        label_smoothing: 0.1,
    }
}

/// The same training, from the same weights and in the same order, gives the same
/// model within the device's arithmetic.
fn training_agrees_with_the_cpu(device: &Device, _: f64) {
    let task = ShapeTask::new(64);
    for model in [
        ModelConfig::Cnn { width: 2 },
        ModelConfig::Mlp { hidden: vec![8, 6] },
    ] {
        let run = |device: &Device| {
            let samples = task.samples(device);
            let mut loss = 0.0;
            let set = task.training_set(&samples);
            let mut hear = |e: &reprsim_train::Epoch| loss = e.loss;
            let network = train(
                "a",
                &model,
                &set,
                &training(),
                &Stream::new(3),
                device,
                &mut hear,
            )
            .unwrap();
            let activations = extract(&network, &samples, "ids", Pooling::Mean, 40);
            let names: Vec<&str> = activations.layers.iter().map(|l| l.name.as_str()).collect();
            assert_eq!(names, model.layer_names());
            let logits = activations
                .layers
                .last()
                .unwrap()
                .values
                .clone()
                .into_data();
            (loss, logits.iter::<f64>().collect::<Vec<_>>())
        };
        let (loss, logits) = run(device);
        let (loss_cpu, logits_cpu) = run(&cpu());
        close(loss, loss_cpu, 1e-3, "loss");
        for (a, b) in logits.iter().zip(&logits_cpu) {
            close(*a, *b, 5e-3, "logit");
        }
    }
}

fn checkpoints_return_the_same_model(device: &Device, _: f64) {
    let task = ShapeTask::new(64);
    let dir = tempfile::tempdir().unwrap();
    let samples = task.samples(device);
    let set = task.training_set(&samples);
    for model in [
        ModelConfig::Cnn { width: 2 },
        ModelConfig::Mlp { hidden: vec![8] },
    ] {
        let network = train(
            "a",
            &model,
            &set,
            &training(),
            &Stream::new(3),
            device,
            &mut |_| {},
        )
        .unwrap();
        let path = dir.path().join("model.safetensors");
        save_checkpoint(&network, &path, &[("model", "a")]).unwrap();
        let shape = reprsim_models::ModelShape {
            input: samples.shape(),
            classes: 8,
        };
        let loaded = load_checkpoint(&path, &model, shape, device).unwrap();
        let run = |network| {
            extract(network, &samples, "ids", Pooling::Flatten, 64)
                .layers
                .into_iter()
                .map(|l| l.values.into_data().iter::<f32>().collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(&network), run(&loaded), "{}", model.name());
        let other = ModelConfig::Mlp { hidden: vec![9] };
        assert!(load_checkpoint(&path, &other, shape, device).is_err());
    }
}

#[test]
fn streams_decide_the_weights_and_nothing_else() {
    let task = ShapeTask::new(32);
    let device = cpu();
    let samples = task.samples(&device);
    let run = |stream: u64| {
        let set = task.training_set(&samples);
        let mut history = Vec::new();
        train(
            "a",
            &ModelConfig::Cnn { width: 2 },
            &set,
            &training(),
            &Stream::new(stream),
            &device,
            &mut |e| history.push((e.loss, e.accuracy, e.lr)),
        )
        .unwrap();
        history
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
