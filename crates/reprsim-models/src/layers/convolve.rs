//! burn's convolution layers, computed by the kernels of this workspace.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use reprsim_kernels::{
    After, Window, conv_transpose2d, conv_transpose2d_biased, conv2d, conv2d_biased,
};

/// The layer's output for images `[n, channels, height, width]`. Layers are square, as
/// [`Init`](crate::Init) makes them.
pub(crate) fn convolve(layer: &Conv2d, images: Tensor<4>) -> Tensor<4> {
    apply(layer, images, After::Nothing)
}

/// The same with a rectifier behind it.
pub(crate) fn convolve_relu(layer: &Conv2d, images: Tensor<4>) -> Tensor<4> {
    apply(layer, images, After::Relu)
}

fn apply(layer: &Conv2d, images: Tensor<4>, after: After) -> Tensor<4> {
    let Some(window) = window(layer) else {
        return rectified(layer.forward(images), after);
    };
    let weight = layer.weight.val();
    match &layer.bias {
        Some(bias) => conv2d_biased(images, weight, bias.val(), after, window),
        None => rectified(conv2d(images, weight, window), after),
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
    apply_transposed(layer, images, After::Nothing)
}

/// The same with a rectifier behind it.
pub(crate) fn convolve_transposed_relu(layer: &ConvTranspose2d, images: Tensor<4>) -> Tensor<4> {
    apply_transposed(layer, images, After::Relu)
}

fn apply_transposed(layer: &ConvTranspose2d, images: Tensor<4>, after: After) -> Tensor<4> {
    let window = Window {
        kernel: layer.kernel_size[0],
        stride: layer.stride[0],
        padding: layer.padding[0],
    };
    let weight = layer.weight.val();
    match &layer.bias {
        Some(bias) => conv_transpose2d_biased(images, weight, bias.val(), after, window),
        None => rectified(conv_transpose2d(images, weight, window), after),
    }
}

fn rectified(images: Tensor<4>, after: After) -> Tensor<4> {
    match after {
        After::Nothing => images,
        After::Relu => relu(images),
    }
}
