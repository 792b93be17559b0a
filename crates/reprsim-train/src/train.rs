//! The training loop.

use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use reprsim_data::Stream;
use reprsim_models::{Input, ModelConfig, ModelShape, Network};

use crate::config::TrainingConfig;
use crate::epoch::Epoch;
use crate::error::TrainError;
use crate::samples::DeviceSamples;
use crate::{optimizer, schedule};

/// What one model is trained on.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// The samples, of which the model sees those at `indices`.
    pub samples: &'a DeviceSamples,
    /// Indices into `samples`.
    pub indices: &'a [u32],
    /// The label of each index.
    pub labels: &'a [u32],
    /// Number of classes.
    pub classes: usize,
}

/// Trains one model from scratch, calling `on_epoch` after each epoch, and
/// returns it ready for inference.
///
/// All randomness comes from `stream`: its children `weights` and `order`.
/// Losses and accuracies stay on the device and are read once an epoch. `epochs
/// = 0` returns the untrained model. `name` (`a` or `b`) is for messages.
///
/// # Errors
/// [`TrainError::NonFiniteLoss`] in the epoch in which it happens;
/// [`TrainError::Model`] if the model cannot be built; [`TrainError::Device`]
/// if reading from the device fails.
pub fn train(
    name: &str,
    model: &ModelConfig,
    set: &TrainingSet<'_>,
    config: &TrainingConfig,
    stream: &Stream,
    device: &Device,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<Network, TrainError> {
    let shape = ModelShape {
        input: set.samples.shape(),
        classes: set.classes,
    };
    let training_device = device.clone().autodiff();
    let mut weights = stream.child("weights").rng();
    let mut network = Network::new(model, shape, &mut weights, &training_device)?;
    let mut optimizer = optimizer::build(&config.optimizer);

    let n = set.indices.len();
    let batch = config.batch.min(n);
    let batches = n / batch;
    let steps = batches * config.epochs;
    let order_stream = stream.child("order");
    let mut order: Vec<usize> = (0..n).collect();
    let mut step = 0;
    for epoch in 1..=config.epochs {
        let start = Instant::now();
        order.shuffle(&mut order_stream.rng_at(epoch as u64));
        let upload = |values: &[u32]| -> Tensor<1, Int> {
            let ordered: Vec<i32> = order.iter().map(|&i| values[i] as i32).collect();
            Tensor::from_data(TensorData::new(ordered, [n]), device)
        };
        let indices = upload(set.indices);
        let labels = upload(set.labels);
        let mut loss_sum: Tensor<1> = Tensor::zeros([1], device);
        let mut correct: Tensor<1, Int> = Tensor::zeros([1], device);
        let mut lr = 0.0;
        for b in 0..batches {
            let rows = b * batch..(b + 1) * batch;
            let Input::Images(images) = set.samples.gather(indices.clone().slice([rows.clone()]))
            else {
                unreachable!("images are the only modality that is trained yet")
            };
            let targets = labels.clone().slice([rows]);
            let logits = network.forward(Input::Images(images.autodiff()));
            let hits = logits
                .clone()
                .inner()
                .argmax(1)
                .reshape([batch])
                .equal(targets.clone())
                .int()
                .sum();
            let loss = cross_entropy(logits, targets.autodiff(), config.label_smoothing);
            loss_sum = loss_sum + loss.clone().inner();
            correct = correct + hits;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            lr = config.optimizer.lr() * schedule::factor(&config.schedule, step, steps);
            network = optimizer.step(lr, network, gradients);
            step += 1;
        }
        let loss = read_f64(loss_sum)? / batches as f64;
        if !loss.is_finite() {
            return Err(TrainError::NonFiniteLoss {
                model: name.to_string(),
                epoch,
                loss,
            });
        }
        let seen = (batches * batch) as f64;
        let accuracy = read_f64(correct.float())? / seen;
        on_epoch(&Epoch {
            epoch,
            step,
            loss,
            accuracy,
            lr,
            samples_per_s: seen / start.elapsed().as_secs_f64().max(1e-9),
        });
    }
    Ok(network.valid())
}

/// Mean cross-entropy of `[n, classes]` logits with label smoothing: the target
/// is `1 - smoothing` on the label plus `smoothing / classes` everywhere
/// (Szegedy et al. 2016), as PyTorch computes it.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [n, _] = logits.dims();
    let log_probabilities = log_softmax(logits, 1);
    let picked = log_probabilities
        .clone()
        .gather(1, targets.reshape([n, 1]))
        .mean()
        .neg();
    if smoothing == 0.0 {
        return picked;
    }
    picked.mul_scalar(1.0 - smoothing) - log_probabilities.mean().mul_scalar(smoothing)
}

fn read_f64(scalar: Tensor<1>) -> Result<f64, TrainError> {
    let data = scalar
        .try_into_data()
        .map_err(|e| TrainError::Device(e.to_string()))?;
    data.iter::<f64>()
        .next()
        .ok_or_else(|| TrainError::Device("an empty scalar".into()))
}
