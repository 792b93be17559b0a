//! Fully connected layers with their derivatives: product, bias and rectifier in one operation.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, module};

use crate::affine::{column_sums, multiply, rows, shift, shut};
use crate::after::After;
use crate::flex::{
    contiguous, contiguous_mut, is_cpu, like, matrix, primitive, tensor, tracked, with_derivative,
};
use crate::profile::timed;

/// `input weight + bias` with `input` `[..., inputs]`, `weight` `[inputs, outputs]` and `bias`
/// `[outputs]`, then what `after` says.
pub fn linear<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    after: After,
) -> Tensor<D> {
    if !is_cpu(&input.device()) {
        return after.of(module::linear(input, weight, bias));
    }
    let mut dims = input.dims();
    dims[D - 1] = weight.dims()[1];
    if !input.device().is_autodiff() {
        let bias = bias.map(primitive);
        let (mut input, mut weight) = (primitive(input), primitive(weight));
        let output = forward(&mut input, &mut weight, bias.as_ref(), after);
        return Tensor::from_primitive::<Flex>(tensor(output, dims));
    }
    let (input, weight) = (tracked(input), tracked(weight));
    let (input_node, weight_node) = (input.node(), weight.node());
    let (mut input, mut weight) = (input.into_primitive(), weight.into_primitive());
    let bias = bias.map(tracked);
    let bias_node = bias.as_ref().map(|bias| bias.node());
    let bias = bias.map(|bias| bias.into_primitive());
    let output = tensor(forward(&mut input, &mut weight, bias.as_ref(), after), dims);
    let state = |output: &FlexTensor| State {
        input,
        weight,
        output: (after != After::Nothing).then(|| output.clone()),
        bounds: after.bounds(),
    };
    match bias_node {
        Some(bias) => with_derivative(Linear, [input_node, weight_node, bias], output, state),
        None => with_derivative(Linear, [input_node, weight_node], output, state),
    }
}

fn forward(
    input: &mut FlexTensor,
    weight: &mut FlexTensor,
    bias: Option<&FlexTensor>,
    after: After,
) -> Vec<f32> {
    let [inputs, _] = sizes(weight);
    let (operations, values) = cost(input, weight);
    let bias = bias.cloned();
    timed("fully connected", operations, values, || {
        let mut output = multiply(rows(contiguous(input), inputs), matrix(weight));
        let bounds = after.bounds();
        match bias {
            Some(mut bias) => shift(&mut output, Some(contiguous(&mut bias)), bounds),
            None if after != After::Nothing => shift(&mut output, None, bounds),
            None => {}
        }
        output
    })
}

/// Operations of the product, or of half of its derivative, and the values of its three arrays.
fn cost(input: &FlexTensor, weight: &FlexTensor) -> (usize, usize) {
    let [inputs, outputs] = sizes(weight);
    let rows = input.layout().num_elements() / inputs.max(1);
    let values = rows * (inputs + outputs) + inputs * outputs;
    (2 * rows * inputs * outputs, values)
}

fn sizes(weight: &FlexTensor) -> [usize; 2] {
    let shape = weight.layout().shape();
    [shape[0], shape[1]]
}

#[derive(Debug)]
struct Linear;

#[derive(Clone, Debug)]
struct State {
    input: FlexTensor,
    weight: FlexTensor,
    /// Where a rectifier follows.
    output: Option<FlexTensor>,
    /// Those of the rectifier.
    bounds: [f32; 2],
}

impl State {
    /// The gradient of what comes before the rectifier.
    fn before(&mut self, mut gradient: FlexTensor) -> FlexTensor {
        if let Some(output) = &mut self.output {
            shut(
                contiguous_mut(&mut gradient),
                contiguous(output),
                self.bounds,
            );
        }
        gradient
    }

    fn of_input(&mut self, gradient: &mut FlexTensor) -> FlexTensor {
        let [_, outputs] = sizes(&self.weight);
        let (operations, values) = cost(&self.input, &self.weight);
        let found = timed("fully connected: in input", operations, values, || {
            let weight = matrix(&mut self.weight).transpose();
            multiply(rows(contiguous(gradient), outputs), weight)
        });
        like(found, &self.input)
    }

    fn of_weight(&mut self, gradient: &mut FlexTensor) -> FlexTensor {
        let [inputs, outputs] = sizes(&self.weight);
        let (operations, values) = cost(&self.input, &self.weight);
        let found = timed("fully connected: in weights", operations, values, || {
            let input = rows(contiguous(&mut self.input), inputs);
            multiply(input.transpose(), rows(contiguous(gradient), outputs))
        });
        tensor(found, [inputs, outputs])
    }

    fn of_bias(&self, gradient: &mut FlexTensor) -> FlexTensor {
        let [_, outputs] = sizes(&self.weight);
        tensor(column_sums(contiguous(gradient), outputs), [outputs])
    }
}

impl Backward<Flex, 2> for Linear {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut state = ops.state;
        let mut gradient = state.before(gradients.consume::<Flex>(&ops.node));
        let [input, weight] = ops.parents;
        if let Some(node) = weight {
            gradients.register::<Flex>(node.id, state.of_weight(&mut gradient));
        }
        if let Some(node) = input {
            gradients.register::<Flex>(node.id, state.of_input(&mut gradient));
        }
    }
}

impl Backward<Flex, 3> for Linear {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut state = ops.state;
        let mut gradient = state.before(gradients.consume::<Flex>(&ops.node));
        let [input, weight, bias] = ops.parents;
        if let Some(node) = bias {
            gradients.register::<Flex>(node.id, state.of_bias(&mut gradient));
        }
        if let Some(node) = weight {
            gradients.register::<Flex>(node.id, state.of_weight(&mut gradient));
        }
        if let Some(node) = input {
            gradients.register::<Flex>(node.id, state.of_input(&mut gradient));
        }
    }
}
