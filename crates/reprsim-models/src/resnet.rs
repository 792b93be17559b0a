//! ResNet-18 and ResNet-34 (He et al. 2016, arXiv 1512.03385), with torchvision's
//! parameter names and numbers.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rand::Rng;

use crate::convolve::convolve;
use crate::feature::{Activations, Feature, Input, Pooling};
use crate::{BatchNorm, Init, ModelShape, Stem};

/// Names of the layers: the stem after its activation (and pooling), the four
/// stages, their mean over positions, and the output.
pub(crate) const LAYERS: [&str; 7] = [
    "stem",
    "layer1",
    "layer2",
    "layer3",
    "layer4",
    "penultimate",
    "logits",
];

/// Residual blocks in each stage.
pub(crate) fn blocks(depth: usize) -> Option<[usize; 4]> {
    match depth {
        18 => Some([2, 2, 2, 2]),
        34 => Some([3, 4, 6, 3]),
        _ => None,
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
    /// A new model of 18 or 34 layers; its first stage has `width` channels (64 in
    /// torchvision), the others twice as many each.
    pub(crate) fn new<R: Rng>(
        depth: usize,
        width: usize,
        stem: Stem,
        shape: ModelShape,
        init: &mut Init<'_, R>,
    ) -> Self {
        let (conv1, maxpool) = match stem {
            Stem::Cifar => (init.conv2d_kaiming([shape.image()[0], width], 3, 1), None),
            Stem::Stock => (
                init.conv2d_kaiming([shape.image()[0], width], 7, 2),
                Some(
                    MaxPool2dConfig::new([3, 3])
                        .with_strides([2, 2])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .init(),
                ),
            ),
        };
        let bn1 = init.batch_norm(width);
        // Other depths were refused by ModelConfig::check.
        let blocks = blocks(depth).unwrap_or([2; 4]);
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
        Self {
            conv1,
            bn1,
            maxpool,
            layer1,
            layer2,
            layer3,
            layer4,
            fc: init.linear(8 * width, shape.classes),
        }
    }

    /// All layers: `stem` after its activation and pooling, `layer1` to `layer4`,
    /// `penultimate` (the last maps averaged over positions) and `logits`.
    pub fn forward(&self, input: Input) -> Activations {
        let images = input.images();
        let stem = self.bn1.forward_relu(convolve(&self.conv1, images));
        let mut last = match &self.maxpool {
            Some(pool) => pool.forward(stem),
            None => stem,
        };
        let mut layers = vec![(LAYERS[0], Feature::Map(last.clone()))];
        let stages = [&self.layer1, &self.layer2, &self.layer3, &self.layer4];
        for (name, stage) in LAYERS[1..].iter().zip(stages) {
            for block in stage {
                last = block.forward(last);
            }
            layers.push((name, Feature::Map(last.clone())));
        }
        let pooled = Feature::Map(last).pooled(Pooling::Mean);
        let logits = self.fc.forward(pooled.clone());
        layers.push((LAYERS[5], Feature::Vector(pooled)));
        layers.push((LAYERS[6], Feature::Vector(logits)));
        Activations { layers }
    }
}
