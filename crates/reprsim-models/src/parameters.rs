//! Counting parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::Network;

impl Network {
    /// Numbers that training moves: parameters without running statistics.
    pub fn parameters(&self) -> usize {
        let mut counter = Counter::default();
        self.visit(&mut counter);
        counter.count
    }
}

#[derive(Default)]
struct Counter {
    names: Vec<String>,
    count: usize,
}

impl ModuleVisitor for Counter {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.names.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.names.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let statistic = |name: &String| name.starts_with("running_");
        if !self.names.last().is_some_and(statistic) {
            self.count += param.val().dims().iter().product::<usize>();
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};
    use reprsim_base::Stream;

    use super::*;
    use crate::{
        ARCHITECTURES, Feature, Input, InputKind, ModelConfig, ModelShape, Pooling, SampleShape,
    };

    fn shape(model: &ModelConfig) -> ModelShape {
        ModelShape {
            input: match model.takes() {
                InputKind::Images => SampleShape::Image {
                    channels: 3,
                    height: 32,
                    width: 32,
                },
                InputKind::Text => SampleShape::Tokens {
                    window: 16,
                    vocabulary: 100,
                },
            },
            classes: 7,
        }
    }

    #[test]
    fn weights_are_counted_as_they_are_built() {
        for about in ARCHITECTURES {
            let default = (about.default)();
            let smaller = default.with_width(8).and_then(|m| m.with_depth(3));
            for model in [Some(default), smaller].into_iter().flatten() {
                if model.check().is_err() {
                    continue;
                }
                let shape = shape(&model);
                let rng = &mut Stream::new(0).rng();
                let built = Network::new(&model, shape, rng, &Device::flex()).unwrap();
                assert_eq!(
                    model.weights(shape).unwrap(),
                    built.parameters() as u128,
                    "{model:?}"
                );
            }
        }
    }

    /// A step keeps at least every layer that has a name, at any size of the samples.
    #[test]
    fn what_a_step_keeps_is_no_less_than_its_layers() {
        for about in ARCHITECTURES {
            let model = (about.default)();
            for larger in [1, 2] {
                let mut shape = shape(&model);
                let batch = match &mut shape.input {
                    SampleShape::Image { height, width, .. } => {
                        [*height, *width] = [*height * larger, *width * larger];
                        Input::Images(Tensor::zeros([1, 3, *height, *width], &Device::flex()))
                    }
                    SampleShape::Tokens { window, .. } => {
                        *window *= larger;
                        Input::Tokens(Tensor::zeros([1, *window], &Device::flex()))
                    }
                };
                let rng = &mut Stream::new(0).rng();
                let network = Network::new(&model, shape, rng, &Device::flex()).unwrap();
                let layers = network.activations(batch).unwrap().layers;
                let of_layer = |(_, feature): (String, Feature)| {
                    feature.pooled(Pooling::Flatten).shape().num_elements() as u128
                };
                let named: u128 = layers.into_iter().map(of_layer).sum();
                let kept = model.kept(shape).values(false);
                // The head's scores are not counted where they are few.
                assert!(kept + 8 >= named, "{model:?}: {kept} of {named}");
                assert!(kept < 40 * named, "{model:?}: {kept} of {named}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_refused() {
        for about in ARCHITECTURES {
            // Heads must divide it.
            let Some(model) = (about.default)().with_width(3 << 18) else {
                continue;
            };
            let shape = shape(&model);
            let weights = model.weights(shape).unwrap();
            // No machine has so much; the test must not find out.
            assert!(weights > 1 << 38, "{model:?}: {weights}");
            let rng = &mut Stream::new(0).rng();
            let refused = Network::new(&model, shape, rng, &Device::flex()).unwrap_err();
            assert!(refused.to_string().contains("--memory"), "{refused}");
        }
    }
}
