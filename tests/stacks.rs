//! Models that train side by side on a GPU (a software one included) end as they do alone, to the
//! last bit, however many there are.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use reprsim_base::Stream;
use reprsim_data::color_shape_digit::{Settings, generate};
use reprsim_data::{Dataset, DatasetSpec, FATHER_BROWN, Part, TEXT, TextSettings, Tokenizer, open};
use reprsim_models::{
    CnnSettings, GptSettings, MlpSettings, ModelConfig, OutputKind, ResNetSettings, Stem,
    VaeSettings,
};
use reprsim_train::{
    ClassifySettings, Epoch, Evaluate, HeldOut, Initial, Job, Normalization, OptimizerConfig,
    Precision, PredictSettings, ReconstructSettings, Resume, ScheduleConfig, Stacks, Supply,
    TaskConfig, TrainError, TrainingConfig, TrainingSet, save_checkpoint, train,
};

mod common;
#[path = "common/devices.rs"]
mod devices;

use common::{experiment, reprsim, stderr};
use devices::gpu;

/// Models that differ in what they learn from, in what order, and from where they begin.
struct Models {
    model: ModelConfig,
    task: TaskConfig,
    config: TrainingConfig,
    samples: Supply,
    labels: Vec<u32>,
    held_out: Supply,
}

/// How one of them is to be trained.
#[derive(Clone, Copy, Default)]
struct How<'a> {
    /// Where it leaves snapshots after every step.
    snapshots: Option<&'a Path>,
    /// Whether it is to be stopped, by a panic, at its second report.
    stopped: bool,
    /// Whether its learning rate is out of all proportion.
    diverges: bool,
}

/// A model's checkpoint as a file, byte for byte, and its history but for its speed.
#[derive(Clone, PartialEq)]
struct Trained {
    checkpoint: Vec<u8>,
    history: Vec<Epoch>,
}

impl Models {
    fn images(model: ModelConfig, device: &Device) -> Self {
        let dataset = generate(&Settings::default(), Part::Train, 48, 0).unwrap();
        let (labels, _) = dataset.joint_label(&["shape"]).unwrap();
        let (task, normalization) = match model.gives() {
            OutputKind::Reconstruction => (
                TaskConfig::Reconstruct(ReconstructSettings {}),
                Normalization::identity(3),
            ),
            _ => (
                TaskConfig::Classify(ClassifySettings {
                    label_smoothing: 0.1,
                }),
                Normalization::of(&dataset),
            ),
        };
        let supply = |data: &Dataset| {
            Supply::new(data.clone(), None, normalization.clone(), device, u64::MAX)
        };
        Self {
            model,
            task,
            config: TrainingConfig {
                epochs: Some(2),
                steps: None,
                batch: 8,
                drop_last: true,
                accumulate: 1,
                clip: Some(1.0),
                optimizer: OptimizerConfig::Adam {
                    lr: 0.01,
                    weight_decay: 0.01,
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
            },
            samples: supply(&dataset),
            held_out: supply(&dataset),
            labels,
        }
    }

    fn text(device: &Device) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let spec = DatasetSpec {
            name: TEXT.into(),
            text: Some(TextSettings {
                corpora: vec![FATHER_BROWN.into()],
                tokenizer: Tokenizer::Bytes,
                window: 8,
                chunks: 48,
                field: None,
            }),
            ..DatasetSpec::default()
        };
        let supply = |part| {
            let dataset = open(&spec, part, cache.path()).unwrap();
            Supply::new(dataset, None, Normalization::none(), device, u64::MAX)
        };
        let mlp = ModelConfig::Mlp(MlpSettings { hidden: vec![] });
        Self {
            model: ModelConfig::Gpt(GptSettings {
                width: 8,
                depth: 1,
                heads: 2,
            }),
            task: TaskConfig::Predict(PredictSettings {}),
            config: TrainingConfig {
                epochs: None,
                steps: Some(4),
                batch: 4,
                dropout: 0.2,
                evaluate: Some(Evaluate {
                    every: Some(2),
                    samples: 8,
                    patience: None,
                }),
                ..Self::images(mlp, device).config
            },
            samples: supply(Part::Train),
            held_out: supply(Part::Validation),
            labels: vec![0; 48],
        }
    }

