//! The training loop of language models: steps over windows drawn from chunks of text,
//! stopped by the loss on held-out windows.

use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};
use reprsim_base::Stream;
use reprsim_data::Dataset;
use reprsim_kernels::Dropout;
use reprsim_models::{Gpt, InputShape, ModelConfig, ModelShape, Network};

use crate::config::TrainingConfig;
use crate::epoch::{EPOCH_SCHEMA, Epoch};
use crate::error::TrainError;
use crate::objective::cross_entropy;
use crate::samples::DeviceTokens;
use crate::schedule;
use crate::snapshot::{Progress, Resume};
use crate::train::read_f64;

/// What one language model is trained on.
#[derive(Clone, Copy, Debug)]
pub struct TextSet<'a> {
    /// The training part, whose samples are chunks.
    pub dataset: &'a Dataset,
    /// The chunks that the model sees.
    pub chunks: &'a [u32],
    /// Held-out windows that say when to stop.
    pub validation: &'a DeviceTokens,
    /// Where the training leaves snapshots and goes on from, if anywhere.
    pub resume: Option<Resume<'a>>,
}

/// Trains one language model from scratch, or from where it was left,
/// calling `on_epoch` after each evaluation, and returns the model that had the least
/// loss on the held-out windows, ready for inference.
///
/// A step sees `accumulate` times `batch` windows; each is drawn from a chunk drawn at
/// random, at a place drawn at random, and never crosses the chunk. All randomness comes
/// from `stream`: its children `weights`, `order` and `dropout`, by step, so that a
/// training that goes on draws what it would have drawn. Losses stay on the device until
/// an evaluation. `steps = 0`, or a `config` without language settings, returns the
/// untrained model.
///
/// # Errors
/// [`TrainError::NonFiniteLoss`] at the evaluation after it happens; those of building
/// the model, of the device, and of writing the snapshot.
pub fn train_language(
    name: &str,
    model: &ModelConfig,
    set: &TextSet<'_>,
    config: &TrainingConfig,
    stream: &Stream,
    device: &Device,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<Network, TrainError> {
    let shape = ModelShape {
        input: set.validation.shape(),
        classes: 0,
    };
    let training_device = device.clone().autodiff();
    let mut weights = stream.child("weights").rng();
    let network = Network::new(model, shape, &mut weights, &training_device)?;
    let Some(language) = &config.language else {
        return Ok(network.valid());
    };
    let start = Progress::new(network, config.optimizer.build());
    let mut progress = match &set.resume {
        Some(resume) => resume.load(start),
        None => start,
    };
    progress.history.iter().for_each(&mut *on_epoch);

    let (order, dropout) = (stream.child("order"), stream.child("dropout"));
    let mut saved = Instant::now();
    let mut sums = Sums::new(device);
    while progress.step < language.steps && !progress.is_over(language) {
        let step = progress.step;
        let mut draws = order.rng_at(step as u64);
        let mut masks = dropout.rng_at(step as u64);
        let mut gradients = GradientsAccumulator::new();
        for _ in 0..language.accumulate {
            let windows = draw_windows(set, config.batch, shape.input, &mut draws, device);
            let dropout = &mut Dropout::new(language.dropout, masks.random());
            let loss = loss(gpt(&progress.network), windows.autodiff(), dropout);
            sums.add(&loss);
            let share = loss.div_scalar(language.accumulate as f64);
            let new = GradientsParams::from_grads(share.backward(), &progress.network);
            gradients.accumulate(&progress.network, new);
        }
        let mut gradients = gradients.grads();
        if let Some(norm) = language.clip {
            clip(&progress.network, &mut gradients, norm);
        }
        let lr = config.optimizer.lr() * schedule::factor(&config.schedule, step, language.steps);
        progress.network = progress.optimizer.step(lr, progress.network, gradients);
        progress.step += 1;
        if progress.step % language.evaluate_every != 0 && progress.step != language.steps {
            continue;
        }

        let tokens = sums.count * config.batch * set.validation.window();
        let (loss, seconds) = sums.read()?;
        let validation = validation_loss(&progress.network, set.validation, config.batch)?;
        if !loss.is_finite() || !validation.is_finite() {
            return Err(TrainError::NonFiniteLoss {
                model: name.to_string(),
                place: format!("step {}", progress.step),
                loss: if loss.is_finite() { validation } else { loss },
            });
        }
        progress.evaluated(Epoch {
            schema: EPOCH_SCHEMA,
            epoch: progress.history.len() + 1,
            step: progress.step,
            loss,
            accuracy: None,
            validation_loss: Some(validation),
            lr,
            samples_per_s: tokens as f64 / seconds / set.validation.window() as f64,
            tokens_per_s: Some(tokens as f64 / seconds),
        });
        if let Some(epoch) = progress.history.last() {
            on_epoch(epoch);
        }
        if let Some(resume) = &set.resume
            && saved.elapsed() >= resume.every
        {
            resume.save(&progress)?;
            saved = Instant::now();
        }
        sums = Sums::new(device);
    }
    Ok(progress.into_best())
}

fn gpt(network: &Network) -> &Gpt {
    match network {
        Network::Gpt(gpt) => gpt,
        _ => unreachable!("ModelConfig::check_input has refused other models of text"),
    }
}

/// `batch` windows of `window + 1` tokens.
fn draw_windows(
    set: &TextSet<'_>,
    batch: usize,
    input: InputShape,
    rng: &mut impl Rng,
    device: &Device,
) -> Tensor<2, Int> {
    let InputShape::Tokens { window, .. } = input else {
        unreachable!("a set of tokens")
    };
    let mut values = Vec::with_capacity(batch * (window + 1));
    for _ in 0..batch {
        let chunk = set.chunks[rng.random_range(0..set.chunks.len())];
        let tokens = set.dataset.tokens(chunk as usize);
        let start = rng.random_range(0..tokens.len() - window);
        let window = &tokens[start..start + window + 1];
        values.extend(window.iter().map(|&token| i32::from(token)));
    }
    Tensor::from_data(TensorData::new(values, [batch, window + 1]), device)
}

/// Mean cross-entropy of the next token over all positions of windows, in nats.
pub(crate) fn loss(gpt: &Gpt, windows: Tensor<2, Int>, dropout: &mut Dropout) -> Tensor<1> {
    let [n, length] = windows.dims();
    let inputs = windows.clone().slice_dim(1, 0..length - 1);
    let targets = windows.slice_dim(1, 1..length);
    let logits = gpt.logits(inputs, dropout);
    let [_, time, vocabulary] = logits.dims();
    cross_entropy(
        logits.reshape([n * time, vocabulary]),
        targets.reshape([n * time]),
        0.0,
    )
}

/// Mean loss of a position over held-out windows.
///
/// # Errors
/// [`TrainError::Device`].
pub fn validation_loss(
    network: &Network,
    windows: &DeviceTokens,
    batch: usize,
) -> Result<f64, TrainError> {
    let network = network.valid();
    let mut total: Option<Tensor<1>> = None;
    for start in (0..windows.len()).step_by(batch) {
        let end = (start + batch).min(windows.len());
        let windows = windows.windows(start, end);
        let sum =
            loss(gpt(&network), windows, &mut Dropout::none()).mul_scalar((end - start) as f64);
        total = Some(match total {
            Some(total) => total + sum,
            None => sum,
        });
    }
    match total {
        Some(total) => Ok(read_f64(total)? / windows.len() as f64),
        None => Ok(f64::NAN),
    }
}

/// Scales all gradients so that their joint norm is at most `norm` (Pascanu et al. 2013),
/// as PyTorch's `clip_grad_norm_`, without reading it from the device.
fn clip(network: &Network, gradients: &mut GradientsParams, norm: f64) {
    struct Squares<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                let sum = gradient.square().sum();
                self.1 = Some(match self.1.take() {
                    Some(total) => total + sum,
                    None => sum,
                });
            }
        }
    }
    struct Scale<'a>(&'a mut GradientsParams, Tensor<1>);
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                let scaled = gradient * self.1.clone().reshape([1; D]);
                self.0.register(param.id, scaled);
            }
        }
    }
    let mut squares = Squares(gradients, None);
    network.visit(&mut squares);
    if let Some(total) = squares.1 {
        let factor = total.sqrt().add_scalar(1e-6).recip().mul_scalar(norm);
        network.visit(&mut Scale(gradients, factor.clamp_max(1.0)));
    }
}

