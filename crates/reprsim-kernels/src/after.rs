//! What follows an operation and costs no pass of its own.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// What becomes of each output of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// A rectifier (ReLU).
    Relu,
    /// One that is never above 6 (ReLU6, Krizhevsky 2010).
    Relu6,
}

impl After {
    /// The least and the largest output there is.
    pub(crate) const fn bounds(self) -> [f32; 2] {
        match self {
            Self::Nothing => [f32::NEG_INFINITY, f32::INFINITY],
            Self::Relu => [0.0, f32::INFINITY],
            Self::Relu6 => [0.0, 6.0],
        }
    }

    /// The same by burn's own operations.
    pub fn of<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Nothing => tensor,
            Self::Relu => relu(tensor),
            Self::Relu6 => tensor.clamp(0.0, 6.0),
        }
    }
}
