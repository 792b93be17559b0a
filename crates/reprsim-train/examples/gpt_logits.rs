//! The logits and layers of a nanoGPT checkpoint on given tokens, and its weights after a
//! step of gradient descent with learning rate 1 on their next tokens (beside OUT, ending
//! in `.stepped`), for `scripts/check_nanogpt.py logits`, which compares all with PyTorch's.
//!
//!     gpt_logits CHECKPOINT TOKENS OUT --width W --depth D --heads H --window T --vocabulary V

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use reprsim_models::{
    Feature, GptSettings, Input, ModelConfig, ModelShape, Network, Output, Pass, SampleShape,
};
use reprsim_train::{OptimizerConfig, cross_entropy, load_checkpoint, save_checkpoint};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut files: Vec<PathBuf> = Vec::new();
    let mut sizes = BTreeMap::new();
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--") {
            Some(name) => {
                let value = arguments.next().expect("a value after every option");
                sizes.insert(name.to_string(), value.parse::<usize>().expect("a number"));
            }
            None => files.push(argument.into()),
        }
    }
    let [checkpoint, tokens, out] = files.as_slice() else {
        panic!("three files: checkpoint, tokens, out");
    };
    let config = ModelConfig::Gpt(GptSettings {
        width: sizes["width"],
        depth: sizes["depth"],
        heads: sizes["heads"],
    });
    let shape = ModelShape {
        input: SampleShape::Tokens {
            window: sizes["window"],
            vocabulary: sizes["vocabulary"],
        },
        classes: 0,
    };
    let device = Device::flex();
    let network = load_checkpoint(checkpoint, &config, shape, &device).expect("the checkpoint");
    let tokens = read_tokens(tokens, &device);
    let stepped = load_checkpoint(checkpoint, &config, shape, &device.clone().autodiff());
    let stepped = step(stepped.expect("the checkpoint"), tokens.clone());
    save_checkpoint(&stepped, &out.with_extension("stepped"), &[]).expect("the stepped weights");
    let mut tensors = vec![("logits".to_string(), logits(&network, tokens.clone()))];
    let layers = network.activations(Input::Tokens(tokens)).expect("text");
    for (name, feature) in layers.layers {
        let Feature::Tokens(states) = feature else {
            panic!("every layer of a gpt has positions");
        };
        tensors.push((name, states));
    }
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let dims = tensor.dims().to_vec();
            let values = tensor.into_data();
            let bytes = values.iter::<f32>().flat_map(f32::to_le_bytes).collect();
            (name, dims, bytes)
        })
        .collect();
    let views = data.iter().map(|(name, dims, bytes)| {
        let view = TensorView::new(Dtype::F32, dims.clone(), bytes).expect("a view");
        (name.as_str(), view)
    });
    safetensors::serialize_to_file(views, None, out).expect("the output file");
}

/// Scores of the next token at every position.
fn logits(network: &Network, tokens: Tensor<2, Int>) -> Tensor<3> {
    match network.output(Input::Tokens(tokens), &mut Pass::inference()) {
        Ok(Output::TokenLogits(logits)) => logits,
        other => panic!("no scores of tokens: {other:?}"),
    }
}

/// Weights less their gradients.
fn step(network: Network, tokens: Tensor<2, Int>) -> Network {
    let [n, time] = tokens.dims();
    let inputs = tokens.clone().slice_dim(1, 0..time - 1).autodiff();
    let targets = tokens.slice_dim(1, 1..time).autodiff();
    let logits = logits(&network, inputs);
    let vocabulary = logits.dims()[2];
    let rows = n * (time - 1);
    let loss = cross_entropy(
        logits.reshape([rows, vocabulary]),
        targets.reshape([rows]),
        0.0,
    );
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let descent = OptimizerConfig::Sgd {
        lr: 1.0,
        momentum: 0.0,
        weight_decay: 0.0,
    };
    descent.build().step(1.0, network, gradients)
}

fn read_tokens(path: &Path, device: &Device) -> Tensor<2, Int> {
    let bytes = std::fs::read(path).expect("the file of tokens");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tokens = file.tensor("tokens").expect("a tensor 'tokens'");
    let (words, _) = tokens.data().as_chunks::<4>();
    let values: Vec<i32> = words.iter().map(|b| i32::from_le_bytes(*b)).collect();
    let dims = [tokens.shape()[0], tokens.shape()[1]];
    Tensor::from_data(TensorData::new(values, dims), device)
}
