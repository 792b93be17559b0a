//! Language models on every device: layers, dropout, training, and going on after a crash.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use reprsim_base::Stream;
use reprsim_data::{Dataset, DatasetSpec, FATHER_BROWN, Part, TEXT, TextSettings, Tokenizer, open};
use reprsim_extract::extract;
use reprsim_kernels::Dropout;
use reprsim_models::{GptSettings, ModelConfig, ModelShape, Network, Pooling};
use reprsim_train::{
    Epoch, Evaluate, HeldOut, Initial, Job, Normalization, OptimizerConfig, Precision,
    PredictSettings, Resume, ScheduleConfig, Stacks, Supply, TaskConfig, TrainingConfig,
    TrainingSet, held_out_loss, load_checkpoint, save_checkpoint, train,
};

#[macro_use]
#[path = "common/devices.rs"]
mod devices;

use devices::cpu;

on_every_device!(
    layers_agree_with_the_cpu,
    dropout_is_the_same_everywhere,
    training_agrees_with_the_cpu,
);

const MODEL: ModelConfig = ModelConfig::Gpt(GptSettings {
    width: 16,
    depth: 2,
    heads: 2,
});
const TASK: TaskConfig = TaskConfig::Predict(PredictSettings {});

/// The built-in text, byte by byte in short windows.
struct Text {
    train: Dataset,
    validation: Dataset,
}

impl Text {
    fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let spec = DatasetSpec {
            name: TEXT.into(),
            text: Some(TextSettings {
                corpora: vec![FATHER_BROWN.into()],
                tokenizer: Tokenizer::Bytes,
                window: 12,
                chunks: 10,
                field: None,
            }),
            ..DatasetSpec::default()
        };
        Self {
            train: open(&spec, Part::Train, cache.path()).unwrap(),
            validation: open(&spec, Part::Validation, cache.path()).unwrap(),
        }
    }

    fn supply(&self, dataset: &Dataset, indices: Option<Vec<u32>>, device: &Device) -> Supply {
        let none = Normalization::none();
        Supply::new(dataset.clone(), indices, none, device, u64::MAX)
    }

    fn windows(&self, device: &Device) -> Supply {
        self.supply(&self.validation, Some((0..9).collect()), device)
    }

    fn train(
        &self,
        config: &TrainingConfig,
        device: &Device,
        resume: Option<Resume<'_>>,
        on_epoch: &mut dyn FnMut(&Epoch),
    ) -> Network {
        let (chunks, validation) = (self.supply(&self.train, None, device), self.windows(device));
        let all: Vec<u32> = (0..validation.len() as u32).collect();
        let job = Job {
            name: "a",
            model: &MODEL,
            initial: &Initial::Random,
            task: &TASK,
            config,
            set: TrainingSet {
                supply: &chunks,
                indices: &[1, 4, 7],
                labels: &[0, 0, 0],
                classes: 0,
                held_out: Some(HeldOut {
                    supply: &validation,
                    indices: &all,
                    labels: &[],
                }),
            },
            stream: &Stream::new(3),
            resume,
            stacks: &Stacks::alone(),
            stop: None,
        };
        train(&job, device, on_epoch).unwrap().to_device(device)
    }

    fn loss(&self, network: &Network, device: &Device) -> f64 {
        let validation = self.windows(device);
        let all: Vec<u32> = (0..validation.len() as u32).collect();
        let held_out = HeldOut {
            supply: &validation,
            indices: &all,
            labels: &[],
        };
        held_out_loss(network, &TASK, held_out, 4).unwrap()
    }
}

