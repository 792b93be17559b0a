//! An affine layer between two models: what one has computed, as the other would have.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::module::{Module, Param, ParamId, list_param_ids};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use reprsim_base::Stream;
use reprsim_extract::logits;
use reprsim_kernels::{After, cross_entropy, linear};
use reprsim_metrics::{Affine, AffineSums};
use reprsim_models::{Feature, Input, Network, Output, holding_norms};
use reprsim_train::{OptimizerConfig, Supply};

use crate::error::RunError;

/// Samples of a step of training, and of which maps are in memory in f64 at once.
const BATCH: usize = 64;
/// Adam's.
const LEARNING_RATE: f64 = 1e-3;

/// Two models that are stitched: `sender` up to a layer, `receiver` from it on.
pub(crate) struct Ends<'a> {
    pub sender: &'a Network,
    pub receiver: &'a Network,
}

/// Labelled samples, some of those of a supply.
pub(crate) struct Labelled<'a> {
    pub supply: &'a Supply,
    /// Which of them.
    pub places: &'a [u32],
    /// The class of each, as the receiver numbers them.
    pub labels: &'a [u32],
}

impl Labelled<'_> {
    /// Some of them, as a batch that models take, and their labels.
    fn batch(&self, rows: &[usize]) -> Result<(Input, Tensor<1, Int>), RunError> {
        let places: Vec<u32> = rows.iter().map(|row| self.places[*row]).collect();
        let labels: Vec<i32> = rows.iter().map(|row| self.labels[*row] as i32).collect();
        let labels = TensorData::new(labels, [rows.len()]);
        let labels = Tensor::from_data(labels, self.supply.device());
        let drawn = self.supply.drawn(&places, labels);
        let (images, labels) = drawn.images("stitching")?;
        Ok((Input::Images(images), labels))
    }

    /// All of them in parts of so many.
    fn parts(&self, size: usize) -> impl Iterator<Item = Vec<usize>> {
        let all: Vec<usize> = (0..self.places.len()).collect();
        let parts: Vec<Vec<usize>> = all.chunks(size.max(1)).map(<[usize]>::to_vec).collect();
        parts.into_iter()
    }
}

/// An affine map of the units of a layer, the same at every position of a map: of images a convolution of
/// 1 x 1.
#[derive(Module, Debug)]
pub(crate) struct Stitch {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Stitch {
    fn new(affine: &Affine, device: &Device) -> Self {
        let outputs = affine.bias.len();
        let inputs = affine.weights.len() / outputs.max(1);
        let single = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let weight = TensorData::new(single(&affine.weights), [inputs, outputs]);
        let bias = TensorData::new(single(&affine.bias), [outputs]);
        Self {
            weight: Param::from_tensor(Tensor::from_data(weight, device)),
            bias: Param::from_tensor(Tensor::from_data(bias, device)),
        }
    }

    fn units<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = Some(self.bias.val());
        linear(x, self.weight.val(), bias, After::Nothing)
    }

    /// What a sender's activation becomes; `None` of a kind that it knows nothing of.
    fn forward(&self, activation: Feature) -> Option<Feature> {
        Some(match activation {
            Feature::Vector(x) => Feature::Vector(self.units(x)),
            Feature::Tokens(x) => Feature::Tokens(self.units(x)),
            Feature::Map(x) => {
                let last = x.permute([0, 2, 3, 1]);
                Feature::Map(self.units(last).permute([0, 3, 1, 2]))
            }
            _ => return None,
        })
    }

    /// The scores that the receiver gives what the sender has computed.
    fn scores(&self, receiver: &Network, joint: &str, sent: Feature) -> Option<Tensor<2>> {
        match receiver.output_from(joint, self.forward(sent)?)? {
            Output::Logits(scores) => Some(scores),
            _ => None,
        }
    }
}

/// A layer's activation of a batch.
fn activation(network: &Network, joint: &str, input: Input) -> Result<Feature, RunError> {
    let layers = network.activations(input)?.layers.into_iter();
    let found = layers.rev().find(|(name, _)| name == joint);
    found.map(|(_, feature)| feature).ok_or_else(|| gap(joint))
}

