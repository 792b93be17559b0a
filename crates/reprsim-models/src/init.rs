//! Initial weights, drawn on the host.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};

/// Builds layers on a device with weights from a random stream.
///
/// The distributions are PyTorch's defaults: weights and biases of linear and
/// convolutional layers uniform in ±1/sqrt(fan-in).
#[derive(Debug)]
pub struct Init<'a, R: Rng> {
    device: &'a Device,
    rng: &'a mut R,
}

impl<'a, R: Rng> Init<'a, R> {
    /// Layers go to `device`, their weights come from `rng`.
    pub fn new(device: &'a Device, rng: &'a mut R) -> Self {
        Self { device, rng }
    }

    fn uniform<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let bound = 1.0 / (fan_in as f32).sqrt();
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| self.rng.random_range(-bound..bound))
            .collect();
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    /// A fully connected layer with bias.
    pub fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let mut layer = LinearConfig::new(inputs, outputs)
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        layer.weight = self.uniform([inputs, outputs], inputs);
        layer.bias = Some(self.uniform([outputs], inputs));
        layer
    }

    /// A square convolution without bias, padded by half its kernel.
    pub fn conv2d(&mut self, channels: [usize; 2], kernel: usize, stride: usize) -> Conv2d {
        let half = kernel / 2;
        let mut layer = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(half, half, half, half))
            .with_bias(false)
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        let fan_in = channels[0] * kernel * kernel;
        layer.weight = self.uniform([channels[1], channels[0], kernel, kernel], fan_in);
        layer
    }

    /// Batch norm, starting at the identity.
    pub fn batch_norm(&mut self, channels: usize) -> BatchNorm {
        BatchNormConfig::new(channels).init(self.device)
    }
}
