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
