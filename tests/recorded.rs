//! Steps that are recorded once and replayed on a GPU (a software one included) do what burn
//! does operation by operation on the CPU.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use reprsim_base::Stream;
use reprsim_data::color_shape_digit::{Settings, generate};
use reprsim_data::{
    Dataset, DatasetSpec, FATHER_BROWN, Filter, Part, Resampling, TEXT, TextSettings, Tokenizer,
    open,
};
use reprsim_extract::{LayerActivation, ProbeActivations, extract, extract_all};
use reprsim_models::{
    CnnSettings, ConvNextSettings, Convention, EfficientNetSettings, GptSettings, MlpSettings,
    MobileNetSettings, ModelConfig, ModelShape, Network, OutputKind, Pooling, ResNetSettings,
    SampleShape, Stem, VaeSettings, VggSettings, VitSettings,
};
use reprsim_train::{
    Augmentation, ClassifySettings, Epoch, Evaluate, HeldOut, Initial, Job, Normalization,
    OptimizerConfig, PartRate, Precision, PredictSettings, ReconstructSettings, Resume,
    ScheduleConfig, Stacks, Supply, TaskConfig, TrainingConfig, TrainingSet, initial_network,
    recorded_step, train,
};

#[path = "common/devices.rs"]
mod devices;

use devices::{cpu, gpu};

/// What is trained, and on what.
struct Case {
    model: ModelConfig,
    task: TaskConfig,
    config: TrainingConfig,
    dataset: Dataset,
    labels: Vec<u32>,
    /// What it is evaluated on, if not on what it learns from.
    held_out: Option<Dataset>,
    /// Bytes of samples that may stay on the device.
    budget: u64,
    /// What models see of the images, if not as they are stored.
    input: Option<Resampling>,
}

fn config() -> TrainingConfig {
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
        augment: vec![],
        fill: vec![],
        freeze: vec![],
        rates: vec![],
        frozen_norms: false,
        recompute: false,
    }
}

fn images(model: ModelConfig) -> Case {
    let dataset = generate(&Settings::default(), Part::Train, 40, 0).unwrap();
    let (labels, _) = dataset.joint_label(&["shape"]).unwrap();
    let mut config = config();
    let task = match model.gives() {
        OutputKind::Reconstruction => {
            config.optimizer = adam();
            TaskConfig::Reconstruct(ReconstructSettings {})
        }
        _ => TaskConfig::Classify(ClassifySettings {
            label_smoothing: 0.1,
        }),
    };
    Case {
        model,
        task,
        config,
        dataset,
        labels,
        held_out: None,
        budget: u64::MAX,
        input: None,
    }
}

fn text() -> Case {
    let cache = tempfile::tempdir().unwrap();
    let spec = DatasetSpec {
        name: TEXT.into(),
        text: Some(TextSettings {
            corpora: vec![FATHER_BROWN.into()],
            tokenizer: Tokenizer::Bytes,
            window: 12,
            chunks: 40,
            field: None,
        }),
        ..DatasetSpec::default()
    };
    let dataset = open(&spec, Part::Train, cache.path()).unwrap();
    Case {
        model: ModelConfig::Gpt(GptSettings {
            width: 12,
            depth: 2,
            heads: 3,
        }),
        task: TaskConfig::Predict(PredictSettings {}),
        config: TrainingConfig {
            epochs: None,
            steps: Some(5),
            batch: 6,
            clip: Some(0.5),
            dropout: 0.2,
            optimizer: OptimizerConfig::AdamW {
                lr: 0.01,
                weight_decay: 0.1,
                beta_2: 0.99,
                decay_vectors: false,
            },
            ..config()
        },
        labels: vec![0; dataset.len()],
        dataset,
        held_out: Some(open(&spec, Part::Validation, cache.path()).unwrap()),
        budget: u64::MAX,
        input: None,
    }
}

fn adam() -> OptimizerConfig {
    OptimizerConfig::Adam {
        lr: 0.01,
        weight_decay: 0.01,
    }
}

