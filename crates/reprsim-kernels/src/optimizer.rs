//! Steps of optimisers in one pass over each parameter: on the CPU by kernels of this
//! crate, on every other device by burn's own operations.
//!
//! Written as a chain of tensor operations, a step of SGD with momentum reads and writes
//! every parameter's memory five times, one of Adam fourteen times. Operations and their
//! order are the same in both, so that both give the same numbers.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::flex::{contiguous, contiguous_mut, is_cpu, primitive};
use crate::profile::timed;

/// Values that one thread takes at a time.
const GRAIN: usize = 1 << 15;

/// A step of stochastic gradient descent with momentum and an L2 penalty:
/// `g = gradient + weight_decay parameter`, `v = g + momentum v`,
/// `parameter - lr v` (PyTorch's `SGD` without dampening).
#[derive(Clone, Copy, Debug)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f32,
    /// Momentum; 0 needs no velocity.
    pub momentum: f32,
    /// Weight decay.
    pub weight_decay: f32,
}

impl SgdStep {
    /// The parameter after the step, and the velocity; `velocity` is `None` at first, and
    /// always without momentum.
    pub fn apply<const D: usize>(
        self,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Option<Tensor<D>>) {
        if !is_cpu(&parameter.device()) {
            let g = parameter.clone().mul_scalar(self.weight_decay) + gradient;
            let v = match velocity {
                Some(velocity) => g + velocity.mul_scalar(self.momentum),
                None => g,
            };
            let parameter = parameter - v.clone().mul_scalar(self.lr);
            return (parameter, (self.momentum != 0.0).then_some(v));
        }
        let (mut parameter, mut gradient) = (primitive(parameter), primitive(gradient));
        let count = parameter.layout().num_elements();
        if self.momentum == 0.0 {
            let pass =
                |p: &mut [f32], g: &[f32]| Arch::new().dispatch(Descent { step: self, p, g });
            timed("optimiser", 4 * count, 3 * count, || {
                contiguous_mut(&mut parameter)
                    .par_chunks_mut(GRAIN)
                    .zip(contiguous(&mut gradient).par_chunks(GRAIN))
                    .for_each(|(p, g)| pass(p, g));
            });
            return (Tensor::from_primitive::<Flex>(parameter), None);
        }
        let mut velocity = velocity.map_or_else(|| zeros_like(&parameter), primitive);
        timed("optimiser", 6 * count, 5 * count, || {
            contiguous_mut(&mut parameter)
                .par_chunks_mut(GRAIN)
                .zip(contiguous(&mut gradient).par_chunks(GRAIN))
                .zip(contiguous_mut(&mut velocity).par_chunks_mut(GRAIN))
                .for_each(|((p, g), v)| {
                    Arch::new().dispatch(Momentum {
                        step: self,
                        p,
                        g,
                        v,
                    });
                });
        });
        (
            Tensor::from_primitive::<Flex>(parameter),
            Some(Tensor::from_primitive::<Flex>(velocity)),
        )
    }
}

/// A step of Adam (Kingma and Ba 2015), or with `decoupled` decay of AdamW (Loshchilov
/// and Hutter 2019), as PyTorch takes it.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f32,
    /// Share of the first moment that is kept.
    pub beta_1: f32,
    /// Share of the second moment that is kept.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Weight decay.
    pub weight_decay: f32,
    /// Whether the decay shrinks the parameter itself instead of joining the gradient.
    pub decoupled: bool,
    /// Which step this is, from 1.
    pub time: usize,
}

