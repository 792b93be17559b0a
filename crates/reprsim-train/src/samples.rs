//! Samples of a data set, resident on the device.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use reprsim_data::{Dataset, SampleShape, Samples};
use reprsim_models::{Input, InputShape};
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
}

/// Samples of a data set on the device, by modality.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a probe, not one a sample"
)]
pub enum DeviceSamples {
    /// Images.
    Images(DeviceImages),
    /// Windows of text.
    Tokens(DeviceTokens),
}

impl DeviceSamples {
    /// Moves `indices` of `dataset` (every sample where `None`) to the device.
    pub fn new(
        dataset: &Dataset,
        indices: Option<&[u32]>,
        normalization: &Normalization,
        device: &Device,
    ) -> Self {
        match dataset.shape {
            SampleShape::Tokens { .. } => Self::Tokens(DeviceTokens::new(dataset, indices, device)),
            _ => {
                let images = DeviceImages::new(dataset, indices, normalization, device);
                Self::Images(images)
            }
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Images(images) => images.len(),
            Self::Tokens(tokens) => tokens.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample, as a model takes it in.
    pub fn shape(&self) -> InputShape {
        match self {
            Self::Images(images) => images.shape(),
            Self::Tokens(tokens) => tokens.shape(),
        }
    }

    /// Samples `start..end` as a batch that models take.
    pub fn slice(&self, start: usize, end: usize) -> Input {
        match self {
            Self::Images(images) => images.slice(start, end),
            Self::Tokens(tokens) => tokens.slice(start, end),
        }
    }
}

/// Windows of text on the device, one token more than a model takes in: the last is only
/// a target.
#[derive(Clone, Debug)]
pub struct DeviceTokens {
    /// `[n, window + 1]`; none where there is no window: a GPU has no empty buffers.
    windows: Option<Tensor<2, Int>>,
    window: usize,
    vocabulary: usize,
}

impl DeviceTokens {
    /// Moves the windows at `indices` of a held-out part (all where `None`) to the device.
    pub fn new(dataset: &Dataset, indices: Option<&[u32]>, device: &Device) -> Self {
        let SampleShape::Tokens { window, vocabulary } = dataset.shape else {
            unreachable!("DeviceSamples::new has looked at the shape")
        };
        let all: Vec<u32>;
        let indices = match indices {
            Some(indices) => indices,
            None => {
                all = (0..dataset.len() as u32).collect();
                &all
            }
        };
        let mut values = Vec::with_capacity(indices.len() * (window + 1));
        for &index in indices {
            values.extend(dataset.tokens(index as usize).iter().map(|&t| i32::from(t)));
        }
        let windows = (!indices.is_empty()).then(|| {
            let data = TensorData::new(values, [indices.len(), window + 1]);
            Tensor::from_data(data, (device, DType::I32))
        });
        Self {
            windows,
            window,
            vocabulary,
        }
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.windows.as_ref().map_or(0, |windows| windows.dims()[0])
    }

    /// Whether there is no window.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens that a model takes in at once.
    pub fn window(&self) -> usize {
        self.window
    }

    /// The shape of what a model takes in.
    pub fn shape(&self) -> InputShape {
        InputShape::Tokens {
            window: self.window,
            vocabulary: self.vocabulary,
        }
    }

    /// Windows `start..end` whole, `[n, window + 1]`: inputs and targets.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn windows(&self, start: usize, end: usize) -> Tensor<2, Int> {
        match &self.windows {
            Some(windows) => windows.clone().slice_dim(0, start..end),
            None => panic!("windows {start} to {end} of none"),
        }
    }

    /// Windows `start..end` as a batch, `[n, window]`.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn slice(&self, start: usize, end: usize) -> Input {
        Input::Tokens(self.windows(start, end).slice_dim(1, 0..self.window))
    }
}

/// Images of a data set as one tensor of bytes on the device.
///
/// Bytes are kept four to a 32-bit word, because shading languages know no
/// smaller type: the data take as much memory there as in their file. Word j of a
/// sample holds its bytes j, j + w, j + 2 w and j + 3 w for w words a sample, so
/// that unpacking is four shifts and one concatenation.
#[derive(Clone, Debug)]
pub struct DeviceImages {
    words: Tensor<2, Int>,
    shape: [usize; 3],
    /// `value / 255 / std - mean / std`, as `[1, c, 1, 1]` factors and offsets.
    scale: Tensor<4>,
    offset: Tensor<4>,
}

impl DeviceImages {
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
            unreachable!("DeviceSamples::new has looked at the shape")
        };
        let Samples::Bytes(bytes) = &dataset.samples else {
            unreachable!("images are bytes")
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

    /// The shape of an image.
    pub fn shape(&self) -> InputShape {
        let [channels, height, width] = self.shape;
        InputShape::Image {
            channels,
            height,
            width,
        }
    }

    /// The samples at `indices` (on the device) on the 0..255 scale,
    /// `[n, c, h, w]`.
    pub fn gather(&self, indices: Tensor<1, Int>) -> Tensor<4> {
        self.unpack(self.words.clone().select(0, indices))
    }

    /// Samples `start..end` as a normalised batch.
    pub fn slice(&self, start: usize, end: usize) -> Input {
        Input::Images(self.normalize(self.unpack(self.words.clone().slice_dim(0, start..end))))
    }

    /// Brings images on the 0..255 scale to the scale that models see.
    pub fn normalize(&self, images: Tensor<4>) -> Tensor<4> {
        images * self.scale.clone() - self.offset.clone()
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
