//! EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; Liu 2020): without squeeze and excitation, ReLU6
//! for activation; with timm's parameter names and numbers.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::After;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{
    Inverted, STEM, Stages, check_width, connect, kept_of_blocks, run_part, stages_of,
};
use crate::{
    Architecture, BatchNorm, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output,
    OutputKind, Pass, Preset,
};

/// Channels before the head.
const LAST: usize = 1280;
/// Stages of blocks.
const STAGES: usize = 7;

/// An EfficientNet-Lite0. `efficientnet_lite0` and `tf_efficientnet_lite0` are timm's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EfficientNetSettings {
    /// By this over 32, as published, the blocks' channels are multiplied and rounded to multiples of 8; the
    /// first and the last convolution keep theirs.
    pub width: usize,
    /// Whose padding and epsilon.
    pub convention: Convention,
}

/// How convolutions are padded, and what is added to the variances of batch norms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Convention {
    /// As many zeros on each side, and 1e-5.
    #[default]
    Pytorch,
    /// `SAME`: no more zeros than windows need, an odd one at the right and the bottom, and 1e-3. Weights that
    /// were trained by TensorFlow want it.
    Tensorflow,
}

impl Convention {
    fn epsilon(self) -> f64 {
        match self {
            Self::Pytorch => BatchNorm::EPSILON,
            Self::Tensorflow => 1e-3,
        }
    }

    fn padded(self, layer: Conv2d) -> Conv2d {
        match self {
            Self::Pytorch => layer,
            Self::Tensorflow => Conv2d {
                padding: PaddingConfig2d::Same,
                ..layer
            },
        }
    }
}

impl Default for EfficientNetSettings {
    fn default() -> Self {
        Self::published(Convention::default())
    }
}

impl EfficientNetSettings {
    fn published(convention: Convention) -> Self {
        Self {
            width: STEM,
            convention,
        }
    }

    /// Table 1 of the paper.
    fn blocks(&self) -> Vec<Vec<Inverted>> {
        let stages: Stages<STAGES> = [
            ([1, 16, 1], [3, 1]),
            ([6, 24, 2], [3, 2]),
            ([6, 40, 2], [5, 2]),
            ([6, 80, 3], [3, 2]),
            ([6, 112, 3], [5, 1]),
            ([6, 192, 4], [5, 2]),
            ([6, 320, 1], [3, 1]),
        ];
        stages_of(STEM, self.width, stages)
    }
}

fn layer_names() -> Vec<String> {
    let blocks = (0..STAGES).map(|number| format!("blocks.{number}"));
    let last = ["penultimate", "logits"].map(String::from);
    blocks.chain(last).collect()
}

impl Architecture for EfficientNetSettings {
    type Model = EfficientNet;

