//! Samples of a data set, resident on the device as bytes.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use reprsim_data::{Dataset, SampleShape, Samples};
use reprsim_models::Input;
use serde::{Deserialize, Serialize};

/// Mean and standard deviation of each channel on the 0..1 scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

    /// Leaves values on the 0..1 scale.
    pub fn identity(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }
}

/// All samples of a data set as one tensor on the device.
///
/// Bytes are kept four to a 32-bit word, because shading languages know no
/// smaller type: the data take as much memory there as in their file. Word j of a
/// sample holds its bytes j, j + w, j + 2 w and j + 3 w for w words a sample, so
/// that unpacking is four shifts and one concatenation.
#[derive(Clone, Debug)]
pub struct DeviceSamples {
    words: Tensor<2, Int>,
    shape: [usize; 3],
    /// `value / 255 / std - mean / std`, as `[1, c, 1, 1]` factors and offsets.
    scale: Tensor<4>,
    offset: Tensor<4>,
}

impl DeviceSamples {
    /// Moves `indices` of `dataset` (every sample where `None`) to the device.
    pub fn new(
        dataset: &Dataset,
        indices: Option<&[u32]>,
        normalization: &Normalization,
        device: &Device,
    ) -> Self {
        let SampleShape::Image {
            channels,
            height,
            width,
        } = dataset.shape
        else {
            unreachable!("images are the only modality that is read yet")
        };
        let Samples::Bytes(bytes) = &dataset.samples else {
            unreachable!("bytes are the only samples that are read yet")
        };
        let len = channels * height * width;
        let per_sample = len.div_ceil(4);
        let count = indices.map_or(dataset.len(), <[u32]>::len);
        let mut words = Vec::with_capacity(count * per_sample);
        let mut push = |sample: &[u8]| {
            let byte = |i: usize| sample.get(i).copied().unwrap_or(0);
            words.extend((0..per_sample).map(|j| {
                i32::from_le_bytes([0, 1, 2, 3].map(|quarter| byte(j + quarter * per_sample)))
            }));
        };
        match indices {
            None => bytes.chunks_exact(len).for_each(&mut push),
            Some(indices) => indices
                .iter()
                .for_each(|&i| push(dataset.bytes(i as usize))),
        }
        let channelwise = |value: &dyn Fn(usize) -> f64| {
            let values: Vec<f32> = (0..channels).map(|c| value(c) as f32).collect();
            Tensor::<4>::from_data(TensorData::new(values, [1, channels, 1, 1]), device)
        };
        let Normalization { mean, std } = normalization;
        Self {
            words: Tensor::from_data(
                TensorData::new(words, [count, per_sample]),
                (device, DType::I32),
            ),
            shape: [channels, height, width],
            scale: channelwise(&|c| 1.0 / 255.0 / std[c]),
            offset: channelwise(&|c| mean[c] / std[c]),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.words.dims()[0]
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Channels, height and width of a sample.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The samples at `indices` (on the device) on the 0..255 scale,
    /// `[n, c, h, w]`.
    pub fn gather(&self, indices: Tensor<1, Int>) -> Tensor<4> {
        self.unpack(self.words.clone().select(0, indices))
    }

    /// Samples `start..end` as a normalised batch.
    pub fn slice(&self, start: usize, end: usize) -> Input {
        self.normalize(self.unpack(self.words.clone().slice_dim(0, start..end)))
    }

    /// Brings images on the 0..255 scale to the scale that models see.
    pub fn normalize(&self, images: Tensor<4>) -> Input {
        Input::Images(images * self.scale.clone() - self.offset.clone())
    }

    fn unpack(&self, words: Tensor<2, Int>) -> Tensor<4> {
        let [n, _] = words.dims();
        let [c, h, w] = self.shape;
        let quarters = [0, 8, 16, 24].map(|shift| {
            words
                .clone()
                .bitwise_right_shift_scalar(shift)
                .bitwise_and_scalar(255)
        });
        Tensor::cat(quarters.to_vec(), 1)
            .float()
            .slice_dim(1, 0..c * h * w)
            .reshape([n, c, h, w])
    }
}
