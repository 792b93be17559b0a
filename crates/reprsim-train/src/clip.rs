//! Gradient clipping.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use reprsim_models::Network;

/// Scales all gradients so that their joint norm is at most `norm` (Pascanu et al. 2013),
/// as PyTorch's `clip_grad_norm_`, without reading it from the device.
pub(crate) fn clip(network: &Network, gradients: &mut GradientsParams, norm: f64) {
    struct Squares<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                let sum = gradient.square().sum();
                self.1 = Some(match self.1.take() {
                    Some(total) => total + sum,
                    None => sum,
                });
            }
        }
    }
    struct Scale<'a>(&'a mut GradientsParams, Tensor<1>);
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                let scaled = gradient * self.1.clone().reshape([1; D]);
                self.0.register(param.id, scaled);
            }
        }
    }
    let mut squares = Squares(gradients, None);
    network.visit(&mut squares);
    if let Some(total) = squares.1 {
        let factor = total.sqrt().add_scalar(1e-6).recip().mul_scalar(norm);
        network.visit(&mut Scale(gradients, factor.clamp_max(1.0)));
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};
    use reprsim_base::Stream;
    use reprsim_models::{GptSettings, ModelConfig, ModelShape, Pass, SampleShape};

    use super::*;
    use crate::supply::Drawn;
    use crate::task::{PredictSettings, TaskConfig};

    /// The joint norm of all gradients.
    struct Norm<'a>(&'a GradientsParams, f64);

    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).unwrap().into_data();
            self.1 += gradient.iter::<f64>().map(|g| g * g).sum::<f64>();
        }
    }

    #[test]
    fn clipping_bounds_the_joint_norm_and_no_more() {
        let device = Device::flex().autodiff();
        let model = ModelConfig::Gpt(GptSettings {
            width: 8,
            depth: 2,
            heads: 2,
        });
        let shape = ModelShape {
            input: SampleShape::Tokens {
                window: 12,
                vocabulary: 256,
            },
            classes: 0,
        };
        let network = Network::new(&model, shape, &mut Stream::new(1).rng(), &device).unwrap();
        let task = TaskConfig::Predict(PredictSettings::default());
        let gradients = || {
            let windows = Tensor::<1, Int>::arange(0..26, &device).reshape([2, 13]);
            let rng = &mut Stream::new(2).rng();
            let batch = task.batch(Drawn::Windows(windows), rng).unwrap();
            let output = network.output(batch.input, &mut Pass::inference()).unwrap();
            let loss = task.loss(output, batch.target).unwrap().value;
            GradientsParams::from_grads(loss.backward(), &network)
        };
        let norm = |gradients: &GradientsParams| {
            let mut norm = Norm(gradients, 0.0);
            network.visit(&mut norm);
            norm.1.sqrt()
        };
        let whole = norm(&gradients());
        for (largest, expected) in [(whole / 3.0, whole / 3.0), (whole * 3.0, whole)] {
            let mut clipped = gradients();
            clip(&network, &mut clipped, largest);
            assert!((norm(&clipped) / expected - 1.0).abs() < 1e-5);
        }
    }
}
