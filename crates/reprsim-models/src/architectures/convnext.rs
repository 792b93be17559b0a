//! ConvNeXt (Liu et al. 2022, arXiv 2201.03545), with torchvision's parameter names and numbers.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::gelu;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{
    Place, Square, check_width, connect, convolve, map_values, normalize, run_part,
};
use crate::{
    Architecture, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output, OutputKind,
    Pass, Preset,
};

/// Standard deviation of the initial weights. torchvision cuts the normal distribution at 2, a hundred
/// of these from 0, where no weight is drawn.
const SPREAD: f32 = 0.02;
/// What layer norms add to the variance.
const EPSILON: f64 = 1e-6;
/// By what a block's output is multiplied at first.
const LAYER_SCALE: f32 = 1e-6;
/// Side of the patches that the stem cuts.
const PATCH: usize = 4;

/// A network of depthwise convolutions and perceptrons over channels. `convnext_tiny` to
/// `convnext_large` are torchvision's, without their stochastic depth: training drops no blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConvNextSettings {
    /// 18 or 36 blocks.
    pub depth: usize,
    /// Channels of the first stage: 96 of tiny and small, 128 of base, 192 of large.
    pub width: usize,
}

impl Default for ConvNextSettings {
    fn default() -> Self {
        Self::published(18, 96)
    }
}

impl ConvNextSettings {
    /// torchvision's network of some size.
    fn published(depth: usize, width: usize) -> Self {
        Self { depth, width }
    }

    /// Blocks of each stage.
    fn blocks(&self) -> Result<[usize; 4], ModelError> {
        match self.depth {
            18 => Ok([3, 3, 9, 3]),
            36 => Ok([3, 3, 27, 3]),
            other => Err(ModelError::Settings(format!(
                "a convnext has a depth of 18 or 36, not {other}"
            ))),
        }
    }
}

impl Architecture for ConvNextSettings {
    type Model = ConvNext;

    const NAME: &'static str = "convnext";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["classifier.2."];
    const PRESETS: &'static [Preset<Self>] = &[
        ("convnext_tiny", || Self::published(18, 96)),
        ("convnext_small", || Self::published(36, 96)),
        ("convnext_base", || Self::published(36, 128)),
        ("convnext_large", || Self::published(36, 192)),
    ];

    fn layer_names(&self) -> Vec<String> {
        layer_names()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a convnext", self.width)?;
        self.blocks().map(|_| ())
    }

    fn least(&self) -> usize {
        // Three stages halve what the stem leaves.
        PATCH << 3
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let (Ok([_, height, side]), Ok(blocks)) = (shape.image(Self::NAME), self.blocks()) else {
            return Kept::default();
        };
        let mut kept = Kept::default();
        for (number, blocks) in blocks.into_iter().enumerate() {
            let sides = [height, side].map(|side| side / (PATCH << number));
            // Before and after the norm; of a block what the convolution, the norm and the perceptron,
            // four times as wide before and after its activation, leave, and the sum.
            let map = map_values(self.width << number, sides);
            kept.add(2 * map);
            for _ in 0..blocks {
                kept.add_part(11 * map, map);
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

    /// Weights as torchvision draws them: normal with standard deviation 0.02, biases 0, the scale of
    /// each block's output 1e-6.
    fn build<R: Rng>(
        &self,
        shape: ModelShape,
        init: &mut Init<'_, R>,
    ) -> Result<ConvNext, ModelError> {
        let [channels, ..] = shape.image(Self::NAME)?;
        let blocks = self.blocks()?;
        let width = |stage: usize| self.width << stage;
        let stem = Square::patches([channels, width(0)], PATCH);
        let stem = (
            init.convolution_normal(stem, SPREAD, true),
            init.layer_norm(width(0)),
        );
        let stage = |number: usize, init: &mut Init<'_, R>| -> Vec<Block> {
            let block = |_| Block::new(width(number), init);
            (0..blocks[number]).map(block).collect()
        };
        // To the stage of this number.
        let halved = |number: usize, init: &mut Init<'_, R>| {
            let square = Square::patches([width(number - 1), width(number)], 2);
            (
                init.layer_norm(width(number - 1)),
                init.convolution_normal(square, SPREAD, true),
            )
        };
        Ok(ConvNext {
            features: (
                stem,
                stage(0, init),
                halved(1, init),
                stage(1, init),
                halved(2, init),
                stage(2, init),
                halved(3, init),
                stage(3, init),
            ),
            classifier: (
                init.layer_norm(width(3)),
                Place,
                init.linear_normal_biased([width(3), shape.classes], SPREAD),
            ),
        })
    }
}

/// `features.0` (the stem), each stage, `penultimate` and `logits`.
fn layer_names() -> Vec<String> {
    [
        "features.0",
        "features.1",
        "features.3",
        "features.5",
        "features.7",
        "penultimate",
        "logits",
    ]
    .map(String::from)
    .into()
}

