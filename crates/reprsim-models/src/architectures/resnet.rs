//! ResNet-18 to ResNet-152 (He et al. 2016, arXiv 1512.03385), with torchvision's
//! parameter names and numbers.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rand::Rng;
use reprsim_kernels::After;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{check_width, connect, map_values, run_part, side_after};
use crate::{
    Architecture, BatchNorm, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output,
    OutputKind, Pass, Preset, Stem,
};

/// A residual network. `resnet18` to `resnet152` are torchvision's: 64 channels and its stem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResNetSettings {
    /// 18 or 34 layers of basic blocks; 50, 101 or 152 layers of bottlenecks.
    pub depth: usize,
    /// Channels of the first stage, 64 as published.
    pub width: usize,
    /// What precedes the stages: stock, a 7x7 convolution of stride 2 and 3x3 max pooling of stride 2;
    /// cifar, a 3x3 convolution without pooling.
    pub stem: Stem,
}

impl Default for ResNetSettings {
    fn default() -> Self {
        Self {
            depth: 18,
            width: 64,
            stem: Stem::default(),
        }
    }
}

/// The kinds of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Two 3x3 convolutions.
    Basic,
    /// A 3x3 convolution of few channels between two of 1x1.
    Bottleneck,
}

impl Kind {
    /// Channels that leave a block, for each channel of its 3x3 convolutions.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

impl ResNetSettings {
    /// torchvision's network of some depth.
    fn published(depth: usize) -> Self {
        Self {
            depth,
            width: 64,
            stem: Stem::Stock,
        }
    }

    /// Residual blocks in each stage, and their kind.
    fn blocks(&self) -> Result<([usize; 4], Kind), ModelError> {
        match self.depth {
            18 => Ok(([2, 2, 2, 2], Kind::Basic)),
            34 => Ok(([3, 4, 6, 3], Kind::Basic)),
            50 => Ok(([3, 4, 6, 3], Kind::Bottleneck)),
            101 => Ok(([3, 4, 23, 3], Kind::Bottleneck)),
            152 => Ok(([3, 8, 36, 3], Kind::Bottleneck)),
            other => Err(ModelError::Settings(format!(
                "a resnet has a depth of 18, 34, 50, 101 or 152, not {other}"
            ))),
        }
    }
}

/// Layers of maps: what each stage is given, and what the last gives.
const STAGES: [&str; 5] = ["stem", "layer1", "layer2", "layer3", "layer4"];

impl Architecture for ResNetSettings {
    type Model = ResNet;

    const NAME: &'static str = "resnet";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["fc."];
    const PRESETS: &'static [Preset<Self>] = &[
        ("resnet18", || Self::published(18)),
        ("resnet34", || Self::published(34)),
        ("resnet50", || Self::published(50)),
        ("resnet101", || Self::published(101)),
        ("resnet152", || Self::published(152)),
    ];

