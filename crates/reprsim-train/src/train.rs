//! The training loop.

use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use reprsim_base::Stream;
use reprsim_models::{Input, ModelConfig, ModelShape, Network};

use crate::augment::augment;
use crate::config::TrainingConfig;
use crate::epoch::{EPOCH_SCHEMA, Epoch};
use crate::error::TrainError;
use crate::objective::{cross_entropy, negative_elbo};
use crate::samples::DeviceImages;
use crate::schedule;

/// What one model of images is trained on.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// The samples, of which the model sees those at `indices`.
    pub samples: &'a DeviceImages,
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
/// All randomness comes from `stream`: its children `weights`, `order`, `augment`
/// and `noise`. Losses and accuracies stay on the device and are read once an epoch.
/// `epochs = 0` returns the untrained model. `name` (`a` or `b`) is for messages.
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
    let mut optimizer = config.optimizer.build();

    let n = set.indices.len();
    let batch = config.batch.min(n);
    let batches = match config.drop_last {
        true => n / batch,
        false => n.div_ceil(batch),
    };
    let steps = batches * config.epochs;
    let order_stream = stream.child("order");
    let augment_stream = stream.child("augment");
    let noise_stream = stream.child("noise");
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
        let mut sums = Sums::new(device);
        let mut lr = 0.0;
        for b in 0..batches {
            let rows = b * batch..((b + 1) * batch).min(n);
            let images = set.samples.gather(indices.clone().slice([rows.clone()]));
            let images = augment(
                images,
                &config.augment,
                &config.fill,
                &mut augment_stream.rng_at(step as u64),
            );
            let images = set.samples.normalize(images);
            let targets = labels.clone().slice([rows.clone()]);
            let noise = &mut noise_stream.rng_at(step as u64);
            let (loss, hits) = forward(&network, images, targets, config, noise);
            sums.add(&loss, hits, rows.len());
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            lr = config.optimizer.lr() * schedule::factor(&config.schedule, step, steps);
            network = optimizer.step(lr, network, gradients);
            step += 1;
        }
        let (loss, accuracy) = sums.read()?;
        if !loss.is_finite() {
            return Err(TrainError::NonFiniteLoss {
                model: name.to_string(),
                place: format!("epoch {epoch}"),
                loss,
            });
        }
        on_epoch(&Epoch {
            schema: EPOCH_SCHEMA,
            epoch,
            step,
            loss,
            accuracy,
            validation_loss: None,
            lr,
            samples_per_s: sums.seen as f64 / start.elapsed().as_secs_f64().max(1e-9),
            tokens_per_s: None,
        });
    }
    Ok(network.valid())
}

/// The loss to minimise for a batch, and the number of right answers of a
/// classifier.
fn forward(
    network: &Network,
    images: Tensor<4>,
    targets: Tensor<1, Int>,
    config: &TrainingConfig,
    noise: &mut impl Rng,
) -> (Tensor<1>, Option<Tensor<1, Int>>) {
    let device = images.device();
    let images = images.autodiff();
    if let Network::Vae(vae) = network {
        let shape = [images.dims()[0], vae.latent()];
        let values: Vec<f32> = (0..shape[0] * shape[1])
            .map(|_| noise.sample(StandardNormal))
            .collect();
        let noise = Tensor::<2>::from_data(TensorData::new(values, shape), &device).autodiff();
        let made = vae.reconstruct(images.clone(), noise);
        return (negative_elbo(images, made), None);
    }
    let logits = network.forward(Input::Images(images));
    let [n, _] = logits.dims();
    let hits = logits
        .clone()
        .inner()
        .argmax(1)
        .reshape([n])
        .equal(targets.clone())
        .int()
        .sum();
    let loss = cross_entropy(logits, targets.autodiff(), config.label_smoothing);
    (loss, Some(hits))
}

/// Losses and right answers of an epoch, on the device.
struct Sums {
    loss: Tensor<1>,
    correct: Option<Tensor<1, Int>>,
    seen: usize,
}

impl Sums {
    fn new(device: &Device) -> Self {
        Self {
            loss: Tensor::zeros([1], device),
            correct: None,
            seen: 0,
        }
    }

    fn add(&mut self, loss: &Tensor<1>, hits: Option<Tensor<1, Int>>, samples: usize) {
        // A classifier's loss is a mean over the batch, an autoencoder's a sum.
        let loss = loss.clone().inner();
        self.loss = self.loss.clone()
            + match hits.is_some() {
                true => loss.mul_scalar(samples as f64),
                false => loss,
            };
        self.correct = match (self.correct.take(), hits) {
            (Some(sum), Some(hits)) => Some(sum + hits),
            (sum, hits) => sum.or(hits),
        };
        self.seen += samples;
    }

    /// Mean loss and accuracy of a sample.
    fn read(&self) -> Result<(f64, Option<f64>), TrainError> {
        let seen = self.seen.max(1) as f64;
        let loss = read_f64(self.loss.clone())? / seen;
        let correct = self.correct.clone().map(|c| read_f64(c.float()));
        Ok((loss, correct.transpose()?.map(|c| c / seen)))
    }
}

/// Reads one number from the device.
///
/// # Errors
/// [`TrainError::Device`].
pub(crate) fn read_f64(scalar: Tensor<1>) -> Result<f64, TrainError> {
    let data = scalar
        .try_into_data()
        .map_err(|e| TrainError::Device(e.to_string()))?;
    data.iter::<f64>()
        .next()
        .ok_or_else(|| TrainError::Device("an empty scalar".into()))
}