/// `[n, channels, height, width]` as `[n, height, width, channels]`.
fn channels_last(maps: Tensor<4>) -> Tensor<4> {
    maps.permute([0, 2, 3, 1])
}

/// The other way.
fn channels_first(maps: Tensor<4>) -> Tensor<4> {
    maps.permute([0, 3, 1, 2])
}

/// The layer norm of each position's channels.
fn normalize_channels(norm: &LayerNorm, maps: Tensor<4>) -> Tensor<4> {
    channels_first(normalize(norm, channels_last(maps), EPSILON))
}

/// What a block adds to its input: a convolution of each channel by itself, channels brought to the end,
/// layer norm, a perceptron (its activation between), channels brought back.
type Inner = (Conv2d, Place, LayerNorm, Linear, Place, Linear);

/// A residual block.
#[derive(Module, Debug)]
struct Block {
    block: Inner,
    layer_scale: Param<Tensor<3>>,
}

impl Block {
    fn new<R: Rng>(width: usize, init: &mut Init<'_, R>) -> Self {
        let square = Square {
            groups: width,
            ..Square::half_padded([width, width], 7, 1)
        };
        Self {
            block: (
                init.convolution_normal(square, SPREAD, true),
                Place,
                init.layer_norm(width),
                init.linear_normal_biased([width, 4 * width], SPREAD),
                Place,
                init.linear_normal_biased([4 * width, width], SPREAD),
            ),
            layer_scale: init.constant([width, 1, 1], LAYER_SCALE),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let (depthwise, _, norm, first, _, second) = &self.block;
        let inner = channels_last(convolve(depthwise, input.clone()));
        let inner = gelu(connect(first, normalize(norm, inner, EPSILON)));
        let inner = channels_first(connect(second, inner));
        input + inner * self.layer_scale.val().unsqueeze::<4>()
    }
}

/// A convolution that cuts the image into patches, and a norm.
type Cut = (Conv2d, LayerNorm);
/// A norm, and a convolution that halves the sides.
type Halved = (LayerNorm, Conv2d);

/// The stages, 1, 3, 5 and 7, and what is before each: a tuple, whose places are torchvision's names.
type Features = (
    Cut,
    Vec<Block>,
    Halved,
    Vec<Block>,
    Halved,
    Vec<Block>,
    Halved,
    Vec<Block>,
);

/// A ConvNeXt.
#[derive(Module, Debug)]
pub struct ConvNext {
    features: Features,
    classifier: (LayerNorm, Place, Linear),
}

impl ConvNext {
    /// The maps after the stem and after each stage, then the last averaged over positions and
    /// normalised, and the logits.
    fn states(&self, images: Tensor<4>, pass: &mut Pass<'_>) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let (cut, norm) = &self.features.0;
        self.states_behind(0, normalize_channels(norm, convolve(cut, images)), pass)
    }

    /// The maps that come out of the stem and the first `done` stages, and all behind them.
    fn states_behind(
        &self,
        done: usize,
        maps: Tensor<4>,
        pass: &mut Pass<'_>,
    ) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let (_, stage1, halved2, stage2, halved3, stage3, halved4, stage4) = &self.features;
        let mut last = maps;
        let mut maps = vec![last.clone()];
        let stages = [
            (None, stage1),
            (Some(halved2), stage2),
            (Some(halved3), stage3),
            (Some(halved4), stage4),
        ];
        for (halved, stage) in &stages[done..] {
            if let Some((norm, convolution)) = halved {
                last = convolve(convolution, normalize_channels(norm, last));
            }
            for block in *stage {
                last = run_part(block, last, pass, |block, maps, _| block.forward(maps));
            }
            maps.push(last.clone());
        }
        let (norm, _, head) = &self.classifier;
        let pooled = Feature::Map(last).pooled(Pooling::Mean);
        let pooled = normalize(norm, pooled, EPSILON);
        let logits = connect(head, pooled.clone());
        (maps, [pooled, logits])
    }
}

impl Model for ConvNext {
    /// `features.0` (the stem), `features.1`, `features.3`, `features.5` and `features.7` (the stages),
    /// `penultimate` (the last maps averaged over positions, after the norm) and `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let images = input.images(ConvNextSettings::NAME)?;
        let (maps, vectors) = self.states(images, &mut Pass::inference());
        let maps = maps.into_iter().map(Feature::Map);
        let layers = maps.chain(vectors.map(Feature::Vector));
        Ok(Activations::new(layer_names(), layers))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, [_, logits]) = self.states(input.images(ConvNextSettings::NAME)?, pass);
        Ok(Output::Logits(logits))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let logits = match (joint, activation) {
            ("penultimate", Feature::Vector(pooled)) => connect(&self.classifier.2, pooled),
            (joint, Feature::Map(maps)) => {
                let names = layer_names();
                let done = names[..5].iter().position(|name| name == joint)?;
                let (_, [_, logits]) = self.states_behind(done, maps, &mut Pass::inference());
                logits
            }
            _ => return None,
        };
        Some(Output::Logits(logits))
    }
}
