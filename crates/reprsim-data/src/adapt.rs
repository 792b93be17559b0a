//! Brings samples of one shape to the shape a model was trained on, so that a
//! probe can come from another data set.

use image::imageops::{self, FilterType};
use image::{GrayImage, ImageBuffer, Luma};
use rayon::prelude::*;

use crate::{DataError, Dataset, SampleShape, Samples};

impl Dataset {
    /// The same samples in another image shape: grey becomes equal channels,
    /// colour becomes its mean, and sizes are resampled (triangle filter).
    ///
    /// # Errors
    /// [`DataError::Setting`] for a number of channels other than 1 and 3.
    pub fn reshaped(&self, target: SampleShape) -> Result<Dataset, DataError> {
        if self.shape == target {
            return Ok(self.clone());
        }
        let (
            SampleShape::Image {
                channels: from_channels,
                height: from_height,
                width: from_width,
            },
            SampleShape::Image {
                channels,
                height,
                width,
            },
        ) = (self.shape, target);
        if ![1, 3].contains(&from_channels) || ![1, 3].contains(&channels) {
            return Err(DataError::Setting {
                dataset: self.name.clone(),
                reason: format!("{from_channels} channels cannot become {channels}"),
            });
        }
        let plane = from_height * from_width;
        let resize = |values: Vec<u8>| -> Vec<u8> {
            if (from_height, from_width) == (height, width) {
                return values;
            }
            let image: GrayImage =
                ImageBuffer::<Luma<u8>, _>::from_raw(from_width as u32, from_height as u32, values)
                    .unwrap_or_default();
            imageops::resize(&image, width as u32, height as u32, FilterType::Triangle).into_raw()
        };
        let mut bytes = vec![0u8; self.len() * target.len()];
        bytes
            .par_chunks_exact_mut(target.len())
            .enumerate()
            .for_each(|(index, out)| {
                let sample = self.bytes(index);
                let planes: Vec<Vec<u8>> = if from_channels == 3 && channels == 1 {
                    let mean = (0..plane).map(|i| {
                        let sum: u16 = (0..3).map(|c| u16::from(sample[c * plane + i])).sum();
                        (sum / 3) as u8
                    });
                    vec![mean.collect()]
                } else {
                    sample.chunks_exact(plane).map(<[u8]>::to_vec).collect()
                };
                let planes: Vec<Vec<u8>> = planes.into_iter().map(resize).collect();
                for (c, out) in out.chunks_exact_mut(height * width).enumerate() {
                    out.copy_from_slice(&planes[c.min(planes.len() - 1)]);
                }
            });
        Ok(Dataset {
            shape: target,
            samples: Samples::Bytes(bytes),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Part;
    use crate::color_shape_digit::{Settings, generate};

    #[test]
    fn grey_colour_and_size() {
        let set = generate(&Settings::default(), Part::Test, 5, 0).unwrap();
        let grey = SampleShape::Image {
            channels: 1,
            height: 14,
            width: 14,
        };
        let small = set.reshaped(grey).unwrap();
        assert_eq!(small.bytes(4).len(), 196);
        let back = small.reshaped(set.shape).unwrap();
        let sample = back.bytes(2);
        assert_eq!(
            sample[..784],
            sample[784..1568],
            "grey becomes equal channels"
        );
        assert_eq!(back.factors, set.factors);
    }
}
