//! A small vision transformer (Dosovitskiy et al. 2021).

use burn::module::{Module, Param};
use burn::nn::attention::MultiHeadAttention;
use burn::nn::conv::Conv2d;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::gelu;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature};
use crate::layers::{Square, attend, block_names, check_transformer, connect, kept_of, normalize};
use crate::{
    Architecture, Init, Input, InputKind, Model, ModelError, ModelShape, Output, OutputKind, Pass,
};

/// A vision transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VitSettings {
    /// Length of a token's vector.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads; they divide the width.
    pub heads: usize,
    /// Side of a patch; it divides the image's sides.
    pub patch: usize,
}

impl Default for VitSettings {
    fn default() -> Self {
        Self {
            width: 192,
            depth: 6,
            heads: 3,
            patch: 4,
        }
    }
}

impl Architecture for VitSettings {
    type Model = Vit;

    const NAME: &'static str = "vit";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["head."];

    fn layer_names(&self) -> Vec<String> {
        layer_names(self.depth)
    }

    fn check(&self) -> Result<(), ModelError> {
        check_transformer(Self::NAME, self.width, self.depth, self.heads)?;
        match self.patch {
            0 => Err(ModelError::Settings("a patch of 0 pixels".into())),
            _ => Ok(()),
        }
    }

    fn stride(&self) -> usize {
        self.patch
    }

    fn kept(&self, shape: ModelShape) -> u128 {
        let Ok([_, height, side]) = shape.image(Self::NAME) else {
            return 0;
        };
        let tokens = (height / self.patch.max(1)) * (side / self.patch.max(1)) + 1;
        kept_of(tokens, self.width, self.depth, self.heads)
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

    fn build<R: Rng>(&self, shape: ModelShape, init: &mut Init<'_, R>) -> Result<Vit, ModelError> {
        let Self {
            width,
            depth,
            heads,
            patch,
        } = *self;
        let [channels, height, side] = shape.image(Self::NAME)?;
        let count = (height / patch) * (side / patch);
        let cut = Square {
            channels: [channels, width],
            kernel: patch,
            stride: patch,
            padding: 0,
        };
        Ok(Vit {
            patches: init.convolution(cut, true),
            class_token: init.normal([1, 1, width], 0.02),
            positions: init.normal([1, count + 1, width], 0.02),
            blocks: (0..depth).map(|_| Block::new(width, heads, init)).collect(),
            norm: init.layer_norm(width),
            head: init.linear(width, shape.classes),
        })
    }
}

/// `patches`, the blocks, `penultimate` and `logits`.
fn layer_names(depth: usize) -> Vec<String> {
    let first = std::iter::once("patches".to_string());
    let last = ["penultimate", "logits"].map(String::from);
    first.chain(block_names(depth)).chain(last).collect()
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
        let normed = normalize(&self.norm1, x.clone());
        let x = x + attend(&self.attention, normed);
        let inner = gelu(connect(&self.linear1, normalize(&self.norm2, x.clone())));
        x + connect(&self.linear2, inner)
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

impl Vit {
    /// Tokens after the embedding and after each block, then the class token after the
    /// last norm and the logits.
    fn states(&self, images: Tensor<4>) -> (Vec<Tensor<3>>, [Tensor<2>; 2]) {
        // [n, width, rows, columns] to [n, patches, width]
        let patches: Tensor<3> = self.patches.forward(images).flatten(2, 3);
        let patches = patches.swap_dims(1, 2);
        let [n, _, width] = patches.dims();
        let class = self.class_token.val().expand([n, 1, width]);
        let mut x = Tensor::cat(vec![class, patches], 1) + self.positions.val();
        let mut tokens = vec![x.clone()];
        for block in &self.blocks {
            x = block.forward(x);
            tokens.push(x.clone());
        }
        let class = normalize(&self.norm, x.slice_dim(1, 0..1)).flatten(1, 2);
        let logits = connect(&self.head, class.clone());
        (tokens, [class, logits])
    }
}

impl Model for Vit {
    /// The embedded patches, each block's tokens (class token first), the class token
    /// after the last norm, and the logits.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let (tokens, vectors) = self.states(input.images(VitSettings::NAME)?);
        let tokens = tokens.into_iter().map(Feature::Tokens);
        let layers = tokens.chain(vectors.map(Feature::Vector));
        Ok(Activations::new(layer_names(self.blocks.len()), layers))
    }

    fn output(&self, input: Input, _: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, [_, logits]) = self.states(input.images(VitSettings::NAME)?);
        Ok(Output::Logits(logits))
    }
}