/// Losses since the last evaluation, on the device.
struct Sums {
    loss: Tensor<1>,
    count: usize,
    start: Instant,
}

impl Sums {
    fn new(device: &Device) -> Self {
        Self {
            loss: Tensor::zeros([1], device),
            count: 0,
            start: Instant::now(),
        }
    }

    fn add(&mut self, loss: &Tensor<1>) {
        self.loss = self.loss.clone() + loss.clone().inner();
        self.count += 1;
    }

    /// The mean loss, and the seconds that the steps took.
    fn read(&self) -> Result<(f64, f64), TrainError> {
        let loss = read_f64(self.loss.clone())? / self.count.max(1) as f64;
        let seconds = self.start.elapsed().max(Duration::from_nanos(1));
        Ok((loss, seconds.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use reprsim_data::{DatasetSpec, FATHER_BROWN, Part, TEXT, TextSettings, Tokenizer, open};

    use super::*;

    const WINDOW: usize = 12;

    fn part(part: Part, chunks: usize) -> Dataset {
        let cache = tempfile::tempdir().unwrap();
        let text = TextSettings {
            corpora: vec![FATHER_BROWN.into()],
            tokenizer: Tokenizer::Bytes,
            window: WINDOW,
            chunks,
            field: None,
        };
        let spec = DatasetSpec {
            name: TEXT.into(),
            text: Some(text),
            ..DatasetSpec::default()
        };
        open(&spec, part, cache.path()).unwrap()
    }

    fn drawn(dataset: &Dataset, chunks: &[u32], count: usize) -> Vec<Vec<u16>> {
        let device = Device::flex();
        let validation = DeviceTokens::new(&part(Part::Validation, 80), Some(&[0]), &device);
        let set = TextSet {
            dataset,
            chunks,
            validation: &validation,
            resume: None,
        };
        let rng = &mut Stream::new(1).rng();
        let windows = draw_windows(&set, count, validation.shape(), rng, &device).into_data();
        let tokens: Vec<u16> = windows.iter::<i64>().map(|t| t as u16).collect();
        tokens.chunks(WINDOW + 1).map(<[u16]>::to_vec).collect()
    }

    #[test]
    fn windows_are_whole_pieces_of_the_models_own_chunks() {
        let train = part(Part::Train, 4000);
        let own = [7u32, 1234, 3999];
        let length = train.tokens(7).len();
        assert!(
            (WINDOW + 2..200).contains(&length),
            "short chunks, many borders"
        );
        let mut starts = vec![0usize; length];
        for window in drawn(&train, &own, 3000) {
            let place = own.iter().find_map(|&chunk| {
                let mut pieces = train.tokens(chunk as usize).windows(WINDOW + 1);
                pieces.position(|piece| piece == window)
            });
            starts[place.expect("a window inside one of the chunks")] += 1;
        }
        // From the first place to the last that leaves a whole window.
        assert!(starts[0] > 0 && starts[length - WINDOW - 1] > 0);
        assert!(starts[length - WINDOW..].iter().all(|&n| n == 0));
    }

    #[test]
    fn a_chunk_of_one_window_is_that_window() {
        let tokens = part(Part::Train, 2).tokens(0).len() * 2;
        let train = part(Part::Train, tokens / (WINDOW + 1));
        assert_eq!(train.tokens(5).len(), WINDOW + 1);
        for window in drawn(&train, &[5], 20) {
            assert_eq!(window, train.tokens(5));
        }
    }

    /// The longest stretches of held-out windows are nowhere in the training text: no
    /// document is in two parts.
    #[test]
    fn held_out_text_is_in_no_training_chunk() {
        let train = part(Part::Train, 10);
        let all: Vec<u16> = (0..10).flat_map(|i| train.tokens(i).to_vec()).collect();
        for held_out in [part(Part::Validation, 80), part(Part::Test, 80)] {
            // Ten windows that follow each other in one document.
            for start in (0..held_out.len() - 10).step_by(40) {
                let same = held_out.blocks[start] == held_out.blocks[start + 9];
                if !same {
                    continue;
                }
                let text: Vec<u16> = (start..start + 10)
                    .flat_map(|i| held_out.tokens(i).to_vec())
                    .collect();
                assert!(!all.windows(text.len()).any(|piece| piece == text));
            }
        }
    }

    /// The joint norm of all gradients.
    struct Norm<'a>(&'a GradientsParams, f64);

    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).unwrap().into_data();
            self.1 += gradient.iter::<f64>().map(|g| g * g).sum::<f64>();
        }
    }

    #[test]
    fn clipping_bounds_the_joint_norm_and_no_more() {
        let device = Device::flex().autodiff();
        let validation = DeviceTokens::new(&part(Part::Validation, 80), Some(&[0, 1]), &device);
        let model = ModelConfig::Gpt {
            width: 8,
            depth: 2,
            heads: 2,
        };
        let shape = ModelShape {
            input: validation.shape(),
            classes: 0,
        };
        let network = Network::new(&model, shape, &mut Stream::new(1).rng(), &device).unwrap();
        let gradients = || {
            let loss = loss(
                gpt(&network),
                validation.windows(0, 2),
                &mut Dropout::none(),
            );
            GradientsParams::from_grads(loss.backward(), &network)
        };
        let norm = |gradients: &GradientsParams| {
            let mut norm = Norm(gradients, 0.0);
            network.visit(&mut norm);
            norm.1.sqrt()
        };
        let whole = norm(&gradients());
        for (largest, expected) in [(whole / 3.0, whole / 3.0), (whole * 3.0, whole)] {
            let mut clipped = gradients();
            clip(&network, &mut clipped, largest);
            assert!((norm(&clipped) / expected - 1.0).abs() < 1e-5);
        }
    }
}