    /// Trains model `number`.
    fn train(&self, number: usize, stacks: &Stacks, how: How<'_>) -> Result<Trained, TrainError> {
        // Each learns from half of the samples, and is judged by as many as its number allows.
        let indices: Vec<u32> = (0..24).map(|i| (2 * i + number as u32 % 2) % 48).collect();
        let labels: Vec<u32> = indices.iter().map(|&i| self.labels[i as usize]).collect();
        let judging: Vec<u32> = (0..8 + number as u32 % 3).collect();
        let judged: Vec<u32> = judging.iter().map(|&i| self.labels[i as usize]).collect();
        let mut config = self.config.clone();
        if how.diverges {
            config.optimizer = OptimizerConfig::Adam {
                lr: 1e30,
                weight_decay: 0.01,
            };
        }
        let mut history: Vec<Epoch> = vec![];
        let network = train(
            &Job {
                name: "a",
                model: &self.model,
                initial: &Initial::Random,
                task: &self.task,
                config: &config,
                set: TrainingSet {
                    supply: &self.samples,
                    indices: &indices,
                    labels: &labels,
                    classes: 8,
                    held_out: config.evaluate.as_ref().map(|_| HeldOut {
                        supply: &self.held_out,
                        indices: &judging,
                        labels: &judged,
                    }),
                },
                stream: &Stream::new(number as u64),
                resume: how.snapshots.map(|path| Resume {
                    path,
                    key: "a",
                    every: Duration::ZERO,
                }),
                stacks,
                stop: None,
            },
            self.samples.device(),
            &mut |epoch| {
                assert!(!how.stopped || epoch.epoch < 2, "stopped");
                history.push(Epoch {
                    samples_per_s: 0.0,
                    tokens_per_s: None,
                    ..epoch.clone()
                });
            },
        )?;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        save_checkpoint(&network, &file, &[]).unwrap();
        Ok(Trained {
            checkpoint: std::fs::read(file).unwrap(),
            history,
        })
    }

