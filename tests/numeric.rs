//! One suite of numeric tests, run on every device that this machine has: the
//! CPU always, and a GPU (a software one included) through wgpu.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::module::Module;
use burn::tensor::Device;
use reprsim_base::Stream;
use reprsim_data::color_shape_digit::{Settings, generate};
use reprsim_data::{Dataset, Part};
use reprsim_extract::{LayerActivation, extract};
use reprsim_models::{
    ARCHITECTURES, CnnSettings, ConvNextSettings, Convention, DenseNetSettings,
    EfficientNetSettings, Input, InputKind, MlpSettings, MobileNetSettings, MobileStem,
    ModelConfig, ModelShape, Network, Output, OutputKind, Pass, Pooling, ResNetSettings,
    SampleShape, Stem, VaeSettings, VggSettings, VitSettings,
};
use reprsim_train::{
    Augmentation, ClassifySettings, Epoch, Foreign, Head, HeldOut, Initial, Job, Normalization,
    OptimizerConfig, PartRate, Precision, Resume, ScheduleConfig, Stacks, Supply, TASKS,
    TaskConfig, TrainingConfig, TrainingSet, initial_network, load_checkpoint, save_checkpoint,
    train,
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

/// Images that every architecture takes.
const SIDE_32: SampleShape = SampleShape::Image {
    channels: 3,
    height: 32,
    width: 32,
};

/// Telling the eight shapes apart on a few built-in images.
struct ShapeTask {
    dataset: Dataset,
    indices: Vec<u32>,
    labels: Vec<u32>,
    stacks: Stacks,
}

impl ShapeTask {
    fn new(count: usize) -> Self {
        let dataset = generate(&Settings::default(), Part::Train, count, 0).unwrap();
        let (labels, _) = dataset.joint_label(&["shape"]).unwrap();
        Self {
            dataset,
            indices: (0..count as u32).collect(),
            labels,
            stacks: Stacks::alone(),
        }
    }

    fn images(&self, device: &Device, model: &ModelConfig) -> Supply {
        let normalization = match task_of(model).unit_scale() {
            false => Normalization::of(&self.dataset),
            true => Normalization::identity(3),
        };
        // Some take no images of 28 pixels.
        let dataset = match model.check_input(self.dataset.shape) {
            Ok(()) => self.dataset.clone(),
            Err(_) => self.dataset.reshaped(SIDE_32).unwrap(),
        };
        Supply::new(dataset, None, normalization, device, u64::MAX)
    }

    fn train(
        &self,
        what: &What<'_>,
        samples: &Supply,
        resume: Option<Resume<'_>>,
        on_epoch: &mut dyn FnMut(&Epoch),
    ) -> Network {
        let task = task_of(what.model);
        train(
            &self.job(what, &task, samples, resume),
            samples.device(),
            on_epoch,
        )
        .unwrap()
        .to_device(samples.device())
    }

    fn job<'a>(
        &'a self,
        what: &'a What<'_>,
        task: &'a TaskConfig,
        samples: &'a Supply,
        resume: Option<Resume<'a>>,
    ) -> Job<'a> {
        Job {
            name: "a",
            model: what.model,
            initial: &what.initial,
            task,
            config: &what.config,
            set: TrainingSet {
                supply: samples,
                indices: &self.indices,
                labels: &self.labels,
                classes: 8,
                held_out: what.config.evaluate.as_ref().map(|_| HeldOut {
                    supply: samples,
                    indices: &self.indices,
                    labels: &self.labels,
                }),
            },
            stream: &what.stream,
            resume,
            stacks: &self.stacks,
            stop: None,
        }
    }
}

/// What is trained, and how.
struct What<'a> {
    model: &'a ModelConfig,
    config: TrainingConfig,
    stream: Stream,
    initial: Initial,
}

impl<'a> What<'a> {
    fn new(model: &'a ModelConfig) -> Self {
        let mut config = training();
        if task_of(model).unit_scale() {
            // Its loss is a sum over pixels, at which plain descent would leap.
            config.optimizer = OptimizerConfig::Adam {
                lr: 0.01,
                weight_decay: 0.0,
            };
        }
        Self {
            model,
            config,
            stream: Stream::new(3),
            initial: Initial::Random,
        }
    }
}

/// What an architecture is for; classifiers smooth their labels.
fn task_of(model: &ModelConfig) -> TaskConfig {
    let task = TASKS.iter().find(|task| task.needs == model.gives());
    match (task.unwrap().default)() {
        TaskConfig::Classify(_) => TaskConfig::Classify(ClassifySettings {
            label_smoothing: 0.1,
        }),
        other => other,
    }
}

