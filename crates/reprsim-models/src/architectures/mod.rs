//! The table of architectures: a file each, a line each.

mod table;

use table::architectures;

architectures! {
    // file: settings, model; the name in experiment files is that of its `Architecture`.
    mlp: MlpSettings, Mlp, "mlp";
    cnn: CnnSettings, Cnn, "cnn";
    vgg: VggSettings, Vgg, "vgg";
    resnet: ResNetSettings, ResNet, "resnet";
    densenet: DenseNetSettings, DenseNet, "densenet";
    convnext: ConvNextSettings, ConvNext, "convnext";
    mobilenet: MobileNetSettings, MobileNet, "mobilenet";
    efficientnet: EfficientNetSettings, EfficientNet, "efficientnet";
    vit: VitSettings, Vit, "vit";
    gpt: GptSettings, Gpt, "gpt";
    vae: VaeSettings, Vae, "vae";
}

pub use efficientnet::{Convention, EfficientBlock, ExpandedBlock, SeparableBlock};
pub use gpt::{CausalSelfAttention, FeedForward, GptBlock, Transformer, padded_vocabulary};
pub use mobilenet::{MobileBlock, MobilePart, MobileStem, MobileStep};
pub use resnet::ResidualBlock;
