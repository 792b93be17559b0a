//! A convolutional variational autoencoder (Kingma and Welling 2014), as the
//! published experiments train it.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rand::Rng;

use crate::convolve::{convolve, convolve_transposed};
use crate::feature::{Activations, Feature, Input};
use crate::init::Square;
use crate::{Init, ModelShape};

/// Names of the layers.
pub(crate) const LAYERS: [&str; 4] = ["conv1", "conv2", "mu", "logvar"];

/// Two 4x4 stride-2 convolutions (w and 2w channels) with ReLU, then the mean and
/// log-variance of the latent vector; the decoder mirrors the encoder.
#[derive(Module, Debug)]
pub struct Vae {
    conv1: Conv2d,
    conv2: Conv2d,
    mu: Linear,
    logvar: Linear,
    decode: Linear,
    deconv1: ConvTranspose2d,
    deconv2: ConvTranspose2d,
}

/// What a variational autoencoder makes of a batch.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// Logits of the pixels, `[n, channels, height, width]`.
    pub logits: Tensor<4>,
    /// Means of the latent vectors, `[n, latent]`.
    pub mu: Tensor<2>,
    /// Logarithms of their variances, `[n, latent]`.
    pub logvar: Tensor<2>,
}

impl Vae {
    /// A new model. The input's sides must be divisible by 4.
    pub(crate) fn new<R: Rng>(
        width: usize,
        latent: usize,
        shape: ModelShape,
        init: &mut Init<'_, R>,
    ) -> Self {
        let [channels, height, side] = shape.image();
        let inner = 2 * width * (height / 4) * (side / 4);
        let square = |channels: [usize; 2]| Square {
            channels,
            kernel: 4,
            stride: 2,
            padding: 1,
        };
        Self {
            conv1: init.convolution(square([channels, width]), true),
            conv2: init.convolution(square([width, 2 * width]), true),
            mu: init.linear(inner, latent),
            logvar: init.linear(inner, latent),
            decode: init.linear(latent, inner),
            deconv1: init.transposed(square([2 * width, width])),
            deconv2: init.transposed(square([width, channels])),
        }
    }

    fn encode(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        let first = relu(convolve(&self.conv1, images));
        let second = relu(convolve(&self.conv2, first.clone()));
        [first, second]
    }

    /// The layers `conv1`, `conv2` (maps after ReLU), `mu` and `logvar`: the latent means and
    /// log-variances.
    pub fn forward(&self, input: Input) -> Activations {
        let images = input.images();
        let [first, second] = self.encode(images);
        let flat: Tensor<2> = second.clone().flatten(1, 3);
        let [a, b, c, d] = LAYERS;
        Activations {
            layers: vec![
                (a, Feature::Map(first)),
                (b, Feature::Map(second)),
                (c, Feature::Vector(self.mu.forward(flat.clone()))),
                (d, Feature::Vector(self.logvar.forward(flat))),
            ],
        }
    }

    /// Encodes, draws latent vectors as `mu + noise exp(logvar / 2)` and decodes;
    /// `noise` is `[n, latent]`, standard normal.
    pub fn reconstruct(&self, images: Tensor<4>, noise: Tensor<2>) -> Reconstruction {
        let [_, second] = self.encode(images);
        let [n, c, h, w] = second.dims();
        let flat: Tensor<2> = second.flatten(1, 3);
        let mu = self.mu.forward(flat.clone());
        let logvar = self.logvar.forward(flat);
        let latent = mu.clone() + noise * logvar.clone().mul_scalar(0.5).exp();
        let inner = self.decode.forward(latent).reshape([n, c, h, w]);
        let logits = convolve_transposed(
            &self.deconv2,
            relu(convolve_transposed(&self.deconv1, inner)),
        );
        Reconstruction { logits, mu, logvar }
    }

    /// Length of the latent vector.
    pub fn latent(&self) -> usize {
        self.mu.weight.dims()[1]
    }
}