/// What has no stitch.
fn gap(joint: &str) -> RunError {
    RunError::Usage(format!(
        "[evaluation.stitching]: nothing can be stitched at layer '{joint}'"
    ))
}

/// A row a sample and position, in f64, and how many units it has.
fn rows_of(feature: Feature, joint: &str) -> Result<(Vec<f64>, usize), RunError> {
    let rows = match feature {
        Feature::Vector(x) => x,
        Feature::Tokens(x) => x.flatten(0, 1),
        Feature::Map(x) => x.permute([0, 2, 3, 1]).flatten(0, 2),
        _ => return Err(gap(joint)),
    };
    let [_, width] = rows.dims();
    let values = rows.try_into_data().map_err(RunError::read)?;
    Ok((values.iter::<f64>().collect(), width))
}

impl Ends<'_> {
    /// The stitch that brings what the sender has computed nearest to what the receiver would have, in
    /// the mean square; `None` where the sender's layer does not vary.
    pub fn matched(&self, joint: &str, samples: &Labelled<'_>) -> Result<Option<Stitch>, RunError> {
        let mut sums: Option<AffineSums> = None;
        for part in samples.parts(BATCH) {
            let (input, _) = samples.batch(&part)?;
            let sent = activation(self.sender, joint, input.clone())?;
            let received = activation(self.receiver, joint, input)?;
            let ((x, inputs), (y, outputs)) = (rows_of(sent, joint)?, rows_of(received, joint)?);
            let sums = sums.get_or_insert_with(|| AffineSums::new(inputs, outputs));
            sums.add(&x, &y).map_err(|_| gap(joint))?;
        }
        let affine = sums.and_then(|sums| sums.solve().ok());
        Ok(affine.map(|affine| Stitch::new(&affine, samples.supply.device())))
    }

    /// The stitch trained further by the receiver's labels, both models as they are: Adam at a rate of
    /// 0.001, `steps` batches of 64.
    pub fn trained(
        &self,
        joint: &str,
        begun: &Stitch,
        samples: &Labelled<'_>,
        steps: usize,
        stream: &Stream,
    ) -> Result<Stitch, RunError> {
        let receiver = self.receiver.clone().no_grad().train();
        // Its norms stay as they are.
        let held: Arc<BTreeSet<ParamId>> =
            Arc::new(list_param_ids(&receiver).into_iter().collect());
        let mut optimizer = OptimizerConfig::Adam {
            lr: LEARNING_RATE,
            weight_decay: 0.0,
        }
        .build();
        let mut stitch = begun.clone().train();
        let mut order: Vec<usize> = (0..samples.places.len()).collect();
        let mut rng = stream.rng();
        let mut left = vec![];
        for _ in 0..steps {
            if left.len() < BATCH.min(order.len()) {
                order.shuffle(&mut rng);
                left.clone_from(&order);
            }
            let rows = left.split_off(left.len() - BATCH.min(left.len()));
            let (input, labels) = samples.batch(&rows)?;
            let sent = tracked(activation(self.sender, joint, input)?).ok_or_else(|| gap(joint))?;
            let scores = holding_norms(&held, || stitch.scores(&receiver, joint, sent));
            let loss = cross_entropy(scores.ok_or_else(|| gap(joint))?, labels.autodiff());
            let gradients = GradientsParams::from_grads(loss.backward(), &stitch);
            stitch = optimizer.step(LEARNING_RATE, stitch, gradients);
        }
        Ok(stitch.valid())
    }

    /// The receiver's own scores of all samples of a supply, row-major.
    pub fn own_scores(&self, supply: &Supply, batch: usize) -> Result<Vec<f64>, RunError> {
        let [scores] = logits([self.receiver], supply, batch)?;
        let values = scores.try_into_data().map_err(RunError::read)?;
        Ok(values.iter::<f64>().collect())
    }

    /// The scores of all samples of a supply through a stitch, row-major.
    pub fn scores(
        &self,
        joint: &str,
        stitch: &Stitch,
        supply: &Supply,
        batch: usize,
    ) -> Result<Vec<f64>, RunError> {
        let mut all = Vec::new();
        for start in (0..supply.len()).step_by(batch.max(1)) {
            let end = (start + batch.max(1)).min(supply.len());
            let sent = activation(self.sender, joint, supply.slice(start..end))?;
            let scores = stitch.scores(self.receiver, joint, sent);
            let scores = scores.ok_or_else(|| gap(joint))?;
            let values = scores.try_into_data().map_err(RunError::read)?;
            all.extend(values.iter::<f64>());
        }
        Ok(all)
    }
}