    const NAME: &'static str = "efficientnet";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["classifier."];
    const PRESETS: &'static [Preset<Self>] = &[
        ("efficientnet_lite0", || {
            Self::published(Convention::Pytorch)
        }),
        ("tf_efficientnet_lite0", || {
            Self::published(Convention::Tensorflow)
        }),
    ];
    const DROPS: bool = true;

    fn layer_names(&self) -> Vec<String> {
        layer_names()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("an efficientnet", self.width)
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let Ok([_, height, width]) = shape.image(Self::NAME) else {
            return Kept::default();
        };
        kept_of_blocks([STEM, 2], &self.blocks(), LAST, [height, width])
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
    ) -> Result<EfficientNet, ModelError> {
        let ([channels, ..], convention) = (shape.image(Self::NAME)?, self.convention);
        let stages = self.blocks();
        let last = stages.iter().flatten().last();
        let from = last.map_or(STEM, |block| block.channels[2]);
        Ok(EfficientNet {
            conv_stem: convention.padded(init.conv2d_kaiming([channels, STEM], 3, 2)),
            bn1: init.batch_norm_with(STEM, convention.epsilon()),
            blocks: (stages.iter())
                .map(|stage| {
                    let blocks = stage.iter();
                    let blocks = blocks.map(|sizes| EfficientBlock::new(sizes, convention, init));
                    blocks.collect()
                })
                .collect(),
            conv_head: init.conv2d_kaiming([from, LAST], 1, 1),
            bn2: init.batch_norm_with(LAST, convention.epsilon()),
            classifier: init.linear_by_outputs([LAST, shape.classes]),
        })
    }

    /// Those of `efficientnet_pytorch` (Melas-Kyriazi 2019) and what is made of it, whose blocks are numbered
    /// from first to last.
    fn aliases() -> &'static [(&'static str, &'static str)] {
        &[
            (r"^_conv_stem\.", "conv_stem."),
            (r"^_bn0\.", "bn1."),
            (r"^_conv_head\.", "conv_head."),
            (r"^_bn1\.", "bn2."),
            (r"^_fc\.", "classifier."),
            // The first block has nothing to expand, and counts from there.
            (r"^_blocks\.0\._depthwise_conv\.", "blocks.0.0.conv_dw."),
            (r"^_blocks\.0\._bn1\.", "blocks.0.0.bn1."),
            (r"^_blocks\.0\._project_conv\.", "blocks.0.0.conv_pw."),
            (r"^_blocks\.0\._bn2\.", "blocks.0.0.bn2."),
            (r"^(_blocks\.\d+)\._expand_conv\.", "${1}.conv_pw."),
            (r"^(_blocks\.\d+)\._bn0\.", "${1}.bn1."),
            (r"^(_blocks\.\d+)\._depthwise_conv\.", "${1}.conv_dw."),
            (r"^(_blocks\.\d+)\._bn1\.", "${1}.bn2."),
            (r"^(_blocks\.\d+)\._project_conv\.", "${1}.conv_pwl."),
            (r"^(_blocks\.\d+)\._bn2\.", "${1}.bn3."),
            (r"^_blocks\.1\.", "blocks.1.0."),
            (r"^_blocks\.2\.", "blocks.1.1."),
            (r"^_blocks\.3\.", "blocks.2.0."),
            (r"^_blocks\.4\.", "blocks.2.1."),
            (r"^_blocks\.5\.", "blocks.3.0."),
            (r"^_blocks\.6\.", "blocks.3.1."),
            (r"^_blocks\.7\.", "blocks.3.2."),
            (r"^_blocks\.8\.", "blocks.4.0."),
            (r"^_blocks\.9\.", "blocks.4.1."),
            (r"^_blocks\.10\.", "blocks.4.2."),
            (r"^_blocks\.11\.", "blocks.5.0."),
            (r"^_blocks\.12\.", "blocks.5.1."),
            (r"^_blocks\.13\.", "blocks.5.2."),
            (r"^_blocks\.14\.", "blocks.5.3."),
            (r"^_blocks\.15\.", "blocks.6.0."),
        ]
    }
}

/// A convolution of every channel by itself, and one that mixes them.
#[derive(Module, Debug)]
pub struct SeparableBlock {
    conv_dw: Conv2d,
    bn1: BatchNorm,
    conv_pw: Conv2d,
    bn2: BatchNorm,
}

/// The same behind one that expands.
#[derive(Module, Debug)]
pub struct ExpandedBlock {
    conv_pw: Conv2d,
    bn1: BatchNorm,
    conv_dw: Conv2d,
    bn2: BatchNorm,
    conv_pwl: Conv2d,
    bn3: BatchNorm,
    is_residual: bool,
}

/// A block of either kind.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few dozen in a model"
)]
pub enum EfficientBlock {
    /// The first.
    Separable(SeparableBlock),
    /// The others.
    Expanded(ExpandedBlock),
}

