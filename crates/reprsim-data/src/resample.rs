//! Images of another size, as torchvision and timm (and Pillow) make them: filters with
//! antialiasing, the shorter side to a length, and the centre of that.
//!
//! Pixel `i` of `to` lies at `(i + 0.5) from / to` of the `from` pixels before and takes of each
//! what the filter is at its distance, in pixels of the coarser side; the sum of its weights is 1,
//! also at the rim, where fewer are left. These are the weights of PyTorch's
//! `interpolate(..., antialias=True, align_corners=False)`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SampleShape;

/// A square of more pixels a side is a slip of the keyboard.
pub(crate) const LARGEST_SIDE: usize = 4096;

/// What pixels of a resampled image are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// A triangle.
    #[default]
    Bilinear,
    /// Keys' cubic with a = -0.5, which sharpens.
    Bicubic,
}

impl Filter {
    /// Pixels to either side beyond which it is 0.
    fn radius(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// Its value at a distance (Keys 1981, equation 4, for the cubic).
    fn at(self, distance: f64) -> f64 {
        const A: f64 = -0.5;
        let x = distance.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Bicubic => 0.0,
        }
    }

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        }
    }
}

/// What one pixel of a resampled row takes of the row before.
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    /// The first pixel of which it takes anything.
    pub first: usize,
    /// How much of that and those after it; 1 together.
    pub weights: Vec<f64>,
}

/// Images as squares of one side, made as torchvision's `Resize(resize)` and
/// `CenterCrop(size)` do, with antialiasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resampling {
    /// The side of the square.
    pub size: usize,
    /// What the shorter side of an image becomes, in proportion with the longer, before the
    /// square is cut out of the centre; of a `crop_pct` of timm it is the whole part of size /
    /// crop_pct. `size` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// What pixels are made of.
    #[serde(default)]
    pub filter: Filter,
}

