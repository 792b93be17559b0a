//! MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), with torchvision's parameter names and numbers.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::After;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{
    Inverted, STEM, Stages, check_width, connect, kept_of_blocks, run_part, scaled, stages_of,
};
use crate::{
    Architecture, BatchNorm, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output,
    OutputKind, Pass, Preset,
};

/// Channels before the head, no fewer.
const LAST: usize = 1280;

/// A MobileNetV2. `mobilenet_v2` is torchvision's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MobileNetSettings {
    /// Channels of the first convolution, 32 as published, by which those of all others are scaled and
    /// rounded to multiples of 8: 16 is a multiplier of 0.5.
    pub width: usize,
    /// How soon images become smaller.
    pub stem: MobileStem,
}

/// How a MobileNet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MobileStem {
    /// Steps of two in the first convolution and in the second stage, as torchvision.
    Stock,
    /// Steps of one there, for images of 32 pixels.
    #[default]
    Cifar,
}

impl Default for MobileNetSettings {
    fn default() -> Self {
        Self {
            width: STEM,
            stem: MobileStem::default(),
        }
    }
}

impl MobileNetSettings {
    /// The step of the first convolution and of the second stage.
    fn first_stride(&self) -> usize {
        match self.stem {
            MobileStem::Stock => 2,
            MobileStem::Cifar => 1,
        }
    }

    /// Channels of the first and of the last convolution.
    fn ends(&self) -> [usize; 2] {
        [scaled(STEM, self.width), scaled(LAST, self.width.max(STEM))]
    }

    /// Table 2 of the paper.
    fn blocks(&self) -> Vec<Vec<Inverted>> {
        let stages: Stages<7> = [
            ([1, 16, 1], [3, 1]),
            ([6, 24, 2], [3, self.first_stride()]),
            ([6, 32, 3], [3, 2]),
            ([6, 64, 4], [3, 2]),
            ([6, 96, 3], [3, 1]),
            ([6, 160, 3], [3, 2]),
            ([6, 320, 1], [3, 1]),
        ];
        stages_of(self.ends()[0], self.width, stages)
    }
}

/// Layers of `features`: the first convolution, 17 blocks, the last convolution.
const FEATURES: usize = 19;

fn layer_names() -> Vec<String> {
    let features = (0..FEATURES).map(|number| format!("features.{number}"));
    let last = ["penultimate", "logits"].map(String::from);
    features.chain(last).collect()
}

impl Architecture for MobileNetSettings {
    type Model = MobileNet;

    const NAME: &'static str = "mobilenet";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["classifier."];
    const PRESETS: &'static [Preset<Self>] = &[("mobilenet_v2", || Self {
        width: STEM,
        stem: MobileStem::Stock,
    })];
    const DROPS: bool = true;

    fn layer_names(&self) -> Vec<String> {
        layer_names()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a mobilenet", self.width)
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let Ok([_, height, width]) = shape.image(Self::NAME) else {
            return Kept::default();
        };
        let [first, last] = self.ends();
        let stem = [first, self.first_stride()];
        kept_of_blocks(stem, &self.blocks(), last, [height, width])
    }

    fn with_width(&self, width: usize) -> Option<Self> {
        Some(Self {
            width,
            ..self.clone()
        })
    }

    fn with_depth(&self, _: usize) -> Option<Self> {
        None
    }

    fn build<R: Rng>(
        &self,
        shape: ModelShape,
        init: &mut Init<'_, R>,
    ) -> Result<MobileNet, ModelError> {
        let [channels, ..] = shape.image(Self::NAME)?;
        let [first, last] = self.ends();
        let normed = |channels: [usize; 2], kernel, stride, init: &mut Init<'_, R>| {
            let conv = init.conv2d_kaiming(channels, kernel, stride);
            (conv, init.batch_norm(channels[1]))
        };
        let stem = normed([channels, first], 3, self.first_stride(), init);
        let mut features = vec![MobilePart::Convolution(stem)];
        let blocks: Vec<Inverted> = self.blocks().into_iter().flatten().collect();
        for sizes in &blocks {
            features.push(MobilePart::Block(MobileBlock::new(sizes, init)));
        }
        let from = blocks.last().map_or(first, |block| block.channels[2]);
        let end = normed([from, last], 1, 1, init);
        features.push(MobilePart::Convolution(end));
        Ok(MobileNet {
            features,
            classifier: (
                DropoutConfig::new(0.0).init(),
                init.linear_normal_biased([last, shape.classes], 0.01),
            ),
        })
    }
}

