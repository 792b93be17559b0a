//! Parts of which a model is a chain.

use burn::module::Module;
use burn::tensor::Tensor;
use reprsim_kernels::{Dropout, can_recompute, recomputed};

use super::held::{held, holding};
use crate::Pass;

/// What `forward` makes of `part`, of which a model has many one behind another: where `pass` asks for
/// it and the device can, what it makes on the way is not kept but computed again for the gradients.
pub(crate) fn run_part<M: Module + 'static, const D: usize>(
    part: &M,
    input: Tensor<D>,
    pass: &mut Pass<'_>,
    forward: fn(&M, Tensor<D>, &mut Dropout) -> Tensor<D>,
) -> Tensor<D> {
    if !pass.recompute || !can_recompute(&input.device()) {
        return forward(part, input, &mut pass.dropout);
    }
    let held = held();
    recomputed(part, input, &mut pass.dropout, move |part, input, drop| {
        holding(held.clone(), || forward(part, input, drop))
    })
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::{Device, Gradients, Int, TensorData};
    use reprsim_base::Stream;

    use super::*;
    use crate::{
        ARCHITECTURES, Input, InputKind, ModelConfig, ModelShape, Network, Output, SampleShape,
        holding_norms,
    };

    /// The values and gradients of all parameters, and running statistics, in order.
    struct Learned<'a> {
        gradients: &'a Gradients,
        found: Vec<(TensorData, Option<TensorData>)>,
    }

    impl ModuleVisitor for Learned<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let gradient = value.grad(self.gradients).map(|g| g.into_data());
            self.found.push((value.into_data(), gradient));
        }
    }

    fn shape(model: &ModelConfig) -> ModelShape {
        ModelShape {
            input: match model.takes() {
                InputKind::Images => SampleShape::Image {
                    channels: 3,
                    height: 32,
                    width: 32,
                },
                InputKind::Text => SampleShape::Tokens {
                    window: 8,
                    vocabulary: 50,
                },
            },
            classes: 7,
        }
    }

    fn batch(shape: ModelShape, device: &Device) -> Input {
        match shape.input {
            SampleShape::Image { .. } => {
                let values: Vec<f32> = (0..2 * 3 * 32 * 32)
                    .map(|i| ((i * i) as f32 * 0.37).sin())
                    .collect();
                Input::Images(Tensor::from_data(
                    TensorData::new(values, [2, 3, 32, 32]),
                    device,
                ))
            }
            SampleShape::Tokens { window, .. } => {
                let values: Vec<i32> = (0..2 * window as i32).map(|i| i * 7 % 50).collect();
                let tokens = TensorData::new(values, [2, window]);
                Input::Tokens(Tensor::<2, Int>::from_data(tokens, device))
            }
        }
    }

    /// What a step of a model learns. The first parameters may be frozen, and norms held.
    fn learned(
        model: &ModelConfig,
        recompute: bool,
        frozen: bool,
    ) -> Vec<(TensorData, Option<TensorData>)> {
        let device = Device::flex().autodiff();
        let shape = shape(model);
        let network = Network::new(model, shape, &mut Stream::new(3).rng(), &device);
        let network = network.expect("a model of its default settings");
        let network = match frozen {
            true => network.map(&mut Freeze(6)),
            false => network,
        };
        let mut noise = Stream::new(4).rng();
        let mut pass = Pass::training(Dropout::new(0.25, 9), &mut noise);
        pass.recompute = recompute;
        let mut held = Held::default();
        if frozen {
            network.visit(&mut held);
        }
        let output = holding_norms(&std::sync::Arc::new(held.0), || {
            network.output(batch(shape, &device), &mut pass)
        });
        let scores: Tensor<1> = match output {
            Ok(Output::Logits(logits)) => logits.flatten::<1>(0, 1),
            Ok(Output::TokenLogits(logits)) => logits.flatten::<1>(0, 2),
            _ => unreachable!("a model that is made of parts gives scores"),
        };
        let weights: Vec<f32> = (0..scores.dims()[0]).map(|i| (i as f32).cos()).collect();
        let weights = Tensor::<1>::from_data(weights.as_slice(), &device);
        let gradients = (scores * weights).sum().backward();
        let mut learned = Learned {
            gradients: &gradients,
            found: vec![],
        };
        network.visit(&mut learned);
        learned.found
    }

    /// Freezes the first so many parameters.
    struct Freeze(usize);

    impl burn::module::ModuleMapper for Freeze {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let frozen = self.0 > 0;
            self.0 = self.0.saturating_sub(1);
            if frozen {
                param.set_require_grad(false)
            } else {
                param
            }
        }
    }

    /// Every second vector: of norms, some are held and others are not.
    #[derive(Default)]
    struct Held(std::collections::BTreeSet<burn::module::ParamId>, bool);

    impl ModuleVisitor for Held {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1 = !self.1;
            if D == 1 && self.1 {
                self.0.insert(param.id);
            }
        }
    }

    #[test]
    fn parts_computed_again_teach_the_same_to_the_last_bit() {
        let mut tested = 0;
        for about in ARCHITECTURES {
            let model = (about.default)();
            if !model.kept(shape(&model)).has_parts() {
                continue;
            }
            tested += 1;
            for frozen in [false, true] {
                let kept = learned(&model, false, frozen);
                let again = learned(&model, true, frozen);
                assert!(
                    kept.iter().filter(|(_, g)| g.is_some()).count() > 5,
                    "{model:?}"
                );
                for (i, (kept, again)) in kept.iter().zip(&again).enumerate() {
                    assert_eq!(kept, again, "array {i} of {model:?}");
                }
                assert_eq!(kept.len(), again.len());
            }
        }
        assert!(tested >= 7, "{tested} architectures are made of parts");
    }
}