impl Case {
    fn with<T>(&self, device: &Device, run: impl FnOnce(&Job<'_>) -> T) -> T {
        let normalization = match (self.model.gives(), &self.task) {
            (OutputKind::TokenLogits, _) => Normalization::none(),
            (OutputKind::Reconstruction, _) => Normalization::identity(3),
            _ => Normalization::of(&self.dataset),
        };
        let supply = |dataset: &Dataset| {
            Supply::new(
                dataset.clone(),
                None,
                normalization.clone(),
                device,
                self.budget,
            )
            .resampled(self.input)
        };
        let evaluated = supply(self.held_out.as_ref().unwrap_or(&self.dataset));
        let supply = supply(&self.dataset);
        let indices: Vec<u32> = (0..self.dataset.len() as u32).collect();
        let all: Vec<u32> = (0..evaluated.len() as u32).collect();
        let held_out = HeldOut {
            supply: &evaluated,
            indices: &all,
            labels: &self.labels,
        };
        run(&Job {
            name: "a",
            model: &self.model,
            initial: &Initial::Random,
            task: &self.task,
            config: &self.config,
            set: TrainingSet {
                supply: &supply,
                indices: &indices,
                labels: &self.labels,
                classes: 8,
                held_out: self.config.evaluate.as_ref().map(|_| held_out),
            },
            stream: &Stream::new(3),
            resume: None,
            stacks: &Stacks::alone(),
            stop: None,
        })
    }

    /// All arrays of the trained model, and its history.
    fn trained(&self, device: &Device) -> (Vec<Vec<f32>>, Vec<Epoch>) {
        self.with(device, |job| {
            let mut history = vec![];
            let network = train(job, device, &mut |epoch| history.push(epoch.clone())).unwrap();
            (arrays(&network), history)
        })
    }

    fn dispatches(&self) -> usize {
        self.with(&cpu(), |job| {
            let step = recorded_step(job).unwrap();
            let step = step.expect("it is recorded").dispatches;
            step.len()
        })
    }
}

fn arrays(network: &Network) -> Vec<Vec<f32>> {
    struct Arrays(Vec<Vec<f32>>);
    impl ModuleVisitor for Arrays {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().into_data().iter::<f32>().collect());
        }
    }
    let mut arrays = Arrays(vec![]);
    network.visit(&mut arrays);
    arrays.0
}

/// Trains on both devices and compares.
fn agrees(case: &Case) {
    let Some(gpu) = gpu() else { return };
    let name = case.model.name();
    println!("{name}: {} dispatches", case.dispatches());
    let (ours, history) = case.trained(&gpu);
    let (theirs, expected) = case.trained(&cpu());
    assert_eq!(history.len(), expected.len());
    for (a, b) in history.iter().zip(&expected) {
        let close = |a: f64, b: f64| (a - b).abs() <= 2e-4 * b.abs().max(1e-3);
        assert!(
            close(a.loss, b.loss),
            "{name}: loss {} is not {}",
            a.loss,
            b.loss
        );
        for (name, b) in &b.metrics {
            assert!(
                (a.metrics[name] - b).abs() < 0.03,
                "{name}: {} is not {b}",
                a.metrics[name]
            );
        }
        match (a.validation_loss, b.validation_loss) {
            (Some(a), Some(b)) => assert!(close(a, b), "{name}: held out {a} is not {b}"),
            (a, b) => assert_eq!(a, b),
        }
    }
    assert_eq!(ours.len(), theirs.len());
    for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len());
        let largest = theirs.iter().fold(0f32, |m, v| m.max(v.abs())).max(1e-3);
        for (a, b) in ours.iter().zip(theirs) {
            assert!(
                (a - b).abs() <= 2e-3 * largest,
                "{name}, array {i}: {a} is not {b}"
            );
        }
    }
    // And the same bits again.
    assert_eq!(ours, case.trained(&gpu).0);
}

