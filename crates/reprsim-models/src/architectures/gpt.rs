//! A GPT as nanoGPT builds it (Karpathy 2022; Radford et al. 2019): pre-norm blocks, no
//! biases, the output weights those of the embedding.

use burn::module::Module;
use burn::nn::{Embedding, LayerNorm, Linear};
use burn::tensor::{Int, Tensor};
use rand::Rng;
use reprsim_kernels::{After, Dropout, attention, gelu, linear};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::{Activations, Feature};
use crate::layers::{block_names, check_transformer, connect, kept_of, normalize, run_part};
use crate::{
    Architecture, Init, Input, InputKind, Kept, Model, ModelError, ModelShape, Output, OutputKind,
    Pass,
};

/// Standard deviation of the initial weights.
const SPREAD: f32 = 0.02;
/// What layer norms add to the variance, as PyTorch's by default.
const EPSILON: f64 = 1e-5;

/// The number of output classes for `vocabulary` tokens: the next multiple of 64, which
/// matrix products like (50 304 for GPT-2's 50 257, as nanoGPT).
pub fn padded_vocabulary(vocabulary: usize) -> usize {
    vocabulary.next_multiple_of(64)
}

/// A language model as nanoGPT's; by default of its size for a machine without a GPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GptSettings {
    /// Length of a token's vector.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads; they divide the width.
    pub heads: usize,
}

impl Default for GptSettings {
    fn default() -> Self {
        Self {
            width: 128,
            depth: 4,
            heads: 4,
        }
    }
}

impl Architecture for GptSettings {
    type Model = Gpt;

    const NAME: &'static str = "gpt";
    const TAKES: InputKind = InputKind::Text;
    const GIVES: OutputKind = OutputKind::TokenLogits;
    const DROPS: bool = true;

    fn layer_names(&self) -> Vec<String> {
        layer_names(self.depth)
    }

    fn check(&self) -> Result<(), ModelError> {
        check_transformer(Self::NAME, self.width, self.depth, self.heads)
    }

    fn kept(&self, shape: ModelShape) -> Kept {
        let Ok([window, vocabulary]) = shape.window(Self::NAME) else {
            return Kept::default();
        };
        let mut kept = kept_of(window, self.width, self.depth, self.heads);
        // The scores of every token.
        kept.add((window * vocabulary) as u128);
        kept
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

    fn build<R: Rng>(&self, shape: ModelShape, init: &mut Init<'_, R>) -> Result<Gpt, ModelError> {
        let [window, vocabulary] = shape.window(Self::NAME)?;
        let transformer = Transformer {
            wte: init.embedding([padded_vocabulary(vocabulary), self.width], SPREAD),
            wpe: init.embedding([window, self.width], SPREAD),
            h: (0..self.depth).map(|_| GptBlock::new(self, init)).collect(),
            ln_f: init.layer_norm_without_bias(self.width),
        };
        Ok(Gpt { transformer })
    }

    /// Of tied weights, `safetensors.torch.save_model` keeps one name: nanoGPT's head.
    fn aliases() -> &'static [(&'static str, &'static str)] {
        &[(r"^lm_head\.weight$", "transformer.wte.weight")]
    }

    /// The causal mask, and the other name of tied weights.
    fn is_buffer(tensor: &str) -> bool {
        tensor.ends_with("attn.bias") || tensor == "lm_head.weight"
    }
}

/// `embedding`, the blocks and `final_norm`.
fn layer_names(depth: usize) -> Vec<String> {
    let (first, last) = ("embedding".to_string(), "final_norm".to_string());
    let blocks = std::iter::once(first).chain(block_names(depth));
    blocks.chain(std::iter::once(last)).collect()
}

/// Causal self-attention: queries, keys and values of all heads in one product.
#[derive(Module, Debug)]
pub struct CausalSelfAttention {
    c_attn: Linear,
    c_proj: Linear,
    heads: usize,
}

impl CausalSelfAttention {
    fn forward(&self, x: Tensor<3>, dropout: &mut Dropout) -> Tensor<3> {
        let all = connect(&self.c_attn, x);
        let mixed = attention(all, self.heads, true, dropout);
        dropout.apply(connect(&self.c_proj, mixed))
    }
}

/// Two fully connected layers, four times as wide between them.
#[derive(Module, Debug)]
pub struct FeedForward {
    c_fc: Linear,
    c_proj: Linear,
}

