//! A small convolutional network.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use rand::Rng;

use crate::convolve::convolve;
use crate::feature::{Activations, Feature, Input, Pooling};
use crate::{BatchNorm, Init, ModelShape};

/// Names of the layers.
pub(crate) const LAYERS: [&str; 4] = ["conv1", "conv2", "penultimate", "logits"];

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
    /// A new model whose first convolution has `width` channels.
    pub fn new<R: Rng>(width: usize, shape: ModelShape, init: &mut Init<'_, R>) -> Self {
        Self {
            conv1: init.conv2d([shape.image()[0], width], 3, 2),
            bn1: init.batch_norm(width),
            conv2: init.conv2d([width, 2 * width], 3, 2),
            bn2: init.batch_norm(2 * width),
            conv3: init.conv2d([2 * width, 4 * width], 3, 2),
            bn3: init.batch_norm(4 * width),
            fc: init.linear(4 * width, shape.classes),
        }
    }

    /// All layers: the maps `conv1` and `conv2` after ReLU, `penultimate` (the
    /// third convolution's maps averaged over positions, `[n, 4w]`) and
    /// `logits`.
    pub fn forward(&self, input: Input) -> Activations {
        let images = input.images();
        let conv1 = self.bn1.forward_relu(convolve(&self.conv1, images));
        let conv2 = self.bn2.forward_relu(convolve(&self.conv2, conv1.clone()));
        let conv3 = self.bn3.forward_relu(convolve(&self.conv3, conv2.clone()));
        let pooled = Feature::Map(conv3).pooled(Pooling::Mean);
        let logits = self.fc.forward(pooled.clone());
        let [first, second, third, last] = LAYERS;
        Activations {
            layers: vec![
                (first, Feature::Map(conv1)),
                (second, Feature::Map(conv2)),
                (third, Feature::Vector(pooled)),
                (last, Feature::Vector(logits)),
            ],
        }
    }
}
