//! ResNet-18 and ResNet-34 (He et al. 2016, arXiv 1512.03385), with torchvision's
//! parameter names and numbers.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{check_width, connect, convolve, map_values, side_after};
use crate::{
    Architecture, BatchNorm, Init, Input, InputKind, Model, ModelError, ModelShape, Output,
    OutputKind, Pass,
};

/// A residual network of basic blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResNetSettings {
    /// 18 or 34 layers.
    pub depth: usize,
    /// Channels of the first stage, 64 as published.
    pub width: usize,
    /// What precedes the stages.
    pub stem: Stem,
}

/// How a residual network begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// A 7x7 stride-2 convolution and 3x3 stride-2 max pooling, as torchvision.
    Stock,
    /// A 3x3 convolution without pooling, for images of 32 pixels.
    #[default]
    Cifar,
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

impl ResNetSettings {
    /// Residual blocks in each stage.
    fn blocks(&self) -> Result<[usize; 4], ModelError> {
        match self.depth {
            18 => Ok([2, 2, 2, 2]),
            34 => Ok([3, 4, 6, 3]),
            other => Err(ModelError::Settings(format!(
                "a resnet has a depth of 18 or 34, not {other}"
            ))),
        }
    }
}

impl Architecture for ResNetSettings {
    type Model = ResNet;

    const NAME: &'static str = "resnet";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["fc."];

    fn layer_names(&self) -> Vec<String> {
        [
            "stem",
            "layer1",
            "layer2",
            "layer3",
            "layer4",
            "penultimate",
            "logits",
        ]
        .map(String::from)
        .into()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a resnet", self.width)?;
        self.blocks().map(|_| ())
    }

    fn kept(&self, shape: ModelShape) -> u128 {
        let (Ok([_, height, side]), Ok(blocks)) = (shape.image(Self::NAME), self.blocks()) else {
            return 0;
        };
        let mut sides = [height, side];
        let mut kept = 0;
        // Of each convolution, before and after its norm.
        if self.stem == Stem::Stock {
            sides = sides.map(|side| side_after(side, 7, 2, 3));
            kept += 2 * map_values(self.width, sides);
            sides = sides.map(|side| side_after(side, 3, 2, 1));
        } else {
            kept += 2 * map_values(self.width, sides);
        }
        for (number, blocks) in blocks.into_iter().enumerate() {
            if number > 0 {
                sides = sides.map(|side| side_after(side, 3, 2, 1));
            }
            // Two convolutions, and the sum of a block.
            kept += 5 * blocks as u128 * map_values(self.width << number, sides);
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
        let blocks = self.blocks()?;
        let mut stage = |number: usize| -> Vec<BasicBlock> {
            let to = width << number;
            (0..blocks[number])
                .map(|block| match (block, number) {
                    (0, 0) => BasicBlock::new([width, width], 1, init),
                    (0, _) => BasicBlock::new([to / 2, to], 2, init),
                    _ => BasicBlock::new([to, to], 1, init),
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
            fc: init.linear(8 * width, shape.classes),
        })
    }
}

/// Two 3x3 convolutions around which the input is led.
#[derive(Module, Debug)]
pub struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    /// Fits the input to the output where their shapes differ.
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl BasicBlock {
    fn new<R: Rng>(channels: [usize; 2], stride: usize, init: &mut Init<'_, R>) -> Self {
        let [from, to] = channels;
        Self {
            conv1: init.conv2d_kaiming([from, to], 3, stride),
            bn1: init.batch_norm(to),
            conv2: init.conv2d_kaiming([to, to], 3, 1),
            bn2: init.batch_norm(to),
            downsample: (stride != 1 || from != to).then(|| {
                (
                    init.conv2d_kaiming([from, to], 1, stride),
                    init.batch_norm(to),
                )
            }),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let inner = self.bn1.forward_relu(convolve(&self.conv1, input.clone()));
        let inner = self.bn2.forward(convolve(&self.conv2, inner));
        let around = match &self.downsample {
            Some((conv, bn)) => bn.forward(convolve(conv, input)),
            None => input,
        };
        relu(inner + around)
    }
}

/// A residual network of basic blocks.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    maxpool: Option<MaxPool2d>,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
    fc: Linear,
}

impl ResNet {
    /// The maps after the stem and after each stage, then their last mean over positions
    /// and the logits.
    fn states(&self, images: Tensor<4>) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let stem = self.bn1.forward_relu(convolve(&self.conv1, images));
        let mut last = match &self.maxpool {
            Some(pool) => pool.forward(stem),
            None => stem,
        };
        let mut maps = vec![last.clone()];
        for stage in [&self.layer1, &self.layer2, &self.layer3, &self.layer4] {
            for block in stage {
                last = block.forward(last);
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
        let (maps, vectors) = self.states(input.images(ResNetSettings::NAME)?);
        let maps = maps.into_iter().map(Feature::Map);
        let layers = maps.chain(vectors.map(Feature::Vector));
        Ok(Activations::new(
            ResNetSettings::default().layer_names(),
            layers,
        ))
    }

    fn output(&self, input: Input, _: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, [_, logits]) = self.states(input.images(ResNetSettings::NAME)?);
        Ok(Output::Logits(logits))
    }
}