/// The same on the device's side that keeps track of derivatives.
fn tracked(feature: Feature) -> Option<Feature> {
    Some(match feature {
        Feature::Vector(x) => Feature::Vector(x.autodiff()),
        Feature::Map(x) => Feature::Map(x.autodiff()),
        Feature::Tokens(x) => Feature::Tokens(x.autodiff()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use reprsim_data::Part;
    use reprsim_data::color_shape_digit::{Settings, generate};
    use reprsim_metrics::mean_cross_entropy;
    use reprsim_models::{CnnSettings, ModelConfig, ModelShape};
    use reprsim_train::Normalization;

    use super::*;

    #[test]
    fn a_model_stitched_to_itself_loses_nothing_and_training_makes_up_for_another() {
        let dataset = generate(&Settings::default(), Part::Train, 96, 0).unwrap();
        let (labels, classes) = dataset.joint_label(&["shape"]).unwrap();
        let normalization = Normalization::of(&dataset);
        let supply = Supply::new(dataset, None, normalization, &Device::flex(), u64::MAX);
        let model = ModelConfig::Cnn(CnnSettings { width: 4 });
        let shape = ModelShape {
            input: supply.shape(),
            classes,
        };
        let network = |seed| {
            let rng = &mut Stream::new(seed).rng();
            Network::new(&model, shape, rng, &Device::flex()).unwrap()
        };
        let (a, b) = (network(1), network(2));
        let places: Vec<u32> = (0..96).collect();
        let samples = Labelled {
            supply: &supply,
            places: &places,
            labels: &labels,
        };
        let right: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
        let loss = |scores: &[f64]| mean_cross_entropy(scores, &right).unwrap();
        for joint in model.joints() {
            let own = Ends {
                sender: &a,
                receiver: &a,
            };
            let stitch = own.matched(&joint, &samples).unwrap().unwrap();
            let scores = own.scores(&joint, &stitch, &supply, 40).unwrap();
            let expected = own.own_scores(&supply, 40).unwrap();
            for (score, expected) in scores.iter().zip(&expected) {
                assert!(
                    (score - expected).abs() < 1e-3,
                    "{joint}: {score} is not {expected}"
                );
            }
            let ends = Ends {
                sender: &a,
                receiver: &b,
            };
            let matched = ends.matched(&joint, &samples).unwrap().unwrap();
            let stream = Stream::new(3);
            let train = || {
                ends.trained(&joint, &matched, &samples, 300, &stream)
                    .unwrap()
            };
            let of = |stitch: &Stitch| ends.scores(&joint, stitch, &supply, 40).unwrap();
            let (before, after) = (of(&matched), of(&train()));
            // Of random weights behind it little can be made.
            let [before, gained] = [loss(&before), loss(&before) - loss(&after)];
            assert!(gained > 1e-3, "{joint}: {gained} of {before}");
            // Nothing but the stitch was trained, and the same comes out again.
            assert_eq!(ends.own_scores(&supply, 40).unwrap(), {
                let again = network(2);
                let alone = Ends {
                    sender: &a,
                    receiver: &again,
                };
                alone.own_scores(&supply, 40).unwrap()
            });
            assert_eq!(of(&train()), after, "{joint}");
        }
    }
}
