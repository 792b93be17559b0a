//! burn's fully connected layers and layer norms, computed by the kernels of this workspace.

use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use reprsim_kernels::{After, layer_norm, linear};

/// The layer's output for `[..., inputs]`.
pub(crate) fn connect<const D: usize>(layer: &Linear, input: Tensor<D>) -> Tensor<D> {
    apply(layer, input, After::Nothing)
}

/// The same with a rectifier behind it.
pub(crate) fn connect_relu<const D: usize>(layer: &Linear, input: Tensor<D>) -> Tensor<D> {
    apply(layer, input, After::Relu)
}

fn apply<const D: usize>(layer: &Linear, input: Tensor<D>, after: After) -> Tensor<D> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    linear(input, layer.weight.val(), bias, after)
}

/// The layer's output for `[..., width]`, with `epsilon` added to the variance.
pub(crate) fn normalize<const D: usize>(
    layer: &LayerNorm,
    input: Tensor<D>,
    epsilon: f64,
) -> Tensor<D> {
    let beta = layer.beta.as_ref().map(|beta| beta.val());
    layer_norm(input, layer.gamma.val(), beta, epsilon)
}