impl AdamStep {
    /// The parameter after the step and both moments; `moments` is `None` at first.
    pub fn apply<const D: usize>(
        self,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        moments: Option<[Tensor<D>; 2]>,
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let rates = self.rates();
        if !is_cpu(&parameter.device()) {
            let g = parameter.clone().mul_scalar(rates.penalty) + gradient;
            let square = g.clone().square().mul_scalar(1.0 - self.beta_2);
            let g = g.mul_scalar(1.0 - self.beta_1);
            let [m, v] = match moments {
                Some([m, v]) => [
                    m.mul_scalar(self.beta_1) + g,
                    v.mul_scalar(self.beta_2) + square,
                ],
                None => [g, square],
            };
            let root = v.clone().div_scalar(rates.correction_2).sqrt();
            let delta = m.clone().div_scalar(rates.correction_1) / root.add_scalar(self.epsilon);
            let parameter = parameter.mul_scalar(rates.keep) - delta.mul_scalar(self.lr);
            return (parameter, [m, v]);
        }
        let (mut parameter, mut gradient) = (primitive(parameter), primitive(gradient));
        let [mut first, mut second] = match moments {
            Some(moments) => moments.map(primitive),
            None => [zeros_like(&parameter), zeros_like(&parameter)],
        };
        let count = parameter.layout().num_elements();
        timed("optimiser", 14 * count, 7 * count, || {
            contiguous_mut(&mut parameter)
                .par_chunks_mut(GRAIN)
                .zip(contiguous(&mut gradient).par_chunks(GRAIN))
                .zip(contiguous_mut(&mut first).par_chunks_mut(GRAIN))
                .zip(contiguous_mut(&mut second).par_chunks_mut(GRAIN))
                .for_each(|(((p, g), m), v)| {
                    Arch::new().dispatch(Adam {
                        step: self,
                        rates,
                        p,
                        g,
                        m,
                        v,
                    });
                });
        });
        let tensors = [first, second].map(Tensor::from_primitive::<Flex>);
        (Tensor::from_primitive::<Flex>(parameter), tensors)
    }

    fn rates(self) -> Rates {
        let time = self.time as i32;
        let decay = self.weight_decay;
        Rates {
            penalty: if self.decoupled { 0.0 } else { decay },
            keep: if self.decoupled {
                1.0 - self.lr * decay
            } else {
                1.0
            },
            correction_1: 1.0 - self.beta_1.powi(time),
            correction_2: 1.0 - self.beta_2.powi(time),
        }
    }
}

/// What a step of Adam multiplies and divides by.
#[derive(Clone, Copy)]
struct Rates {
    /// Share of the parameter that joins the gradient.
    penalty: f32,
    /// Share of the parameter that is kept.
    keep: f32,
    correction_1: f32,
    correction_2: f32,
}

fn zeros_like(tensor: &FlexTensor) -> FlexTensor {
    FlexTensor::zeros(tensor.layout().shape().clone(), tensor.dtype())
}

// Types rather than closures, so that the compiler puts them inside the function that
// has the processor's vector instructions.

struct Descent<'a> {
    step: SgdStep,
    p: &'a mut [f32],
    g: &'a [f32],
}

impl WithSimd for Descent<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (p, g) in self.p.iter_mut().zip(self.g) {
            let g = *p * self.step.weight_decay + *g;
            *p -= g * self.step.lr;
        }
    }
}

struct Momentum<'a> {
    step: SgdStep,
    p: &'a mut [f32],
    g: &'a [f32],
    v: &'a mut [f32],
}

impl WithSimd for Momentum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((p, g), v) in self.p.iter_mut().zip(self.g).zip(self.v) {
            let g = *p * self.step.weight_decay + *g;
            *v = g + *v * self.step.momentum;
            *p -= *v * self.step.lr;
        }
    }
}

struct Adam<'a> {
    step: AdamStep,
    rates: Rates,
    p: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl WithSimd for Adam<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (step, rates) = (self.step, self.rates);
        let values = self.p.iter_mut().zip(self.g).zip(self.m).zip(self.v);
        for (((p, g), m), v) in values {
            let g = *p * rates.penalty + *g;
            *m = *m * step.beta_1 + g * (1.0 - step.beta_1);
            *v = *v * step.beta_2 + g * g * (1.0 - step.beta_2);
            let delta = *m / rates.correction_1 / ((*v / rates.correction_2).sqrt() + step.epsilon);
            *p = *p * rates.keep - delta * step.lr;
        }
    }
}
