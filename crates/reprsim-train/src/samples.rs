//! Samples of a data set, normalised and resident on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};
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
}

/// All samples of a data set as one tensor on the device.
#[derive(Clone, Debug)]
pub struct DeviceSamples {
    rows: Tensor<2>,
    shape: [usize; 3],
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
        let plane = height * width;
        let tables: Vec<[f32; 256]> = (0..channels)
            .map(|c| {
                std::array::from_fn(|v| {
                    ((v as f64 / 255.0 - normalization.mean[c]) / normalization.std[c]) as f32
                })
            })
            .collect();
        let len = channels * plane;
        let count = indices.map_or(dataset.len(), <[u32]>::len);
        let mut values = Vec::with_capacity(count * len);
        let mut push = |sample: &[u8]| {
            for (table, channel) in tables.iter().zip(sample.chunks_exact(plane)) {
                values.extend(channel.iter().map(|&v| table[usize::from(v)]));
            }
        };
        match indices {
            None => bytes.chunks_exact(len).for_each(&mut push),
            Some(indices) => indices
                .iter()
                .for_each(|&i| push(dataset.bytes(i as usize))),
        }
        Self {
            rows: Tensor::from_data(TensorData::new(values, [count, len]), device),
            shape: [channels, height, width],
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.rows.dims()[0]
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Channels, height and width of a sample.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The samples at `indices` (on the device) as a batch.
    pub fn gather(&self, indices: Tensor<1, Int>) -> Input {
        self.batch(self.rows.clone().select(0, indices))
    }

    /// Samples `start..end` as a batch.
    pub fn slice(&self, start: usize, end: usize) -> Input {
        self.batch(self.rows.clone().slice_dim(0, start..end))
    }

    fn batch(&self, rows: Tensor<2>) -> Input {
        let [n, _] = rows.dims();
        let [c, h, w] = self.shape;
        Input::Images(rows.reshape([n, c, h, w]))
    }
}
