//! DenseNet-121 to DenseNet-201 (Huang et al. 2017, arXiv 1608.06993), with torchvision's
//! parameter names and numbers.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::After;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{
    Numbered, Square, check_width, connect, convolve, map_values, run_part, side_after,
};
use crate::{
    Architecture, BatchNorm, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output,
    OutputKind, Pass, Preset, Stem,
};

/// Channels of the first convolution for each that a dense layer adds.
const FIRST: usize = 2;
/// The same of a dense layer's inner convolution.
const BOTTLENECK: usize = 4;

/// A network whose layers are each given all that came before them in its block. `densenet121` to
/// `densenet201` are torchvision's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DenseNetSettings {
    /// 121, 161, 169 or 201 layers.
    pub depth: usize,
    /// Channels that a layer adds (the growth rate), 32 as published, 48 at a depth of 161.
    pub width: usize,
    /// What precedes the blocks: stock, a 7x7 convolution of stride 2 and 3x3 max pooling of stride 2;
    /// cifar, a 3x3 convolution without pooling.
    pub stem: Stem,
}

impl Default for DenseNetSettings {
    fn default() -> Self {
        Self {
            depth: 121,
            width: 32,
            stem: Stem::default(),
        }
    }
}

impl DenseNetSettings {
    /// torchvision's network of some depth.
    fn published(depth: usize, width: usize) -> Self {
        Self {
            depth,
            width,
            stem: Stem::Stock,
        }
    }

    /// Layers of each block.
    fn blocks(&self) -> Result<[usize; 4], ModelError> {
        match self.depth {
            121 => Ok([6, 12, 24, 16]),
            161 => Ok([6, 12, 36, 24]),
            169 => Ok([6, 12, 32, 32]),
            201 => Ok([6, 12, 48, 32]),
            other => Err(ModelError::Settings(format!(
                "a densenet has a depth of 121, 161, 169 or 201, not {other}"
            ))),
        }
    }

    /// Channels that go into each block, and that leave the last.
    fn channels(&self, blocks: [usize; 4]) -> ([usize; 4], usize) {
        let mut channels = 2 * FIRST * self.width;
        let into = blocks.map(|layers| {
            // A transition halves them.
            let into = channels / 2;
            channels = into + layers * self.width;
            into
        });
        (into, channels)
    }
}

impl Architecture for DenseNetSettings {
    type Model = DenseNet;

