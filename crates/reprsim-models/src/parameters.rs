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
    use burn::tensor::Device;
    use reprsim_base::Stream;

    use super::*;
    use crate::{ARCHITECTURES, InputKind, InputShape, ModelConfig, ModelShape};

    fn shape(model: &ModelConfig) -> ModelShape {
        ModelShape {
            input: match model.takes() {
                InputKind::Images => InputShape::Image {
                    channels: 3,
                    height: 32,
                    width: 32,
                },
                InputKind::Text => InputShape::Tokens {
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