    /// Trains some of them at once, at most `size` side by side.
    fn together(
        &self,
        count: usize,
        size: usize,
        how: impl Fn(usize) -> How<'static> + Sync,
    ) -> (Vec<Result<Trained, TrainError>>, f64) {
        let stacks = Stacks::new(size, u64::MAX);
        let found = std::thread::scope(|scope| {
            let (stacks, how) = (&stacks, &how);
            let threads: Vec<_> = (0..count)
                .map(|number| scope.spawn(move || self.train(number, stacks, how(number))))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        (found, stacks.launches_a_step().unwrap())
    }

    /// Stacks of all sizes give what each model gives alone.
    fn check(&self, sizes: &[usize]) {
        let most = sizes.iter().copied().max().unwrap();
        let (alone, one) = self.together(most, 1, |_| How::default());
        let alone: Vec<Trained> = alone.into_iter().map(Result::unwrap).collect();
        assert!(alone[0] != alone[1], "models differ");
        for &size in sizes {
            let (found, launches) = self.together(size, size, |_| How::default());
            for (number, found) in found.into_iter().enumerate() {
                assert!(found.unwrap() == alone[number], "model {number} of {size}");
            }
            println!(
                "{size} of {}: {launches:.1} launches a step instead of {one:.1}",
                self.model.name(),
            );
            // How many are shared depends on how threads are scheduled; that they are is tested with
            // steps at hand (`tests/graph.rs`).
        }
    }
}

const SIZES: [usize; 4] = [1, 2, 7, 16];

#[test]
fn perceptrons() {
    let Some(gpu) = gpu() else { return };
    let model = ModelConfig::Mlp(MlpSettings {
        hidden: vec![12, 7],
    });
    Models::images(model, &gpu).check(&SIZES);
}

#[test]
fn convolutional_networks() {
    let Some(gpu) = gpu() else { return };
    let mut models = Models::images(ModelConfig::Cnn(CnnSettings { width: 2 }), &gpu);
    models.config.evaluate = Some(Evaluate {
        every: Some(1),
        samples: 8,
        patience: None,
    });
    models.check(&SIZES);
}

#[test]
fn residual_networks() {
    let Some(gpu) = gpu() else { return };
    let model = ModelConfig::ResNet(ResNetSettings {
        depth: 18,
        width: 1,
        stem: Stem::Stock,
    });
    let mut models = Models::images(model, &gpu);
    models.config.epochs = Some(1);
    models.check(&SIZES);
}

#[test]
fn autoencoders() {
    let Some(gpu) = gpu() else { return };
    let model = ModelConfig::Vae(VaeSettings {
        width: 1,
        latent: 3,
    });
    let mut models = Models::images(model, &gpu);
    models.config.epochs = Some(1);
    models.check(&SIZES);
}

#[test]
fn language_models() {
    let Some(gpu) = gpu() else { return };
    Models::text(&gpu).check(&SIZES);
}

/// One that stops early, one that diverges, and more models than places: nobody else notices.
#[test]
fn what_ends_early_makes_room_and_disturbs_nobody() {
    let Some(gpu) = gpu() else { return };
    let model = ModelConfig::Mlp(MlpSettings { hidden: vec![9] });
    let mut models = Models::images(model, &gpu);
    models.config.epochs = Some(12);
    models.config.optimizer = OptimizerConfig::Sgd {
        lr: 0.3,
        momentum: 0.9,
        weight_decay: 0.0,
    };
    models.config.evaluate = Some(Evaluate {
        every: Some(1),
        samples: 8,
        patience: Some(2),
    });
    let how = |number: usize| How {
        diverges: number == 3,
        ..How::default()
    };
    let (alone, _) = models.together(8, 1, how);
    let (found, _) = models.together(8, 4, how);
    let mut lengths = vec![];
    for (number, (alone, found)) in alone.into_iter().zip(found).enumerate() {
        match (alone, found) {
            (Ok(alone), Ok(found)) => {
                assert!(alone == found, "model {number}");
                lengths.push(alone.history.len());
            }
            (alone, found) => {
                assert_eq!(number, 3);
                for ended in [alone, found] {
                    assert!(matches!(ended, Err(TrainError::NonFiniteLoss { .. })));
                }
            }
        }
    }
    println!("epochs: {lengths:?}");
    assert_eq!(lengths.len(), 7);
    assert!(lengths.iter().any(|&n| n < 12) && lengths.iter().min() != lengths.iter().max());
}

/// Stopped in a stack of one size, gone on with in one of another.
#[test]
fn a_stopped_model_goes_on_in_another_stack() {
    let Some(gpu) = gpu() else { return };
    let mut models = Models::images(ModelConfig::Cnn(CnnSettings { width: 2 }), &gpu);
    models.config.epochs = Some(3);
    let (alone, _) = models.together(3, 1, |_| How::default());
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..3).map(|i| folder.path().join(format!("{i}"))).collect();
    let at_once = |size: usize, stopped: bool| -> Vec<Option<Trained>> {
        let stacks = &Stacks::new(size, u64::MAX);
        let (models, paths) = (&models, &paths);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|number| {
                    let how = How {
                        snapshots: Some(&paths[number]),
                        stopped: stopped && number != 1,
                        ..How::default()
                    };
                    scope.spawn(move || models.train(number, stacks, how).unwrap())
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().ok())
                .collect()
        })
    };
    let stopped = at_once(3, true);
    let ended = |found: &[Option<Trained>]| found.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(ended(&stopped), [false, true, false]);
    let gone_on = at_once(2, false);
    assert_eq!(ended(&gone_on), [true; 3]);
    for (number, (alone, gone_on)) in alone.into_iter().zip(gone_on).enumerate() {
        assert!(alone.unwrap() == gone_on.unwrap(), "model {number}");
    }
    let bytes = std::fs::read(&paths[0]).unwrap();
    let parts = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(parts.names().contains(&"moments"), "they were replayed");
}