/// What two models make of a probe side by side is what each makes of it alone and on the CPU,
/// whether or not batches divide it.
fn extracts(case: &Case, poolings: &[Pooling]) {
    let Some(gpu) = gpu() else { return };
    let made = |device: &Device, pooling, batches: &[usize]| {
        case.with(device, |job| {
            let supply = job
                .set
                .held_out
                .map_or(job.set.supply, |held_out| held_out.supply);
            let shape = ModelShape {
                input: supply.shape(),
                classes: 8,
            };
            let network = |seed| {
                let rng = &mut Stream::new(seed).rng();
                Network::new(job.model, shape, rng, device).unwrap()
            };
            let networks = [network(1), network(2)];
            let mut found = vec![];
            for &batch in batches {
                let both = [&networks[0], &networks[1]];
                let both = extract_all(both, supply, "ids", pooling, batch).unwrap();
                let alone = extract(&networks[1], supply, "ids", pooling, batch).unwrap();
                let values = |probe: &ProbeActivations| -> Vec<(String, [usize; 2], Vec<f32>)> {
                    let layer = |layer: &LayerActivation| {
                        let values = layer.values.clone().into_data().iter::<f32>().collect();
                        (layer.name.clone(), layer.values.dims(), values)
                    };
                    probe.layers.iter().map(layer).collect()
                };
                assert_eq!(values(&both[1]), values(&alone));
                found.push(both.each_ref().map(values));
            }
            found
        })
    };
    for &pooling in poolings {
        let ours = made(&gpu, pooling, &[16, 64]);
        let theirs = made(&cpu(), pooling, &[16]);
        for ours in ours
            .iter()
            .flatten()
            .flatten()
            .zip(theirs[0].iter().flatten().cycle())
        {
            let ((name, shape, ours), (other, expected, theirs)) = ours;
            assert_eq!((name, shape), (other, expected));
            let largest = theirs.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
            for (a, b) in ours.iter().zip(theirs) {
                assert!((a - b).abs() <= 1e-5 * largest, "{name}: {a} is not {b}");
            }
        }
    }
}

#[test]
fn activations_of_images() {
    let cnn = ModelConfig::Cnn(CnnSettings { width: 3 });
    extracts(&images(cnn), &[Pooling::Mean, Pooling::Flatten]);
}

#[test]
fn activations_of_text() {
    let mut case = text();
    case.config.evaluate = Some(Evaluate {
        every: Some(2),
        samples: 40,
        patience: None,
    });
    extracts(&case, &[Pooling::Last, Pooling::Tokens]);
}

#[test]
fn a_perceptron() {
    agrees(&images(ModelConfig::Mlp(MlpSettings {
        hidden: vec![20, 13],
    })));
}

#[test]
fn a_convolutional_network_with_all_that_training_offers() {
    let mut case = images(ModelConfig::Cnn(CnnSettings { width: 3 }));
    agrees(&case);
    case.config.optimizer = adam();
    case.config.clip = Some(0.3);
    case.config.drop_last = false;
    case.config.evaluate = Some(Evaluate {
        every: Some(1),
        samples: 40,
        patience: None,
    });
    agrees(&case);
}

#[test]
fn a_residual_network() {
    agrees(&images(ModelConfig::ResNet(ResNetSettings {
        depth: 18,
        width: 2,
        stem: Stem::Cifar,
    })));
}

#[test]
fn a_residual_network_with_pooling() {
    let mut case = images(ModelConfig::ResNet(ResNetSettings {
        depth: 18,
        width: 1,
        stem: Stem::Stock,
    }));
    case.config.epochs = Some(1);
    agrees(&case);
}

#[test]
fn a_residual_network_of_bottlenecks() {
    let mut case = images(ModelConfig::ResNet(ResNetSettings {
        depth: 50,
        width: 1,
        stem: Stem::Cifar,
    }));
    // One step: fifty layers amplify the rounding of a second one.
    case.config.epochs = Some(1);
    case.config.batch = 40;
    agrees(&case);
}

/// Depthwise convolutions, uneven padding, ReLU6, dropout before the head.
#[test]
fn a_network_of_depthwise_convolutions() {
    let mut case = images(ModelConfig::EfficientNet(EfficientNetSettings {
        width: 4,
        convention: Convention::Tensorflow,
    }));
    // One step, as above.
    case.config.epochs = Some(1);
    case.config.batch = 40;
    case.config.dropout = 0.2;
    agrees(&case);
}