impl Resampling {
    /// Refuses sides that nobody means.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for (key, side) in [("size", Some(self.size)), ("resize", self.resize)] {
            if let Some(side) = side
                && !(1..=LARGEST_SIDE).contains(&side)
            {
                let reason = format!("{key} = {side}; a side has 1 to {LARGEST_SIDE} pixels");
                return Err((key, reason));
            }
        }
        match self.resize {
            Some(resize) if resize < self.size => Err((
                "resize",
                format!(
                    "resize = {resize}: a square of {0} pixels is cut out of images whose shorter \
                     side becomes that; it must be at least {0}",
                    self.size
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The shape of images of `shape` after it; text stays as it is.
    pub fn shape(&self, shape: SampleShape) -> SampleShape {
        match shape {
            SampleShape::Image { channels, .. } => SampleShape::Image {
                channels,
                height: self.size,
                width: self.size,
            },
            text @ SampleShape::Tokens { .. } => text,
        }
    }

    /// Whether it leaves images of a height and width as they are.
    pub fn is_identity(&self, sides: [usize; 2]) -> bool {
        sides == [self.size; 2] && self.shorter() == self.size
    }

    /// What the shorter side becomes.
    fn shorter(&self) -> usize {
        self.resize.unwrap_or(self.size).max(self.size)
    }

    /// What the rows, and the columns, of the square take of an image of a height and width.
    pub fn taps(&self, sides: [usize; 2]) -> [Vec<Taps>; 2] {
        let (shorter, least) = (self.shorter(), sides[0].min(sides[1]));
        sides.map(|side| {
            // As torchvision's Resize: the longer side is cut to whole pixels.
            let to = match side == least {
                true => shorter,
                false => (shorter * side).checked_div(least).unwrap_or(shorter),
            };
            let first = half(to - self.size);
            (first..first + self.size)
                .map(|pixel| taps(self.filter, side, to, pixel))
                .collect()
        })
    }

    /// The same as matrices that rows, and columns, are multiplied by: `[height, size]` and
    /// `[width, size]`, row after row.
    pub fn matrices(&self, sides: [usize; 2]) -> [Vec<f32>; 2] {
        let taps = self.taps(sides);
        [0, 1].map(|axis| {
            let mut matrix = vec![0.0; sides[axis] * self.size];
            for (pixel, taps) in taps[axis].iter().enumerate() {
                for (place, weight) in (taps.first..).zip(&taps.weights) {
                    matrix[place * self.size + pixel] = *weight as f32;
                }
            }
            matrix
        })
    }

    /// One channel of bytes, `[height, width]`, resampled; rounded once, at the end, as PyTorch
    /// rounds (a half to the even byte).
    pub(crate) fn plane(&self, values: &[u8], sides: [usize; 2]) -> Vec<u8> {
        let [rows, columns] = self.taps(sides);
        // Rows of which nothing is left need no work: a long picture has many.
        let above = rows.first().map_or(0, |taps| taps.first);
        let below = rows
            .last()
            .map_or(0, |taps| taps.first + taps.weights.len());
        let needed = values.chunks_exact(sides[1].max(1)).take(below).skip(above);
        let mut wide = Vec::with_capacity(needed.len() * columns.len());
        for row in needed {
            wide.extend(columns.iter().map(|taps| {
                let pixels = taps.weights.iter().zip(&row[taps.first..]);
                let sum: f64 = pixels
                    .map(|(weight, &pixel)| weight * f64::from(pixel))
                    .sum();
                sum as f32
            }));
        }
        let mut made = Vec::with_capacity(rows.len() * columns.len());
        let mut sums = vec![0.0f64; columns.len()];
        for taps in &rows {
            sums.fill(0.0);
            let from = wide.chunks_exact(columns.len()).skip(taps.first - above);
            for (weight, row) in taps.weights.iter().zip(from) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += weight * f64::from(*value);
                }
            }
            made.extend(
                sums.iter()
                    .map(|sum| sum.round_ties_even().clamp(0.0, 255.0) as u8),
            );
        }
        made
    }
}

/// What pixel `pixel` of `to` takes of a row of `from`.
fn taps(filter: Filter, from: usize, to: usize, pixel: usize) -> Taps {
    let scale = from as f64 / to as f64;
    // Made smaller, each pixel is of more pixels before; made larger, the filter stays as wide.
    let stretch = scale.max(1.0);
    let (centre, reach) = ((pixel as f64 + 0.5) * scale, filter.radius() * stretch);
    let first = (centre - reach + 0.5).max(0.0) as usize;
    let end = ((centre + reach + 0.5) as usize).min(from);
    let weights: Vec<f64> = (first..end)
        .map(|place| filter.at((place as f64 + 0.5 - centre) / stretch))
        .collect();
    let sum: f64 = weights.iter().sum();
    Taps {
        first,
        weights: weights.into_iter().map(|weight| weight / sum).collect(),
    }
}

/// Half of what is spare, as torchvision's CenterCrop takes it: rounded to the even number.
fn half(spare: usize) -> usize {
    let half = spare / 2;
    half + (spare % 2) * (half % 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filters() -> impl Strategy<Value = Filter> {
        prop_oneof![Just(Filter::Bilinear), Just(Filter::Bicubic)]
    }

    proptest! {
        /// Weights are of pixels that are there, and are 1 together: what is of one colour stays so.
        #[test]
        fn one_colour_stays_one_colour(
            sides in [1usize..70, 1usize..70],
            size in 1usize..40,
            more in 0usize..9,
            filter in filters(),
            value in 0u8..=255,
        ) {
            let resampling = Resampling { size, resize: Some(size + more), filter };
            for (taps, side) in resampling.taps(sides).iter().zip(sides) {
                prop_assert_eq!(taps.len(), size);
                for taps in taps {
                    prop_assert!(taps.first + taps.weights.len() <= side);
                    prop_assert!((taps.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                }
                prop_assert!(taps.windows(2).all(|pair| pair[0].first <= pair[1].first));
            }
            let plane = resampling.plane(&vec![value; sides[0] * sides[1]], sides);
            prop_assert_eq!(plane, vec![value; size * size]);
        }

        /// A square that is cut out unchanged is the centre.
        #[test]
        fn at_the_same_size_nothing_changes(
            size in 1usize..20,
            more in 0usize..6,
            filter in filters(),
        ) {
            let side = size + more;
            let resampling = Resampling { size, resize: Some(side), filter };
            prop_assert_eq!(resampling.is_identity([side; 2]), more == 0);
            let values: Vec<u8> = (0..side * side).map(|i| (i * 37 % 256) as u8).collect();
            let top = half(more);
            let cut: Vec<u8> = (0..size * size)
                .map(|i| values[(top + i / size) * side + top + i % size])
                .collect();
            prop_assert_eq!(resampling.plane(&values, [side; 2]), cut);
        }

        /// Mirrored pictures become mirrored pictures, where the centre is one.
        #[test]
        fn left_and_right_are_alike(side in 1usize..60, size in 1usize..30, filter in filters()) {
            let resampling = Resampling { size, resize: None, filter };
            let [taps, _] = resampling.taps([side; 2]);
            for (one, other) in taps.iter().zip(taps.iter().rev()) {
                // Weights of 0 at the edge may be there on one side alone.
                let of = |taps: &Taps, place: usize| {
                    let inside = place.checked_sub(taps.first);
                    inside.and_then(|i| taps.weights.get(i)).copied().unwrap_or(0.0)
                };
                for place in 0..side {
                    let (one, other) = (of(one, place), of(other, side - 1 - place));
                    prop_assert!((one - other).abs() < 1e-12, "{} {}", one, other);
                }
            }
        }
    }

    /// The size and the corner that torchvision 0.29 takes: `_compute_resized_output_size` and
    /// `center_crop`.
    #[test]
    fn sides_are_rounded_as_torchvision_rounds_them() {
        // An image as wide as it becomes: what a column takes says where it was.
        let corner = |sides: [usize; 2], size, resize| {
            let resampling = Resampling {
                size,
                resize: Some(resize),
                filter: Filter::Bilinear,
            };
            resampling.taps(sides).map(|taps| taps[0].first)
        };
        for (sides, size, resize, expected) in [
            ([8, 11], 7, 8, [0, 2]),   // 1 / 2 becomes 0, 4 / 2 is 2
            ([10, 13], 7, 10, [2, 3]), // 3 / 2 becomes 2
            ([13, 10], 5, 10, [4, 2]), // 5 / 2 becomes 2
        ] {
            assert_eq!(corner(sides, size, resize), expected, "{sides:?}");
        }
        // 480 x 641 becomes 256 x 341, not 342: 256 * 641 / 480 = 341.87.
        let resampling = Resampling {
            size: 224,
            resize: Some(256),
            filter: Filter::Bilinear,
        };
        let [_, columns] = resampling.taps([480, 641]);
        let expected = taps(Filter::Bilinear, 641, 341, 58);
        assert_eq!(columns[0], expected, "(341 - 224) / 2 = 58.5 becomes 58");
    }

    /// `torch.nn.functional.interpolate(x, size=n, mode=m, antialias=True)` of torch 2.15 in f64,
    /// where x is 1 at one pixel of each row.
    #[test]
    fn weights_are_those_of_torch() {
        let row = |filter, from, to, pixel| {
            let Taps { first, weights } = taps(filter, from, to, pixel);
            let mut row = vec![0.0; from];
            row[first..first + weights.len()].copy_from_slice(&weights);
            row
        };
        for (filter, from, to, pixel, expected) in [
            (
                Filter::Bilinear,
                7,
                3,
                0,
                "0.357142857143 0.428571428571 0.214285714286 0 0 0 0",
            ),
            (
                Filter::Bilinear,
                7,
                3,
                1,
                "0 0.0588235294118 0.235294117647 0.411764705882 0.235294117647 0.0588235294118 0",
            ),
            (Filter::Bilinear, 3, 7, 2, "0.428571428571 0.571428571429 0"),
            (Filter::Bilinear, 3, 7, 6, "0 0 1.0"),
            (
                Filter::Bicubic,
                7,
                3,
                0,
                "0.383064516129 0.439516129032 0.213709677419 0 -0.0322580645161 -0.00403225806452 0",
            ),
            (
                Filter::Bicubic,
                7,
                3,
                1,
                "-0.030525030525 0.045177045177 0.275946275946 0.418803418803 0.275946275946 0.045177045177 -0.030525030525",
            ),
            (
                Filter::Bicubic,
                3,
                7,
                2,
                "0.440443213296 0.626038781163 -0.0664819944598",
            ),
            (Filter::Bicubic, 3, 7, 6, "0 -0.0961538461538 1.09615384615"),
        ] {
            let row = row(filter, from, to, pixel);
            let expected: Vec<f64> = expected.split(' ').map(|v| v.parse().unwrap()).collect();
            assert_eq!(row.len(), expected.len());
            for (ours, theirs) in row.iter().zip(&expected) {
                let words = format!("{filter:?} {from} {to} {pixel}: {row:?} is not {expected:?}");
                assert!((ours - theirs).abs() < 1e-11, "{words}");
            }
        }
    }
}
