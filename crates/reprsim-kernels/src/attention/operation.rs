//! Attention of tensors.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Tensor};

use super::heads::{Attended, Heads, attend, attend_back};
use crate::dropout::Dropout;
use crate::flex::{contiguous, is_cpu, primitive, tensor, tracked, with_derivative};
use crate::profile::timed;

/// Attention of each position of a sequence to all, or where it is `causal` to those before it and
/// itself: from queries, keys and values side by side, `[n, time, 3 width]`, each of them divided
/// among `heads`, to `[n, time, width]`. `dropout` drops weights of positions.
pub fn attention(all: Tensor<3>, heads: usize, causal: bool, dropout: &mut Dropout) -> Tensor<3> {
    if !is_cpu(&all.device()) || dropout.drops() {
        return by_operations(all, heads, causal, dropout);
    }
    let [n, time, width] = all.dims();
    let heads = Heads {
        n,
        time,
        heads,
        size: width / 3 / heads,
        causal,
    };
    let dims = [n, time, width / 3];
    if !all.device().is_autodiff() {
        let found = heads_of(&mut primitive(all), &heads);
        return Tensor::from_primitive::<Flex>(tensor(found.output, dims));
    }
    let all = tracked(all);
    let nodes = [all.node()];
    let mut all = all.into_primitive();
    let Attended { output, logs } = heads_of(&mut all, &heads);
    let output = tensor(output, dims);
    with_derivative(Attention, nodes, output, |output| State {
        all,
        output: output.clone(),
        logs,
        heads,
    })
}

fn heads_of(all: &mut FlexTensor, heads: &Heads) -> Attended {
    let values = heads.n * heads.time * heads.width();
    timed("attention", 2 * heads.operations(), 4 * values, || {
        attend(contiguous(all), heads)
    })
}

/// The same operation by operation: where these are recorded, and where weights are dropped.
fn by_operations(all: Tensor<3>, heads: usize, causal: bool, dropout: &mut Dropout) -> Tensor<3> {
    let [n, time, width] = all.dims();
    let width = width / 3;
    let split = |part: usize| -> Tensor<4> {
        let part = (all.clone()).slice_dim(2, part * width..(part + 1) * width);
        part.reshape([n, time, heads, width / heads])
            .swap_dims(1, 2)
    };
    let [query, key, value] = [0, 1, 2].map(split);
    let scale = ((width / heads) as f64).sqrt().recip();
    let mut scores = query.mul_scalar(scale).matmul(key.swap_dims(2, 3));
    if causal {
        let later = Tensor::<2, Bool>::tril_mask([time, time], 0, &scores.device());
        scores = scores.mask_fill(later.unsqueeze::<4>(), f32::NEG_INFINITY);
    }
    let weights = dropout.apply(softmax(scores, 3));
    let mixed = weights.matmul(value).swap_dims(1, 2);
    mixed.reshape([n, time, width])
}

#[derive(Debug)]
struct Attention;

#[derive(Clone, Debug)]
struct State {
    all: FlexTensor,
    output: FlexTensor,
    /// Of each head and position the logarithm of the sum that its weights were divided by.
    logs: Vec<f32>,
    heads: Heads,
}

impl Backward<Flex, 1> for Attention {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let mut state = ops.state;
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = node {
            let Heads { n, time, .. } = state.heads;
            let (operations, count) =
                (5 * state.heads.operations(), n * time * state.heads.width());
            let values = timed("attention: back", operations, 8 * count, || {
                attend_back(
                    contiguous(&mut state.all),
                    contiguous(&mut state.output),
                    &state.logs,
                    contiguous(&mut gradient),
                    &state.heads,
                )
            });
            let dims = [n, time, 3 * state.heads.width()];
            gradients.register::<Flex>(node.id, tensor(values, dims));
        }
    }
}