fn rate(name: &str, times: f64) -> PartRate {
    PartRate {
        name: name.into(),
        times,
    }
}

fn training() -> TrainingConfig {
    TrainingConfig {
        epochs: Some(2),
        steps: None,
        batch: 16,
        drop_last: true,
        accumulate: 1,
        clip: None,
        optimizer: OptimizerConfig::Sgd {
            lr: 0.05,
            momentum: 0.9,
            weight_decay: 5e-4,
        },
        schedule: ScheduleConfig::Triangular { peak: 0.5 },
        dropout: 0.0,
        evaluate: None,
        precision: Precision::F32,
        augment: vec![
            Augmentation::Flip { p: 0.5 },
            Augmentation::Saturation {
                magnitude: 0.3,
                p: 0.5,
            },
            Augmentation::Translate { pixels: 2, p: 1.0 },
        ],
        fill: vec![200.0],
        freeze: vec![],
        rates: vec![],
        frozen_norms: false,
        recompute: false,
    }
}

fn cnn() -> ModelConfig {
    ModelConfig::Cnn(CnnSettings { width: 2 })
}

fn mlp(hidden: &[usize]) -> ModelConfig {
    ModelConfig::Mlp(MlpSettings {
        hidden: hidden.to_vec(),
    })
}

fn vae() -> ModelConfig {
    ModelConfig::Vae(VaeSettings {
        width: 2,
        latent: 3,
    })
}

/// A model of each architecture for images: a small one of those that are large by default.
fn architectures() -> Vec<ModelConfig> {
    let small = vec![
        mlp(&[8, 6]),
        cnn(),
        ModelConfig::ResNet(ResNetSettings {
            depth: 18,
            width: 2,
            stem: Stem::Stock,
        }),
        ModelConfig::ResNet(ResNetSettings {
            depth: 50,
            width: 1,
            stem: Stem::Cifar,
        }),
        ModelConfig::Vgg(VggSettings {
            depth: 11,
            width: 2,
            stem: Stem::Stock,
        }),
        ModelConfig::Vgg(VggSettings {
            depth: 13,
            width: 2,
            stem: Stem::Cifar,
        }),
        ModelConfig::DenseNet(DenseNetSettings {
            depth: 121,
            width: 1,
            stem: Stem::Stock,
        }),
        // Of two channels a layer norm leaves little but which is the larger.
        ModelConfig::ConvNext(ConvNextSettings {
            depth: 18,
            width: 8,
        }),
        ModelConfig::MobileNet(MobileNetSettings {
            width: 8,
            stem: MobileStem::Cifar,
        }),
        ModelConfig::EfficientNet(EfficientNetSettings {
            width: 8,
            convention: Convention::Pytorch,
        }),
        ModelConfig::EfficientNet(EfficientNetSettings {
            width: 8,
            convention: Convention::Tensorflow,
        }),
        ModelConfig::Vit(VitSettings {
            width: 8,
            depth: 2,
            heads: 2,
            patch: 7,
        }),
        vae(),
    ];
    let all = ARCHITECTURES
        .iter()
        .filter(|a| a.takes == InputKind::Images);
    let names: Vec<&str> = small.iter().map(ModelConfig::name).collect();
    let others = all.filter(|about| !names.contains(&about.name));
    let others: Vec<ModelConfig> = others.map(|about| (about.default)()).collect();
    [small, others].concat()
}

/// A pass that begins behind a layer ends as the whole one does.
#[test]
fn a_pass_goes_on_from_every_joint() {
    let task = ShapeTask::new(3);
    for model in architectures() {
        let joints = model.joints();
        // All layers of a classifier before the last.
        let expected = match model.gives() {
            OutputKind::Logits => model.layer_names().len() - 1,
            _ => 0,
        };
        assert_eq!(joints.len(), expected, "{}", model.name());
        let images = task.images(&cpu(), &model);
        let shape = ModelShape {
            input: images.shape(),
            classes: 8,
        };
        let network = Network::new(&model, shape, &mut Stream::new(3).rng(), &cpu()).unwrap();
        let scores = |output: Output| match output {
            Output::Logits(scores) => scores.into_data().iter::<f64>().collect::<Vec<f64>>(),
            _ => panic!("no scores"),
        };
        let whole = network.output(images.slice(0..3), &mut Pass::inference());
        for (name, activation) in network.activations(images.slice(0..3)).unwrap().layers {
            let rest = network.output_from(&name, activation);
            assert_eq!(rest.is_some(), joints.contains(&name), "{name}");
            if let Some(rest) = rest {
                let whole = scores(whole.as_ref().unwrap().clone());
                for (rest, whole) in scores(rest).iter().zip(whole) {
                    close(*rest, whole, 1e-5, &format!("{} {name}", model.name()));
                }
            }
        }
    }
}

