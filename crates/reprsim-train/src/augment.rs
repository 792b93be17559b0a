//! Random changes of training images, on whole batches on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One random change; every image of a batch draws its own.
///
/// Colours are on the 0..255 scale and stay there. They are not rounded in
/// between, as the published pipeline, which works on bytes, does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Augmentation {
    /// Mirrors left and right.
    Flip {
        /// Probability.
        #[serde(default = "half")]
        p: f64,
    },
    /// Multiplies by a factor uniform in 1 ± `magnitude`.
    Brightness {
        /// Largest change.
        magnitude: f64,
        /// Probability.
        #[serde(default = "one")]
        p: f64,
    },
    /// Scales the distance to the image's mean grey by a factor uniform in
    /// 1 ± `magnitude`.
    Contrast {
        /// Largest change.
        magnitude: f64,
        /// Probability.
        #[serde(default = "one")]
        p: f64,
    },
    /// Scales the distance to each pixel's own grey by a factor uniform in
    /// 1 ± `magnitude`; grey images stay as they are.
    Saturation {
        /// Largest change.
        magnitude: f64,
        /// Probability.
        #[serde(default = "one")]
        p: f64,
    },
    /// Moves by whole pixels, uniform in ± `pixels` in each direction; what comes
    /// in from outside is the fill colour.
    Translate {
        /// Largest move.
        pixels: usize,
        /// Probability.
        #[serde(default = "one")]
        p: f64,
    },
    /// Puts a square of the fill colour at a uniform place, all of it inside.
    Cutout {
        /// Its side.
        side: usize,
        /// Probability.
        #[serde(default = "one")]
        p: f64,
    },
}

fn half() -> f64 {
    0.5
}

fn one() -> f64 {
    1.0
}

impl Augmentation {
    /// The probability with which it is applied to an image.
    pub fn probability(&self) -> f64 {
        match *self {
            Self::Flip { p }
            | Self::Brightness { p, .. }
            | Self::Contrast { p, .. }
            | Self::Saturation { p, .. }
            | Self::Translate { p, .. }
            | Self::Cutout { p, .. } => p,
        }
    }
}

/// Applies `steps` in order to images `[n, c, h, w]` on the 0..255 scale; `fill` is
/// a colour on that scale: a value a channel, one for all of them, or none for black.
pub fn augment(
    images: Tensor<4>,
    steps: &[Augmentation],
    fill: &[f32],
    rng: &mut impl Rng,
) -> Tensor<4> {
    steps
        .iter()
        .fold(images, |images, step| apply(images, step, fill, rng))
}

