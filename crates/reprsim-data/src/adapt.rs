//! Brings samples of one shape to the shape a model was trained on, so that a
//! probe can come from another data set.

use image::imageops::{self, FilterType};
use image::{GrayImage, ImageBuffer, Luma};
use rayon::prelude::*;
use reprsim_base::ask_memory;

use crate::{DataError, Dataset, SampleShape};

impl Dataset {
    /// The same samples in another image shape: grey becomes equal channels,
    /// colour becomes its luma (ITU-R 601, as Pillow), and sizes are resampled (triangle
    /// filter).
    ///
    /// # Errors
    /// [`DataError::Setting`] for a number of channels other than 1 and 3, and for
    /// text.
    pub fn reshaped(&self, target: SampleShape) -> Result<Dataset, DataError> {
        if self.shape == target {
            return Ok(self.clone());
        }
        let form = |bytes: &[u8]| reshape(bytes, self.shape, target, &self.name);
        let samples = (self.samples.reformed(target.values(), form))
            .ok_or_else(|| no_image(&self.name))??;
        Ok(Dataset {
            shape: target,
            samples,
            ..self.clone()
        })
    }
}

/// What [`Dataset::reshaped`] does, for samples that have no name yet.
pub(crate) fn reshape(
    bytes: &[u8],
    from: SampleShape,
    target: SampleShape,
    dataset: &str,
) -> Result<Vec<u8>, DataError> {
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
    ) = (from, target)
    else {
        return Err(no_image(dataset));
    };
    if ![1, 3].contains(&from_channels) || ![1, 3].contains(&channels) {
        return Err(DataError::Setting {
            dataset: dataset.to_string(),
            reason: format!("{from_channels} channels cannot become {channels}"),
        });
    }
    let plane = from_height * from_width;
    let count = bytes.len() / from.values();
    let what = format!("data set '{dataset}', {count} samples of {height}x{width} pixels,");
    ask_memory(count as u128 * target.values() as u128, what)?;
    let mut out = vec![0u8; count * target.values()];
    out.par_chunks_exact_mut(target.values())
        .zip(bytes.par_chunks_exact(from.values()))
        .for_each(|(out, sample)| {
            let planes: Vec<Vec<u8>> = if from_channels == 3 && channels == 1 {
                let grey =
                    (0..plane).map(|i| luma(sample[i], sample[plane + i], sample[2 * plane + i]));
                vec![grey.collect()]
            } else {
                sample.chunks_exact(plane).map(<[u8]>::to_vec).collect()
            };
            let planes: Vec<Vec<u8>> = planes
                .into_iter()
                .map(|values| resize(values, (from_height, from_width), (height, width)))
                .collect();
            for (c, out) in out.chunks_exact_mut(height * width).enumerate() {
                out.copy_from_slice(&planes[c.min(planes.len() - 1)]);
            }
        });
    Ok(out)
}

fn no_image(dataset: &str) -> DataError {
    DataError::Setting {
        dataset: dataset.to_string(),
        reason: "text and images cannot become each other; a probe of a model of text is text \
                 of the same window and tokenizer"
            .into(),
    }
}

/// The luma of ITU-R 601 in the whole-number arithmetic of Pillow's mode `L`,
/// which is what torchvision's `Grayscale` gives for images of bytes.
pub(crate) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
    ((sum + 0x8000) >> 16) as u8
}

/// One channel resampled from one (height, width) to another, with the triangle
/// filter; as it is where the sizes agree.
pub(crate) fn resize(values: Vec<u8>, from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
    if from == to {
        return values;
    }
    let image: GrayImage =
        ImageBuffer::<Luma<u8>, _>::from_raw(from.1 as u32, from.0 as u32, values)
            .unwrap_or_default();
    imageops::resize(&image, to.1 as u32, to.0 as u32, FilterType::Triangle).into_raw()
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
        let some = set.select(&[4, 2]).reshaped(grey).unwrap();
        assert_eq!(some.bytes(0), small.bytes(4));
        assert_eq!((some.len(), some.sample_id(1)), (2, set.sample_id(2)));
    }

    #[test]
    fn luma_is_that_of_pillow() {
        // Image.new("RGB", (1, 1), c).convert("L").getpixel((0, 0))
        let pillow = [
            ((255, 0, 0), 76),
            ((0, 255, 0), 150),
            ((0, 0, 255), 29),
            ((10, 200, 30), 124),
            ((255, 255, 255), 255),
            ((1, 1, 1), 1),
        ];
        for ((r, g, b), grey) in pillow {
            assert_eq!(luma(r, g, b), grey, "{r} {g} {b}");
        }
        for v in 0..=255 {
            assert_eq!(luma(v, v, v), v, "grey stays as it is");
        }
    }
}
