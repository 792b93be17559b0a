//! The optimisers, as burn's module optimiser drives them.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use reprsim_kernels::{AdamStep, SgdStep};

use crate::config::OptimizerConfig;

/// PyTorch's.
pub(crate) const EPSILON: f32 = 1e-8;
/// The share of Adam's first moment that a step keeps.
pub(crate) const BETA_1: f32 = 0.9;

impl OptimizerConfig {
    /// The optimiser for one model.
    pub fn build(&self) -> ModuleOptimizer {
        self.clone().into()
    }

    /// Whether a parameter of so many dimensions decays.
    pub(crate) fn decays(&self, dimensions: usize) -> bool {
        match *self {
            Self::AdamW { decay_vectors, .. } => dimensions > 1 || decay_vectors,
            _ => true,
        }
    }

    /// The share of Adam's second moment that a step keeps.
    pub(crate) fn beta_2(&self) -> f32 {
        match *self {
            Self::AdamW { beta_2, .. } => beta_2 as f32,
            _ => 0.999,
        }
    }
}

/// What an optimiser remembers of a parameter.
#[derive(Clone)]
pub struct Moments<const D: usize> {
    /// Steps taken.
    time: usize,
    /// The velocity of SGD or the first moment of Adam.
    first: Option<Tensor<D>>,
    /// The second moment of Adam.
    second: Option<Tensor<D>>,
}

impl<const D: usize> RecordState for Moments<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_scalar(prefix, "time", self.time.into());
        for (name, moment) in [("first", &self.first), ("second", &self.second)] {
            if let Some(moment) = moment {
                out.push_tensor(prefix, name, moment.to_data());
            }
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let time = source.take_scalar(prefix, "time")?.try_into().ok()?;
        let mut moment = |name| {
            let data = source.take_tensor(prefix, name)?;
            Some(Tensor::from_data(data, device))
        };
        Some(Self {
            time,
            first: moment("first"),
            second: moment("second"),
        })
    }
}

impl Optimizer for OptimizerConfig {
    type State<const D: usize> = Moments<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Moments<D>>,
    ) -> (Tensor<D>, Option<Moments<D>>) {
        let lr = lr as f32;
        let (time, first, second) = match state {
            Some(state) => (state.time + 1, state.first, state.second),
            None => (1, None, None),
        };
        match *self {
            Self::Sgd {
                momentum,
                weight_decay,
                ..
            } => {
                let step = SgdStep {
                    lr,
                    momentum: momentum as f32,
                    weight_decay: weight_decay as f32,
                };
                let (parameter, first) = step.apply(parameter, gradient, first);
                let second = None;
                let state = Moments {
                    time,
                    first,
                    second,
                };
                (parameter, Some(state))
            }
            Self::Adam { weight_decay, .. } | Self::AdamW { weight_decay, .. } => {
                let decays = self.decays(D);
                let step = AdamStep {
                    lr,
                    beta_1: BETA_1,
                    beta_2: self.beta_2(),
                    epsilon: EPSILON,
                    weight_decay: if decays { weight_decay as f32 } else { 0.0 },
                    decoupled: matches!(self, Self::AdamW { .. }),
                    time,
                };
                let moments = first.zip(second).map(|(first, second)| [first, second]);
                let (parameter, [first, second]) = step.apply(parameter, gradient, moments);
                let state = Moments {
                    time,
                    first: Some(first),
                    second: Some(second),
                };
                (parameter, Some(state))
            }
        }
    }

    fn to_device<const D: usize>(state: Moments<D>, device: &Device) -> Moments<D> {
        let moved = |moment: Option<Tensor<D>>| moment.map(|m| m.to_device(device));
        Moments {
            time: state.time,
            first: moved(state.first),
            second: moved(state.second),
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
                    beta_2: 0.999,
                    decay_vectors: true,
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