#[test]
fn an_autoencoder() {
    agrees(&images(ModelConfig::Vae(VaeSettings {
        width: 2,
        latent: 3,
    })));
}

#[test]
fn a_vision_transformer() {
    agrees(&images(ModelConfig::Vit(VitSettings {
        width: 8,
        depth: 2,
        heads: 2,
        patch: 7,
    })));
}

/// At the least side that they take.
fn of_32_pixels(model: ModelConfig) -> Case {
    let mut case = images(model);
    let shape = SampleShape::Image {
        channels: 3,
        height: 32,
        width: 32,
    };
    case.dataset = case.dataset.reshaped(shape).unwrap();
    // One step: many layers amplify the rounding of a second one.
    case.config.epochs = Some(1);
    case.config.batch = 40;
    case
}

#[test]
fn a_network_whose_last_maps_are_averaged_over_parts_with_dropout() {
    let mut case = of_32_pixels(ModelConfig::Vgg(VggSettings {
        depth: 11,
        width: 2,
        stem: Stem::Stock,
    }));
    case.config.dropout = 0.3;
    agrees(&case);
}

#[test]
fn a_network_of_depthwise_convolutions_and_perceptrons() {
    agrees(&of_32_pixels(ModelConfig::ConvNext(ConvNextSettings {
        depth: 18,
        width: 8,
    })));
}

#[test]
fn a_language_model_with_dropout() {
    let mut case = text();
    case.config.evaluate = Some(Evaluate {
        every: Some(2),
        samples: 40,
        patience: None,
    });
    agrees(&case);
}

#[test]
fn random_changes_of_images() {
    let mut case = images(ModelConfig::Mlp(MlpSettings { hidden: vec![9] }));
    case.config.augment = vec![
        Augmentation::Flip { p: 0.5 },
        Augmentation::Brightness {
            magnitude: 0.4,
            p: 0.7,
        },
        Augmentation::Contrast {
            magnitude: 0.4,
            p: 1.0,
        },
        Augmentation::Saturation {
            magnitude: 0.6,
            p: 0.8,
        },
        Augmentation::Translate { pixels: 3, p: 0.9 },
        Augmentation::Cutout { side: 7, p: 0.8 },
    ];
    case.config.fill = vec![120.0, 30.0, 200.0];
    agrees(&case);
}

/// A part's arrays as they begin and after training on a device, and its history.
fn begun_and_trained(case: &Case, device: &Device) -> [Vec<(String, Vec<f32>)>; 2] {
    case.with(device, |job| {
        let begun = initial_network(job, &cpu()).unwrap();
        let trained = train(job, device, &mut |_| {}).unwrap();
        [named(&begun), named(&trained)]
    })
}

/// All arrays of a model with their names.
fn named(network: &Network) -> Vec<(String, Vec<f32>)> {
    #[derive(Default)]
    struct Named(Vec<String>, Vec<(String, Vec<f32>)>);
    impl ModuleVisitor for Named {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().into_data().iter::<f32>().collect();
            self.1.push((self.0[1..].join("."), values));
        }
    }
    let mut found = Named::default();
    network.visit(&mut found);
    found.1
}

fn rate(name: &str, times: f64) -> PartRate {
    PartRate {
        name: name.into(),
        times,
    }
}

