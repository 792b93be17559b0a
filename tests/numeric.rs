//! One suite of numeric tests, run on every device that this machine has: the
//! CPU always, and a GPU (a software one included) through wgpu.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use burn::tensor::{Device, Tensor};
use reprsim_data::color_shape_digit::{Settings, generate};
use reprsim_base::Stream;
use reprsim_data::{Dataset, Part};
use reprsim_extract::{LayerActivation, extract};
use reprsim_models::{Input, ModelConfig, Network, Objective, Pooling, Stem};
use reprsim_train::{
    Augmentation, DeviceImages, DeviceSamples, Normalization, OptimizerConfig, ScheduleConfig,
    TrainingConfig, TrainingSet, load_checkpoint, save_checkpoint, train,
};

#[macro_use]
#[path = "common/devices.rs"]
mod devices;

use devices::{close, cpu};

on_every_device!(
    activations_agree_with_the_cpu,
    training_agrees_with_the_cpu,
    checkpoints_return_the_same_model,
);

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

    fn images(&self, device: &Device, model: &ModelConfig) -> DeviceImages {
        let normalization = match model.objective() {
            Objective::Classify | Objective::Predict => Normalization::of(&self.dataset),
            Objective::Reconstruct => Normalization::identity(3),
        };
        DeviceImages::new(&self.dataset, None, &normalization, device)
    }

    fn training_set<'a>(&'a self, samples: &'a DeviceImages) -> TrainingSet<'a> {
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
        drop_last: true,
        label_smoothing: 0.1,
        augment: vec![
            Augmentation::Flip { p: 0.5 },
            Augmentation::Saturation {
                magnitude: 0.3,
                p: 0.5,
            },
            Augmentation::Translate { pixels: 2, p: 1.0 },
        ],
        fill: vec![200.0],
        language: None,
    }
}

/// One small model of each architecture.
fn architectures() -> [ModelConfig; 5] {
    [
        ModelConfig::Mlp { hidden: vec![8, 6] },
        ModelConfig::Cnn { width: 2 },
        ModelConfig::Resnet {
            depth: 18,
            width: 2,
            stem: Stem::Stock,
        },
        ModelConfig::Vit {
            width: 8,
            depth: 2,
            heads: 2,
            patch: 7,
        },
        ModelConfig::Vae {
            width: 2,
            latent: 3,
        },
    ]
}

/// The same weights give the same layers on every device, for every architecture.
fn activations_agree_with_the_cpu(device: &Device, _: f64) {
    let task = ShapeTask::new(8);
    for model in architectures() {
        let run = |device: &Device| {
            let samples = task.images(device, &model);
            let shape = reprsim_models::ModelShape {
                input: samples.shape(),
                classes: 8,
            };
            let mut weights = Stream::new(5).rng();
            let network = Network::new(&model, shape, &mut weights, device).unwrap();
            let all = DeviceSamples::Images(samples.clone());
            let mut layers = extract(&network, &all, "ids", Pooling::Mean, 8).layers;
            if let (Network::Vae(vae), Input::Images(images)) = (&network, samples.slice(0, 8)) {
                let noise = Tensor::ones([8, vae.latent()], device);
                let made = vae.reconstruct(images, noise);
                layers.push(LayerActivation {
                    name: "reconstruction".into(),
                    values: made.logits.flatten(1, 3),
                });
            }
            layers
        };
        let layers = run(device);
        let names: Vec<&str> = layers.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names[..model.layer_names().len()], model.layer_names());
        for (ours, theirs) in layers.into_iter().zip(run(&cpu())) {
            let (ours, name) = (ours.values.into_data(), ours.name);
            let theirs = theirs.values.into_data();
            let largest = theirs.iter::<f64>().fold(0f64, |m, v| m.max(v.abs()));
            for (a, b) in ours.iter::<f64>().zip(theirs.iter::<f64>()) {
                assert!(
                    (a - b).abs() <= 1e-4 * largest,
                    "{} {name}: {a} is not {b}",
                    model.name()
                );
            }
        }
    }
}

/// Every architecture learns its few samples.
#[test]
fn every_architecture_learns() {
    let task = ShapeTask::new(64);
    let device = cpu();
    for model in architectures() {
        let config = TrainingConfig {
            epochs: 30,
            optimizer: OptimizerConfig::Adam {
                lr: 0.01,
                weight_decay: 0.0,
            },
            augment: vec![],
            ..training()
        };
        let samples = task.images(&device, &model);
        let mut losses = Vec::new();
        train(
            "a",
            &model,
            &task.training_set(&samples),
            &config,
            &Stream::new(3),
            &device,
            &mut |e| losses.push(e.loss),
        )
        .unwrap();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < 0.9 * first, "{}: {first} to {last}", model.name());
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
            let samples = task.images(device, &model);
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
            let all = DeviceSamples::Images(samples.clone());
            let activations = extract(&network, &all, "ids", Pooling::Mean, 40);
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
    for model in [
        ModelConfig::Cnn { width: 2 },
        ModelConfig::Mlp { hidden: vec![8] },
    ] {
        let samples = task.images(device, &model);
        let set = task.training_set(&samples);
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
        // Every parameter and statistic comes back to the last bit.
        let again = dir.path().join("again.safetensors");
        save_checkpoint(&loaded, &again, &[("model", "a")]).unwrap();
        let tensors = |path: &std::path::Path| {
            let bytes = std::fs::read(path).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let all: std::collections::BTreeMap<String, Vec<u8>> = file
                .tensors()
                .into_iter()
                .map(|(name, view)| (name, view.data().to_vec()))
                .collect();
            all
        };
        assert_eq!(tensors(&path), tensors(&again), "{}", model.name());
        let run = |network| {
            let all = DeviceSamples::Images(samples.clone());
            extract(network, &all, "ids", Pooling::Flatten, 64)
                .layers
                .into_iter()
                .map(|l| l.values.into_data().iter::<f32>().collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        // The same weights need not give the same last bit: while one thread tunes
        // a kernel for a shape, cubecl lets the others run another candidate.
        for (x, y) in run(&network).iter().zip(run(&loaded)) {
            assert_eq!(x.len(), y.len());
            let largest = x.iter().fold(1f32, |m, v| m.max(v.abs()));
            let off = x
                .iter()
                .zip(&y)
                .fold(0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(
                off <= 1e-5 * largest,
                "{}: {off} of {largest}",
                model.name()
            );
        }
        let other = ModelConfig::Mlp { hidden: vec![9] };
        assert!(load_checkpoint(&path, &other, shape, device).is_err());
    }
}

#[test]
fn streams_decide_the_weights_and_nothing_else() {
    let task = ShapeTask::new(32);
    let device = cpu();
    let model = ModelConfig::Cnn { width: 2 };
    let samples = task.images(&device, &model);
    let run = |stream: u64| {
        let set = task.training_set(&samples);
        let mut history = Vec::new();
        train(
            "a",
            &model,
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
