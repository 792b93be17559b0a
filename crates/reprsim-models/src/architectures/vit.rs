//! Vision transformers (Dosovitskiy et al. 2021, arXiv 2010.11929), with timm's parameter names
//! and numbers.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use rand::Rng;
use reprsim_kernels::{Dropout, attention, gelu};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature};
use crate::layers::{Square, check_transformer, connect, convolve, kept_of, normalize, run_part};
use crate::{
    Architecture, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output, OutputKind,
    Pass, Preset,
};

/// Standard deviation of the initial weights. timm cuts the normal distribution at 2, a hundred of
/// these from 0, where no weight is drawn.
const SPREAD: f32 = 0.02;
/// The same of the class token.
const CLASS_SPREAD: f32 = 1e-6;
/// What layer norms add to the variance.
const EPSILON: f64 = 1e-6;

/// A vision transformer. `vit_tiny_patch16_224` and so on are timm's; a name's 224 is the side of the
/// images that its published weights are for, the size here is that of the data set.
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

impl VitSettings {
    /// timm's of some size: heads are 64 wide.
    fn published(width: usize, depth: usize, patch: usize) -> Self {
        Self {
            width,
            depth,
            heads: width / 64,
            patch,
        }
    }
}

impl Architecture for VitSettings {
    type Model = Vit;

    const NAME: &'static str = "vit";
    const TAKES: InputKind = InputKind::Images;
    const GIVES: OutputKind = OutputKind::Logits;
    const HEAD: &'static [&'static str] = &["head."];
    /// 1 had other weights to begin with and another epsilon of its norms.
    const REVISION: u32 = 2;
    const PRESETS: &'static [Preset<Self>] = &[
        ("vit_tiny_patch16_224", || Self::published(192, 12, 16)),
        ("vit_small_patch32_224", || Self::published(384, 12, 32)),
        ("vit_small_patch16_224", || Self::published(384, 12, 16)),
        ("vit_small_patch8_224", || Self::published(384, 12, 8)),
        ("vit_base_patch32_224", || Self::published(768, 12, 32)),
        ("vit_base_patch16_224", || Self::published(768, 12, 16)),
        ("vit_base_patch8_224", || Self::published(768, 12, 8)),
        ("vit_large_patch32_224", || Self::published(1024, 24, 32)),
        ("vit_large_patch16_224", || Self::published(1024, 24, 16)),
    ];

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

    fn kept(&self, shape: ModelShape) -> Kept {
        let Ok([_, height, side]) = shape.image(Self::NAME) else {
            return Kept::default();
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

    /// Weights as timm draws them: of fully connected layers normal with standard deviation 0.02, their
    /// biases 0; positions as those, the class token nearly 0; patches as PyTorch's convolutions.
    fn build<R: Rng>(&self, shape: ModelShape, init: &mut Init<'_, R>) -> Result<Vit, ModelError> {
        let Self {
            width,
            depth,
            heads,
            patch,
        } = *self;
        let [channels, height, side] = shape.image(Self::NAME)?;
        let count = (height / patch) * (side / patch);
        let cut = Square::patches([channels, width], patch);
        Ok(Vit {
            cls_token: init.normal([1, 1, width], CLASS_SPREAD),
            pos_embed: init.normal([1, count + 1, width], SPREAD),
            patch_embed: PatchEmbed {
                proj: init.convolution(cut, true),
            },
            blocks: (0..depth).map(|_| Block::new(width, heads, init)).collect(),
            norm: init.layer_norm(width),
            head: init.linear_normal_biased([width, shape.classes], SPREAD),
        })
    }
}

/// `patch_embed`, the blocks, `penultimate` and `logits`.
fn layer_names(depth: usize) -> Vec<String> {
    let first = std::iter::once("patch_embed".to_string());
    let blocks = (0..depth).map(|block| format!("blocks.{block}"));
    let last = ["penultimate", "logits"].map(String::from);
    first.chain(blocks).chain(last).collect()
}

/// A vector for each patch.
#[derive(Module, Debug)]
struct PatchEmbed {
    proj: Conv2d,
}

/// Self-attention: queries, keys and values of all heads in one product.
#[derive(Module, Debug)]
struct Attention {
    qkv: Linear,
    proj: Linear,
    heads: usize,
}

impl Attention {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let all = connect(&self.qkv, x);
        let mixed = attention(all, self.heads, false, &mut Dropout::none());
        connect(&self.proj, mixed)
    }
}

