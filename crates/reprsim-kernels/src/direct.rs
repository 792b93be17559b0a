//! A convolution without a matrix of windows: lanes along output channels, pixels by broadcast.
//!
//! Some pixels of a line of the output by some vectors of its channels stay in registers while all
//! inputs and taps are added to them. What a tap reads lies in padded planes ([`Padded`]), side by side or, of
//! a stride of two, every other value; weights are packed once a call. The sums of an image, channels
//! innermost, are turned into planes at its end. Bias and rectifier cost no pass of their own. (How a
//! processor's own library does it: Georganas et al. 2018, "Anatomy of high-performance deep learning
//! convolutions on SIMD architectures".)

use std::cell::RefCell;
use std::ops::Range;

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};
use rayon::prelude::*;

use crate::affine::Then;
use crate::channels::Planes;
use crate::columns::{Padded, pad};
use crate::geometry::Geometry;

/// Output channels below which too many lanes would have none.
const CHANNELS: usize = 12;

/// Output pixels that a thread takes at a time, about.
const POSITIONS: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Scratch memory that a thread uses over and over.
#[derive(Default)]
struct Scratch {
    padded: Vec<f32>,
    sums: Vec<f32>,
}

/// Whether this is the way for a convolution of this shape that is not transformed.
pub(crate) fn suits(geometry: &Geometry) -> bool {
    geometry.small[0] >= CHANNELS
}

/// The convolution of `input` with `weight` (`[small, large, kernel, kernel]`):
/// `[small channels, n, height, width]`.
pub(crate) fn convolve(
    input: &Planes<'_>,
    weight: &[f32],
    geometry: &Geometry,
    then: Then<'_>,
) -> Vec<f32> {
    convolve_on(Arch::new(), input, weight, geometry, then)
}

/// How planes are padded. A stride of two needs no sorted columns: the kernel reads every other value.
fn layout(geometry: &Geometry) -> (Geometry, Padded) {
    let mut laid = *geometry;
    if geometry.window.stride == 2 {
        laid.window.stride = 1;
    }
    let mut padded = Padded::new(&laid);
    padded.step *= geometry.window.stride / laid.window.stride;
    (laid, padded)
}

fn convolve_on(
    arch: Arch,
    input: &Planes<'_>,
    weight: &[f32],
    geometry: &Geometry,
    then: Then<'_>,
) -> Vec<f32> {
    let (inputs, outputs) = (geometry.large[0], geometry.small[0]);
    let (taps, positions) = (geometry.taps(), geometry.positions());
    let weights = arch.dispatch(Pack {
        weight: |output, input, tap| weight[(output * inputs + input) * taps + tap],
        bias: then.bias,
        outputs,
        inputs,
        taps,
    });
    let (laid, padded) = layout(geometry);
    let mut output = vec![0.0; outputs * geometry.n * positions];
    let per_tile = (POSITIONS / positions.max(1)).clamp(1, geometry.n.max(1));
    // For each tile its part of each channel.
    let tiles = geometry.n.div_ceil(per_tile);
    let mut parts: Vec<Vec<&mut [f32]>> = (0..tiles).map(|_| Vec::with_capacity(outputs)).collect();
    for channel in output.chunks_mut((geometry.n * positions).max(1)) {
        for (tile, part) in parts
            .iter_mut()
            .zip(channel.chunks_mut(per_tile * positions))
        {
            tile.push(part);
        }
    }
    parts
        .into_par_iter()
        .enumerate()
        .for_each(|(tile, mut planes)| {
            let start = tile * per_tile;
            SCRATCH.with_borrow_mut(|scratch| {
                arch.dispatch(Images {
                    input,
                    geometry,
                    laid: &laid,
                    padded: &padded,
                    images: start..(start + per_tile).min(geometry.n),
                    weights: &weights,
                    bounds: then.bounds,
                    scratch,
                    planes: &mut planes,
                });
            });
        });
    output
}

/// Pixels and channels that are turned at a time.
const SIDE: usize = 4;

/// Pixels of a line that one call of the kernel may have.
const PIXELS: [usize; 8] = [1, 2, 3, 4, 7, 8, 11, 14];

/// Weights in the order in which the kernel reads them: `[block, input channel, tap, lane]`.
struct Packed {
    values: Vec<f32>,
    /// What is added to each lane of each block.
    bias: Vec<f32>,
    /// Vectors of a block.
    vectors: usize,
    /// Lanes of a block.
    width: usize,
}

