//! VGG-11 to VGG-19 with batch norm (Simonyan and Zisserman 2015, arXiv 1409.1556), with
//! torchvision's parameter names and numbers.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;
use rand::Rng;
use reprsim_kernels::Dropout;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature, Pooling};
use crate::layers::{
    Place, Square, check_width, connect, connect_relu, convolve, map_values, side_after,
};
use crate::{
    Architecture, BatchNorm, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output,
    OutputKind, Pass, Preset, Stem,
};

/// Standard deviation of the initial weights of fully connected layers.
const SPREAD: f32 = 0.01;
/// Rows and columns to which the last maps are averaged.
const POOLED: usize = 7;
/// Width of a fully connected layer for each channel of the first stage: 4096 of 64.
const HIDDEN: usize = 64;

/// Convolutions of 3x3 with batch norm and ReLU, five stages with max pooling behind each. `vgg11_bn` to
/// `vgg19_bn` are torchvision's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VggSettings {
    /// 11, 13, 16 or 19 layers, three of which are the classifier's of the stock network.
    pub depth: usize,
    /// Channels of the first stage, 64 as published.
    pub width: usize,
    /// What follows the stages: stock, averages over 7x7 parts of the maps and three fully connected
    /// layers with dropout between them; cifar, the mean over positions, dropout and one such layer.
    pub stem: Stem,
}

impl Default for VggSettings {
    fn default() -> Self {
        Self {
            depth: 11,
            width: 64,
            stem: Stem::default(),
        }
    }
}

impl VggSettings {
    /// torchvision's network of some depth.
    fn published(depth: usize) -> Self {
        Self {
            depth,
            width: 64,
            stem: Stem::Stock,
        }
    }

    /// Convolutions in each stage: the paper's columns A, B, D and E.
    fn convolutions(&self) -> Result<[usize; 5], ModelError> {
        match self.depth {
            11 => Ok([1, 1, 2, 2, 2]),
            13 => Ok([2, 2, 2, 2, 2]),
            16 => Ok([2, 2, 3, 3, 3]),
            19 => Ok([2, 2, 4, 4, 4]),
            other => Err(ModelError::Settings(format!(
                "a vgg has a depth of 11, 13, 16 or 19, not {other}"
            ))),
        }
    }

    /// Channels of each stage.
    fn channels(&self) -> [usize; 5] {
        [1, 2, 4, 8, 8].map(|times| times * self.width)
    }
}

impl Architecture for VggSettings {
    type Model = Vgg;

    const NAME: &'static str = "vgg";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    // The last layer of the stock classifier, and the only one of the other.
    const HEAD: &'static [&'static str] =
        &["classifier.6.", "classifier.weight", "classifier.bias"];
    const PRESETS: &'static [Preset<Self>] = &[
        ("vgg11_bn", || Self::published(11)),
        ("vgg13_bn", || Self::published(13)),
        ("vgg16_bn", || Self::published(16)),
        ("vgg19_bn", || Self::published(19)),
    ];
    const DROPS: bool = true;

    fn layer_names(&self) -> Vec<String> {
        let stages = self.convolutions().unwrap_or_default();
        let mut places = 0;
        let pools = stages.map(|convolutions| {
            // A convolution, its norm and its ReLU, and behind them all the pooling.
            places += 3 * convolutions + 1;
            format!("features.{}", places - 1)
        });
        let last = ["penultimate", "logits"].map(String::from);
        pools.into_iter().chain(last).collect()
    }

    fn check(&self) -> Result<(), ModelError> {
        check_width("a vgg", self.width)?;
        self.convolutions().map(|_| ())
    }

    fn least(&self) -> usize {
        // Halved by each stage.
        1 << 5
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let (Ok([_, height, side]), Ok(stages)) = (shape.image(Self::NAME), self.convolutions())
        else {
            return Kept::default();
        };
        let mut sides = [height, side];
        let mut kept = 0;
        for (convolutions, channels) in stages.into_iter().zip(self.channels()) {
            // Of each convolution before and after its norm.
            kept += 2 * convolutions as u128 * map_values(channels, sides);
            sides = sides.map(|side| side_after(side, 2, 2, 0));
            kept += map_values(channels, sides);
        }
        kept += match self.stem {
            Stem::Stock => {
                let pooled = map_values(8 * self.width, [POOLED; 2]);
                pooled + 2 * HIDDEN as u128 * self.width as u128
            }
            Stem::Cifar => 8 * self.width as u128,
        };
        Kept::always(kept)
    }

    fn with_width(&self, width: usize) -> Option<Self> {
        Some(Self {
            width,
            ..self.clone()
        })
    }

    fn with_depth(&self, depth: usize) -> Option<Self> {
        Some(Self {
            depth,
            ..self.clone()
        })
    }

    /// Weights as torchvision draws them: of convolutions normal with variance 2 / fan-out (He et al.
    /// 2015), of fully connected layers normal with standard deviation 0.01, all biases 0.
    fn build<R: Rng>(&self, shape: ModelShape, init: &mut Init<'_, R>) -> Result<Vgg, ModelError> {
        let [mut from, ..] = shape.image(Self::NAME)?;
        let mut features = vec![];
        for (convolutions, to) in self.convolutions()?.into_iter().zip(self.channels()) {
            for _ in 0..convolutions {
                let square = Square::half_padded([from, to], 3, 1);
                let spread = (2.0 / (9 * to) as f32).sqrt();
                features.push(Layer::Convolution(
                    init.convolution_normal(square, spread, true),
                ));
                features.push(Layer::Norm(init.batch_norm(to)));
                features.push(Layer::Relu(Place));
                from = to;
            }
            let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]);
            features.push(Layer::Pool(pool.init()));
        }
        let mut linear = |size: [usize; 2]| init.linear_normal_biased(size, SPREAD);
        let classifier = match self.stem {
            Stem::Stock => {
                let hidden = HIDDEN * self.width;
                Classifier::Stock((
                    linear([from * POOLED * POOLED, hidden]),
                    Place,
                    Place,
                    linear([hidden, hidden]),
                    Place,
                    Place,
                    linear([hidden, shape.classes]),
                ))
            }
            Stem::Cifar => Classifier::Cifar(linear([from, shape.classes])),
        };
        Ok(Vgg {
            features,
            classifier,
        })
    }
}