/// What is frozen is as it was to the last bit on every device, its statistics included, and the
/// rest learns the same on both.
#[test]
fn frozen_parts_stay_as_they_are() {
    let mut resnet = images(ModelConfig::ResNet(ResNetSettings {
        depth: 18,
        width: 2,
        stem: Stem::Cifar,
    }));
    resnet.config.epochs = Some(1);
    resnet.config.freeze = vec![
        "conv1..layer1".into(),
        "layer3.1.conv2".into(),
        "fc.bias".into(),
    ];
    let mut cnn = images(ModelConfig::Cnn(CnnSettings { width: 3 }));
    cnn.config.freeze = vec!["bn1..bn2".into()];
    (cnn.config.optimizer, cnn.config.clip) = (adam(), Some(0.3));
    let of_resnet = ["conv1.", "bn1.", "layer1.", "layer3.1.conv2.", "fc.bias"];
    let of_cnn = ["bn1.", "conv2.", "bn2."];
    for (case, parts) in [(resnet, &of_resnet[..]), (cnn, &of_cnn)] {
        for device in [Some(cpu()), gpu()].into_iter().flatten() {
            let [begun, trained] = begun_and_trained(&case, &device);
            for ((name, before), (_, after)) in begun.iter().zip(&trained) {
                let is_frozen = parts.iter().any(|part| name.starts_with(part));
                assert_eq!(before == after, is_frozen, "{name}");
            }
        }
        agrees(&case);
    }
}

/// Norms that keep their statistics do so on every device; their scales and shifts learn.
#[test]
fn norms_that_keep_their_statistics() {
    let mut case = images(ModelConfig::Cnn(CnnSettings { width: 3 }));
    case.config.frozen_norms = true;
    for device in [Some(cpu()), gpu()].into_iter().flatten() {
        let [begun, trained] = begun_and_trained(&case, &device);
        for ((name, before), (_, after)) in begun.iter().zip(&trained) {
            assert_eq!(before == after, name.contains(".running_"), "{name}");
        }
    }
    agrees(&case);
}

/// Parts learn at multiples of the learning rate; a multiple of 1 changes no bit.
#[test]
fn parts_with_rates_of_their_own() {
    let mut case = images(ModelConfig::Cnn(CnnSettings { width: 3 }));
    let devices: Vec<Device> = [Some(cpu()), gpu()].into_iter().flatten().collect();
    for optimizer in [case.config.optimizer.clone(), adam()] {
        case.config.optimizer = optimizer;
        case.config.rates = vec![];
        let plain: Vec<_> = devices
            .iter()
            .map(|device| case.trained(device).0)
            .collect();
        case.config.rates = vec![rate("conv1..fc", 1.0)];
        for (device, plain) in devices.iter().zip(&plain) {
            assert_eq!(&case.trained(device).0, plain);
        }
        // The last that names a part holds.
        case.config.rates = vec![rate("conv1..fc", 0.5), rate("fc", 10.0), rate("bn2", 1.0)];
        agrees(&case);
    }
    // Of one step without momentum or decay, a change is that of the rate.
    case.config.optimizer = OptimizerConfig::Sgd {
        lr: 0.01,
        momentum: 0.0,
        weight_decay: 0.0,
    };
    (case.config.epochs, case.config.batch) = (Some(1), 40);
    case.config.schedule = ScheduleConfig::Constant;
    for device in devices {
        case.config.rates = vec![];
        let [begun, plain] = begun_and_trained(&case, &device);
        case.config.rates = vec![rate("fc", 10.0), rate("conv2", 0.5)];
        let [_, changed] = begun_and_trained(&case, &device);
        for (((name, begun), (_, plain)), (_, changed)) in begun.iter().zip(&plain).zip(&changed) {
            let times = match name.split('.').next() {
                Some("fc") => 10.0,
                Some("conv2") => 0.5,
                _ => 1.0,
            };
            for ((begun, plain), changed) in begun.iter().zip(plain).zip(changed) {
                let expected = begun + times * (plain - begun);
                let close = (changed - expected).abs() <= 1e-5 * begun.abs().max(0.1);
                assert!(close, "{name}: {changed} is not {expected}");
            }
        }
    }
}

