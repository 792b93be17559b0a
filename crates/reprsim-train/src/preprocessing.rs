//! From images on the 0..255 scale, as they are stored, to what a model sees: another size if it is
//! asked for, then mean and deviation.

use burn::tensor::{Device, Tensor, TensorData};
use reprsim_data::{Dataset, Filter, Resampling};
use reprsim_kernels::resample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mean and standard deviation of each channel on the 0..1 scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations.
    pub std: Vec<f64>,
}

impl Normalization {
    /// The statistics of `dataset`; a probe from elsewhere is normalised with
    /// those of the training data, as both models were.
    pub fn of(dataset: &Dataset) -> Self {
        let (mean, std) = dataset.channel_statistics();
        Self { mean, std }
    }

    /// That of samples that are not images.
    pub fn none() -> Self {
        Self::identity(0)
    }

    /// Leaves values on the 0..1 scale.
    pub fn identity(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }

    /// Means and deviations of the photographs of ImageNet, with which most checkpoints of
    /// torchvision and timm were trained.
    pub fn imagenet() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        }
    }

    /// From 0..1 to -1..1, with which the first Inception networks and vision transformers were
    /// trained.
    pub fn inception() -> Self {
        Self {
            mean: vec![0.5; 3],
            std: vec![0.5; 3],
        }
    }
}

/// What images are brought to what models see with, as arrays of a device.
#[derive(Debug)]
pub(crate) struct Constants {
    /// What rows and columns are multiplied by, where images become of another size.
    matrices: Option<[Tensor<2>; 2]>,
    /// Whether they may leave the 0..255 scale there.
    overshoots: bool,
    /// What images on the 0..255 scale are multiplied by, `[1, channels, 1, 1]`.
    scale: Tensor<4>,
    /// What is then taken away.
    offset: Tensor<4>,
}

impl Constants {
    /// For images of a height and width.
    pub fn new(
        normalization: &Normalization,
        input: Option<Resampling>,
        sides: [usize; 2],
        device: &Device,
    ) -> Self {
        let Normalization { mean, std } = normalization;
        let channelwise = |value: &dyn Fn(usize) -> f64| -> Tensor<4> {
            let values: Vec<f32> = (0..mean.len()).map(|c| value(c) as f32).collect();
            let shape = [1, values.len(), 1, 1];
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        let matrices = input.map(|input| {
            let [rows, columns] = input.matrices(sides);
            [(rows, sides[0]), (columns, sides[1])].map(|(matrix, side)| {
                Tensor::from_data(TensorData::new(matrix, [side, input.size]), device)
            })
        });
        Self {
            matrices,
            overshoots: input.is_some_and(|input| input.filter == Filter::Bicubic),
            // value / 255 / std - mean / std
            scale: channelwise(&|c| 1.0 / 255.0 / std[c]),
            offset: channelwise(&|c| mean[c] / std[c]),
        }
    }

    /// Images `[n, c, h, w]` on the 0..255 scale as models see them. After resampling they are
    /// within that scale, as those that checkpoints were trained on, but not rounded to bytes.
    pub fn preprocess(&self, images: Tensor<4>) -> Tensor<4> {
        let images = match &self.matrices {
            Some([rows, columns]) => resample(images, rows.clone(), columns.clone()),
            None => images,
        };
        let images = match self.overshoots {
            true => images.clamp(0.0, 255.0),
            false => images,
        };
        images * self.scale.clone() - self.offset.clone()
    }
}
