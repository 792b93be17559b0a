//! A multilayer perceptron.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use rand::Rng;

use crate::feature::{Activations, Feature, Input};
use crate::{Init, ModelShape};

const HIDDEN: [&str; 8] = [
    "hidden1", "hidden2", "hidden3", "hidden4", "hidden5", "hidden6", "hidden7", "hidden8",
];

/// The most hidden layers an mlp can have.
pub(crate) const DEEPEST: usize = HIDDEN.len() + 1;

/// Fully connected layers with ReLU and a linear head.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Linear>,
    head: Linear,
}

/// Names of the layers of an mlp with `depth` hidden layers.
pub(crate) fn layer_names(depth: usize) -> Vec<&'static str> {
    let mut names = HIDDEN[..depth.saturating_sub(1).min(HIDDEN.len())].to_vec();
    names.push("penultimate");
    names.push("logits");
    names
}

impl Mlp {
    /// A new model; `hidden` holds the widths of the hidden layers.
    pub fn new<R: Rng>(hidden: &[usize], shape: ModelShape, init: &mut Init<'_, R>) -> Self {
        let mut inputs = shape.image().iter().product();
        let hidden = hidden
            .iter()
            .map(|&width| {
                let layer = init.linear(inputs, width);
                inputs = width;
                layer
            })
            .collect();
        Self {
            hidden,
            head: init.linear(inputs, shape.classes),
        }
    }

    /// All layers: `hidden1` .. , `penultimate`, `logits`; ReLU applied to all
    /// but the last.
    pub fn forward(&self, input: Input) -> Activations {
        let images = input.images();
        let names = layer_names(self.hidden.len());
        let mut x = images.flatten(1, 3);
        let mut layers = Vec::with_capacity(names.len());
        for (layer, name) in self.hidden.iter().zip(names) {
            x = relu(layer.forward(x));
            layers.push((name, Feature::Vector(x.clone())));
        }
        layers.push(("logits", Feature::Vector(self.head.forward(x))));
        Activations { layers }
    }
}