/// Images that do not fit the device's budget are sent with each step: the same bits.
#[test]
fn images_that_do_not_fit_are_fed() {
    let Some(gpu) = gpu() else { return };
    let mut case = images(ModelConfig::Cnn(CnnSettings { width: 2 }));
    case.config.augment = vec![Augmentation::Translate { pixels: 3, p: 0.9 }];
    case.config.evaluate = Some(Evaluate {
        every: Some(1),
        samples: 40,
        patience: None,
    });
    let lines = |history: Vec<Epoch>| -> Vec<_> {
        let line = |epoch: Epoch| (epoch.loss.to_bits(), epoch.validation_loss);
        history.into_iter().map(line).collect()
    };
    let (resident, expected) = case.trained(&gpu);
    case.budget = 1000;
    let (fed, history) = case.trained(&gpu);
    assert_eq!(fed, resident);
    assert_eq!(lines(history), lines(expected));
    extracts(&case, &[Pooling::Mean]);
}

/// Images that models see at another size than they are stored at: resampled in the step, after the
/// random changes, whether they are resident or sent.
#[test]
fn images_of_another_size() {
    let Some(gpu) = gpu() else { return };
    let mut case = images(ModelConfig::Mlp(MlpSettings { hidden: vec![9] }));
    case.config.augment = vec![Augmentation::Translate { pixels: 3, p: 0.9 }];
    case.config.evaluate = Some(Evaluate {
        every: Some(1),
        samples: 40,
        patience: None,
    });
    for (size, resize, filter) in [(41, 45, Filter::Bicubic), (20, 23, Filter::Bilinear)] {
        case.input = Some(Resampling {
            size,
            resize: Some(resize),
            filter,
        });
        agrees(&case);
    }
    extracts(&case, &[Pooling::Mean]);
    let (resident, _) = case.trained(&gpu);
    case.budget = 1000;
    assert_eq!(case.trained(&gpu).0, resident);
    extracts(&case, &[Pooling::Mean]);
    case.budget = u64::MAX;
    case.model = ModelConfig::Cnn(CnnSettings { width: 2 });
    agrees(&case);
    // An autoencoder learns to give again what it sees.
    let vae = VaeSettings {
        width: 2,
        latent: 3,
    };
    let input = Some(Resampling {
        size: 16,
        resize: None,
        filter: Filter::Bicubic,
    });
    agrees(&Case {
        input,
        ..images(ModelConfig::Vae(vae))
    });
}

/// Products of 16 bits train nearly as well; a loss whose scaled gradients overflow is scaled less
/// until they do not.
#[test]
fn sixteen_bits() {
    let Some(gpu) = gpu() else { return };
    let cnn = ModelConfig::Cnn(CnnSettings { width: 3 });
    let vae = ModelConfig::Vae(VaeSettings {
        width: 2,
        latent: 3,
    });
    for (model, epochs) in [(cnn, 4), (vae, 8)] {
        let mut case = images(model);
        case.config.epochs = Some(epochs);
        let last = |history: &[Epoch]| history.last().unwrap().loss;
        let (whole, history) = case.trained(&gpu);
        let loss = last(&history);
        for precision in [Precision::Bf16, Precision::F16] {
            case.config.precision = precision;
            let (rounded, history) = case.trained(&gpu);
            println!(
                "{} {precision:?}: {} {loss}",
                case.model.name(),
                last(&history)
            );
            assert!(rounded != whole, "they are rounded");
            assert!(rounded.iter().flatten().all(|value| value.is_finite()));
            assert!(last(&history) < history[0].loss, "it learns");
            // An autoencoder's loss is a sum over pixels: its first steps overflow, see below.
            let lost = (case.model.gives(), precision);
            if lost != (OutputKind::Reconstruction, Precision::F16) {
                assert!((last(&history) - loss).abs() < 0.01 * loss);
            }
        }
    }
}

