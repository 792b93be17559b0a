//! What is minimised: cross-entropy for classifiers, the evidence bound for
//! autoencoders.

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Int, Tensor};
use reprsim_models::Reconstruction;

/// Mean cross-entropy of `[n, classes]` logits with label smoothing: the target
/// is `1 - smoothing` on the label plus `smoothing / classes` everywhere
/// (Szegedy et al. 2016), as PyTorch computes it.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    if smoothing == 0.0 {
        return reprsim_kernels::cross_entropy(logits, targets);
    }
    let [n, _] = logits.dims();
    let log_probabilities = log_softmax(logits, 1);
    let picked = log_probabilities
        .clone()
        .gather(1, targets.reshape([n, 1]))
        .mean()
        .neg();
    picked.mul_scalar(1.0 - smoothing) - log_probabilities.mean().mul_scalar(smoothing)
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

    #[test]
    fn smoothing_moves_weight_to_the_other_classes() {
        let device = Device::flex();
        let logits = || Tensor::<2>::from_data([[2.0f32, 0.0, 0.0]], &device);
        let target = || Tensor::<1, Int>::from_data([0], &device);
        let plain = value(cross_entropy(logits(), target(), 0.0));
        let smooth = value(cross_entropy(logits(), target(), 0.3));
        // log(e^2 + 2) - 2, and 0.3 of the mean log-probability's distance.
        assert!((plain - 0.239_545).abs() < 1e-5, "{plain}");
        assert!(
            (smooth - (plain + 0.3 * 4.0 / 3.0)).abs() < 1e-5,
            "{smooth}"
        );
    }
}
