//! The table of architectures: a file each, a line each.

mod table;

use table::architectures;

architectures! {
    // file: settings, model; the name in experiment files is that of its `Architecture`.
    mlp: MlpSettings, Mlp, "mlp";
    cnn: CnnSettings, Cnn, "cnn";
    resnet: ResNetSettings, ResNet, "resnet";
    vit: VitSettings, Vit, "vit";
    gpt: GptSettings, Gpt, "gpt";
    vae: VaeSettings, Vae, "vae";
}

pub use gpt::{CausalSelfAttention, FeedForward, GptBlock, Transformer, padded_vocabulary};
pub use resnet::{ResidualBlock, Stem};
pub use vit::Block;