/// Attention and two fully connected layers, each after a layer norm and around a
/// residual connection.
#[derive(Module, Debug)]
pub struct GptBlock {
    ln_1: LayerNorm,
    attn: CausalSelfAttention,
    ln_2: LayerNorm,
    mlp: FeedForward,
}

impl GptBlock {
    fn new<R: Rng>(size: &GptSettings, init: &mut Init<'_, R>) -> Self {
        let GptSettings {
            width,
            depth,
            heads,
        } = *size;
        // Projections into the residual stream start smaller, so that its variance does
        // not grow with the depth.
        let residual = SPREAD / (2.0 * depth as f32).sqrt();
        Self {
            ln_1: init.layer_norm_without_bias(width),
            attn: CausalSelfAttention {
                c_attn: init.linear_normal([width, 3 * width], SPREAD),
                c_proj: init.linear_normal([width, width], residual),
                heads,
            },
            ln_2: init.layer_norm_without_bias(width),
            mlp: FeedForward {
                c_fc: init.linear_normal([width, 4 * width], SPREAD),
                c_proj: init.linear_normal([4 * width, width], residual),
            },
        }
    }

    fn forward(&self, x: Tensor<3>, dropout: &mut Dropout) -> Tensor<3> {
        let x = x.clone()
            + self
                .attn
                .forward(normalize(&self.ln_1, x, EPSILON), dropout);
        let inner = gelu(connect(
            &self.mlp.c_fc,
            normalize(&self.ln_2, x.clone(), EPSILON),
        ));
        x + dropout.apply(connect(&self.mlp.c_proj, inner))
    }
}

/// Embeddings of tokens and positions, blocks, and a last norm.
#[derive(Module, Debug)]
pub struct Transformer {
    wte: Embedding,
    wpe: Embedding,
    h: Vec<GptBlock>,
    ln_f: LayerNorm,
}

/// A language model. Parameters have nanoGPT's names; the tied `lm_head` is not one of
/// its own.
#[derive(Module, Debug)]
pub struct Gpt {
    transformer: Transformer,
}

impl Gpt {
    /// Every position's state after the embeddings and after each block, and that after the
    /// last norm, each `[n, time, width]`.
    fn states(&self, tokens: Tensor<2, Int>, pass: &mut Pass<'_>) -> (Vec<Tensor<3>>, Tensor<3>) {
        let Transformer { wte, wpe, h, ln_f } = &self.transformer;
        let [_, time] = tokens.dims();
        let positions = wpe.weight.val().slice_dim(0, 0..time).unsqueeze::<3>();
        let mut x = pass.dropout.apply(wte.forward(tokens) + positions);
        let mut states = vec![x.clone()];
        for block in h {
            x = run_part(block, x, pass, GptBlock::forward);
            states.push(x.clone());
        }
        (states, normalize(ln_f, x, EPSILON))
    }

    /// Logits of the token after each, `[n, time, vocabulary]` (padded), from tokens
    /// `[n, time]`.
    pub fn logits(&self, tokens: Tensor<2, Int>, pass: &mut Pass<'_>) -> Tensor<3> {
        let [n, time] = tokens.dims();
        let (_, last) = self.states(tokens, pass);
        let weight = self.transformer.wte.weight.val();
        let [vocabulary, width] = weight.dims();
        // One product over all positions: a batch of them would be taken one by one.
        let last = last.reshape([n * time, width]);
        linear(last, weight.transpose(), None, After::Nothing).reshape([n, time, vocabulary])
    }
}

impl Model for Gpt {
    /// The embedding, each block and the final norm, one vector a position.
    fn activations(&self, input: Input) -> Result<Activations, ModelError> {
        let tokens = input.tokens(GptSettings::NAME)?;
        let (states, last) = self.states(tokens, &mut Pass::inference());
        let layers = states.into_iter().chain(std::iter::once(last));
        let names = layer_names(self.transformer.h.len());
        Ok(Activations::new(names, layers.map(Feature::Tokens)))
    }

    fn output(&self, input: Input, pass: &mut Pass<'_>) -> Result<Output, ModelError> {
        let tokens = input.tokens(GptSettings::NAME)?;
        Ok(Output::TokenLogits(self.logits(tokens, pass)))
    }
}
