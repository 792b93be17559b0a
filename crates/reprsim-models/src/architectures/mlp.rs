//! A multilayer perceptron.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature};
use crate::layers::{DEEPEST, check_width, connect, connect_relu};
use crate::{
    Architecture, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output, OutputKind,
    Pass,
};

/// Fully connected layers with ReLU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlpSettings {
    /// Widths of the hidden layers; the last is the penultimate layer.
    pub hidden: Vec<usize>,
}

impl Default for MlpSettings {
    fn default() -> Self {
        Self {
            hidden: vec![512, 256],
        }
    }
}

impl Architecture for MlpSettings {
    type Model = Mlp;

    const NAME: &'static str = "mlp";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["head."];

    fn layer_names(&self) -> Vec<String> {
        layer_names(self.hidden.len())
    }

    fn check(&self) -> Result<(), ModelError> {
        match self.hidden.as_slice() {
            widths if !(1..=DEEPEST).contains(&widths.len()) => Err(ModelError::Settings(format!(
                "an mlp has 1 to {DEEPEST} hidden layers, not {}",
                widths.len()
            ))),
            widths => (widths.iter()).try_for_each(|&width| check_width("a hidden layer", width)),
        }
    }

    fn kept(&self, _: ModelShape) -> Kept {
        // Before and after the rectifier.
        Kept::always(self.hidden.iter().map(|&width| 2 * width as u128).sum())
    }

    fn with_width(&self, width: usize) -> Option<Self> {
        Some(Self {
            hidden: vec![width; self.hidden.len()],
        })
    }

    fn with_depth(&self, depth: usize) -> Option<Self> {
        let mut hidden = self.hidden.clone();
        // More layers than there may be are refused when they are checked.
        hidden.resize(
            depth.min(DEEPEST + 1),
            self.hidden.last().copied().unwrap_or(1),
        );
        Some(Self { hidden })
    }

    fn build<R: Rng>(&self, shape: ModelShape, init: &mut Init<'_, R>) -> Result<Mlp, ModelError> {
        let mut inputs = shape.image(Self::NAME)?.iter().product();
        let hidden = self
            .hidden
            .iter()
            .map(|&width| {
                let layer = init.linear(inputs, width);
                inputs = width;
                layer
            })
            .collect();
        Ok(Mlp {
            hidden,
            head: init.linear(inputs, shape.classes),
        })
    }
}

/// Fully connected layers with ReLU and a linear head.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Linear>,
    head: Linear,
}

/// `hidden1`, ..., `penultimate`, `logits` of an mlp with `depth` hidden layers.
fn layer_names(depth: usize) -> Vec<String> {
    let hidden = (1..depth).map(|i| format!("hidden{i}"));
    let last = ["penultimate", "logits"].map(String::from);
    hidden.chain(last).collect()
}

impl Mlp {
    /// The scores of what comes out of the first `done` layers.
    fn scores(&self, done: usize, x: Tensor<2>) -> Tensor<2> {
        let rest = &self.hidden[done..];
        let last = rest.iter().fold(x, |x, layer| connect_relu(layer, x));
        connect(&self.head, last)
    }
}

impl Model for Mlp {
    /// `hidden1` .. , `penultimate`, `logits`; ReLU applied to all but the last.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let mut x = input.images(MlpSettings::NAME)?.flatten(1, 3);
        let mut layers = Vec::with_capacity(self.hidden.len() + 1);
        for layer in &self.hidden {
            x = connect_relu(layer, x);
            layers.push(Feature::Vector(x.clone()));
        }
        layers.push(Feature::Vector(connect(&self.head, x)));
        Ok(Activations::new(layer_names(self.hidden.len()), layers))
    }

    fn output(&self, input: Input, _: &mut Pass<'_>) -> Result<Output, ModelError> {
        let x = input.images(MlpSettings::NAME)?.flatten(1, 3);
        Ok(Output::Logits(self.scores(0, x)))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let depth = self.hidden.len();
        let names = layer_names(depth);
        let place = names[..depth].iter().position(|name| name == joint)?;
        match activation {
            Feature::Vector(x) => Some(Output::Logits(self.scores(place + 1, x))),
            _ => None,
        }
    }
}