/// The name in the table of architectures is that of the file.
#[test]
fn architectures_are_known_by_their_names() {
    for about in ARCHITECTURES {
        let json = serde_json::to_value((about.default)()).unwrap();
        assert_eq!(json["name"], about.name);
        let read: ModelConfig = serde_json::from_value(json).unwrap();
        assert_eq!((read.name(), read), (about.name, (about.default)()));
    }
}

/// The same of tasks.
#[test]
fn tasks_are_known_by_their_names() {
    for about in TASKS {
        let json = serde_json::to_value((about.default)()).unwrap();
        assert_eq!(json["name"], about.name);
        let read: TaskConfig = serde_json::from_value(json).unwrap();
        assert_eq!((read.name(), read), (about.name, (about.default)()));
    }
}

fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect()
}

fn weights(network: &Network) -> BTreeMap<String, Vec<u8>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    save_checkpoint(network, file.path(), &[]).unwrap();
    tensors(file.path())
}

/// Checkpoints of public architectures have the tensors' names of torchvision and timm: how many, and
/// the SHA-256 of all, sorted, a line each, without `num_batches_tracked`.
#[test]
fn tensors_have_their_public_names() {
    let cases = [
        (
            r#"{ "name": "vgg11_bn", "width": 1 }"#,
            54,
            "fdfeb8f98ed293abf42070f0c10fd194cc568c195a275bb209fa487500c21546",
        ),
        (
            r#"{ "name": "densenet121", "width": 1 }"#,
            606,
            "01da9529598dc5d013996235bad8dee1af9a561887148f8dc2773a6b6873266f",
        ),
        (
            r#"{ "name": "convnext_tiny", "width": 1 }"#,
            182,
            "819b4674fa7a07ef658b563231ceee660c55b84e064120ea8bf5a94cd140e348",
        ),
        (
            r#"{ "name": "vit_tiny_patch16_224", "width": 3 }"#,
            152,
            "3140050d56e79b9253bdac6fc7242aad3fefd1be35d71e17f5feb5debe98c512",
        ),
    ];
    for (model, count, digest) in cases {
        let model: ModelConfig = serde_json::from_str(model).unwrap();
        let shape = ModelShape {
            input: SIDE_32,
            classes: 10,
        };
        let rng = &mut Stream::new(5).rng();
        let network = Network::new(&model, shape, rng, &cpu()).unwrap();
        let tensors = weights(&network);
        let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        let found = (names.len(), reprsim_base::sha256(names.join("\n")));
        assert_eq!(found, (count, digest.into()), "{names:#?}");
    }
}

