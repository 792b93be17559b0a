//! Layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450), with its derivative.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, module};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::flex::{contiguous, is_cpu, like, primitive, tensor, tracked, with_derivative};
use crate::profile::timed;
use crate::sums::{sum, sum_of_products};

/// Rows that one thread takes at a time, and of which gradients of scale and shift are summed by
/// themselves.
const ROWS: usize = 128;

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` over the last axis, with the biased
/// variance; `gamma` and `beta` `[width]`.
pub fn layer_norm<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    if !is_cpu(&input.device()) {
        return module::layer_norm(input, gamma, beta, epsilon);
    }
    let epsilon = epsilon as f32;
    if !input.device().is_autodiff() {
        let (mut input, mut gamma) = (primitive(input), primitive(gamma));
        let beta = beta.map(primitive);
        let output = forward(&mut input, &mut gamma, beta.as_ref(), epsilon);
        return Tensor::from_primitive::<Flex>(output);
    }
    let (input, gamma) = (tracked(input), tracked(gamma));
    let (input_node, gamma_node) = (input.node(), gamma.node());
    let (mut input, mut gamma) = (input.into_primitive(), gamma.into_primitive());
    let beta = beta.map(tracked);
    let beta_node = beta.as_ref().map(|beta| beta.node());
    let beta = beta.map(|beta| beta.into_primitive());
    let output = forward(&mut input, &mut gamma, beta.as_ref(), epsilon);
    let state = |_: &FlexTensor| State {
        input,
        gamma,
        epsilon,
    };
    match beta_node {
        Some(beta) => with_derivative(Norm, [input_node, gamma_node, beta], output, state),
        None => with_derivative(Norm, [input_node, gamma_node], output, state),
    }
}

fn forward(
    input: &mut FlexTensor,
    gamma: &mut FlexTensor,
    beta: Option<&FlexTensor>,
    epsilon: f32,
) -> FlexTensor {
    let (values, gamma) = (contiguous(input), contiguous(gamma));
    let mut beta = beta.cloned();
    let beta = beta.as_mut().map(contiguous);
    let mut output = vec![0.0; values.len()];
    let count = values.len();
    let part = ROWS * gamma.len().max(1);
    let parts = output.par_chunks_mut(part).zip(values.par_chunks(part));
    timed("layer norm", 8 * count, 2 * count, || {
        parts.for_each(|(output, values)| {
            Arch::new().dispatch(Forward {
                output,
                values,
                gamma,
                beta,
                epsilon,
            });
        });
    });
    like(output, input)
}

#[derive(Debug)]
struct Norm;

#[derive(Clone, Debug)]
struct State {
    input: FlexTensor,
    gamma: FlexTensor,
    epsilon: f32,
}

impl State {
    fn timed_gradients(self, gradient: &mut FlexTensor) -> [FlexTensor; 3] {
        let count = self.input.layout().num_elements();
        timed("layer norm: back", 14 * count, 3 * count, || {
            self.gradients(gradient)
        })
    }

    /// The gradients of the input, the scale and the shift.
    fn gradients(mut self, gradient: &mut FlexTensor) -> [FlexTensor; 3] {
        let (values, gamma) = (contiguous(&mut self.input), contiguous(&mut self.gamma));
        let (gradient, width) = (contiguous(gradient), gamma.len());
        let mut found = vec![0.0; values.len()];
        let part = ROWS * width.max(1);
        let sums: Vec<[Vec<f32>; 2]> = (found.par_chunks_mut(part))
            .zip(values.par_chunks(part))
            .zip(gradient.par_chunks(part))
            .map(|((found, values), gradient)| {
                let mut sums = [vec![0.0; width], vec![0.0; width]];
                Arch::new().dispatch(Backwards {
                    found,
                    values,
                    gradient,
                    gamma,
                    epsilon: self.epsilon,
                    sums: &mut sums,
                });
                sums
            })
            .collect();
        // In one order, whatever the number of threads.
        let mut totals = [vec![0.0; width], vec![0.0; width]];
        for part in sums {
            for (total, part) in totals.iter_mut().zip(part) {
                total
                    .iter_mut()
                    .zip(part)
                    .for_each(|(total, part)| *total += part);
            }
        }
        let [scale, shift] = totals.map(|total| tensor(total, [width]));
        [like(found, &self.input), scale, shift]
    }
}

impl Backward<Flex, 2> for Norm {
    type State = State;

    fn backward(self, ops: Ops<State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        let [input, scale, _] = ops.state.timed_gradients(&mut gradient);
        for (node, found) in ops.parents.into_iter().zip([input, scale]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, found);
            }
        }
    }
}

impl Backward<Flex, 3> for Norm {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        let found = ops.state.timed_gradients(&mut gradient);
        for (node, found) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, found);
            }
        }
    }
}

/// Mean and one over the standard deviation.
#[inline(always)]
fn moments(row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(row, |x| x) / count;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

// Types, so that the compiler puts them inside the function that has the processor's
// vector instructions.

struct Forward<'a> {
    output: &'a mut [f32],
    values: &'a [f32],
    gamma: &'a [f32],
    beta: Option<&'a [f32]>,
    epsilon: f32,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.gamma.len().max(1);
        let rows = self
            .output
            .chunks_exact_mut(width)
            .zip(self.values.chunks_exact(width));
        for (output, row) in rows {
            let (mean, inverse) = moments(row, self.epsilon);
            for ((y, x), gamma) in output.iter_mut().zip(row).zip(self.gamma) {
                *y = (*x - mean) * inverse * *gamma;
            }
            if let Some(beta) = self.beta {
                for (y, beta) in output.iter_mut().zip(beta) {
                    *y += *beta;
                }
            }
        }
    }
}

struct Backwards<'a> {
    found: &'a mut [f32],
    values: &'a [f32],
    gradient: &'a [f32],
    gamma: &'a [f32],
    epsilon: f32,
    /// Of scale and shift.
    sums: &'a mut [Vec<f32>; 2],
}

impl WithSimd for Backwards<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.gamma.len().max(1);
        let [scales, shifts] = self.sums;
        let rows = self.found.chunks_exact_mut(width);
        let rows = rows.zip(self.values.chunks_exact(width));
        for ((found, row), gradient) in rows.zip(self.gradient.chunks_exact(width)) {
            let (mean, inverse) = moments(row, self.epsilon);
            let parameters = scales.iter_mut().zip(shifts.iter_mut()).zip(self.gamma);
            let values = found.iter_mut().zip(row).zip(gradient);
            for (((scale, shift), gamma), ((into, x), d)) in parameters.zip(values) {
                *scale += *d * ((*x - mean) * inverse);
                *shift += *d;
                *into = *d * *gamma;
            }
            let count = width as f32;
            let offset = sum(found, |d| d) / count;
            let slope = sum_of_products(found, row, mean) * inverse * inverse / count;
            for (into, x) in found.iter_mut().zip(row) {
                *into = inverse * (*into - offset - (*x - mean) * slope);
            }
        }
    }
}
