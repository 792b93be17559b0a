//! Mean cross-entropy of logits, with its derivative.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::exponential::exp;
use crate::flex::{
    contiguous, contiguous_mut, is_cpu, like, primitive, tensor, tracked, with_derivative,
};
use crate::profile::timed;
use crate::sums::sum;

/// The mean over rows of minus the logarithm of the target's probability, from logits
/// `[n, classes]` and targets `[n]` below `classes`: `[1]`.
///
/// On the CPU the derivative is kept in place of the logits' exponentials and logarithms:
/// one pass over the logits in all, where a chain of operations makes nine.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [n, _] = logits.dims();
    if !is_cpu(&logits.device()) {
        let log_probabilities = log_softmax(logits, 1);
        let picked = log_probabilities.gather(1, targets.reshape([n, 1]));
        return picked.mean().neg();
    }
    let targets: Vec<usize> = targets
        .into_data()
        .iter::<i64>()
        .map(|t| t as usize)
        .collect();
    if !logits.device().is_autodiff() {
        let (loss, _) = rows(&mut primitive(logits), &targets);
        return Tensor::from_primitive::<Flex>(loss);
    }
    let logits = tracked(logits);
    let nodes = [logits.node()];
    let mut logits = logits.into_primitive();
    let count = logits.layout().num_elements();
    let (loss, derivative) = timed("cross-entropy", 20 * count, 2 * count, || {
        rows(&mut logits, &targets)
    });
    with_derivative(CrossEntropy, nodes, loss, |_| derivative)
}

/// The mean loss, and its derivative in the logits.
fn rows(logits: &mut FlexTensor, targets: &[usize]) -> (FlexTensor, FlexTensor) {
    let classes = logits.layout().shape()[1];
    let values = contiguous(logits);
    let mut derivative = vec![0.0; values.len()];
    let scale = 1.0 / targets.len() as f32;
    let losses: Vec<f32> = derivative
        .par_chunks_exact_mut(classes)
        .zip(values.par_chunks_exact(classes))
        .zip(targets)
        .map(|((derivative, logits), &target)| {
            Arch::new().dispatch(Row {
                derivative,
                logits,
                target,
                scale,
            })
        })
        .collect();
    // In one order, whatever the number of threads.
    let mean = losses.iter().map(|l| f64::from(*l)).sum::<f64>() / targets.len() as f64;
    (tensor(vec![mean as f32], [1]), like(derivative, logits))
}

#[derive(Debug)]
struct CrossEntropy;

impl Backward<Flex, 1> for CrossEntropy {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let mut derivative = ops.state;
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = node {
            let factor = contiguous(&mut gradient)[0];
            if factor != 1.0 {
                contiguous_mut(&mut derivative)
                    .par_chunks_mut(1 << 15)
                    .for_each(|values| values.iter_mut().for_each(|v| *v *= factor));
            }
            gradients.register::<Flex>(node.id, derivative);
        }
    }
}

struct Row<'a> {
    derivative: &'a mut [f32],
    logits: &'a [f32],
    target: usize,
    scale: f32,
}

impl WithSimd for Row<'_> {
    /// The loss of the row.
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let largest = self.logits.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
        for (e, x) in self.derivative.iter_mut().zip(self.logits) {
            *e = exp(*x - largest);
        }
        let total = sum(self.derivative, |e| e);
        let factor = self.scale / total;
        for e in self.derivative.iter_mut() {
            *e *= factor;
        }
        self.derivative[self.target] -= self.scale;
        total.ln() - (self.logits[self.target] - largest)
    }
}