fn apply(images: Tensor<4>, step: &Augmentation, fill: &[f32], rng: &mut impl Rng) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    let device = images.device();
    let p = step.probability();
    let mut draw = |idle: f32, value: &mut dyn FnMut(&mut dyn Rng) -> f32| -> Vec<f32> {
        (0..n)
            .map(|_| match rng.random_bool(p) {
                true => value(rng),
                false => idle,
            })
            .collect()
    };
    match *step {
        Augmentation::Flip { .. } => {
            let flipped = per_image(draw(0.0, &mut |_| 1.0), &device);
            let kept = flipped.clone().neg().add_scalar(1.0);
            images.clone().flip([3]) * flipped + images * kept
        }
        Augmentation::Brightness { magnitude, .. } => {
            let factor = per_image(draw(1.0, &mut |r| about_one(magnitude, r)), &device);
            (images * factor).clamp(0.0, 255.0)
        }
        Augmentation::Contrast { magnitude, .. } => {
            let factor = per_image(draw(1.0, &mut |r| about_one(magnitude, r)), &device);
            let mean = grey(images.clone()).mean_dim(2).mean_dim(3);
            blend(images, mean, factor)
        }
        Augmentation::Saturation { magnitude, .. } => {
            let factor = per_image(draw(1.0, &mut |r| about_one(magnitude, r)), &device);
            if c == 1 {
                return images;
            }
            let grey = grey(images.clone());
            blend(images, grey, factor)
        }
        Augmentation::Translate { pixels, .. } => {
            let reach = pixels as i32;
            // Two draws an image: a move down and a move right.
            let moves: Vec<[i32; 2]> = (0..n)
                .map(|_| match rng.random_bool(p) {
                    true => [0, 1].map(|_| rng.random_range(-reach..=reach)),
                    false => [0, 0],
                })
                .collect();
            let shift = |axis: usize, shape: [usize; 3]| {
                let values: Vec<i32> = moves.iter().map(|m| m[axis]).collect();
                Tensor::<1, Int>::from_data(TensorData::new(values, [n]), &device).reshape(shape)
            };
            let rows = range(h, &device).reshape([1, h, 1]) + shift(0, [n, 1, 1]);
            let columns = range(w, &device).reshape([1, 1, w]) + shift(1, [n, 1, 1]);
            let outside = |places: Tensor<3, Int>, side: usize| {
                places
                    .clone()
                    .lower_elem(0)
                    .bool_or(places.greater_equal_elem(side as i32))
                    .expand([n, h, w])
            };
            let outside = outside(rows.clone(), h).bool_or(outside(columns.clone(), w));
            let from =
                rows.clamp(0, h as i32 - 1).mul_scalar(w as i32) + columns.clamp(0, w as i32 - 1);
            let from = from.reshape([n, 1, h * w]).expand([n, c, h * w]);
            let moved = images.reshape([n, c, h * w]).gather(2, from);
            filled(moved.reshape([n, c, h, w]), outside, fill)
        }
        Augmentation::Cutout { side, .. } => {
            let (side_h, side_w) = (side.min(h), side.min(w));
            // An image that is left alone has its square outside.
            let corners: Vec<[i32; 2]> = (0..n)
                .map(|_| match rng.random_bool(p) {
                    true => [
                        rng.random_range(0..=(h - side_h) as i32),
                        rng.random_range(0..=(w - side_w) as i32),
                    ],
                    false => [h as i32, w as i32],
                })
                .collect();
            let within = |axis: usize, length: usize, side: usize, shape: [usize; 3]| {
                let values: Vec<i32> = corners.iter().map(|m| m[axis]).collect();
                let corner = Tensor::<1, Int>::from_data(TensorData::new(values, [n]), &device);
                let distance = range(length, &device).reshape(shape) - corner.reshape([n, 1, 1]);
                distance
                    .clone()
                    .greater_equal_elem(0)
                    .bool_and(distance.lower_elem(side as i32))
                    .expand([n, h, w])
            };
            let inside = within(0, h, side_h, [1, h, 1]).bool_and(within(1, w, side_w, [1, 1, w]));
            filled(images, inside, fill)
        }
    }
}

/// A factor uniform in 1 ± `magnitude`, not below 0.
fn about_one(magnitude: f64, rng: &mut dyn Rng) -> f32 {
    rng.random_range((1.0 - magnitude).max(0.0)..=1.0 + magnitude) as f32
}

fn per_image(values: Vec<f32>, device: &Device) -> Tensor<4> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n, 1, 1, 1]), device)
}

fn range(length: usize, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = (0..length as i32).collect();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// The luma of ITU-R 601, `[n, 1, h, w]`.
fn grey(images: Tensor<4>) -> Tensor<4> {
    if images.dims()[1] == 1 {
        return images;
    }
    let weights = TensorData::new(vec![0.299f32, 0.587, 0.114], [1, 3, 1, 1]);
    let weights = Tensor::<4>::from_data(weights, &images.device());
    (images * weights).sum_dim(1)
}

/// `factor` of the way from `base` to the images, and beyond where it exceeds 1.
fn blend(images: Tensor<4>, base: Tensor<4>, factor: Tensor<4>) -> Tensor<4> {
    ((images - base.clone()) * factor + base).clamp(0.0, 255.0)
}

/// The fill colour where `mask` (`[n, h, w]`) holds.
fn filled(images: Tensor<4>, mask: Tensor<3, burn::tensor::Bool>, fill: &[f32]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    let colour: Vec<f32> = (0..c)
        .map(|i| fill.get(i).or(fill.first()).copied().unwrap_or(0.0))
        .collect();
    let colour = TensorData::new(colour, [1, c, 1, 1]);
    let colour = Tensor::<4>::from_data(colour, &images.device()).expand([n, c, h, w]);
    images.mask_where(mask.reshape([n, 1, h, w]).expand([n, c, h, w]), colour)
}
