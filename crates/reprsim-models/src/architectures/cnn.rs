//! A small convolutional network.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::After;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{check_width, connect, map_values, side_after};
use crate::{
    Architecture, BatchNorm, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output,
    OutputKind, Pass,
};

/// Three 3x3 stride-2 convolutions with batch norm and ReLU, then global average pooling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CnnSettings {
    /// Channels of the first convolution; the others have two and four times as many.
    pub width: usize,
}

impl Default for CnnSettings {
    fn default() -> Self {
        Self { width: 16 }
    }
}

impl Architecture for CnnSettings {
    type Model = Cnn;

    const NAME: &'static str = "cnn";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["fc."];

    fn layer_names(&self) -> Vec<String> {
        ["conv1", "conv2", "penultimate", "logits"]
            .map(String::from)
            .into()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a cnn", self.width)
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let Ok([_, mut height, mut side]) = shape.image(Self::NAME) else {
            return Kept::default();
        };
        let mut kept = 0;
        for channels in [1, 2, 4].map(|times| times * self.width) {
            [height, side] = [height, side].map(|side| side_after(side, 3, 2, 1));
            // Before and after the norm.
            kept += 2 * map_values(channels, [height, side]);
        }
        Kept::always(kept)
    }

    fn with_width(&self, width: usize) -> Option<Self> {
        Some(Self { width })
    }

    fn with_depth(&self, _: usize) -> Option<Self> {
        None
    }

    fn build<R: Rng>(&self, shape: ModelShape, init: &mut Init<'_, R>) -> Result<Cnn, ModelError> {
        let (width, [channels, ..]) = (self.width, shape.image(Self::NAME)?);
        Ok(Cnn {
            conv1: init.conv2d([channels, width], 3, 2),
            bn1: init.batch_norm(width),
            conv2: init.conv2d([width, 2 * width], 3, 2),
            bn2: init.batch_norm(2 * width),
            conv3: init.conv2d([2 * width, 4 * width], 3, 2),
            bn3: init.batch_norm(4 * width),
            fc: init.linear(4 * width, shape.classes),
        })
    }
}

/// Three 3x3 stride-2 convolutions (w, 2w, 4w channels), each with batch norm
/// and ReLU, global average pooling, and a linear head.
#[derive(Module, Debug)]
pub struct Cnn {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Conv2d,
    bn3: BatchNorm,
    fc: Linear,
}

impl Cnn {
    /// The maps after each of the first two convolutions, the third averaged over
    /// positions, and the logits.
    fn states(&self, images: Tensor<4>) -> ([Tensor<4>; 2], [Tensor<2>; 2]) {
        let conv1 = self.bn1.forward_of(&self.conv1, images, After::Relu);
        let conv2 = self.second(conv1.clone());
        let pooled = self.third(conv2.clone());
        let logits = connect(&self.fc, pooled.clone());
        ([conv1, conv2], [pooled, logits])
    }

    fn second(&self, conv1: Tensor<4>) -> Tensor<4> {
        self.bn2.forward_of(&self.conv2, conv1, After::Relu)
    }

    fn third(&self, conv2: Tensor<4>) -> Tensor<2> {
        let conv3 = self.bn3.forward_of(&self.conv3, conv2, After::Relu);
        Feature::Map(conv3).pooled(Pooling::Mean)
    }
}

impl Model for Cnn {
    /// The maps `conv1` and `conv2` after ReLU, `penultimate` (the third convolution's maps
    /// averaged over positions, `[n, 4w]`) and `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let ([conv1, conv2], [pooled, logits]) = self.states(input.images(CnnSettings::NAME)?);
        Ok(Activations::new(
            CnnSettings::default().layer_names(),
            [
                Feature::Map(conv1),
                Feature::Map(conv2),
                Feature::Vector(pooled),
                Feature::Vector(logits),
            ],
        ))
    }

    fn output(&self, input: Input, _: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, [_, logits]) = self.states(input.images(CnnSettings::NAME)?);
        Ok(Output::Logits(logits))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let pooled = match (joint, activation) {
            ("conv1", Feature::Map(conv1)) => self.third(self.second(conv1)),
            ("conv2", Feature::Map(conv2)) => self.third(conv2),
            ("penultimate", Feature::Vector(pooled)) => pooled,
            _ => return None,
        };
        Some(Output::Logits(connect(&self.fc, pooled)))
    }
}
