//! Initial weights, drawn on the host.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{
    Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    PaddingConfig2d,
};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::BatchNorm;

/// The shape of a square convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Square {
    /// Input and output channels.
    pub channels: [usize; 2],
    /// Side of the kernel.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: usize,
    /// Parts into which channels fall, each a convolution of its own; they divide both numbers
    /// of channels.
    pub groups: usize,
}

impl Square {
    /// One padded by half its kernel.
    pub fn half_padded(channels: [usize; 2], kernel: usize, stride: usize) -> Self {
        Self {
            channels,
            kernel,
            stride,
            padding: kernel / 2,
            groups: 1,
        }
    }

    /// One that cuts the input into squares and gives each a vector.
    pub fn patches(channels: [usize; 2], side: usize) -> Self {
        Self {
            channels,
            kernel: side,
            stride: side,
            padding: 0,
            groups: 1,
        }
    }

    /// Weights for each output.
    pub fn fan_in(&self) -> usize {
        self.channels[0] / self.groups * self.kernel * self.kernel
    }

    /// The shape of the weights.
    fn weights(&self) -> [usize; 4] {
        let [from, to] = self.channels;
        [to, from / self.groups, self.kernel, self.kernel]
    }
}

/// Builds layers on a device with weights from a random stream.
///
/// The distributions are PyTorch's defaults where a function does not say
/// otherwise: weights and biases of linear and convolutional layers uniform in
/// ±1/sqrt(fan-in).
#[derive(Debug)]
pub struct Init<'a, R: Rng> {
    device: &'a Device,
    rng: &'a mut R,
    /// Weights so far, where they are counted and not drawn.
    counted: Option<u128>,
}

impl<'a, R: Rng> Init<'a, R> {
    /// Layers go to `device`, their weights come from `rng`.
    pub fn new(device: &'a Device, rng: &'a mut R) -> Self {
        Self {
            device,
            rng,
            counted: None,
        }
    }

    /// Draws nothing and builds layers of one weight, but counts how many there would be, so that
    /// a model can be refused before memory is taken for it.
    pub(crate) fn counting(device: &'a Device, rng: &'a mut R) -> Self {
        Self {
            device,
            rng,
            counted: Some(0),
        }
    }

    /// Weights that were counted.
    pub(crate) fn counted(&self) -> u128 {
        self.counted.unwrap_or(0)
    }

    /// The shape to build; where weights are counted, that of a single one.
    fn sized<const D: usize>(&mut self, shape: [usize; D]) -> [usize; D] {
        let Some(counted) = &mut self.counted else {
            return shape;
        };
        let weights = shape
            .iter()
            .fold(1u128, |n, &size| n.saturating_mul(size as u128));
        *counted = counted.saturating_add(weights);
        [1; D]
    }

    fn param<const D: usize>(&self, shape: [usize; D], values: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    fn uniform<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let (bound, shape) = (1.0 / (fan_in as f32).sqrt(), self.sized(shape));
        let values = (0..shape.iter().product())
            .map(|_| self.rng.random_range(-bound..bound))
            .collect();
        self.param(shape, values)
    }

