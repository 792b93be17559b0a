//! Random changes of training images, on whole batches on the device.

use burn::tensor::{Tensor, TensorData};
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
    let [n, _, h, w] = images.dims();
    steps.iter().fold(images, |images, step| {
        let device = images.device();
        let drawn = draw(step, n, [h, w], rng).map(|values| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), &device)
        });
        change(images, step, fill, drawn)
    })
}

/// What `n` images of sides `[h, w]` draw for a change: two numbers each, in two columns,
/// of which the second means nothing where one is enough.
pub(crate) fn draw(
    step: &Augmentation,
    n: usize,
    [h, w]: [usize; 2],
    rng: &mut impl Rng,
) -> [Vec<f32>; 2] {
    let p = step.probability();
    let mut one = |idle: f32, value: &mut dyn FnMut(&mut dyn Rng) -> f32| {
        let values = (0..n).map(|_| match rng.random_bool(p) {
            true => value(rng),
            false => idle,
        });
        [values.collect(), vec![0.0; n]]
    };
    let pairs = |pairs: Vec<[i32; 2]>| [0, 1].map(|i| pairs.iter().map(|p| p[i] as f32).collect());
    match *step {
        Augmentation::Flip { .. } => one(0.0, &mut |_| 1.0),
        Augmentation::Brightness { magnitude, .. }
        | Augmentation::Contrast { magnitude, .. }
        | Augmentation::Saturation { magnitude, .. } => {
            one(1.0, &mut |rng| about_one(magnitude, rng))
        }
        Augmentation::Translate { pixels, .. } => {
            let reach = pixels as i32;
            // A move down and a move right.
            let moves = (0..n).map(|_| match rng.random_bool(p) {
                true => [0, 1].map(|_| rng.random_range(-reach..=reach)),
                false => [0, 0],
            });
            pairs(moves.collect())
        }
        Augmentation::Cutout { side, .. } => {
            let (side_h, side_w) = (side.min(h), side.min(w));
            // An image that is left alone has its square outside.
            let corners = (0..n).map(|_| match rng.random_bool(p) {
                true => [
                    rng.random_range(0..=(h - side_h) as i32),
                    rng.random_range(0..=(w - side_w) as i32),
                ],
                false => [h as i32, w as i32],
            });
            pairs(corners.collect())
        }
    }
}

/// Changes images by what they have drawn.
pub(crate) fn change(
    images: Tensor<4>,
    step: &Augmentation,
    fill: &[f32],
    [first, second]: [Tensor<1>; 2],
) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    let device = images.device();
    let per_image = |drawn: Tensor<1>| drawn.reshape([n, 1, 1, 1]);
    let range = |length: usize, shape: [usize; 3]| -> Tensor<3> {
        let values: Vec<f32> = (0..length).map(|i| i as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &device)
    };
    match *step {
        Augmentation::Flip { .. } => {
            let flipped = per_image(first);
            let kept = flipped.clone().neg().add_scalar(1.0);
            images.clone().flip([3]) * flipped + images * kept
        }
        Augmentation::Brightness { .. } => (images * per_image(first)).clamp(0.0, 255.0),
        Augmentation::Contrast { .. } => {
            let mean = grey(images.clone()).mean_dim(2).mean_dim(3);
            blend(images, mean, per_image(first))
        }
        Augmentation::Saturation { .. } => {
            if c == 1 {
                return images;
            }
            let grey = grey(images.clone());
            blend(images, grey, per_image(first))
        }
        Augmentation::Translate { .. } => {
            let rows = range(h, [1, h, 1]) + first.reshape([n, 1, 1]);
            let columns = range(w, [1, 1, w]) + second.reshape([n, 1, 1]);
            let outside = |places: Tensor<3>, side: usize| {
                places
                    .clone()
                    .lower_elem(0)
                    .bool_or(places.greater_equal_elem(side as f32))
                    .expand([n, h, w])
            };
            let outside = outside(rows.clone(), h).bool_or(outside(columns.clone(), w));
            let from = rows.clamp(0.0, h as f32 - 1.0).mul_scalar(w as f32)
                + columns.clamp(0.0, w as f32 - 1.0);
            let from = from.reshape([n, 1, h * w]).expand([n, c, h * w]);
            let moved = images.reshape([n, c, h * w]).gather(2, from.int());
            filled(moved.reshape([n, c, h, w]), outside, fill)
        }
        Augmentation::Cutout { side, .. } => {
            let within = |places: Tensor<3>, corner: Tensor<1>, side: usize| {
                let distance = places - corner.reshape([n, 1, 1]);
                distance
                    .clone()
                    .greater_equal_elem(0)
                    .bool_and(distance.lower_elem(side as f32))
                    .expand([n, h, w])
            };
            let inside = within(range(h, [1, h, 1]), first, side.min(h)).bool_and(within(
                range(w, [1, 1, w]),
                second,
                side.min(w),
            ));
            filled(images, inside, fill)
        }
    }
}

/// A factor uniform in 1 ± `magnitude`, not below 0.
fn about_one(magnitude: f64, rng: &mut dyn Rng) -> f32 {
    rng.random_range((1.0 - magnitude).max(0.0)..=1.0 + magnitude) as f32
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