    const NAME: &'static str = "densenet";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["classifier."];
    const PRESETS: &'static [Preset<Self>] = &[
        ("densenet121", || Self::published(121, 32)),
        ("densenet161", || Self::published(161, 48)),
        ("densenet169", || Self::published(169, 32)),
        ("densenet201", || Self::published(201, 32)),
    ];

    fn layer_names(&self) -> Vec<String> {
        layer_names(self.stem)
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a densenet", self.width)?;
        self.blocks().map(|_| ())
    }

    fn least(&self) -> usize {
        // Three transitions halve them, before which a stride of 2 rounds up twice.
        match self.stem {
            Stem::Stock => 29,
            Stem::Cifar => 8,
        }
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let (Ok([_, height, side]), Ok(blocks)) = (shape.image(Self::NAME), self.blocks()) else {
            return Kept::default();
        };
        let mut sides = [height, side];
        let mut kept = Kept::default();
        if self.stem == Stem::Stock {
            sides = sides.map(|side| side_after(side, 7, 2, 3));
            kept.add(2 * map_values(FIRST * self.width, sides));
            sides = sides.map(|side| side_after(side, 3, 2, 1));
        }
        // Before and after the norm; or what was pooled.
        kept.add(2 * map_values(FIRST * self.width, sides));
        let (into, last) = self.channels(blocks);
        for (layers, into) in blocks.into_iter().zip(into) {
            for layer in 0..layers {
                // All before it, before and after the norm, and the same of its inner channels.
                let before = into + layer * self.width;
                let inside = map_values(before + 2 * BOTTLENECK * self.width, sides);
                kept.add_part(inside, map_values(before, sides));
            }
            // What leaves the block, before and after the norm behind it.
            kept.add(2 * map_values(into + layers * self.width, sides));
            sides = sides.map(|side| (side / 2).max(1));
        }
        kept.add(last as u128);
        kept
    }

    fn with_width(&self, width: usize) -> Option<Self> {
        Some(Self {
            width,
            ..self.clone()
        })
    }

    fn with_depth(&self, depth: usize) -> Option<Self> {
        Some(Self {
            depth,
            ..self.clone()
        })
    }

    /// Weights as torchvision draws them: of convolutions normal with variance 2 / fan-in (He et al.
    /// 2015), of the classifier uniform in ±1/sqrt(fan-in), its biases 0.
    fn build<R: Rng>(
        &self,
        shape: ModelShape,
        init: &mut Init<'_, R>,
    ) -> Result<DenseNet, ModelError> {
        let [channels, ..] = shape.image(Self::NAME)?;
        let blocks = self.blocks()?;
        let (into, last) = self.channels(blocks);
        let first = FIRST * self.width;
        let (conv0, pool0) = match self.stem {
            Stem::Cifar => (convolution([channels, first], 3, 1, init), None),
            Stem::Stock => (
                convolution([channels, first], 7, 2, init),
                Some(
                    MaxPool2dConfig::new([3, 3])
                        .with_strides([2, 2])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .init(),
                ),
            ),
        };
        let norm0 = init.batch_norm(first);
        let block = |number: usize, init: &mut Init<'_, R>| {
            let layer = |layer: usize| {
                DenseLayer::new(into[number] + layer * self.width, self.width, &mut *init)
            };
            Numbered::new("denselayer", (0..blocks[number]).map(layer).collect())
        };
        let transition = |number: usize, init: &mut Init<'_, R>| {
            let from = into[number] + blocks[number] * self.width;
            Transition {
                norm: init.batch_norm(from),
                conv: convolution([from, from / 2], 1, 1, init),
                pool: AvgPool2dConfig::new([2, 2]).init(),
            }
        };
        Ok(DenseNet {
            features: Features {
                conv0,
                norm0,
                pool0,
                denseblock1: block(0, init),
                transition1: transition(0, init),
                denseblock2: block(1, init),
                transition2: transition(1, init),
                denseblock3: block(2, init),
                transition3: transition(2, init),
                denseblock4: block(3, init),
                norm5: init.batch_norm(last),
            },
            classifier: init.linear_zero_biased(last, shape.classes),
        })
    }

    /// torchvision's files, which are of a time when module names could have dots.
    fn aliases() -> &'static [(&'static str, &'static str)] {
        &[(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", "$1$2.")]
    }
}

/// A convolution without bias, padded by half its kernel.
fn convolution<R: Rng>(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    init: &mut Init<'_, R>,
) -> Conv2d {
    let square = Square::half_padded(channels, kernel, stride);
    let spread = (2.0 / square.fan_in() as f32).sqrt();
    init.convolution_normal(square, spread, false)
}

/// What follows the first norm, the blocks, `penultimate` and `logits`.
fn layer_names(stem: Stem) -> Vec<String> {
    let first = match stem {
        Stem::Stock => "features.pool0",
        Stem::Cifar => "features.relu0",
    };
    let blocks = (1..=4).map(|number| format!("features.denseblock{number}"));
    let last = ["penultimate", "logits"].map(String::from);
    std::iter::once(first.to_string())
        .chain(blocks)
        .chain(last)
        .collect()
}

/// A 1x1 and a 3x3 convolution, each after batch norm and ReLU, whose output is put behind the input.
#[derive(Module, Debug)]
struct DenseLayer {
    norm1: BatchNorm,
    conv1: Conv2d,
    norm2: BatchNorm,
    conv2: Conv2d,
}

impl DenseLayer {
    fn new<R: Rng>(from: usize, growth: usize, init: &mut Init<'_, R>) -> Self {
        let inner = BOTTLENECK * growth;
        Self {
            norm1: init.batch_norm(from),
            conv1: convolution([from, inner], 1, 1, init),
            norm2: init.batch_norm(inner),
            conv2: convolution([inner, growth], 3, 1, init),
        }
    }

