//! Dropout whose masks are named, not drawn from a state of the device: the same on every
//! device, whatever else runs there, and the same again when training resumes.

use std::slice::from_ref;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use reprsim_graph::{custom, mixed};

use crate::flex::is_cpu;

/// Bits of a hash that are compared with the rate.
const BITS: u32 = 24;
/// Weyl's sequence: neighbouring elements are far apart before they are mixed.
const GOLDEN: u32 = 0x9E37_79B9;

/// The dropout of one forward pass; every application has a mask of its own
/// (Srivastava et al. 2014, inverted: what is kept is scaled by `1 / (1 - rate)`).
#[derive(Clone, Debug)]
pub struct Dropout {
    rate: f64,
    seed: u32,
    applied: u32,
    /// The seed of the step, where one is recorded.
    recorded: Option<Tensor<1>>,
}

impl Dropout {
    /// Drops nothing: inference.
    pub fn none() -> Self {
        Self::new(0.0, 0)
    }

    /// Drops the share `rate` in 0..1; `seed` names the pass.
    pub fn new(rate: f64, seed: u32) -> Self {
        Self {
            rate,
            seed,
            applied: 0,
            recorded: None,
        }
    }

    /// Drops the share `rate`; the pass is recorded, and each step's words in `seed` name it.
    pub fn recorded(rate: f64, seed: Tensor<1>) -> Self {
        Self {
            recorded: Some(seed),
            ..Self::new(rate, 0)
        }
    }

    /// Whether anything is dropped.
    pub(crate) fn drops(&self) -> bool {
        self.rate != 0.0
    }

    /// The tensor with some of its elements dropped.
    pub fn apply<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        if self.rate == 0.0 {
            return tensor;
        }
        self.applied += 1;
        if let Some(seed) = &self.recorded {
            let scalars = [
                self.rate,
                f64::from(self.applied),
                f64::from(threshold(self.rate)),
            ];
            let dims = tensor.dims();
            let made = custom("dropout", &tensor, from_ref(seed), &scalars, [&dims]);
            if let Some([dropped]) = made {
                return dropped.tensor();
            }
        }
        let key = mixed(self.seed ^ mixed(self.applied));
        let device = tensor.device();
        let dims = tensor.dims();
        let mask = match is_cpu(&device) {
            true => on_host(dims, key, self.rate, &device),
            false => on_device(dims, key, self.rate, &device),
        };
        tensor * mask
    }
}

/// Hashes below this are dropped.
fn threshold(rate: f64) -> u32 {
    (rate * f64::from(1 << BITS)).round() as u32
}

fn on_host<const D: usize>(dims: [usize; D], key: u32, rate: f64, device: &Device) -> Tensor<D> {
    let (least, kept) = (threshold(rate), (1.0 / (1.0 - rate)) as f32);
    let values: Vec<f32> = (0..dims.iter().product::<usize>() as u32)
        .map(|i| {
            let hash = mixed(i.wrapping_mul(GOLDEN).wrapping_add(key));
            match hash & ((1 << BITS) - 1) >= least {
                true => kept,
                false => 0.0,
            }
        })
        .collect();
    Tensor::from_data(TensorData::new(values, dims), device)
}

/// The same numbers by tensor operations on 32-bit integers, which wrap.
fn on_device<const D: usize>(dims: [usize; D], key: u32, rate: f64, device: &Device) -> Tensor<D> {
    let count = dims.iter().product::<usize>() as i64;
    let options = (&device.clone().without_autodiff(), DType::I32);
    let mut x = Tensor::<1, Int>::arange(0..count, options);
    // Shifts of signed numbers bring their sign in: it is masked out.
    let shifted = |x: &Tensor<1, Int>, by: u32| {
        x.clone()
            .bitwise_right_shift_scalar(by as i32)
            .bitwise_and_scalar((u32::MAX >> by) as i32)
    };
    x = x.mul_scalar(GOLDEN as i32).add_scalar(key as i32);
    x = x.clone().bitwise_xor(shifted(&x, 16));
    x = x.mul_scalar(0x7FEB_352D);
    x = x.clone().bitwise_xor(shifted(&x, 15));
    x = x.mul_scalar(0x846C_A68B_u32 as i32);
    x = x.clone().bitwise_xor(shifted(&x, 16));
    let kept = x
        .bitwise_and_scalar((1 << BITS) - 1)
        .greater_equal_scalar(threshold(rate) as i32);
    let mask = kept.float().mul_scalar(1.0 / (1.0 - rate)).reshape(dims);
    match device.is_autodiff() {
        true => mask.autodiff(),
        false => mask,
    }
}