fn language(steps: usize) -> TrainingConfig {
    TrainingConfig {
        epochs: None,
        steps: Some(steps),
        batch: 4,
        drop_last: true,
        accumulate: 2,
        clip: Some(0.5),
        optimizer: OptimizerConfig::AdamW {
            lr: 0.01,
            weight_decay: 0.1,
            beta_2: 0.95,
            decay_vectors: false,
        },
        schedule: ScheduleConfig::Cosine {
            warmup: 0.1,
            floor: 0.1,
        },
        dropout: 0.1,
        evaluate: Some(Evaluate {
            every: Some(2),
            samples: 9,
            patience: None,
        }),
        precision: Precision::F32,
        augment: vec![],
        fill: vec![],
        freeze: vec![],
        rates: vec![],
        frozen_norms: false,
        recompute: false,
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn network(text: &Text, device: &Device) -> Network {
    let shape = ModelShape {
        input: text.windows(device).shape(),
        classes: 0,
    };
    Network::new(&MODEL, shape, &mut Stream::new(5).rng(), device).unwrap()
}

/// The same weights give the same layers on every device, however positions are pooled.
fn layers_agree_with_the_cpu(device: &Device, tolerance: f64) {
    let text = Text::new();
    for pooling in [Pooling::Mean, Pooling::Last, Pooling::Tokens] {
        let run = |device: &Device| {
            let windows = text.windows(device);
            let network = network(&text, device);
            extract(&network, &windows, "ids", pooling, 4)
                .unwrap()
                .layers
        };
        let layers = run(device);
        let names: Vec<&str> = layers.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["embedding", "block1", "block2", "final_norm"]);
        for (ours, theirs) in layers.into_iter().zip(run(&cpu())) {
            let rows = if pooling == Pooling::Tokens {
                9 * 12
            } else {
                9
            };
            assert_eq!(ours.values.dims(), [rows, 16]);
            let (ours, theirs) = (values(ours.values), values(theirs.values));
            let largest = theirs.iter().fold(0f64, |m, v| m.max(v.abs()));
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs() <= tolerance * largest, "{a} is not {b}");
            }
        }
    }
}

/// Masks are named by the pass and by the place, not drawn from a device's state.
fn dropout_is_the_same_everywhere(device: &Device, tolerance: f64) {
    let pass = |device: &Device, seed| {
        let dropout = &mut Dropout::new(0.3, seed);
        let ones = || Tensor::<3>::ones([5, 40, 50], device);
        [values(dropout.apply(ones())), values(dropout.apply(ones()))]
    };
    let [first, second] = pass(device, 7);
    assert_eq!(pass(&cpu(), 7), [first.clone(), second.clone()]);
    assert_ne!(first, second, "each place has a mask of its own");
    assert_ne!(first, pass(device, 8)[0]);
    let dropped = first.iter().filter(|v| **v == 0.0).count() as f64 / 10_000.0;
    assert!((dropped - 0.3).abs() < 0.02, "{dropped}");
    assert!(
        first
            .iter()
            .all(|v| *v == 0.0 || (v - 1.0 / 0.7).abs() < tolerance)
    );
}

/// A few steps come out alike: dropout, accumulation, clipping and all.
fn training_agrees_with_the_cpu(device: &Device, tolerance: f64) {
    let text = Text::new();
    let losses = |device: &Device| {
        let mut losses = vec![];
        let network = text.train(&language(4), device, None, &mut |epoch| {
            losses.push(epoch.loss);
            losses.push(epoch.validation_loss.unwrap());
        });
        losses.push(text.loss(&network, device));
        losses
    };
    for (a, b) in losses(device).iter().zip(losses(&cpu())) {
        assert!((a - b).abs() < 10.0 * tolerance, "{a} is not {b}");
    }
}

fn weights(network: &Network) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    save_checkpoint(network, file.path(), &[]).unwrap();
    std::fs::read(file.path()).unwrap()
}

fn without_times(history: &[Epoch]) -> Vec<Epoch> {
    let timeless = |epoch: &Epoch| Epoch {
        samples_per_s: 0.0,
        tokens_per_s: None,
        ..epoch.clone()
    };
    history.iter().map(timeless).collect()
}