/// Two fully connected layers, four times as wide between them.
#[derive(Module, Debug)]
struct Perceptron {
    fc1: Linear,
    fc2: Linear,
}

/// Attention and a two-layer perceptron, each after a layer norm and around a
/// residual connection.
#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: Perceptron,
}

impl Block {
    fn new<R: Rng>(width: usize, heads: usize, init: &mut Init<'_, R>) -> Self {
        let mut linear =
            |from: usize, to: usize| init.linear_normal_biased([from * width, to * width], SPREAD);
        let attn = Attention {
            qkv: linear(1, 3),
            proj: linear(1, 1),
            heads,
        };
        let mlp = Perceptron {
            fc1: linear(1, 4),
            fc2: linear(4, 1),
        };
        Self {
            norm1: init.layer_norm(width),
            attn,
            norm2: init.layer_norm(width),
            mlp,
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let normed = normalize(&self.norm1, x.clone(), EPSILON);
        let x = x + self.attn.forward(normed);
        let normed = normalize(&self.norm2, x.clone(), EPSILON);
        x + connect(&self.mlp.fc2, gelu(connect(&self.mlp.fc1, normed)))
    }
}

/// Patches, a class token, learned positions, pre-norm blocks; the class token
/// after a last norm is the penultimate layer.
#[derive(Module, Debug)]
pub struct Vit {
    cls_token: Param<Tensor<3>>,
    pos_embed: Param<Tensor<3>>,
    patch_embed: PatchEmbed,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Vit {
    /// Tokens after the embedding and after each block, then the class token after the
    /// last norm and the logits.
    fn states(&self, images: Tensor<4>, pass: &mut Pass<'_>) -> (Vec<Tensor<3>>, [Tensor<2>; 2]) {
        // [n, width, rows, columns] to [n, patches, width]
        let patches: Tensor<3> = convolve(&self.patch_embed.proj, images).flatten(2, 3);
        let patches = patches.swap_dims(1, 2);
        let [n, _, width] = patches.dims();
        let class = self.cls_token.val().expand([n, 1, width]);
        let embedded = Tensor::cat(vec![class, patches], 1) + self.pos_embed.val();
        self.states_behind(0, embedded, pass)
    }

    /// The tokens that come out of the first `done` blocks, and all behind them.
    fn states_behind(
        &self,
        done: usize,
        tokens: Tensor<3>,
        pass: &mut Pass<'_>,
    ) -> (Vec<Tensor<3>>, [Tensor<2>; 2]) {
        let mut x = tokens;
        let mut tokens = vec![x.clone()];
        for block in &self.blocks[done..] {
            x = run_part(block, x, pass, |block, x, _| block.forward(x));
            tokens.push(x.clone());
        }
        // The norm of each token is its own: only that of the class token is asked for.
        let class = normalize(&self.norm, x.slice_dim(1, 0..1), EPSILON).flatten(1, 2);
        let logits = connect(&self.head, class.clone());
        (tokens, [class, logits])
    }
}

impl Model for Vit {
    /// `patch_embed` (class token and patches with their positions, which in timm goes into
    /// `norm_pre`, not the output of its module `patch_embed`), each block's tokens (class token first),
    /// `penultimate` (the class token after the last norm) and `logits`.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let images = input.images(VitSettings::NAME)?;
        let (tokens, vectors) = self.states(images, &mut Pass::inference());
        let tokens = tokens.into_iter().map(Feature::Tokens);
        let layers = tokens.chain(vectors.map(Feature::Vector));
        Ok(Activations::new(layer_names(self.blocks.len()), layers))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let (_, [_, logits]) = self.states(input.images(VitSettings::NAME)?, pass);
        Ok(Output::Logits(logits))
    }

    fn output_from(&self, joint: &str, activation: Feature) -> Option<Output> {
        let logits = match (joint, activation) {
            ("penultimate", Feature::Vector(class)) => connect(&self.head, class),
            (joint, Feature::Tokens(tokens)) => {
                let depth = self.blocks.len();
                let names = layer_names(depth);
                let done = names[..=depth].iter().position(|name| name == joint)?;
                let (_, [_, logits]) = self.states_behind(done, tokens, &mut Pass::inference());
                logits
            }
            _ => return None,
        };
        Some(Output::Logits(logits))
    }
}
