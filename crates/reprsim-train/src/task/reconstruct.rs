//! The sample itself, through a latent vector.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use rand::Rng;
use reprsim_models::{Input, Output, OutputKind, Reconstruction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Batch, Loss, Reduction, Target, Task};
use crate::error::TrainError;
use crate::supply::Drawn;

/// Learns to give images again by the evidence lower bound of a variational autoencoder
/// (Kingma and Welling 2014).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReconstructSettings {}

impl Task for ReconstructSettings {
    const NAME: &'static str = "reconstruct";
    const NEEDS: OutputKind = OutputKind::Reconstruction;
    const UNIT_SCALE: bool = true;

    fn batch(&self, drawn: Drawn, _: &mut dyn Rng) -> Result<Batch, TrainError> {
        let (images, _) = drawn.images(Self::NAME)?;
        Ok(Batch {
            input: Input::Images(images.clone()),
            target: Target::Images(images),
        })
    }

    fn loss(&self, output: Output, target: Target) -> Result<Loss, TrainError> {
        match (output, target) {
            (Output::Reconstruction(made), Target::Images(images)) => Ok(Loss {
                value: negative_elbo(images, made),
                reduction: Reduction::Sum,
                metrics: vec![],
            }),
            (output, _) => Err(TrainError::output(Self::NAME, Self::NEEDS, output.kind())),
        }
    }
}

/// The negative evidence lower bound, summed over pixels and samples: binary
/// cross-entropy of the pixels (`images` in 0..1) plus the divergence of the latent
/// distribution from a standard normal (Kingma and Welling 2014, appendix B).
pub fn negative_elbo(images: Tensor<4>, made: Reconstruction) -> Tensor<1> {
    let Reconstruction { logits, mu, logvar } = made;
    // -[t log s(x) + (1 - t) log(1 - s(x))] = max(x, 0) - x t + log(1 + e^-|x|)
    let entropy = relu(logits.clone()) - logits.clone() * images + logits.abs().neg().exp().log1p();
    let divergence = (logvar.clone().add_scalar(1.0) - mu.powi_scalar(2) - logvar.exp())
        .sum()
        .mul_scalar(-0.5);
    entropy.sum() + divergence
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn value(tensor: Tensor<1>) -> f64 {
        tensor.into_data().iter::<f64>().next().unwrap()
    }

    /// Against torch 2.15: `F.binary_cross_entropy(sigmoid(x), t,
    /// reduction="sum") - 0.5 * (1 + lv - mu**2 - lv.exp()).sum()`.
    #[test]
    fn the_bound_is_that_of_torch() {
        let device = Device::flex();
        let tensor = |values: &[f32]| {
            Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), &device)
        };
        let made = Reconstruction {
            logits: tensor(&[0.5, -2.0, 30.0, -30.0]).reshape([1, 1, 2, 2]),
            mu: tensor(&[0.3, -1.2]).reshape([1, 2]),
            logvar: tensor(&[-0.5, 0.4]).reshape([1, 2]),
        };
        let images = tensor(&[1.0, 0.25, 1.0, 0.5]).reshape([1, 1, 2, 2]);
        let bound = value(negative_elbo(images, made));
        // 0.474077 + 0.626928 + 0 + 15 + 0.5 * (0.3^2 + 1.2^2 + e^-0.5 + e^0.4 - 2 + 0.1)
        assert!((bound - 16.965_182).abs() < 1e-4, "{bound}");
    }
}