/// Vectors of a block: as few lanes without a channel as possible, then as many as possible.
fn vectors(channels: usize, lanes: usize) -> usize {
    let needed = channels.div_ceil(lanes);
    match needed {
        0 | 1 => 1,
        2 => 2,
        _ if needed.next_multiple_of(4) > needed.next_multiple_of(2) => 2,
        _ => 4,
    }
}

/// Packs weights for vectors of `lanes`.
struct Pack<'a, F> {
    /// The weight of an output channel, an input channel and a tap.
    weight: F,
    bias: Option<&'a [f32]>,
    outputs: usize,
    inputs: usize,
    taps: usize,
}

impl<F: Fn(usize, usize, usize) -> f32> WithSimd for Pack<'_, F> {
    type Output = Packed;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Packed {
        let vectors = vectors(self.outputs, S::F32_LANES);
        let width = vectors * S::F32_LANES;
        let blocks = self.outputs.div_ceil(width);
        let mut values = vec![0.0; blocks * self.inputs * self.taps * width];
        let mut bias = vec![0.0; blocks * width];
        for output in 0..self.outputs {
            let (block, lane) = (output / width, output % width);
            if let Some(from) = self.bias {
                bias[output] = from[output];
            }
            for input in 0..self.inputs {
                for tap in 0..self.taps {
                    let row = (block * self.inputs + input) * self.taps + tap;
                    values[row * width + lane] = (self.weight)(output, input, tap);
                }
            }
        }
        Packed {
            values,
            bias,
            vectors,
            width,
        }
    }
}

/// Some images.
struct Images<'a, 'b> {
    input: &'a Planes<'a>,
    geometry: &'a Geometry,
    /// The sizes by which planes are padded.
    laid: &'a Geometry,
    padded: &'a Padded,
    images: Range<usize>,
    weights: &'a Packed,
    bounds: [f32; 2],
    scratch: &'a mut Scratch,
    /// The planes of each output channel for these images.
    planes: &'a mut [&'b mut [f32]],
}

impl WithSimd for Images<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Packed { width, vectors, .. } = *self.weights;
        let (geometry, positions) = (self.geometry, self.geometry.positions());
        let Scratch { padded, sums } = self.scratch;
        let plane = self.padded.len();
        // Borders stay zero from image to image.
        padded.clear();
        padded.resize(geometry.large[0] * plane, 0.0);
        sums.resize(positions * width, 0.0);
        let of_block = geometry.large[0] * geometry.taps() * width;
        for (at, image) in self.images.enumerate() {
            for (channel, into) in padded.chunks_exact_mut(plane).enumerate() {
                pad(
                    self.input.plane(channel, image),
                    self.laid,
                    self.padded,
                    into,
                );
            }
            let blocks = self.weights.values.chunks_exact(of_block);
            let biases = self.weights.bias.chunks_exact(width);
            for ((weights, bias), planes) in blocks.zip(biases).zip(self.planes.chunks_mut(width)) {
                let block = Block {
                    lines: self.padded,
                    width: geometry.small[2],
                    apart: geometry.window.stride / self.laid.window.stride,
                    padded,
                    weights,
                    bias,
                    bounds: self.bounds,
                };
                match vectors {
                    1 => convolve_block::<S, 1>(simd, block, sums),
                    2 => convolve_block::<S, 2>(simd, block, sums),
                    _ => convolve_block::<S, 4>(simd, block, sums),
                }
                let image = at * positions..(at + 1) * positions;
                turn(sums, width, planes, image);
            }
        }
    }
}

/// One image and the weights of one block of channels.
#[derive(Clone, Copy)]
struct Block<'a> {
    lines: &'a Padded,
    /// Pixels of a line of the output.
    width: usize,
    /// What lies between two of its neighbours in a padded plane: 1 or 2.
    apart: usize,
    /// The image's padded planes, one after another.
    padded: &'a [f32],
    weights: &'a [f32],
    bias: &'a [f32],
    bounds: [f32; 2],
}