/// Killed after any evaluation and started again, a training ends with the same weights to
/// the last bit and the same history.
#[test]
fn a_killed_training_goes_on_identically() {
    let text = Text::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.snapshot");
    let config = language(10);
    let mut history = vec![];
    let whole = text.train(&config, &cpu(), None, &mut |e| history.push(e.clone()));
    for killed_at in 1..=5 {
        let resume = Resume {
            path: &path,
            key: "cell",
            every: Duration::ZERO,
        };
        let mut seen = 0;
        // Dies before the snapshot of this evaluation's step is written.
        let died = catch_unwind(AssertUnwindSafe(|| {
            text.train(&config, &cpu(), Some(resume), &mut |_| {
                seen += 1;
                assert!(seen < killed_at, "killed");
            })
        }));
        assert!(died.is_err());
        assert!(path.exists(), "there is one after each step");
        let mut resumed = vec![];
        let network = text.train(&config, &cpu(), Some(resume), &mut |e| {
            resumed.push(e.clone());
        });
        assert_eq!(weights(&network), weights(&whole), "killed at {killed_at}");
        assert_eq!(without_times(&resumed), without_times(&history));
        std::fs::remove_file(&path).unwrap();
    }
    // A snapshot of another training, and a damaged one, are left alone.
    for (key, damage) in [("another cell", false), ("cell", true)] {
        let resume = |key| Resume {
            path: &path,
            key,
            every: Duration::ZERO,
        };
        text.train(&config, &cpu(), Some(resume("cell")), &mut |_| ());
        if damage {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
        let mut evaluations = 0;
        let network = text.train(&config, &cpu(), Some(resume(key)), &mut |_| {
            evaluations += 1
        });
        assert_eq!(evaluations, 5);
        assert_eq!(weights(&network), weights(&whole));
    }
}

/// The loss falls, the best network is kept, and patience ends a training.
#[test]
fn the_best_network_is_kept() {
    let text = Text::new();
    let config = TrainingConfig {
        dropout: 0.0,
        evaluate: Some(Evaluate {
            every: Some(10),
            samples: 9,
            patience: Some(20),
        }),
        ..language(4000)
    };
    let mut history = vec![];
    let network = text.train(&config, &cpu(), None, &mut |e| history.push(e.clone()));
    let losses: Vec<f64> = history.iter().map(|e| e.validation_loss.unwrap()).collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let kept = text.loss(&network, &cpu());
    assert!((kept - best).abs() < 1e-6, "{kept} is not {best}");
    assert!(best < 0.85 * losses[0], "{losses:?}");
    let last = history.last().unwrap().step;
    assert!(last < 4000, "it stopped early");
    let at_best = losses.iter().position(|l| *l == best).unwrap();
    assert_eq!(history[at_best].step + 30, last, "after more than 20 steps");
}

/// Files have nanoGPT's names; weights of matrices lie as PyTorch lays them.
#[test]
fn checkpoints_have_the_names_of_nanogpt() {
    let text = Text::new();
    let network = network(&text, &cpu());
    let file = tempfile::NamedTempFile::new().unwrap();
    save_checkpoint(&network, file.path(), &[]).unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| tensors.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("transformer.wte.weight"), [320, 16]);
    assert_eq!(shape("transformer.wpe.weight"), [12, 16]);
    assert_eq!(shape("transformer.h.1.attn.c_attn.weight"), [48, 16]);
    assert_eq!(shape("transformer.h.0.mlp.c_proj.weight"), [16, 64]);
    assert_eq!(shape("transformer.h.0.ln_1.weight"), [16]);
    assert_eq!(shape("transformer.ln_f.weight"), [16]);
    assert_eq!(tensors.len(), 3 + 2 * 6);
    let shape = ModelShape {
        input: text.windows(&cpu()).shape(),
        classes: 0,
    };
    let loaded = load_checkpoint(file.path(), &MODEL, shape, &cpu()).unwrap();
    assert_eq!(weights(&loaded), weights(&network));
}
