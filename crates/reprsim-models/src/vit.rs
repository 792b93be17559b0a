//! A small vision transformer (Dosovitskiy et al. 2021).

use burn::module::{Module, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention};
use burn::nn::conv::Conv2d;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::gelu;

use crate::feature::{Activations, Feature, Input};
use crate::init::Square;
use crate::{Init, ModelShape};

/// Names of the blocks of any transformer.
pub(crate) const BLOCKS: [&str; 12] = [
    "block1", "block2", "block3", "block4", "block5", "block6", "block7", "block8", "block9",
    "block10", "block11", "block12",
];

/// The most blocks a transformer can have.
pub(crate) const DEEPEST: usize = BLOCKS.len();

/// Names of the layers of a transformer with `depth` blocks.
pub(crate) fn layer_names(depth: usize) -> Vec<&'static str> {
    let mut names = vec!["patches"];
    names.extend(&BLOCKS[..depth.min(DEEPEST)]);
    names.extend(["penultimate", "logits"]);
    names
}

/// Attention and a two-layer perceptron, each after a layer norm and around a
/// residual connection.
#[derive(Module, Debug)]
pub struct Block {
    norm1: LayerNorm,
    attention: MultiHeadAttention,
    norm2: LayerNorm,
    linear1: Linear,
    linear2: Linear,
}

impl Block {
    fn new<R: Rng>(width: usize, heads: usize, init: &mut Init<'_, R>) -> Self {
        Self {
            norm1: init.layer_norm(width),
            attention: init.attention(width, heads),
            norm2: init.layer_norm(width),
            linear1: init.linear(width, 4 * width),
            linear2: init.linear(4 * width, width),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let normed = self.norm1.forward(x.clone());
        let x = x + self.attention.forward(MhaInput::self_attn(normed)).context;
        let inner = gelu(self.linear1.forward(self.norm2.forward(x.clone())));
        x + self.linear2.forward(inner)
    }
}

/// Patches, a class token, learned positions, pre-norm blocks; the class token
/// after a last norm is the penultimate layer.
#[derive(Module, Debug)]
pub struct Vit {
    patches: Conv2d,
    class_token: Param<Tensor<3>>,
    positions: Param<Tensor<3>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

/// Sizes of a vision transformer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VitSize {
    pub width: usize,
    pub depth: usize,
    pub heads: usize,
    pub patch: usize,
}

impl Vit {
    /// A new model. The input's sides must be divisible by the patch.
    pub(crate) fn new<R: Rng>(size: VitSize, shape: ModelShape, init: &mut Init<'_, R>) -> Self {
        let VitSize {
            width,
            depth,
            heads,
            patch,
        } = size;
        let [channels, height, side] = shape.image();
        let count = (height / patch) * (side / patch);
        let cut = Square {
            channels: [channels, width],
            kernel: patch,
            stride: patch,
            padding: 0,
        };
        Self {
            patches: init.convolution(cut, true),
            class_token: init.normal([1, 1, width], 0.02),
            positions: init.normal([1, count + 1, width], 0.02),
            blocks: (0..depth).map(|_| Block::new(width, heads, init)).collect(),
            norm: init.layer_norm(width),
            head: init.linear(width, shape.classes),
        }
    }

    /// All layers: the embedded patches, each block's tokens (class token first),
    /// the class token after the last norm, and the logits.
    pub fn forward(&self, input: Input) -> Activations {
        let images = input.images();
        let mut names = layer_names(self.blocks.len()).into_iter();
        let mut layers = Vec::with_capacity(names.len());
        let mut keep = |feature: Feature| {
            if let Some(name) = names.next() {
                layers.push((name, feature));
            }
        };
        // [n, width, rows, columns] to [n, patches, width]
        let patches: Tensor<3> = self.patches.forward(images).flatten(2, 3);
        let patches = patches.swap_dims(1, 2);
        let [n, _, width] = patches.dims();
        let class = self.class_token.val().expand([n, 1, width]);
        let mut x = Tensor::cat(vec![class, patches], 1) + self.positions.val();
        keep(Feature::Tokens(x.clone()));
        for block in &self.blocks {
            x = block.forward(x);
            keep(Feature::Tokens(x.clone()));
        }
        let class = self.norm.forward(x.slice_dim(1, 0..1)).flatten(1, 2);
        let logits = self.head.forward(class.clone());
        keep(Feature::Vector(class));
        keep(Feature::Vector(logits));
        Activations { layers }
    }
}
