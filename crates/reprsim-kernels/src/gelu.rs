//! The Gaussian error linear unit (Hendrycks and Gimpel 2016), exact, with its derivative.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, activation};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::exponential::exp;
use crate::flex::{contiguous, is_cpu, like, primitive, tracked, with_derivative};
use crate::profile::timed;

/// Values that one thread takes at a time.
const GRAIN: usize = 1 << 14;

/// `x P(X <= x)` for a standard normal X, element by element. On the CPU the normal
/// distribution is that of Abramowitz and Stegun 7.1.26, right to 1.5e-7.
pub fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    if !is_cpu(&input.device()) {
        return activation::gelu(input);
    }
    if !input.device().is_autodiff() {
        return Tensor::from_primitive::<Flex>(forward(&mut primitive(input)));
    }
    let input = tracked(input);
    let nodes = [input.node()];
    let mut input = input.into_primitive();
    let output = forward(&mut input);
    with_derivative(Gelu, nodes, output, |_| input)
}

/// `P(X <= x)` and the density at x.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const HALF_ROOT: f32 = std::f32::consts::FRAC_1_SQRT_2;
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs() * HALF_ROOT);
    let tail = 0.5
        * bell
        * t
        * (0.254_829_6
            + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    (below, bell * 0.398_942_3)
}

fn forward(input: &mut FlexTensor) -> FlexTensor {
    let values = contiguous(input);
    let (mut output, count) = (vec![0.0; values.len()], values.len());
    timed("gelu", 30 * count, 2 * count, || {
        output
            .par_chunks_mut(GRAIN)
            .zip(values.par_chunks(GRAIN))
            .for_each(|(output, values)| Arch::new().dispatch(Forward { output, values }));
    });
    like(output, input)
}

#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let mut input = ops.state;
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = node {
            let values = contiguous(&mut input);
            let (mut output, count) = (vec![0.0; values.len()], values.len());
            timed("gelu: back", 35 * count, 3 * count, || {
                output
                    .par_chunks_mut(GRAIN)
                    .zip(values.par_chunks(GRAIN))
                    .zip(contiguous(&mut gradient).par_chunks(GRAIN))
                    .for_each(|((output, values), gradient)| {
                        Arch::new().dispatch(Derivative {
                            output,
                            values,
                            gradient,
                        });
                    });
            });
            gradients.register::<Flex>(node.id, like(output, &input));
        }
    }
}

// Types, so that the compiler puts them inside the function that has the processor's
// vector instructions.

struct Forward<'a> {
    output: &'a mut [f32],
    values: &'a [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (y, x) in self.output.iter_mut().zip(self.values) {
            *y = *x * normal(*x).0;
        }
    }
}

struct Derivative<'a> {
    output: &'a mut [f32],
    values: &'a [f32],
    gradient: &'a [f32],
}

impl WithSimd for Derivative<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((y, x), d) in self.output.iter_mut().zip(self.values).zip(self.gradient) {
            let (below, density) = normal(*x);
            *y = *d * (below + *x * density);
        }
    }
}
