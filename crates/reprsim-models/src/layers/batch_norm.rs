//! Batch normalisation with PyTorch's running statistics.

use burn::module::{Module, Param, RunningState};
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use reprsim_kernels::{
    After, Scaling, batch_norm, batch_norm_train, conv2d_batch_norm, is_recomputing, is_training,
};

use super::convolve::{convolve, placed};
use super::held::is_held;

const MOMENTUM: f64 = 0.1;

/// Batch normalisation (Ioffe and Szegedy 2015) of `[n, channels, height, width]`.
///
/// Differs from burn's own in one thing: the running variance is the unbiased one
/// (divided by m - 1 for m values a channel), as PyTorch keeps it, so that a model
/// trained here answers there as it does here. On a device with automatic
/// differentiation, and while its training is recorded, it normalises with the batch, else, and
/// where it is held ([`holding_norms`](crate::holding_norms)), with the running statistics.
#[derive(Module, Debug)]
pub struct BatchNorm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
    /// Added to the variance.
    epsilon: f64,
}

impl BatchNorm {
    /// What PyTorch adds to the variance.
    pub const EPSILON: f64 = 1e-5;

    /// Starts at the identity; `epsilon` is added to variances.
    pub fn new(channels: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Param::from_tensor(Tensor::ones([channels], device)),
            beta: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            epsilon,
        }
    }

    /// The input normalised, scaled and shifted, channel by channel.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.apply(input, After::Nothing)
    }

    /// The same, followed by ReLU: one pass over the data instead of two.
    pub fn forward_relu(&self, input: Tensor<4>) -> Tensor<4> {
        self.apply(input, After::Relu)
    }

    /// A convolution's output normalised, and then what `after` says: at inference without a pass of its
    /// own.
    pub(crate) fn forward_of(&self, layer: &Conv2d, images: Tensor<4>, after: After) -> Tensor<4> {
        let ([_, _, height, width], device) = (images.dims(), images.device());
        match placed(layer, [height, width]) {
            Some(placed) if layer.bias.is_none() && !is_training(&device) => {
                let [mean, variance] = self.running(&device);
                let (scaling, weight) = (self.scaling(after), layer.weight.val());
                let window = placed.window;
                let maps = conv2d_batch_norm(images, weight, window, scaling, mean, variance);
                placed.cut(maps)
            }
            _ => self.apply(convolve(layer, images), after),
        }
    }

    fn scaling(&self, after: After) -> Scaling {
        Scaling {
            gamma: self.gamma.val(),
            beta: self.beta.val(),
            epsilon: self.epsilon,
            after,
        }
    }

    /// The running mean and variance.
    fn running(&self, device: &Device) -> [Tensor<1>; 2] {
        [&self.running_mean, &self.running_var].map(|state| state.value().to_device(device))
    }

    fn apply(&self, input: Tensor<4>, after: After) -> Tensor<4> {
        let device = input.device();
        let scaling = self.scaling(after);
        if !is_training(&device) || is_held(self.gamma.id) {
            let [mean, variance] = self.running(&device);
            return batch_norm(input, scaling, mean, variance);
        }
        let [n, _, h, w] = input.dims();
        let values = n * h * w;
        let unbiased = values as f64 / (values.max(2) - 1) as f64;
        let result = batch_norm_train(input, scaling);
        if is_recomputing() {
            return result.output;
        }
        let mix = |state: &RunningState<Tensor<1>>, new: Tensor<1>, scale: f64| {
            let old = state.value_sync().to_device(&device);
            let mixed = old.mul_scalar(1.0 - MOMENTUM) + new.mul_scalar(MOMENTUM * scale);
            state.update(mixed.detach());
            // burn keeps an update back until the next; a copy of the model in between would
            // lack it.
            state.value_sync();
        };
        mix(&self.running_mean, result.mean, 1.0);
        mix(&self.running_var, result.variance, unbiased);
        result.output
    }
}
