//! Images as bytes on the device, four to a word.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use reprsim_data::Dataset;

/// How images of one shape are packed.
///
/// Bytes are kept four to a 32-bit word, because shading languages know no
/// smaller type: the data take as much memory there as in their file. Word j of a
/// sample holds its bytes j, j + w, j + 2 w and j + 3 w for w words a sample, so
/// that unpacking is four shifts and one concatenation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    /// Channels, height and width.
    pub shape: [usize; 3],
}

impl Packing {
    /// Words of one image.
    fn words(self) -> usize {
        self.shape.iter().product::<usize>().div_ceil(4)
    }

    /// Bytes that `count` images take on the device.
    pub fn bytes(self, count: usize) -> u64 {
        4 * (count * self.words()) as u64
    }

    /// The images at `indices` of `dataset` on the device, `[n, words]`.
    pub fn pack(
        self,
        dataset: &Dataset,
        indices: impl ExactSizeIterator<Item = usize>,
        device: &Device,
    ) -> Tensor<2, Int> {
        let (count, per_sample) = (indices.len(), self.words());
        let mut words = Vec::with_capacity(count * per_sample);
        for index in indices {
            let sample = dataset.bytes(index);
            let quarter = |q: usize| {
                let start = (q * per_sample).min(sample.len());
                let bytes = &sample[start..sample.len().min(start + per_sample)];
                // The last quarter may be short.
                bytes.iter().copied().chain(std::iter::repeat(0))
            };
            let quarters = quarter(0).zip(quarter(1)).zip(quarter(2)).zip(quarter(3));
            words.extend(
                (quarters.take(per_sample))
                    .map(|(((a, b), c), d)| i32::from_le_bytes([a, b, c, d])),
            );
        }
        let data = TensorData::new(words, [count, per_sample]);
        Tensor::from_data(data, (device, DType::I32))
    }

    /// The images of some words on the 0..255 scale, `[n, c, h, w]`.
    pub fn unpack(self, words: Tensor<2, Int>) -> Tensor<4> {
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