    /// Normal deviates with mean 0 and standard deviation `std`.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f32) -> Param<Tensor<D>> {
        let shape = self.sized(shape);
        let values = (0..shape.iter().product())
            .map(|_| std * self.rng.sample::<f32, _>(StandardNormal))
            .collect();
        self.param(shape, values)
    }

    /// A fully connected layer with bias.
    pub fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let mut layer = self.unset_linear(inputs, outputs, true);
        layer.weight = self.uniform([inputs, outputs], inputs);
        layer.bias = Some(self.uniform([outputs], inputs));
        layer
    }

    /// A fully connected layer, its biases 0.
    pub(crate) fn linear_zero_biased(&mut self, inputs: usize, outputs: usize) -> Linear {
        let mut layer = self.unset_linear(inputs, outputs, true);
        layer.weight = self.uniform([inputs, outputs], inputs);
        layer.bias = Some(self.constant([outputs], 0.0));
        layer
    }

    /// A fully connected layer without bias, its weights normal.
    pub(crate) fn linear_normal(&mut self, [inputs, outputs]: [usize; 2], std: f32) -> Linear {
        let mut layer = self.unset_linear(inputs, outputs, false);
        layer.weight = self.normal([inputs, outputs], std);
        layer
    }

    /// A fully connected layer, its weights normal, its biases 0.
    pub(crate) fn linear_normal_biased(&mut self, size: [usize; 2], std: f32) -> Linear {
        let mut layer = self.unset_linear(size[0], size[1], true);
        layer.weight = self.normal(size, std);
        layer.bias = Some(self.constant([size[1]], 0.0));
        layer
    }

    /// A fully connected layer whose biases start at zero, its weights uniform in ±1/sqrt(outputs).
    pub(crate) fn linear_by_outputs(&mut self, [inputs, outputs]: [usize; 2]) -> Linear {
        let mut layer = self.unset_linear(inputs, outputs, true);
        layer.weight = self.uniform([inputs, outputs], outputs);
        layer.bias = Some(self.constant([outputs], 0.0));
        layer
    }

    /// A fully connected layer whose weights are still to be set.
    fn unset_linear(&self, inputs: usize, outputs: usize, bias: bool) -> Linear {
        LinearConfig::new(inputs, outputs)
            .with_bias(bias)
            .with_initializer(Initializer::Zeros)
            .init(self.device)
    }

    /// `value` everywhere.
    pub(crate) fn constant<const D: usize>(
        &mut self,
        shape: [usize; D],
        value: f32,
    ) -> Param<Tensor<D>> {
        let shape = self.sized(shape);
        self.param(shape, vec![value; shape.iter().product()])
    }

    /// A vector for each of `count` items, normal.
    pub(crate) fn embedding(&mut self, [count, width]: [usize; 2], std: f32) -> Embedding {
        let mut layer = EmbeddingConfig::new(count, width)
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        layer.weight = self.normal([count, width], std);
        layer
    }

    /// Layer norm without bias, starting at the identity.
    pub(crate) fn layer_norm_without_bias(&mut self, width: usize) -> LayerNorm {
        let [width] = self.sized([width]);
        LayerNormConfig::new(width)
            .with_bias(false)
            .init(self.device)
    }

    /// A square convolution without bias, padded by half its kernel.
    pub fn conv2d(&mut self, channels: [usize; 2], kernel: usize, stride: usize) -> Conv2d {
        self.convolution(Square::half_padded(channels, kernel, stride), false)
    }

    /// A square convolution.
    pub(crate) fn convolution(&mut self, square: Square, bias: bool) -> Conv2d {
        let mut layer = self.unset(square, bias);
        layer.weight = self.uniform(square.weights(), square.fan_in());
        if bias {
            layer.bias = Some(self.uniform([square.channels[1]], square.fan_in()));
        }
        layer
    }

    /// A square convolution, its weights normal and its biases 0.
    pub(crate) fn convolution_normal(&mut self, square: Square, std: f32, bias: bool) -> Conv2d {
        let mut layer = self.unset(square, bias);
        layer.weight = self.normal(square.weights(), std);
        if bias {
            layer.bias = Some(self.constant([square.channels[1]], 0.0));
        }
        layer
    }

    /// A square convolution whose weights are still to be set.
    fn unset(&self, square: Square, bias: bool) -> Conv2d {
        let Square {
            channels,
            kernel,
            stride,
            padding: p,
            groups,
        } = square;
        Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(p, p, p, p))
            .with_groups(groups)
            .with_bias(bias)
            .with_initializer(Initializer::Zeros)
            .init(self.device)
    }

    /// A square convolution of every channel by itself (depthwise), without bias, padded by half its kernel,
    /// its weights normal with variance 2 / `fan_out`.
    pub(crate) fn conv2d_depthwise(
        &mut self,
        channels: usize,
        [kernel, stride]: [usize; 2],
        fan_out: usize,
    ) -> Conv2d {
        let square = Square {
            groups: channels,
            ..Square::half_padded([channels, channels], kernel, stride)
        };
        self.convolution_normal(square, (2.0 / fan_out as f32).sqrt(), false)
    }

    /// A square convolution without bias, padded by half its kernel, its weights
    /// normal with variance 2 / fan-out (He et al. 2015), as torchvision's residual
    /// networks start.
    pub fn conv2d_kaiming(&mut self, channels: [usize; 2], kernel: usize, stride: usize) -> Conv2d {
        let (mut layer, counted) = (self.conv2d(channels, kernel, stride), self.counted);
        let fan_out = channels[1] * kernel * kernel;
        let shape = [channels[1], channels[0], kernel, kernel];
        layer.weight = self.normal(shape, (2.0 / fan_out as f32).sqrt());
        // Drawn twice, but one convolution.
        self.counted = counted;
        layer
    }

    /// A transposed square convolution with bias.
    pub(crate) fn transposed(&mut self, square: Square) -> ConvTranspose2d {
        let Square {
            channels,
            kernel,
            stride,
            padding,
            ..
        } = square;
        let mut layer = ConvTranspose2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding([padding, padding])
            .with_initializer(Initializer::Zeros)
            .init(self.device);
        // PyTorch takes the second dimension of the weight, [in, out, k, k], for
        // the fan-in here too.
        let fan_in = channels[1] * kernel * kernel;
        layer.weight = self.uniform([channels[0], channels[1], kernel, kernel], fan_in);
        layer.bias = Some(self.uniform([channels[1]], fan_in));
        layer
    }

    /// Batch norm, starting at the identity.
    pub fn batch_norm(&mut self, channels: usize) -> BatchNorm {
        self.batch_norm_with(channels, BatchNorm::EPSILON)
    }

    /// The same with something else added to variances.
    pub(crate) fn batch_norm_with(&mut self, channels: usize, epsilon: f64) -> BatchNorm {
        let [scales, _] = [self.sized([channels]), self.sized([channels])];
        BatchNorm::new(scales[0], epsilon, self.device)
    }

    /// Layer norm, starting at the identity.
    pub fn layer_norm(&mut self, width: usize) -> LayerNorm {
        let [scales, _] = [self.sized([width]), self.sized([width])];
        LayerNormConfig::new(scales[0]).init(self.device)
    }
}
