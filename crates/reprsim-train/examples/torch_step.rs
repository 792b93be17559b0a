//! One evaluation and, where it is asked for, one training step of any architecture for images from
//! PyTorch weights: our half of `scripts/check_models.py`, `check_torch_parity.py` and `check_pretrained.py`,
//! which say what the files hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use reprsim_models::{Feature, Input, ModelConfig, ModelShape, Network, Output, Pass, SampleShape};
use reprsim_train::{OptimizerConfig, cross_entropy, load_checkpoint, save_checkpoint};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    /// As under `[model]` of an experiment file.
    model: ModelConfig,
    classes: usize,
    weights: String,
    /// Whether there are labels, for a step.
    #[serde(default)]
    train: bool,
    #[serde(default)]
    lr: f64,
    #[serde(default)]
    momentum: f64,
    #[serde(default)]
    weight_decay: f64,
    #[serde(default)]
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

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = std::env::args()
        .nth(1)
        .ok_or("usage: torch_step DIRECTORY")?;
    let folder = Path::new(&argument);
    let case: Case = serde_json::from_slice(&fs::read(folder.join("case.json"))?)?;
    let bytes = fs::read(folder.join("batch.safetensors"))?;
    let batch = SafeTensors::deserialize(&bytes)?;
    let view = batch.tensor("images")?;
    let dims: [usize; 4] = view.shape().try_into()?;
    let [_, channels, height, width] = dims;
    let shape = ModelShape {
        input: SampleShape::Image {
            channels,
            height,
            width,
        },
        classes: case.classes,
    };
    let device = Device::flex();
    let images = Tensor::<4>::from_data(TensorData::new(floats(view.data()), dims), &device);

    let training = device.clone().autodiff();
    let network = load_checkpoint(&folder.join(&case.weights), &case.model, shape, &training)?;
    let mut outputs = Outputs::new();
    let still: Network = network.valid();
    for (name, feature) in still.activations(Input::Images(images.clone()))?.layers {
        let name = format!("eval.{name}");
        match feature {
            Feature::Vector(vector) => keep(&mut outputs, &name, vector),
            Feature::Map(map) => keep(&mut outputs, &name, map),
            Feature::Tokens(tokens) => keep(&mut outputs, &name, tokens),
            _ => return Err("a layer of another kind".into()),
        }
    }

    if case.train {
        // Labels are small: the low half of each 64-bit number is all of it.
        let labels: Vec<i32> = batch
            .tensor("labels")?
            .data()
            .chunks_exact(8)
            .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [dims[0]]), &device);
        step(&case, folder, network, images, labels, &mut outputs)?;
    }
    write(&folder.join("ours.safetensors"), outputs)
}

/// Loss, gradients and the checkpoint after a step of gradient descent.
fn step(
    case: &Case,
    folder: &Path,
    network: Network,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
    outputs: &mut Outputs,
) -> Result<(), Box<dyn std::error::Error>> {
    let input = Input::Images(images.autodiff());
    let Output::Logits(logits) = network.output(input, &mut Pass::inference())? else {
        return Err("no scores of classes".into());
    };
    let loss = cross_entropy(logits, labels.autodiff(), case.label_smoothing);
    keep(outputs, "train.loss", loss.clone().inner());
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let as_gradients = network.valid().map(&mut ToGradients(&gradients));
    let file = folder.join("gradients.safetensors");
    save_checkpoint(&as_gradients, &file, &[])?;
    let bytes = fs::read(&file)?;
    for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
        if name.contains("running_") {
            continue;
        }
        let values = (view.shape().to_vec(), floats(view.data()));
        outputs.insert(format!("grad.{name}"), values);
    }

    let optimizer = OptimizerConfig::Sgd {
        lr: case.lr,
        momentum: case.momentum,
        weight_decay: case.weight_decay,
    };
    let stepped = optimizer.build().step(case.lr, network, gradients);
    save_checkpoint(&stepped.valid(), &folder.join("stepped.safetensors"), &[])?;

    Ok(())
}

fn write(path: &Path, outputs: Outputs) -> Result<(), Box<dyn std::error::Error>> {
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
    fs::write(path, safetensors::serialize(views, None)?)?;
    Ok(())
}
