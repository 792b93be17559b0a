//! burn's layers of transformers, computed by the kernels of this workspace.

use burn::nn::attention::MultiHeadAttention;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use reprsim_kernels::{After, Dropout, attention, layer_norm, linear};

/// What layer norms add to the variance: burn's and PyTorch's.
const EPSILON: f64 = 1e-5;

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

/// The layer's output for `[..., width]`.
pub(crate) fn normalize<const D: usize>(layer: &LayerNorm, input: Tensor<D>) -> Tensor<D> {
    let beta = layer.beta.as_ref().map(|beta| beta.val());
    layer_norm(input, layer.gamma.val(), beta, EPSILON)
}

/// Attention of `[n, time, width]` to itself, without dropout.
pub(crate) fn attend(layer: &MultiHeadAttention, input: Tensor<3>) -> Tensor<3> {
    // One product for queries, keys and values.
    let parts = [&layer.query, &layer.key, &layer.value];
    let weight = Tensor::cat(parts.map(|part| part.weight.val()).to_vec(), 1);
    let biases = parts.iter().filter_map(|part| part.bias.as_ref());
    let biases: Vec<Tensor<1>> = biases.map(|bias| bias.val()).collect();
    let bias = (biases.len() == parts.len()).then(|| Tensor::cat(biases, 0));
    let all = linear(input, weight, bias, After::Nothing);
    let mixed = attention(all, layer.n_heads, false, &mut Dropout::none());
    connect(&layer.output, mixed)
}