    /// The input with the new channels behind it.
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let inner = self.norm1.forward_relu(input.clone());
        let inner = self.norm2.forward_of(&self.conv1, inner, After::Relu);
        Tensor::cat(vec![input, convolve(&self.conv2, inner)], 1)
    }
}

/// Half the channels and half the sides.
#[derive(Module, Debug)]
struct Transition {
    norm: BatchNorm,
    conv: Conv2d,
    pool: AvgPool2d,
}

impl Transition {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let normed = self.norm.forward_relu(input);
        self.pool.forward(convolve(&self.conv, normed))
    }
}

/// All before the classifier.
#[derive(Module, Debug)]
struct Features {
    conv0: Conv2d,
    norm0: BatchNorm,
    pool0: Option<MaxPool2d>,
    denseblock1: Numbered<DenseLayer>,
    transition1: Transition,
    denseblock2: Numbered<DenseLayer>,
    transition2: Transition,
    denseblock3: Numbered<DenseLayer>,
    transition3: Transition,
    denseblock4: Numbered<DenseLayer>,
    norm5: BatchNorm,
}

/// A densely connected network.
#[derive(Module, Debug)]
pub struct DenseNet {
    features: Features,
    classifier: Linear,
}

impl DenseNet {
    fn stem(&self) -> Stem {
        match self.features.pool0 {
            Some(_) => Stem::Stock,
            None => Stem::Cifar,
        }
    }

    /// The maps after the stem and after each block, then the last after norm and ReLU averaged over
    /// positions, and the logits.
    fn states(&self, images: Tensor<4>, pass: &mut Pass<'_>) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let all = &self.features;
        let stem = all.norm0.forward_of(&all.conv0, images, After::Relu);
        let first = match &all.pool0 {
            Some(pool) => pool.forward(stem),
            None => stem,
        };
        self.states_behind(0, first, pass)
    }

    /// The maps that come out of the first `done` blocks, and all behind them.
    fn states_behind(
        &self,
        done: usize,
        maps: Tensor<4>,
        pass: &mut Pass<'_>,
    ) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let all = &self.features;
        let mut last = maps;
        let mut maps = vec![last.clone()];
        let blocks = [
            (None, &all.denseblock1),
            (Some(&all.transition1), &all.denseblock2),
            (Some(&all.transition2), &all.denseblock3),
            (Some(&all.transition3), &all.denseblock4),
        ];
        for (transition, block) in &blocks[done..] {
            if let Some(transition) = transition {
                last = transition.forward(last);
            }
            for layer in block.iter() {
                last = run_part(layer, last, pass, |layer, maps, _| layer.forward(maps));
            }
            maps.push(last.clone());
        }
        let pooled = Feature::Map(all.norm5.forward_relu(last)).pooled(Pooling::Mean);
        let logits = connect(&self.classifier, pooled.clone());
        (maps, [pooled, logits])
    }
}

impl Model for DenseNet {
    /// `features.pool0` (of the cifar stem `features.relu0`), `features.denseblock1` to
    /// `features.denseblock4`, `penultimate` (the last maps after norm and ReLU, averaged over positions)
    /// and `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let images = input.images(DenseNetSettings::NAME)?;
        let (maps, vectors) = self.states(images, &mut Pass::inference());
        let maps = maps.into_iter().map(Feature::Map);
        let layers = maps.chain(vectors.map(Feature::Vector));
        Ok(Activations::new(layer_names(self.stem()), layers))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, [_, logits]) = self.states(input.images(DenseNetSettings::NAME)?, pass);
        Ok(Output::Logits(logits))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let logits = match (joint, activation) {
            ("penultimate", Feature::Vector(pooled)) => connect(&self.classifier, pooled),
            (joint, Feature::Map(maps)) => {
                let names = layer_names(self.stem());
                let done = names[..5].iter().position(|name| name == joint)?;
                let (_, [_, logits]) = self.states_behind(done, maps, &mut Pass::inference());
                logits
            }
            _ => return None,
        };
        Some(Output::Logits(logits))
    }
}
