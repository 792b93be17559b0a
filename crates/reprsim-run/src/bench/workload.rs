//! What is timed: a model, its input and its training settings.

use rand::RngExt;
use reprsim_base::Stream;
use reprsim_data::{Dataset, Factor, Part, SampleShape, Samples};
use reprsim_models::{
    CnnSettings, GptSettings, MlpSettings, ModelConfig, ResNetSettings, Stem, VaeSettings,
    VitSettings,
};
use reprsim_train::{
    OptimizerConfig, Precision, ScheduleConfig, TASKS, TaskConfig, TrainingConfig,
};

/// A model and the settings it is trained with.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// The model.
    pub model: ModelConfig,
    /// What goes in.
    pub input: SampleShape,
    /// Classes.
    pub classes: usize,
    /// What it learns.
    pub task: TaskConfig,
    /// How it is trained.
    pub training: TrainingConfig,
    /// Samples on the device; an epoch of more goes over them again.
    pub samples: usize,
    /// Those of a probe, the first of them.
    pub probe: usize,
}

/// Names of the workloads: the models at the sizes of `experiments/quick.toml` (`mlp`,
/// `cnn`), of the paper and of `experiments/nanogpt-reference.toml` (`gpt`, on bytes), and two that are
/// fine-tuned on photographs.
pub const WORKLOADS: [&str; 8] = [
    "mlp",
    "cnn",
    "resnet18",
    "vae",
    "vit",
    "gpt",
    "resnet50",
    "vit_small",
];

/// A side of a photograph as models are pretrained on it.
const PHOTOGRAPH: usize = 224;

/// An image of channels, height and width.
fn image([channels, height, width]: [usize; 3]) -> SampleShape {
    SampleShape::Image {
        channels,
        height,
        width,
    }
}

impl Workload {
    /// The workload of that name, trained in a precision of that name.
    pub fn named(name: &str, precision: &str) -> Option<Self> {
        let precision = Precision::ALL.into_iter().find(|p| p.name() == precision)?;
        let sgd = OptimizerConfig::Sgd {
            lr: 0.01, // random labels at a higher rate may diverge
            momentum: 0.9,
            weight_decay: 5e-4,
        };
        let adamw = OptimizerConfig::AdamW {
            lr: 1e-3,
            weight_decay: 0.05,
            beta_2: 0.999,
            decay_vectors: true,
        };
        let training = |batch, optimizer| TrainingConfig {
            epochs: Some(1),
            steps: None,
            batch,
            drop_last: true,
            accumulate: 1,
            clip: None,
            optimizer,
            schedule: ScheduleConfig::Constant,
            dropout: 0.0,
            evaluate: None,
            precision,
            augment: Vec::new(),
            fill: Vec::new(),
            freeze: Vec::new(),
            rates: Vec::new(),
            frozen_norms: false,
            recompute: false,
        };
        let (model, input, classes, training) = match name {
            "mlp" => (
                ModelConfig::Mlp(MlpSettings::default()),
                image([3, 28, 28]),
                8,
                training(64, sgd),
            ),
            "cnn" => (
                ModelConfig::Cnn(CnnSettings::default()),
                image([3, 28, 28]),
                8,
                training(64, sgd),
            ),
            "resnet18" => (
                ModelConfig::ResNet(ResNetSettings::default()),
                image([3, 32, 32]),
                10,
                training(128, sgd),
            ),
            "vae" => (
                ModelConfig::Vae(VaeSettings::default()),
                image([1, 28, 28]),
                10,
                training(
                    128,
                    OptimizerConfig::Adam {
                        lr: 1e-3,
                        weight_decay: 1e-5,
                    },
                ),
            ),
            "vit" => (
                ModelConfig::Vit(VitSettings::default()),
                image([3, 32, 32]),
                10,
                training(128, adamw),
            ),
            "resnet50" => (
                ModelConfig::ResNet(ResNetSettings {
                    depth: 50,
                    width: 64,
                    stem: Stem::Stock,
                }),
                image([3, PHOTOGRAPH, PHOTOGRAPH]),
                10,
                training(8, sgd),
            ),
            "vit_small" => (
                ModelConfig::Vit(VitSettings {
                    width: 384,
                    depth: 12,
                    heads: 6,
                    patch: 16,
                }),
                image([3, PHOTOGRAPH, PHOTOGRAPH]),
                10,
                training(8, adamw),
            ),
            "gpt" => (
                ModelConfig::Gpt(GptSettings::default()),
                SampleShape::Tokens {
                    window: 64,
                    vocabulary: 256,
                },
                1,
                TrainingConfig {
                    epochs: None,
                    ..training(
                        12,
                        OptimizerConfig::AdamW {
                            lr: 1e-3,
                            weight_decay: 0.1,
                            beta_2: 0.99,
                            decay_vectors: false,
                        },
                    )
                },
            ),
            _ => return None,
        };
        let [samples, probe] = match input {
            // A pass over more would take minutes.
            SampleShape::Image { height, .. } if height == PHOTOGRAPH => [64, 40],
            _ => [2048, 2000],
        };
        // What the architecture is for.
        let task = TASKS.iter().find(|task| task.needs == model.gives())?;
        let name = WORKLOADS.into_iter().find(|known| *known == name)?;
        Some(Self {
            name,
            task: (task.default)(),
            model,
            input,
            classes,
            training,
            samples,
            probe,
        })
    }

    /// Random samples and labels: time does not depend on what is in them.
    pub(super) fn dataset(&self) -> Dataset {
        let mut rng = Stream::new(0).child("bench").rng();
        let samples = match self.input {
            SampleShape::Image { .. } => {
                let values = self.input.values();
                let bytes: Vec<u8> = (0..self.samples * values).map(|_| rng.random()).collect();
                Samples::images(bytes, values)
            }
            SampleShape::Tokens { window, vocabulary } => {
                // A window, and what follows each of its tokens.
                let length = window + 1;
                let token = |_| rng.random_range(0..vocabulary as u16);
                Samples::pieces((0..self.samples * length).map(token).collect(), length)
            }
        };
        let classes = self.classes as u16;
        Dataset {
            name: "random".into(),
            identity: "random".into(),
            part: Part::Train,
            shape: self.input,
            samples,
            factors: vec![Factor {
                name: "class".into(),
                classes: (0..classes).map(|c| c.to_string()).collect(),
                values: (0..self.samples)
                    .map(|_| rng.random_range(0..classes))
                    .collect(),
            }],
            label: vec!["class".into()],
            blocks: Vec::new(),
            skipped: Vec::new(),
        }
    }
}
