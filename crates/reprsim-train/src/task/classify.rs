//! The class of a sample, from scores.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use rand::Rng;
use reprsim_models::{Output, OutputKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Batch, Loss, Reduction, Target, Task, WrongSetting};
use crate::error::TrainError;
use crate::supply::Drawn;

/// Learns the class of a sample by cross-entropy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifySettings {
    /// Share of the target spread evenly over the classes, in 0..1.
    pub label_smoothing: f64,
}

impl Task for ClassifySettings {
    const NAME: &'static str = "classify";
    const NEEDS: OutputKind = OutputKind::Logits;

    fn check(&self) -> Result<(), WrongSetting> {
        let smoothing = self.label_smoothing;
        match (0.0..=0.999).contains(&smoothing) {
            true => Ok(()),
            false => Err(WrongSetting {
                key: "label_smoothing",
                reason: format!("label_smoothing = {smoothing}: it must be between 0 and 0.999"),
            }),
        }
    }

    fn batch(&self, drawn: Drawn, _: &mut dyn Rng) -> Result<Batch, TrainError> {
        Batch::labelled(drawn, Self::NAME)
    }

    fn loss(&self, output: Output, target: Target) -> Result<Loss, TrainError> {
        match (output, target) {
            (Output::Logits(logits), Target::Labels(labels)) => Ok(Loss {
                metrics: (hits(&Output::Logits(logits.clone()), &labels).into_iter()).collect(),
                value: cross_entropy(logits, labels, self.label_smoothing),
                reduction: Reduction::Mean,
            }),
            (output, _) => Err(TrainError::output(Self::NAME, Self::NEEDS, output.kind())),
        }
    }

    fn answers(&self, output: &Output) -> Option<Tensor<1, Int>> {
        largest(output)
    }
}

/// The class of the largest score, outside the graph of derivatives.
pub(super) fn largest(output: &Output) -> Option<Tensor<1, Int>> {
    let Output::Logits(logits) = output else {
        return None;
    };
    let [n, _] = logits.dims();
    let scores = match logits.device().is_autodiff() {
        true => logits.clone().inner(),
        false => logits.clone(),
    };
    Some(scores.argmax(1).reshape([n]))
}

/// The number of right answers, as the metric `accuracy`.
pub(super) fn hits(output: &Output, labels: &Tensor<1, Int>) -> Option<(&'static str, Tensor<1>)> {
    let answers = largest(output)?;
    let labels = match labels.device().is_autodiff() {
        true => labels.clone().inner(),
        false => labels.clone(),
    };
    Some(("accuracy", answers.equal(labels).int().sum().float()))
}

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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn value(tensor: Tensor<1>) -> f64 {
        tensor.into_data().iter::<f64>().next().unwrap()
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