impl EfficientBlock {
    fn new<R: Rng>(sizes: &Inverted, convention: Convention, init: &mut Init<'_, R>) -> Self {
        let ([from, inner, to], epsilon) = (sizes.channels, convention.epsilon());
        let window = [sizes.kernel, sizes.stride];
        let each = |init: &mut Init<'_, R>| {
            // A channel's fan-out is its own.
            let fan_out = sizes.kernel * sizes.kernel;
            convention.padded(init.conv2d_depthwise(inner, window, fan_out))
        };
        if !sizes.expands() {
            return Self::Separable(SeparableBlock {
                conv_dw: each(init),
                bn1: init.batch_norm_with(inner, epsilon),
                conv_pw: init.conv2d_kaiming([inner, to], 1, 1),
                bn2: init.batch_norm_with(to, epsilon),
            });
        }
        Self::Expanded(ExpandedBlock {
            conv_pw: init.conv2d_kaiming([from, inner], 1, 1),
            bn1: init.batch_norm_with(inner, epsilon),
            conv_dw: each(init),
            bn2: init.batch_norm_with(inner, epsilon),
            conv_pwl: init.conv2d_kaiming([inner, to], 1, 1),
            bn3: init.batch_norm_with(to, epsilon),
            is_residual: sizes.is_residual(),
        })
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Separable(block) => {
                let each = block.bn1.forward_of(&block.conv_dw, input, After::Relu6);
                block.bn2.forward_of(&block.conv_pw, each, After::Nothing)
            }
            Self::Expanded(block) => {
                let (conv, around) = (&block.conv_pw, input.clone());
                let inner = block.bn1.forward_of(conv, input, After::Relu6);
                let each = block.bn2.forward_of(&block.conv_dw, inner, After::Relu6);
                let maps = block.bn3.forward_of(&block.conv_pwl, each, After::Nothing);
                if block.is_residual {
                    maps + around
                } else {
                    maps
                }
            }
        }
    }
}

/// An EfficientNet-Lite0.
#[derive(Module, Debug)]
pub struct EfficientNet {
    conv_stem: Conv2d,
    bn1: BatchNorm,
    blocks: Vec<Vec<EfficientBlock>>,
    conv_head: Conv2d,
    bn2: BatchNorm,
    classifier: Linear,
}

impl EfficientNet {
    /// The maps after each stage, and the last convolution's averaged over positions.
    fn states(&self, images: Tensor<4>, pass: &mut Pass<'_>) -> (Vec<Tensor<4>>, Tensor<2>) {
        let stem = self.bn1.forward_of(&self.conv_stem, images, After::Relu6);
        self.states_behind(0, stem, pass)
    }

    /// The same of what comes out of the first `done` stages.
    fn states_behind(
        &self,
        done: usize,
        maps: Tensor<4>,
        pass: &mut Pass<'_>,
    ) -> (Vec<Tensor<4>>, Tensor<2>) {
        let mut last = maps;
        let mut maps = vec![];
        for block in &self.blocks[done..] {
            for block in block {
                last = run_part(block, last, pass, |block, maps, _| block.forward(maps));
            }
            maps.push(last.clone());
        }
        let head = self.bn2.forward_of(&self.conv_head, last, After::Relu6);
        (maps, Feature::Map(head).pooled(Pooling::Mean))
    }
}

impl Model for EfficientNet {
    /// `blocks.0` to `blocks.6`, `penultimate` (the last convolution's maps averaged over positions) and
    /// `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let images = input.images(EfficientNetSettings::NAME)?;
        let (maps, pooled) = self.states(images, &mut Pass::inference());
        let logits = connect(&self.classifier, pooled.clone());
        let maps = maps.into_iter().map(Feature::Map);
        let layers = maps.chain([pooled, logits].map(Feature::Vector));
        Ok(Activations::new(layer_names(), layers))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, pooled) = self.states(input.images(EfficientNetSettings::NAME)?, pass);
        let logits = connect(&self.classifier, pass.dropout.apply(pooled));
        Ok(Output::Logits(logits))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let logits = match (joint, activation) {
            ("penultimate", Feature::Vector(pooled)) => connect(&self.classifier, pooled),
            (joint, Feature::Map(maps)) => {
                let names = layer_names();
                let done = names[..STAGES].iter().position(|name| name == joint)?;
                let (_, pooled) = self.states_behind(done + 1, maps, &mut Pass::inference());
                connect(&self.classifier, pooled)
            }
            _ => return None,
        };
        Some(Output::Logits(logits))
    }
}