/// Cells whose models are judged while they are trained, by as many samples as they know classes of.
const SWEEP: &str = r#"
name = "sweep"
seeds = 1

[dataset]
name = "color-shape-digit"
factor_classes = 4
label = ["digit"]
train_samples = 200
train_per_model = 64

[model]
name = "mlp"
hidden = [9]

[training]
epochs = 30
batch = 16
optimizer = { name = "adam", lr = 0.003 }
schedule = { name = "triangular", peak = 0.5 }
evaluate = { samples = 16, patience = 5 }

[[axis]]
kind = "data"
levels = [0, 0.5, 1]

[[axis]]
kind = "class"
levels = [0, 1]

[[probe]]
name = "test"
samples = 40

[analysis]
measures = ["cka_linear_debiased", "mutual_knn"]
permutations = 19
primary = { measure = "cka_linear_debiased", probe = "test", layer = "penultimate" }
"#;

/// All files of a run's cells but locks and histories, whose speeds differ, by name.
fn cells(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for cell in std::fs::read_dir(run.join("cells")).unwrap().flatten() {
        for file in std::fs::read_dir(cell.path()).unwrap().flatten() {
            let path = file.path();
            let name = path.strip_prefix(run).unwrap().to_path_buf();
            if !name.ends_with("cell.lock") && !name.ends_with("snapshot") {
                // One that is written right now may be gone.
                found.insert(name, std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    found.retain(|name, _| name.extension().is_none_or(|end| end != "jsonl"));
    found
}

/// A sweep ends with the same bytes in stacks of any size, on one device or two, killed and gone
/// on with or not.
#[test]
fn a_sweep_is_the_same_in_any_stack() {
    if gpu().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), SWEEP);
    let command = |out: &Path, more: &[&str]| {
        let mut command = reprsim();
        command
            .arg("run")
            .arg(&file)
            .arg("--out")
            .arg(out)
            .args(more);
        command.stdout(Stdio::null());
        command
    };
    let whole = |name: &str, more: &[&str]| {
        let out = dir.path().join(name);
        let output = command(&out, more).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    whole(
        "alone",
        &["--device", "wgpu", "--stack", "1", "--jobs", "1"],
    );
    let expected = cells(&dir.path().join("alone"));
    assert!(expected.keys().any(|name| name.ends_with("b.safetensors")));

    let killed = dir.path().join("killed");
    for most in [1, 5] {
        let stack = ["--device", "wgpu", "--stack", "6"];
        let mut child = command(&killed, &stack)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let ended = |name: &PathBuf| name.extension().is_some_and(|end| end == "safetensors");
        let count = || match killed.join("cells").exists() {
            true => cells(&killed).keys().filter(|name| ended(name)).count(),
            false => 0,
        };
        while count() < most && begin.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        assert!((most..10).contains(&count()), "killed in the middle");
    }
    whole(
        "killed",
        &["--device", "wgpu", "--stack", "3", "--jobs", "5"],
    );
    whole("two", &["--device", "wgpu:0,wgpu:0", "--stack", "2"]);
    for name in ["killed", "two"] {
        let found = cells(&dir.path().join(name));
        assert!(found.keys().eq(expected.keys()), "{name}");
        for (file, bytes) in &expected {
            assert!(found[file] == *bytes, "{name}: {}", file.display());
        }
        let results = |run: &str| std::fs::read(dir.path().join(run).join("results.csv")).unwrap();
        assert_eq!(results(name), results("alone"));
    }
}
