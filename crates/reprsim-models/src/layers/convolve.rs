//! burn's convolution layers, computed by the kernels of this workspace.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use reprsim_kernels::{Window, conv_transpose2d, conv2d};

/// The layer's output for images `[n, channels, height, width]`. Layers are square, as
/// [`Init`](crate::Init) makes them.
pub(crate) fn convolve(layer: &Conv2d, images: Tensor<4>) -> Tensor<4> {
    let Some(window) = window(layer) else {
        return layer.forward(images);
    };
    let output = conv2d(images, layer.weight.val(), window);
    match &layer.bias {
        Some(bias) => shift(output, bias.val()),
        None => output,
    }
}

/// The window of a layer with a padding in numbers.
pub(super) fn window(layer: &Conv2d) -> Option<Window> {
    let PaddingConfig2d::Explicit(padding, ..) = layer.padding else {
        return None;
    };
    Some(Window {
        kernel: layer.kernel_size[0],
        stride: layer.stride[0],
        padding,
    })
}

/// [`convolve`] for a transposed convolution.
pub(crate) fn convolve_transposed(layer: &ConvTranspose2d, images: Tensor<4>) -> Tensor<4> {
    let window = Window {
        kernel: layer.kernel_size[0],
        stride: layer.stride[0],
        padding: layer.padding[0],
    };
    let output = conv_transpose2d(images, layer.weight.val(), window);
    match &layer.bias {
        Some(bias) => shift(output, bias.val()),
        None => output,
    }
}

fn shift(images: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let [channels] = bias.dims();
    images + bias.reshape([1, channels, 1, 1])
}