    fn layer_names(&self) -> Vec<String> {
        let last = ["penultimate", "logits"];
        STAGES.into_iter().chain(last).map(String::from).collect()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a resnet", self.width)?;
        self.blocks().map(|_| ())
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let (Ok([_, height, side]), Ok((blocks, kind))) = (shape.image(Self::NAME), self.blocks())
        else {
            return Kept::default();
        };
        // Of each convolution before and after its norm; and the sum of a block.
        let sum = kind.expansion() as u128;
        let inside = match kind {
            Kind::Basic => 2 + 2,
            Kind::Bottleneck => 2 + 2 + 2 * sum,
        };
        let mut sides = [height, side];
        let mut kept = Kept::default();
        if self.stem == Stem::Stock {
            sides = sides.map(|side| side_after(side, 7, 2, 3));
            kept.add(2 * map_values(self.width, sides));
            sides = sides.map(|side| side_after(side, 3, 2, 1));
        } else {
            kept.add(2 * map_values(self.width, sides));
        }
        for (number, blocks) in blocks.into_iter().enumerate() {
            if number > 0 {
                sides = sides.map(|side| side_after(side, 3, 2, 1));
            }
            let map = map_values(self.width << number, sides);
            for _ in 0..blocks {
                kept.add_part(inside * map, sum * map);
            }
        }
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

    fn build<R: Rng>(
        &self,
        shape: ModelShape,
        init: &mut Init<'_, R>,
    ) -> Result<ResNet, ModelError> {
        let (width, [channels, ..]) = (self.width, shape.image(Self::NAME)?);
        let (conv1, maxpool) = match self.stem {
            Stem::Cifar => (init.conv2d_kaiming([channels, width], 3, 1), None),
            Stem::Stock => (
                init.conv2d_kaiming([channels, width], 7, 2),
                Some(
                    MaxPool2dConfig::new([3, 3])
                        .with_strides([2, 2])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .init(),
                ),
            ),
        };
        let bn1 = init.batch_norm(width);
        let (blocks, kind) = self.blocks()?;
        let mut from = width;
        let mut stage = |number: usize| -> Vec<ResidualBlock> {
            (0..blocks[number])
                .map(|block| {
                    let stride = if block == 0 && number > 0 { 2 } else { 1 };
                    let block = ResidualBlock::new(kind, [from, width << number], stride, init);
                    from = kind.expansion() * (width << number);
                    block
                })
                .collect()
        };
        let [layer1, layer2, layer3, layer4] = [stage(0), stage(1), stage(2), stage(3)];
        Ok(ResNet {
            conv1,
            bn1,
            maxpool,
            layer1,
            layer2,
            layer3,
            layer4,
            fc: init.linear(8 * kind.expansion() * width, shape.classes),
        })
    }
}

/// Convolutions around which the input is led: two of 3x3, or one between two of 1x1.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    /// The last convolution of a bottleneck.
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    /// Fits the input to the output where their shapes differ.
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl ResidualBlock {
    /// From some channels, with so many in the 3x3 convolutions, of which the first takes the stride.
    fn new<R: Rng>(
        kind: Kind,
        channels: [usize; 2],
        stride: usize,
        init: &mut Init<'_, R>,
    ) -> Self {
        let [from, inner] = channels;
        let to = kind.expansion() * inner;
        // The kernels of the first two, and their strides.
        let [first, second] = match kind {
            Kind::Basic => [(3, stride), (3, 1)],
            Kind::Bottleneck => [(1, 1), (3, stride)],
        };
        let last = kind == Kind::Bottleneck;
        Self {
            conv1: init.conv2d_kaiming([from, inner], first.0, first.1),
            bn1: init.batch_norm(inner),
            conv2: init.conv2d_kaiming([inner, inner], second.0, second.1),
            bn2: init.batch_norm(inner),
            conv3: last.then(|| init.conv2d_kaiming([inner, to], 1, 1)),
            bn3: last.then(|| init.batch_norm(to)),
            downsample: (stride != 1 || from != to).then(|| {
                (
                    init.conv2d_kaiming([from, to], 1, stride),
                    init.batch_norm(to),
                )
            }),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let (conv1, conv2) = (&self.conv1, &self.conv2);
        let inner = self.bn1.forward_of(conv1, input.clone(), After::Relu);
        let inner = match (&self.conv3, &self.bn3) {
            (Some(conv3), Some(bn3)) => {
                let inner = self.bn2.forward_of(conv2, inner, After::Relu);
                bn3.forward_of(conv3, inner, After::Nothing)
            }
            _ => self.bn2.forward_of(conv2, inner, After::Nothing),
        };
        let around = match &self.downsample {
            Some((conv, bn)) => bn.forward_of(conv, input, After::Nothing),
            None => input,
        };
        relu(inner + around)
    }
}

/// A residual network.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    maxpool: Option<MaxPool2d>,
    layer1: Vec<ResidualBlock>,
    layer2: Vec<ResidualBlock>,
    layer3: Vec<ResidualBlock>,
    layer4: Vec<ResidualBlock>,
    fc: Linear,
}

impl ResNet {
    /// The maps after the stem and after each stage, then their last mean over positions
    /// and the logits.
    fn states(&self, images: Tensor<4>, pass: &mut Pass<'_>) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let stem = (self.bn1).forward_of(&self.conv1, images, After::Relu);
        let first = match &self.maxpool {
            Some(pool) => pool.forward(stem),
            None => stem,
        };
        self.states_behind(0, first, pass)
    }

    /// The maps that come out of the first `done` stages, and all behind them.
    fn states_behind(
        &self,
        done: usize,
        maps: Tensor<4>,
        pass: &mut Pass<'_>,
    ) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let mut last = maps;
        let mut maps = vec![last.clone()];
        let stages = [&self.layer1, &self.layer2, &self.layer3, &self.layer4];
        for stage in &stages[done..] {
            for block in *stage {
                last = run_part(block, last, pass, |block, maps, _| block.forward(maps));
            }
            maps.push(last.clone());
        }
        let pooled = Feature::Map(last).pooled(Pooling::Mean);
        let logits = connect(&self.fc, pooled.clone());
        (maps, [pooled, logits])
    }
}

impl Model for ResNet {
    /// `stem` after its activation and pooling, `layer1` to `layer4`, `penultimate` (the
    /// last maps averaged over positions) and `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let images = input.images(ResNetSettings::NAME)?;
        let (maps, vectors) = self.states(images, &mut Pass::inference());
        let maps = maps.into_iter().map(Feature::Map);
        let layers = maps.chain(vectors.map(Feature::Vector));
        Ok(Activations::new(
            ResNetSettings::default().layer_names(),
            layers,
        ))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, [_, logits]) = self.states(input.images(ResNetSettings::NAME)?, pass);
        Ok(Output::Logits(logits))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let logits = match (joint, activation) {
            ("penultimate", Feature::Vector(pooled)) => connect(&self.fc, pooled),
            (joint, Feature::Map(maps)) => {
                let done = STAGES.iter().position(|name| *name == joint)?;
                let (_, [_, logits]) = self.states_behind(done, maps, &mut Pass::inference());
                logits
            }
            _ => return None,
        };
        Some(Output::Logits(logits))
    }
}