/// Of a loss that is far too large for 16 bits when it is scaled, steps are left out, and the scale
/// falls; a snapshot keeps it.
#[test]
fn an_overflow_is_recovered_from() {
    let Some(gpu) = gpu() else { return };
    let mut case = images(ModelConfig::Vae(VaeSettings {
        width: 2,
        latent: 3,
    }));
    case.config.precision = Precision::F16;
    case.config.epochs = Some(8);
    case.config.schedule = ScheduleConfig::Constant;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    let scales = case.with(&gpu, |job| {
        let job = Job {
            resume: Some(Resume {
                path: &path,
                key: "a",
                every: std::time::Duration::ZERO,
            }),
            ..*job
        };
        let mut scales = vec![];
        train(&job, &gpu, &mut |_| {
            let bytes = std::fs::read(&path).unwrap();
            let parts = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let states = parts.tensor("states").unwrap().data().to_vec();
            // The scale and its count are the last two states, each on a border of four values.
            let values: Vec<f32> = (states.chunks_exact(4))
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect();
            scales.push(values[values.len() - 8]);
        })
        .unwrap();
        scales
    });
    println!("scales: {scales:?}");
    assert!(scales.last().unwrap() < &65536.0, "it overflowed at first");
    assert!(scales.windows(2).all(|pair| pair[1] <= pair[0]));
    let [.., before, last] = scales[..] else {
        return;
    };
    assert!(before == last && last > 1.0, "and then no longer");
}

/// Where nothing is replayed nothing is rounded: that is said instead.
#[test]
fn the_processor_does_not_round() {
    let mut case = images(ModelConfig::Mlp(MlpSettings { hidden: vec![4] }));
    case.config.precision = Precision::F16;
    let error = case.with(&cpu(), |job| train(job, &cpu(), &mut |_| ()).unwrap_err());
    assert!(error.to_string().contains("--device wgpu"), "{error}");
}

/// What is not recorded is left to burn.
#[test]
fn accumulated_gradients_are_not_recorded() {
    let mut case = images(ModelConfig::Mlp(MlpSettings { hidden: vec![4] }));
    let is_recorded = |case: &Case| case.with(&cpu(), |job| recorded_step(job).unwrap().is_some());
    assert!(is_recorded(&case));
    case.config.accumulate = 2;
    assert!(!is_recorded(&case));
}

/// A training that was stopped goes on with the same bits.
#[test]
fn a_stopped_training_goes_on() {
    let Some(gpu) = gpu() else { return };
    let mut case = images(ModelConfig::Cnn(CnnSettings { width: 2 }));
    case.config.epochs = Some(3);
    case.config.optimizer = adam();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    let whole = case.trained(&gpu).0;
    let resume = Resume {
        path: &path,
        key: "a",
        every: std::time::Duration::ZERO,
    };
    // Stopped by a panic in the second epoch, after a snapshot of each step.
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        case.with(&gpu, |job| {
            let job = Job {
                resume: Some(resume),
                ..*job
            };
            train(&job, &gpu, &mut |epoch| assert!(epoch.epoch < 2, "stopped")).unwrap();
        });
    }));
    assert!(stopped.is_err());
    let bytes = std::fs::read(&path).unwrap();
    let parts = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(
        parts.names().contains(&"moments"),
        "it was replayed, not left to burn"
    );
    let (gone_on, lines) = case.with(&gpu, |job| {
        let job = Job {
            resume: Some(resume),
            ..*job
        };
        let mut lines = 0;
        let network = train(&job, &gpu, &mut |_| lines += 1).unwrap();
        (arrays(&network), lines)
    });
    assert_eq!(lines, 3);
    assert_eq!(gone_on, whole);
}

/// Launches of a step at the sizes that are trained.
#[test]
fn a_step_is_few_dispatches() {
    let of = |model: ModelConfig, most: usize| {
        let mut case = match model.gives() {
            OutputKind::TokenLogits => text(),
            _ => images(model.clone()),
        };
        case.config.batch = 32;
        case.model = model;
        let count = case.dispatches();
        println!("{}: {count} dispatches", case.model.name());
        assert!(count <= most, "{}: {count} dispatches", case.model.name());
    };
    of(ModelConfig::Mlp(MlpSettings::default()), 16);
    of(ModelConfig::Cnn(CnnSettings::default()), 30);
    of(ModelConfig::ResNet(ResNetSettings::default()), 170);
    of(ModelConfig::MobileNet(MobileNetSettings::default()), 400);
    let gpt = GptSettings {
        width: 128,
        depth: 4,
        heads: 4,
    };
    of(ModelConfig::Gpt(gpt), 90);
}
