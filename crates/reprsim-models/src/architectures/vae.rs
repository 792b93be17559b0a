//! A convolutional variational autoencoder (Kingma and Welling 2014), as the
//! published experiments train it.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature};
use crate::layers::{
    Square, check_width, connect, convolve_relu, convolve_transposed, convolve_transposed_relu,
    map_values,
};
use crate::{
    Architecture, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output, OutputKind,
    Pass, Reconstruction,
};

/// A convolutional variational autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VaeSettings {
    /// Channels of the first convolution; the second has twice as many.
    pub width: usize,
    /// Length of the latent vector.
    pub latent: usize,
}

impl Default for VaeSettings {
    fn default() -> Self {
        Self {
            width: 64,
            latent: 20,
        }
    }
}

impl Architecture for VaeSettings {
    type Model = Vae;

    const NAME: &'static str = "vae";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Reconstruction;

    fn layer_names(&self) -> Vec<String> {
        ["conv1", "conv2", "mu", "logvar"].map(String::from).into()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a vae", self.width)?;
        check_width("a latent vector", self.latent)
    }

    fn stride(&self) -> usize {
        4
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let Ok([channels, height, side]) = shape.image(Self::NAME) else {
            return Kept::default();
        };
        let [half, quarter] = [2, 4].map(|by| [height / by, side / by]);
        // Of both convolutions and both ways, before and after the rectifier; then the pixels.
        let inside = map_values(self.width, half) + map_values(2 * self.width, quarter);
        Kept::always(4 * inside + map_values(channels, [height, side]))
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

    fn build<R: Rng>(&self, shape: ModelShape, init: &mut Init<'_, R>) -> Result<Vae, ModelError> {
        let (width, latent) = (self.width, self.latent);
        let [channels, height, side] = shape.image(Self::NAME)?;
        let inner = 2 * width * (height / 4) * (side / 4);
        let square = |channels: [usize; 2]| Square {
            channels,
            kernel: 4,
            stride: 2,
            padding: 1,
            groups: 1,
        };
        Ok(Vae {
            conv1: init.convolution(square([channels, width]), true),
            conv2: init.convolution(square([width, 2 * width]), true),
            mu: init.linear(inner, latent),
            logvar: init.linear(inner, latent),
            decode: init.linear(latent, inner),
            deconv1: init.transposed(square([2 * width, width])),
            deconv2: init.transposed(square([width, channels])),
        })
    }
}

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

impl Vae {
    fn encode(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        let first = convolve_relu(&self.conv1, images);
        let second = convolve_relu(&self.conv2, first.clone());
        [first, second]
    }

    /// Means and log-variances of the latent vectors, from the second maps.
    fn latent(&self, second: Tensor<4>) -> [Tensor<2>; 2] {
        let flat: Tensor<2> = second.flatten(1, 3);
        [connect(&self.mu, flat.clone()), connect(&self.logvar, flat)]
    }
}

impl Model for Vae {
    /// The layers `conv1`, `conv2` (maps after ReLU), `mu` and `logvar`: the latent means
    /// and log-variances.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let [first, second] = self.encode(input.images(VaeSettings::NAME)?);
        let [mu, logvar] = self.latent(second.clone());
        Ok(Activations::new(
            VaeSettings::default().layer_names(),
            [
                Feature::Map(first),
                Feature::Map(second),
                Feature::Vector(mu),
                Feature::Vector(logvar),
            ],
        ))
    }

    /// The images again: latent vectors are drawn as `mu + noise exp(logvar / 2)` in
    /// training and are their means at inference.
    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let images = input.images(VaeSettings::NAME)?;
        let device = images.device();
        let [_, second] = self.encode(images);
        let [n, c, h, w] = second.dims();
        let [mu, logvar] = self.latent(second);
        let latent = match pass.normal(mu.dims(), &device) {
            Some(noise) => mu.clone() + noise * logvar.clone().mul_scalar(0.5).exp(),
            None => mu.clone(),
        };
        let inner = connect(&self.decode, latent).reshape([n, c, h, w]);
        let logits = convolve_transposed(
            &self.deconv2,
            convolve_transposed_relu(&self.deconv1, inner),
        );
        Ok(Output::Reconstruction(Reconstruction {
            logits,
            mu,
            logvar,
        }))
    }
}