/// All sums, `[position, lane]`.
#[inline(always)]
fn convolve_block<S: Simd, const V: usize>(simd: S, block: Block<'_>, sums: &mut [f32]) {
    let most = (S::REGISTER_COUNT.saturating_sub(4) / V).max(1);
    let width = block.width;
    // The fewest pixels in all: the last part of a line begins where it ends with the line, and
    // finds some of its pixels again.
    let whole = |pixels: &usize| width.div_ceil(*pixels) * *pixels;
    let fitting = PIXELS
        .into_iter()
        .filter(|pixels| *pixels <= most.min(width));
    let pixels = fitting.rev().min_by_key(whole).unwrap_or(1);
    match pixels {
        14 if V <= 2 => parts::<S, V, 14>(simd, block, sums),
        11 if V <= 2 => parts::<S, V, 11>(simd, block, sums),
        8 if V <= 2 => parts::<S, V, 8>(simd, block, sums),
        7 => parts::<S, V, 7>(simd, block, sums),
        4 => parts::<S, V, 4>(simd, block, sums),
        3 => parts::<S, V, 3>(simd, block, sums),
        2 => parts::<S, V, 2>(simd, block, sums),
        _ => parts::<S, V, 1>(simd, block, sums),
    }
}

#[inline(always)]
fn parts<S: Simd, const V: usize, const P: usize>(simd: S, block: Block<'_>, sums: &mut [f32]) {
    match block.apart {
        2 => simd.vectorize(Parts::<S, V, P, 2> { simd, block, sums }),
        _ => simd.vectorize(Parts::<S, V, P, 1> { simd, block, sums }),
    }
}

struct Parts<'a, S, const V: usize, const P: usize, const A: usize> {
    simd: S,
    block: Block<'a>,
    sums: &'a mut [f32],
}

impl<S: Simd, const V: usize, const P: usize, const A: usize> NullaryFnOnce
    for Parts<'_, S, V, P, A>
{
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let lines = self.block.lines;
        let width = self.block.width;
        let line = width * V * S::F32_LANES;
        for (y, sums) in self.sums.chunks_exact_mut(line).enumerate() {
            let (sums, _) = S::as_mut_simd_f32s(sums);
            let (sums, _) = sums.as_chunks_mut::<V>();
            for x in (0..width).step_by(P) {
                let x = x.min(width - P);
                let found = tile::<S, V, P, A>(self.simd, self.block, y * lines.step + A * x);
                sums[x..x + P].copy_from_slice(&found);
            }
        }
    }
}

/// The sums of `P` pixels by `V` vectors of channels, of which the first tap reads from `at`.
#[inline(always)]
fn tile<S: Simd, const V: usize, const P: usize, const A: usize>(
    simd: S,
    block: Block<'_>,
    at: usize,
) -> [[S::f32s; V]; P] {
    let (bias, _) = S::as_simd_f32s(block.bias);
    let mut first = [simd.splat_f32s(0.0); V];
    first.copy_from_slice(&bias[..V]);
    let mut sums = [first; P];
    let (weights, _) = S::as_simd_f32s(block.weights);
    let (weights, _) = weights.as_chunks::<V>();
    let taps = &block.lines.taps;
    let planes = block.padded.chunks_exact(block.lines.len());
    for (plane, weights) in planes.zip(weights.chunks_exact(taps.len())) {
        for (tap, weights) in taps.iter().zip(weights) {
            // One check for all pixels.
            let Some(pixels) = plane.get(tap + at..tap + at + A * (P - 1) + 1) else {
                continue;
            };
            for p in 0..P {
                let pixel = simd.splat_f32s(pixels[A * p]);
                for v in 0..V {
                    sums[p][v] = simd.mul_add_e_f32s(pixel, weights[v], sums[p][v]);
                }
            }
        }
    }
    for sum in sums.iter_mut().flatten() {
        *sum = all_within(simd, *sum, block.bounds);
    }
    sums
}

/// Values, or the bounds that they are beyond. (Not minimum and maximum: a NaN must stay one.)
#[inline(always)]
pub(crate) fn all_within<S: Simd>(simd: S, values: S::f32s, bounds: [f32; 2]) -> S::f32s {
    let (least, most) = (simd.splat_f32s(bounds[0]), simd.splat_f32s(bounds[1]));
    let values = simd.select_f32s(simd.less_than_f32s(values, least), least, values);
    simd.select_f32s(simd.greater_than_f32s(values, most), most, values)
}