/// A layer of the sequence of convolutions.
#[derive(Module, Debug)]
enum Layer {
    Convolution(Conv2d),
    Norm(BatchNorm),
    Relu(Place),
    Pool(MaxPool2d),
}

/// What scores the last maps.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a network, which holds its values on the heap"
)]
enum Classifier {
    /// Fully connected layers, ReLU and dropout behind the first two.
    Stock((Linear, Place, Place, Linear, Place, Place, Linear)),
    Cifar(Linear),
}

impl Classifier {
    /// The last layer.
    fn head(&self) -> &Linear {
        match self {
            Self::Stock((.., head)) | Self::Cifar(head) => head,
        }
    }

    /// What the last layer is given, and what it gives.
    fn forward(&self, maps: Tensor<4>, dropout: &mut Dropout) -> [Tensor<2>; 2] {
        let last = match self {
            Self::Stock((first, _, _, second, ..)) => {
                let parts = match maps.dims() {
                    [_, _, POOLED, POOLED] => maps,
                    _ => adaptive_avg_pool2d(maps, [POOLED; 2]),
                };
                let inner = dropout.apply(connect_relu(first, parts.flatten(1, 3)));
                connect_relu(second, inner)
            }
            Self::Cifar(_) => Feature::Map(maps).pooled(Pooling::Mean),
        };
        let logits = connect(self.head(), dropout.apply(last.clone()));
        [last, logits]
    }
}

/// Convolutions and a classifier.
#[derive(Module, Debug)]
pub struct Vgg {
    features: Vec<Layer>,
    classifier: Classifier,
}

impl Vgg {
    /// The maps after each pooling, the classifier's last hidden layer and the logits.
    fn states(&self, images: Tensor<4>, dropout: &mut Dropout) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        self.states_behind(0, images, dropout)
    }

    /// The same of what comes out of the first `done` layers.
    fn states_behind(
        &self,
        done: usize,
        x: Tensor<4>,
        dropout: &mut Dropout,
    ) -> (Vec<Tensor<4>>, [Tensor<2>; 2]) {
        let (mut maps, mut x) = (vec![], x);
        for layer in &self.features[done..] {
            x = match layer {
                Layer::Convolution(layer) => convolve(layer, x),
                // With the ReLU that follows.
                Layer::Norm(norm) => norm.forward_relu(x),
                Layer::Relu(_) => x,
                Layer::Pool(pool) => {
                    let pooled = pool.forward(x);
                    maps.push(pooled.clone());
                    pooled
                }
            };
        }
        let vectors = self.classifier.forward(x, dropout);
        (maps, vectors)
    }
}

impl Model for Vgg {
    /// The maps after each pooling (`features.3` and so on, as torchvision numbers them), `penultimate`
    /// (what the last fully connected layer is given) and `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let images = input.images(VggSettings::NAME)?;
        let (maps, vectors) = self.states(images, &mut Dropout::none());
        let pools = self.features.iter().enumerate();
        let pools = pools.filter(|(_, layer)| matches!(layer, Layer::Pool(_)));
        let pools = pools.map(|(place, _)| format!("features.{place}"));
        let last = ["penultimate", "logits"].map(String::from);
        let layers = maps.into_iter().map(Feature::Map);
        Ok(Activations::new(
            pools.chain(last).collect(),
            layers.chain(vectors.map(Feature::Vector)),
        ))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let images = input.images(VggSettings::NAME)?;
        let (_, [_, logits]) = self.states(images, &mut pass.dropout);
        Ok(Output::Logits(logits))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let logits = match activation {
            Feature::Map(maps) => {
                let place: usize = joint.strip_prefix("features.")?.parse().ok()?;
                matches!(self.features.get(place)?, Layer::Pool(_)).then_some(())?;
                let (_, [_, logits]) = self.states_behind(place + 1, maps, &mut Dropout::none());
                logits
            }
            Feature::Vector(last) if joint == "penultimate" => {
                connect(self.classifier.head(), last)
            }
            _ => return None,
        };
        Some(Output::Logits(logits))
    }
}