/// torchvision's files of dense networks have dots in names of modules (`norm.1`).
#[test]
fn old_names_of_dense_layers_are_known() {
    let model: ModelConfig =
        serde_json::from_str(r#"{ "name": "densenet121", "width": 1 }"#).unwrap();
    let shape = ModelShape {
        input: SIDE_32,
        classes: 4,
    };
    let rng = &mut Stream::new(5).rng();
    let network = Network::new(&model, shape, rng, &cpu()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (ours, old) = (dir.path().join("ours"), dir.path().join("old"));
    save_checkpoint(&network, &ours, &[]).unwrap();
    let bytes = std::fs::read(&ours).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let renamed = file.tensors().into_iter().map(|(name, view)| {
        let Some((block, inner)) = name.split_once(".denselayer") else {
            return (name, view);
        };
        let inner = inner.replace("norm", "norm.").replace("conv", "conv.");
        (format!("{block}.denselayer{inner}"), view)
    });
    std::fs::write(&old, safetensors::serialize(renamed, None).unwrap()).unwrap();
    assert!(tensors(&old).contains_key("features.denseblock4.denselayer16.conv.2.weight"));
    let loaded = load_checkpoint(&old, &model, shape, &cpu()).unwrap();
    assert_eq!(weights(&loaded), weights(&network));
}

/// Images that are too small for what halves them are refused with the least side.
#[test]
fn images_may_be_too_small() {
    let image = |side| SampleShape::Image {
        channels: 3,
        height: side + 3,
        width: side,
    };
    for (model, least) in [
        (r#"{ "name": "vgg" }"#, 32),
        (r#"{ "name": "densenet121" }"#, 29),
        (r#"{ "name": "densenet" }"#, 8),
        (r#"{ "name": "convnext" }"#, 32),
    ] {
        let model: ModelConfig = serde_json::from_str(model).unwrap();
        let error = model.check_input(image(least - 1)).unwrap_err().to_string();
        let told = format!("sides of at least {least}; these are {}x", least + 2);
        assert!(error.contains(&told), "{error}");
        model.check_input(image(least)).unwrap();
        let small = model.with_width(1).unwrap();
        let shape = ModelShape {
            input: image(least),
            classes: 3,
        };
        let rng = &mut Stream::new(5).rng();
        let network = Network::new(&small, shape, rng, &cpu()).unwrap();
        let images = burn::tensor::Tensor::ones([1, 3, least + 3, least], &cpu());
        let layers = network.activations(Input::Images(images)).unwrap().layers;
        assert_eq!(layers.len(), model.layer_names().len());
    }
}

/// The same weights give the same layers on every device, for every architecture.
fn activations_agree_with_the_cpu(device: &Device, tolerance: f64) {
    let task = ShapeTask::new(8);
    for model in architectures() {
        let run = |device: &Device| {
            let samples = task.images(device, &model);
            let shape = ModelShape {
                input: samples.shape(),
                classes: 8,
            };
            let mut weights = Stream::new(5).rng();
            let network = Network::new(&model, shape, &mut weights, device).unwrap();
            let mut layers = extract(&network, &samples, "ids", Pooling::Mean, 8)
                .unwrap()
                .layers;
            // With noise, which an autoencoder adds to its latent vectors.
            let noise = &mut Stream::new(6).rng();
            let pass = &mut Pass::training(reprsim_kernels::Dropout::none(), noise);
            let output = network.output(samples.slice(0..8), pass).unwrap();
            let (name, values) = match output {
                Output::Logits(logits) => ("output", logits),
                Output::Reconstruction(made) => ("output", made.logits.flatten(1, 3)),
                other => panic!("{:?} of images", other.kind()),
            };
            let name = name.into();
            layers.push(LayerActivation { name, values });
            layers
        };
        let layers = run(device);
        let names: Vec<&str> = layers.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names[..names.len() - 1], model.layer_names());
        for (ours, theirs) in layers.into_iter().zip(run(&cpu())) {
            let (ours, name) = (ours.values.into_data(), ours.name);
            let theirs = theirs.values.into_data();
            let largest = theirs.iter::<f64>().fold(0f64, |m, v| m.max(v.abs()));
            for (a, b) in ours.iter::<f64>().zip(theirs.iter::<f64>()) {
                assert!(
                    (a - b).abs() <= tolerance * largest,
                    "{} {name}: {a} is not {b}",
                    model.name()
                );
            }
        }
    }
}

/// What a task learns from is what the last layers are.
#[test]
fn outputs_are_the_last_layers() {
    let (task, device) = (ShapeTask::new(8), cpu());
    for model in architectures() {
        let samples = task.images(&device, &model);
        let shape = ModelShape {
            input: samples.shape(),
            classes: 8,
        };
        let rng = &mut Stream::new(5).rng();
        let network = Network::new(&model, shape, rng, &device).unwrap();
        let layers = extract(&network, &samples, "ids", Pooling::Mean, 8)
            .unwrap()
            .layers;
        let layer = |name: &str| {
            let found = layers.iter().find(|l| l.name == name).unwrap();
            found.values.clone().into_data()
        };
        match network
            .output(samples.slice(0..8), &mut Pass::inference())
            .unwrap()
        {
            Output::Logits(logits) => {
                assert_eq!(logits.into_data(), layer("logits"), "{}", model.name());
            }
            Output::Reconstruction(made) => {
                // Not the log-variance, which is the last layer.
                assert_eq!(made.mu.into_data(), layer("mu"));
                assert_eq!(made.logvar.into_data(), layer("logvar"));
                assert_eq!(made.logits.dims(), [8, 3, 28, 28]);
            }
            other => panic!("{:?} of images", other.kind()),
        }
    }
}

/// Every architecture learns its few samples.
#[test]
fn every_architecture_learns() {
    let task = ShapeTask::new(64);
    let device = cpu();
    for model in architectures() {
        let what = What {
            config: TrainingConfig {
                epochs: Some(30),
                optimizer: OptimizerConfig::Adam {
                    lr: 0.01,
                    weight_decay: 0.0,
                },
                augment: vec![],
                ..training()
            },
            ..What::new(&model)
        };
        let samples = task.images(&device, &model);
        let mut losses = Vec::new();
        task.train(&what, &samples, None, &mut |e| losses.push(e.loss));
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < 0.9 * first, "{}: {first} to {last}", model.name());
    }
}

/// The same training, from the same weights and in the same order, gives the same
/// model within the device's arithmetic.
fn training_agrees_with_the_cpu(device: &Device, tolerance: f64) {
    let task = ShapeTask::new(64);
    for model in [cnn(), mlp(&[8, 6])] {
        let run = |device: &Device| {
            let samples = task.images(device, &model);
            let mut loss = 0.0;
            let network = task.train(&What::new(&model), &samples, None, &mut |e| loss = e.loss);
            let activations = extract(&network, &samples, "ids", Pooling::Mean, 8).unwrap();
            let names: Vec<&str> = activations.layers.iter().map(|l| l.name.as_str()).collect();
            assert_eq!(names, model.layer_names());
            let logits = activations.layers.last().unwrap().values.clone();
            (loss, logits.into_data().iter::<f64>().collect::<Vec<_>>())
        };
        let (loss, logits) = run(device);
        let (loss_cpu, logits_cpu) = run(&cpu());
        // Eight steps apart.
        close(loss, loss_cpu, 10.0 * tolerance, "loss");
        for (a, b) in logits.iter().zip(&logits_cpu) {
            close(*a, *b, 50.0 * tolerance, "logit");
        }
    }
}

/// What was trained on the CPU and read from its file is the same model on every device.
fn checkpoints_return_the_same_model(device: &Device, tolerance: f64) {
    let task = ShapeTask::new(64);
    let dir = tempfile::tempdir().unwrap();
    for model in architectures() {
        let samples = task.images(&cpu(), &model);
        let network = task.train(&What::new(&model), &samples, None, &mut |_| {});
        let path = dir.path().join("model.safetensors");
        save_checkpoint(&network, &path, &[("model", "a")]).unwrap();
        let shape = ModelShape {
            input: samples.shape(),
            classes: 8,
        };
        let loaded = load_checkpoint(&path, &model, shape, device).unwrap();
        // Every parameter and statistic comes back to the last bit.
        assert_eq!(tensors(&path), weights(&loaded), "{}", model.name());
        // Also from the device.
        let again = dir.path().join("again.safetensors");
        save_checkpoint(&loaded, &again, &[("model", "a")]).unwrap();
        assert_eq!(tensors(&path), tensors(&again), "{}", model.name());
        let run = |network, samples| {
            extract(network, samples, "ids", Pooling::Flatten, 64)
                .unwrap()
                .layers
                .into_iter()
                .map(|l| l.values.into_data().iter::<f32>().collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let there = task.images(device, &model);
        let theirs = run(&loaded, &there);
        // An EfficientNet of eight steps, whose running statistics are still far from its maps', enlarges
        // rounding from block to block beyond any bound; with first weights it is compared above.
        if matches!(model, ModelConfig::EfficientNet(_)) {
            continue;
        }
        for (x, y) in run(&network, &samples).iter().zip(theirs) {
            assert_eq!(x.len(), y.len());
            let largest = x.iter().fold(1f32, |m, v| m.max(v.abs()));
            let off = x
                .iter()
                .zip(&y)
                .fold(0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(
                f64::from(off) <= 0.1 * tolerance * f64::from(largest),
                "{}: {off} of {largest}",
                model.name()
            );
        }
        let other = mlp(&[9]);
        assert!(load_checkpoint(&path, &other, shape, device).is_err());
    }
}

/// A file that has more than the architecture has a place for is of another model.
#[test]
fn surplus_tensors_are_named() {
    let (task, device) = (ShapeTask::new(16), cpu());
    let model = mlp(&[8]);
    let samples = task.images(&device, &model);
    let network = task.train(&What::new(&model), &samples, None, &mut |_| {});
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("more.safetensors");
    save_checkpoint(&network, &path, &[]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = file.tensors();
    all.push(("extra.weight".into(), file.tensor("head.bias").unwrap()));
    std::fs::write(&path, safetensors::serialize(all, None).unwrap()).unwrap();
    let shape = ModelShape {
        input: samples.shape(),
        classes: 8,
    };
    let error = load_checkpoint(&path, &model, shape, &device).unwrap_err();
    assert!(error.to_string().contains("'extra.weight'"), "{error}");
}

/// Weights of other types, and names that other programs have wrapped, are read.
#[test]
fn checkpoints_of_other_types_and_wrapped_names_load() {
    let (task, device) = (ShapeTask::new(16), cpu());
    for model in [mlp(&[8]), cnn()] {
        let samples = task.images(&device, &model);
        let network = task.train(&What::new(&model), &samples, None, &mut |_| {});
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ours.safetensors");
        save_checkpoint(&network, &path, &[]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let shape = ModelShape {
            input: samples.shape(),
            classes: 8,
        };
        let answer = |network: &Network| -> Vec<f32> {
            let input = samples.slice(0..16);
            let output = network.output(input, &mut Pass::inference()).unwrap();
            let Output::Logits(logits) = output else {
                panic!()
            };
            logits.into_data().iter::<f32>().collect()
        };
        let expected = answer(&network);
        for (kind, tolerance) in [("F16", 2e-2), ("BF16", 1e-1), ("F64", 1e-6), ("F32", 0.0)] {
            for prefix in ["", "module.", "_orig_mod.module.", "state_dict.", "model."] {
                let written: Vec<(String, Vec<usize>, Vec<u8>)> = (file.tensors().iter())
                    .map(|(name, view)| {
                        let values = (view.data().chunks_exact(4))
                            .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
                        let bytes: Vec<u8> = match kind {
                            "F16" => values
                                .flat_map(|v| half::f16::from_f32(v).to_le_bytes())
                                .collect(),
                            "BF16" => values
                                .flat_map(|v| half::bf16::from_f32(v).to_le_bytes())
                                .collect(),
                            "F64" => values.flat_map(|v| f64::from(v).to_le_bytes()).collect(),
                            _ => view.data().to_vec(),
                        };
                        (format!("{prefix}{name}"), view.shape().to_vec(), bytes)
                    })
                    .collect();
                let kind_of = match kind {
                    "F16" => safetensors::Dtype::F16,
                    "BF16" => safetensors::Dtype::BF16,
                    "F64" => safetensors::Dtype::F64,
                    _ => safetensors::Dtype::F32,
                };
                let views = written.iter().map(|(name, shape, bytes)| {
                    let view = safetensors::tensor::TensorView::new(kind_of, shape.clone(), bytes);
                    (name.clone(), view.unwrap())
                });
                let other = dir.path().join("other.safetensors");
                std::fs::write(&other, safetensors::serialize(views, None).unwrap()).unwrap();
                let loaded = load_checkpoint(&other, &model, shape, &device);
                let loaded = loaded.unwrap_or_else(|e| panic!("{kind} {prefix}: {e}"));
                for (a, b) in answer(&loaded).iter().zip(&expected) {
                    assert!(
                        (a - b).abs() <= tolerance * b.abs().max(1.0),
                        "{kind} {prefix}: {a} {b}"
                    );
                }
            }
        }
        // What is no number is no weight.
        let odd: Vec<(String, Vec<usize>, Vec<u8>)> = (file.tensors().iter())
            .map(|(name, view)| {
                let mut bytes = view.data().to_vec();
                if name.ends_with("weight") {
                    bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
                }
                (name.clone(), view.shape().to_vec(), bytes)
            })
            .collect();
        let views = odd.iter().map(|(name, shape, bytes)| {
            let kind = safetensors::Dtype::F32;
            let view = safetensors::tensor::TensorView::new(kind, shape.clone(), bytes);
            (name.clone(), view.unwrap())
        });
        let other = dir.path().join("odd.safetensors");
        std::fs::write(&other, safetensors::serialize(views, None).unwrap()).unwrap();
        let error = load_checkpoint(&other, &model, shape, &device).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("weight' has values that are no finite"),
            "{error}"
        );
    }
}

/// A model can begin as a checkpoint, with its head or a new one, under other names.
#[test]
fn models_begin_as_a_checkpoint() {
    let (task, device) = (ShapeTask::new(32), cpu());
    let model = cnn();
    let samples = task.images(&device, &model);
    let trained = task.train(&What::new(&model), &samples, None, &mut |_| {});
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("first.safetensors");
    save_checkpoint(&trained, &path, &[]).unwrap();
    // The same file as another program would have it.
    let bytes = std::fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let renamed = file
        .tensors()
        .into_iter()
        .map(|(name, view)| (format!("net.{name}"), view));
    let foreign = dir.path().join("foreign.safetensors");
    std::fs::write(&foreign, safetensors::serialize(renamed, None).unwrap()).unwrap();

    let begin = |head: Head, path: &Path, names: Vec<[String; 2]>, stream: u64| {
        let what = What {
            initial: Initial::Checkpoint(Foreign {
                checkpoint: path.into(),
                content: String::new(),
                names,
                head,
            }),
            stream: Stream::new(stream),
            ..What::new(&model)
        };
        let of = task_of(&model);
        let network = initial_network(&task.job(&what, &of, &samples, None), &device);
        network
            .map(|network| weights(&network))
            .map_err(|e| e.to_string())
    };
    let (whole, is_head) = (weights(&trained), |name: &str| name.starts_with("fc."));
    assert_eq!(begin(Head::File, &path, vec![], 1).unwrap(), whole);
    let fresh = begin(Head::Fresh, &path, vec![], 1).unwrap();
    for (name, values) in &fresh {
        assert_eq!(*values == whole[name], !is_head(name), "{name}");
    }
    // Of two models each has a head of its own.
    let other = begin(Head::Fresh, &path, vec![], 2).unwrap();
    assert_ne!(other["fc.weight"], fresh["fc.weight"]);
    let names = vec![[r"^net\.".to_string(), String::new()]];
    assert_eq!(begin(Head::File, &foreign, names, 1).unwrap(), whole);
    // One thing that all names have before them is left off.
    assert_eq!(begin(Head::File, &foreign, vec![], 1).unwrap(), whole);
    let fresh_of = begin(Head::Fresh, &foreign, vec![], 1).unwrap();
    assert_eq!(fresh_of, fresh, "also without the head");
    let write = |name: &str, rename: &dyn Fn(&str) -> String| {
        let path = dir.path().join(name);
        let renamed = (file.tensors().into_iter()).map(|(name, view)| (rename(&name), view));
        std::fs::write(&path, safetensors::serialize(renamed, None).unwrap()).unwrap();
        path
    };
    let deep = write("deep.safetensors", &|name| format!("a-b.backbone.{name}"));
    assert_eq!(begin(Head::File, &deep, vec![], 1).unwrap(), whole);
    let wrapped = write("wrapped.safetensors", &|name| format!("module.{name}"));
    assert_eq!(begin(Head::Fresh, &wrapped, vec![], 1).unwrap(), fresh);
    // Names that do not fit are told, those that are missing and those that are there, in one line.
    let other = write("other.safetensors", &|name| format!("backbone.x{name}"));
    let error = begin(Head::File, &other, vec![], 1).unwrap_err();
    assert_eq!(error.lines().count(), 1, "{error}");
    for said in [
        "other.safetensors",
        "it lacks",
        ".weight",
        "others (backbone.x",
        "'backbone.' before their names",
        "names = [[",
    ] {
        assert!(error.contains(said), "{said}: {error}");
    }
    let two = write("two.safetensors", &|name| match is_head(name) {
        true => name.to_string(),
        false => format!("body.{name}"),
    });
    assert_eq!(begin(Head::File, &two, vec![], 1).unwrap(), whole);
    let mixed = write("mixed.safetensors", &|name| match is_head(name) {
        true => format!("top.{name}"),
        false => format!("body.{name}"),
    });
    let error = begin(Head::File, &mixed, vec![], 1).unwrap_err();
    assert!(
        error.contains("it lacks") && error.contains("body."),
        "{error}"
    );
}

/// Snapshots that a watcher finds while a training leaves one after each step.
fn watched(path: &Path, train: impl FnOnce()) -> Vec<(u64, Vec<u8>)> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut found: Vec<(u64, Vec<u8>)> = vec![];
            while !done.load(Ordering::Relaxed) {
                // A file is whole or not there: it comes by a rename.
                let Ok(bytes) = std::fs::read(path) else {
                    continue;
                };
                let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
                let head = file.tensor("head").unwrap();
                let head: serde_json::Value = serde_json::from_slice(head.data()).unwrap();
                let step = head["step"].as_u64().unwrap();
                if found.last().is_none_or(|(last, _)| *last < step) {
                    found.push((step, bytes));
                }
            }
            found
        });
        train();
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    })
}

/// Killed in the middle of an epoch and started again, a training of images ends with the
/// same weights to the last bit and the same history: momentum, running statistics,
/// augmentation, latent noise, accumulation, clipping, frozen parts, rates of their own and all.
#[test]
fn a_training_of_images_goes_on_in_mid_epoch_identically() {
    let (task, device) = (ShapeTask::new(160), cpu());
    for (model, frozen) in [(cnn(), false), (vae(), false), (cnn(), true)] {
        let samples = task.images(&device, &model);
        let (freeze, rates) = match frozen {
            false => (vec![], vec![]),
            true => (vec!["conv1..bn1".into()], vec![rate("fc", 3.0)]),
        };
        let what = What {
            config: TrainingConfig {
                freeze,
                rates,
                epochs: Some(3),
                batch: 4,
                accumulate: 2,
                clip: Some(0.5),
                ..What::new(&model).config
            },
            ..What::new(&model)
        };
        let steps_of_epoch = 20;
        let mut history = vec![];
        let whole = task.train(&what, &samples, None, &mut |e| history.push(e.clone()));
        let whole = weights(&whole);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.snapshot");
        let resume = Resume {
            path: &path,
            key: "cell",
            every: Duration::ZERO,
        };
        let snapshots = watched(&path, || {
            let network = task.train(&what, &samples, Some(resume), &mut |_| {});
            assert!(
                weights(&network) == whole,
                "leaving snapshots changes nothing"
            );
        });
        let mid_epoch = snapshots
            .iter()
            .filter(|(step, _)| step % steps_of_epoch != 0);
        let mid_epoch: Vec<_> = mid_epoch.collect();
        assert!(mid_epoch.len() >= 3, "too few snapshots were seen");
        // The first, one in the middle and the last.
        let places = [0, mid_epoch.len() / 2, mid_epoch.len() - 1];
        for (step, bytes) in places.map(|place| mid_epoch[place]) {
            std::fs::write(&path, bytes).unwrap();
            let mut resumed = vec![];
            let network = task.train(&what, &samples, Some(resume), &mut |e| {
                resumed.push(e.clone());
            });
            let same = weights(&network) == whole;
            assert!(same, "{}, step {step}", model.name());
            let timeless = |epochs: &[Epoch]| -> Vec<Epoch> {
                let timeless = epochs.iter().cloned().map(|e| Epoch {
                    samples_per_s: 0.0,
                    ..e
                });
                timeless.collect()
            };
            assert_eq!(timeless(&resumed), timeless(&history));
        }
    }
}

/// Two batches whose gradients make one step are one batch twice as large.
#[test]
fn accumulated_batches_are_one_large_batch() {
    let (task, device) = (ShapeTask::new(64), cpu());
    // Without batch norm, whose statistics are a batch's.
    for model in [mlp(&[8, 6]), vae()] {
        let samples = task.images(&device, &model);
        let run = |batch: usize, accumulate: usize| {
            let what = What {
                config: TrainingConfig {
                    batch,
                    accumulate,
                    augment: vec![],
                    ..What::new(&model).config
                },
                ..What::new(&model)
            };
            let mut losses = vec![];
            task.train(&what, &samples, None, &mut |e| losses.push(e.loss));
            losses
        };
        for (a, b) in run(16, 1).iter().zip(run(8, 2)) {
            close(*a, b, 1e-5, model.name());
        }
    }
}

/// Training that is judged on held-out images keeps the network of the least loss there,
/// and ends when it has not fallen for longer than the patience.
#[test]
fn images_are_judged_while_they_are_learned() {
    let (task, device) = (ShapeTask::new(64), cpu());
    let model = cnn();
    let samples = task.images(&device, &model);
    let what = What {
        config: TrainingConfig {
            epochs: Some(400),
            schedule: ScheduleConfig::Constant,
            optimizer: OptimizerConfig::Sgd {
                lr: 0.5,
                momentum: 0.9,
                weight_decay: 0.0,
            },
            evaluate: Some(reprsim_train::Evaluate {
                every: Some(1),
                samples: 64,
                patience: Some(3),
            }),
            ..training()
        },
        ..What::new(&model)
    };
    let mut history: Vec<Epoch> = vec![];
    let network = task.train(&what, &samples, None, &mut |e| history.push(e.clone()));
    let losses: Vec<f64> = history.iter().map(|e| e.validation_loss.unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let held_out = HeldOut {
        supply: &samples,
        indices: &task.indices,
        labels: &task.labels,
    };
    let of = task_of(&model);
    let kept = reprsim_train::held_out_loss(&network, &of, held_out, 16).unwrap();
    assert!((kept - best).abs() < 1e-6, "{kept} is not {best}");
    assert!(history.len() < 400, "it stopped early");
    let at_best = losses.iter().position(|l| *l == best).unwrap();
    assert_eq!(at_best + 1 + 4, history.len(), "after more than 3 epochs");
    assert!(network.num_params() > 0);
}

#[test]
fn streams_decide_the_weights_and_nothing_else() {
    let task = ShapeTask::new(32);
    let device = cpu();
    let model = cnn();
    let samples = task.images(&device, &model);
    let run = |stream: u64| {
        let what = What {
            stream: Stream::new(stream),
            ..What::new(&model)
        };
        let mut history = Vec::new();
        task.train(&what, &samples, None, &mut |e| {
            history.push((e.loss, e.metrics["accuracy"], e.lr));
        });
        history
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