/// Writes `[position, lane]` into an image of a plane for each lane that has one.
#[inline(always)]
fn turn(sums: &[f32], width: usize, planes: &mut [&mut [f32]], image: Range<usize>) {
    let positions = image.len();
    for (group, planes) in planes.chunks_mut(SIDE).enumerate() {
        let lane = group * SIDE;
        if planes.len() < SIDE || positions < SIDE {
            for (l, plane) in planes.iter_mut().enumerate() {
                for (position, value) in plane[image.clone()].iter_mut().enumerate() {
                    *value = sums[position * width + lane + l];
                }
            }
            continue;
        }
        for start in (0..positions).step_by(SIDE) {
            // The last ones end with the image.
            let start = start.min(positions - SIDE);
            let mut rows = [[0.0; SIDE]; SIDE];
            for (row, into) in rows.iter_mut().enumerate() {
                let from = (start + row) * width + lane;
                if let Some(values) = sums[from..].first_chunk::<SIDE>() {
                    *into = *values;
                }
            }
            for (l, plane) in planes.iter_mut().enumerate() {
                if let Some(into) = plane[image.start + start..].first_chunk_mut::<SIDE>() {
                    *into = rows.map(|row| row[l]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Window;

    fn values(count: usize, modulus: usize) -> Vec<f32> {
        let value = |i: usize| (i * 7919 % modulus) as f32 / modulus as f32 - 0.5;
        (0..count).map(value).collect()
    }

    /// By the definition, in f64.
    fn defined(input: &[f32], weight: &[f32], bias: &[f32], geometry: &Geometry) -> Vec<f64> {
        let ([c, h, w], [outputs, height, width]) = (geometry.large, geometry.small);
        let Window {
            kernel,
            stride,
            padding,
        } = geometry.window;
        let mut found = Vec::new();
        for (output, bias) in bias.iter().enumerate().take(outputs) {
            for image in 0..geometry.n {
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let mut sum = f64::from(*bias);
                    for channel in 0..c {
                        for (ky, kx) in (0..kernel).flat_map(|y| (0..kernel).map(move |x| (y, x))) {
                            let row = (y * stride + ky).wrapping_sub(padding);
                            let column = (x * stride + kx).wrapping_sub(padding);
                            if row < h && column < w {
                                let pixel = ((channel * geometry.n + image) * h + row) * w + column;
                                let tap = ((output * c + channel) * kernel + ky) * kernel + kx;
                                sum += f64::from(input[pixel]) * f64::from(weight[tap]);
                            }
                        }
                    }
                    found.push(sum.max(0.0));
                }
            }
        }
        found
    }

    #[test]
    fn equals_the_definition_on_every_kind_of_vectors() {
        let window = |kernel, stride, padding| Window {
            kernel,
            stride,
            padding,
        };
        let cases = [
            ([1, 1, 1, 1], 1, window(1, 1, 0)),
            ([2, 3, 28, 28], 16, window(3, 2, 1)),
            ([3, 5, 7, 9], 17, window(3, 2, 1)),
            ([2, 2, 5, 40], 33, window(4, 2, 1)),
            ([2, 3, 11, 6], 50, window(5, 1, 2)),
            ([1, 4, 13, 10], 65, window(3, 3, 2)),
            ([5, 2, 4, 4], 130, window(1, 2, 0)),
            ([2, 1, 9, 33], 12, window(4, 1, 3)),
        ];
        let mut kinds = vec![Arch::new(), Arch::Scalar];
        #[cfg(target_arch = "x86_64")]
        kinds.extend(pulp::x86::V3::try_new().map(Arch::V3));
        for (shape, outputs, window) in cases {
            let geometry = Geometry::convolution(shape, outputs, window);
            let [n, c, h, w] = shape;
            let input = values(n * c * h * w, 101);
            let weight = values(outputs * c * window.kernel * window.kernel, 103);
            let bias = values(outputs, 13);
            let planes = Planes {
                values: &input,
                channel: n * h * w,
                image: h * w,
                pixels: h * w,
            };
            let then = Then {
                bias: Some(&bias),
                bounds: [0.0, f32::INFINITY],
            };
            let expected = defined(&input, &weight, &bias, &geometry);
            for &arch in &kinds {
                let found = convolve_on(arch, &planes, &weight, &geometry, then);
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    let apart = (f64::from(*found) - expected).abs();
                    assert!(apart < 1e-5, "{shape:?} {outputs} {window:?}: {apart}");
                }
            }
        }
    }
}
