//! Builds burn's optimisers from the settings.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};

use crate::config::OptimizerConfig;

impl OptimizerConfig {
    /// The optimiser for one model.
    pub fn build(&self) -> ModuleOptimizer {
        match *self {
            Self::Sgd {
                momentum,
                weight_decay,
                ..
            } => {
                let mut sgd = SgdConfig::new();
                if momentum > 0.0 {
                    // burn's default dampening is 0.1; PyTorch's and the paper's is 0.
                    sgd = sgd.with_momentum(Some(
                        MomentumConfig::new()
                            .with_momentum(momentum)
                            .with_dampening(0.0),
                    ));
                }
                if weight_decay > 0.0 {
                    sgd = sgd.with_weight_decay(Some(WeightDecayConfig::new(weight_decay as f32)));
                }
                sgd.init()
            }
            Self::Adam { weight_decay, .. } => {
                // burn's default epsilon is 1e-5; PyTorch's is 1e-8.
                let mut adam = AdamConfig::new().with_epsilon(1e-8);
                if weight_decay > 0.0 {
                    adam =
                        adam.with_weight_decay(Some(WeightDecayConfig::new(weight_decay as f32)));
                }
                adam.init()
            }
            Self::AdamW { weight_decay, .. } => AdamWConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(weight_decay as f32)
                .init(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::nn::{Initializer, LinearConfig};
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Tensor};

    use super::*;

    /// One weight after three steps whose gradients (before decay) are 1, -2 and 0.5.
    fn three_steps(config: &OptimizerConfig) -> f64 {
        let device = Device::flex().autodiff();
        let mut layer = LinearConfig::new(1, 1)
            .with_bias(false)
            .with_initializer(Initializer::Constant { value: 0.5 })
            .init(&device);
        let mut optimizer = config.build();
        for gradient in [1.0f32, -2.0, 0.5] {
            let input = Tensor::<2>::from_data([[gradient]], &device);
            let gradients = layer.forward(input).sum().backward();
            let gradients = GradientsParams::from_grads(gradients, &layer);
            layer = optimizer.step(config.lr(), layer, gradients);
        }
        let weight = layer.valid().weight.val().into_data();
        weight.iter::<f64>().next().unwrap()
    }

    /// Against torch 2.15, `SGD`, `Adam` and `AdamW` with these settings: momentum
    /// without dampening, decay as a penalty or decoupled.
    #[test]
    fn steps_are_those_of_torch() {
        let cases = [
            (
                OptimizerConfig::Sgd {
                    lr: 0.1,
                    momentum: 0.9,
                    weight_decay: 0.01,
                },
                0.556_377_35,
            ),
            (
                OptimizerConfig::Adam {
                    lr: 0.01,
                    weight_decay: 0.1,
                },
                0.494_376_15,
            ),
            (
                OptimizerConfig::AdamW {
                    lr: 0.01,
                    weight_decay: 0.1,
                },
                0.493_545_80,
            ),
        ];
        for (config, expected) in cases {
            let weight = three_steps(&config);
            assert!((weight - expected).abs() < 1e-6, "{config:?}: {weight}");
        }
    }
}