/// What follows one another in a block.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few dozen in a model"
)]
pub enum MobileStep {
    /// A convolution, its norm, and ReLU6.
    Normed((Conv2d, BatchNorm)),
    /// The last convolution,
    Projection(Conv2d),
    /// and its norm.
    Norm(BatchNorm),
}

/// An inverted residual block.
#[derive(Module, Debug)]
pub struct MobileBlock {
    conv: Vec<MobileStep>,
    is_residual: bool,
}

impl MobileBlock {
    fn new<R: Rng>(sizes: &Inverted, init: &mut Init<'_, R>) -> Self {
        let [from, inner, to] = sizes.channels;
        let mut conv = vec![];
        if sizes.expands() {
            let expansion = init.conv2d_kaiming([from, inner], 1, 1);
            conv.push(MobileStep::Normed((expansion, init.batch_norm(inner))));
        }
        // The fan-out that PyTorch reckons with, which knows nothing of groups.
        let fan_out = inner * sizes.kernel * sizes.kernel;
        let each = init.conv2d_depthwise(inner, [sizes.kernel, sizes.stride], fan_out);
        conv.push(MobileStep::Normed((each, init.batch_norm(inner))));
        conv.push(MobileStep::Projection(init.conv2d_kaiming(
            [inner, to],
            1,
            1,
        )));
        conv.push(MobileStep::Norm(init.batch_norm(to)));
        Self {
            conv,
            is_residual: sizes.is_residual(),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let mut maps = input.clone();
        let mut projection = None;
        for step in &self.conv {
            match step {
                MobileStep::Normed((conv, norm)) => {
                    maps = norm.forward_of(conv, maps, After::Relu6);
                }
                MobileStep::Projection(conv) => projection = Some(conv),
                MobileStep::Norm(norm) => {
                    maps = match projection {
                        Some(conv) => norm.forward_of(conv, maps, After::Nothing),
                        None => norm.forward(maps),
                    };
                }
            }
        }
        if self.is_residual { input + maps } else { maps }
    }
}

/// One of the features.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few dozen in a model"
)]
pub enum MobilePart {
    /// A convolution, its norm, and ReLU6.
    Convolution((Conv2d, BatchNorm)),
    /// An inverted residual block.
    Block(MobileBlock),
}

/// A MobileNetV2.
#[derive(Module, Debug)]
pub struct MobileNet {
    features: Vec<MobilePart>,
    /// In torchvision dropout is the first of the two; here its rate is the training's.
    classifier: (Dropout, Linear),
}

impl MobileNet {
    /// The maps after each of the features, and the last of them averaged over positions.
    fn states(&self, images: Tensor<4>, pass: &mut Pass<'_>) -> (Vec<Tensor<4>>, Tensor<2>) {
        self.states_behind(0, images, pass)
    }

    /// The same of what comes out of the first `done` parts.
    fn states_behind(
        &self,
        done: usize,
        maps: Tensor<4>,
        pass: &mut Pass<'_>,
    ) -> (Vec<Tensor<4>>, Tensor<2>) {
        let mut last = maps;
        let mut maps = vec![];
        for part in &self.features[done..] {
            last = match part {
                MobilePart::Convolution((conv, norm)) => norm.forward_of(conv, last, After::Relu6),
                MobilePart::Block(block) => {
                    run_part(block, last, pass, |block, maps, _| block.forward(maps))
                }
            };
            maps.push(last.clone());
        }
        (maps, Feature::Map(last).pooled(Pooling::Mean))
    }

    fn logits(&self, pooled: Tensor<2>) -> Tensor<2> {
        connect(&self.classifier.1, pooled)
    }
}

impl Model for MobileNet {
    /// `features.0` to `features.18`, `penultimate` (the last maps averaged over positions) and `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let images = input.images(MobileNetSettings::NAME)?;
        let (maps, pooled) = self.states(images, &mut Pass::inference());
        let logits = self.logits(pooled.clone());
        let maps = maps.into_iter().map(Feature::Map);
        let layers = maps.chain([pooled, logits].map(Feature::Vector));
        Ok(Activations::new(layer_names(), layers))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, pooled) = self.states(input.images(MobileNetSettings::NAME)?, pass);
        Ok(Output::Logits(self.logits(pass.dropout.apply(pooled))))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let logits = match (joint, activation) {
            ("penultimate", Feature::Vector(pooled)) => self.logits(pooled),
            (joint, Feature::Map(maps)) => {
                let names = layer_names();
                let done = names[..FEATURES].iter().position(|name| name == joint)?;
                let (_, pooled) = self.states_behind(done + 1, maps, &mut Pass::inference());
                self.logits(pooled)
            }
            _ => return None,
        };
        Some(Output::Logits(logits))
    }
}
