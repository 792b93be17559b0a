//! One evaluation and one training step of a residual network from PyTorch weights:
//! our half of `scripts/check_torch_parity.py`, which says what the files hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use reprsim_models::{
    Feature, Input, ModelConfig, ModelShape, Network, Output, Pass, ResNetSettings, SampleShape,
    Stem,
};
use reprsim_train::{OptimizerConfig, cross_entropy, load_checkpoint, save_checkpoint};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    depth: usize,
    width: usize,
    stem: Stem,
    channels: usize,
    side: usize,
    classes: usize,
    weights: String,
    lr: f64,
    momentum: f64,
    weight_decay: f64,
    label_smoothing: f64,
}

/// Replaces every parameter by its gradient.
struct ToGradients<'a>(&'a GradientsParams);

impl ModuleMapper for ToGradients<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.get::<D>(param.id) {
            Some(gradient) => Param::from_tensor(gradient),
            None => param, // a running statistic
        }
    }
}

type Outputs = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn keep<const D: usize>(outputs: &mut Outputs, name: &str, tensor: Tensor<D>) {
    let values = tensor.to_data().iter::<f32>().collect();
    outputs.insert(name.to_string(), (tensor.dims().to_vec(), values));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = std::env::args()
        .nth(1)
        .ok_or("usage: torch_step DIRECTORY")?;
    let folder = Path::new(&argument);
    let case: Case = serde_json::from_slice(&fs::read(folder.join("case.json"))?)?;
    let config = ModelConfig::ResNet(ResNetSettings {
        depth: case.depth,
        width: case.width,
        stem: case.stem,
    });
    let shape = ModelShape {
        input: SampleShape::Image {
            channels: case.channels,
            height: case.side,
            width: case.side,
        },
        classes: case.classes,
    };
    let bytes = fs::read(folder.join("batch.safetensors"))?;
    let batch = SafeTensors::deserialize(&bytes)?;
    let view = batch.tensor("images")?;
    let images: Vec<f32> = view
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let dims: [usize; 4] = view.shape().try_into()?;
    // Labels are small: the low half of each 64-bit number is all of it.
    let labels: Vec<i32> = batch
        .tensor("labels")?
        .data()
        .chunks_exact(8)
        .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let device = Device::flex();
    let images = Tensor::<4>::from_data(TensorData::new(images, dims), &device);
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [dims[0]]), &device);

    let training = device.clone().autodiff();
    let network = load_checkpoint(&folder.join(&case.weights), &config, shape, &training)?;
    let mut outputs = Outputs::new();
    let still: Network = network.valid();
    for (name, feature) in still.activations(Input::Images(images.clone()))?.layers {
        let name = format!("eval.{name}");
        match feature {
            Feature::Vector(vector) => keep(&mut outputs, &name, vector),
            Feature::Map(map) => keep(&mut outputs, &name, map),
            _ => return Err("a layer of another kind".into()),
        }
    }

    let input = Input::Images(images.autodiff());
    let Output::Logits(logits) = network.output(input, &mut Pass::inference())? else {
        return Err("no scores of classes".into());
    };
    let loss = cross_entropy(logits, labels.autodiff(), case.label_smoothing);
    keep(&mut outputs, "train.loss", loss.clone().inner());
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let as_gradients = network.valid().map(&mut ToGradients(&gradients));
    let file = folder.join("gradients.safetensors");
    save_checkpoint(&as_gradients, &file, &[])?;
    let bytes = fs::read(&file)?;
    for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
        if name.contains("running_") {
            continue;
        }
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        outputs.insert(format!("grad.{name}"), (view.shape().to_vec(), values));
    }

    let optimizer = OptimizerConfig::Sgd {
        lr: case.lr,
        momentum: case.momentum,
        weight_decay: case.weight_decay,
    };
    let stepped = optimizer.build().step(case.lr, network, gradients);
    save_checkpoint(&stepped.valid(), &folder.join("stepped.safetensors"), &[])?;

    let raw: Vec<(String, Vec<usize>, Vec<u8>)> = outputs
        .into_iter()
        .map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = raw
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((
                name.clone(),
                TensorView::new(Dtype::F32, shape.clone(), bytes)?,
            ))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    fs::write(
        folder.join("ours.safetensors"),
        safetensors::serialize(views, None)?,
    )?;
    Ok(())
}
