//! Depthwise convolutions: every channel by a filter of its own.
//!
//! A plane is laid out sorted by the remainders of its rows and columns modulo the stride, a *phase* each,
//! with zeros around: what a tap reads for all output positions is then one contiguous stretch, and lines
//! need no ends of their own. Some vectors of positions stay in registers while all taps are added to them;
//! what falls between two lines is computed and forgotten. The adjoint is the same sum over a plane of
//! gradients with zeros between its lines, a phase at a time. A channel is one thread's, so that results do
//! not depend on their number.

use std::cell::RefCell;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::affine::Then;
use crate::channels::Planes;
use crate::columns::{copy_rows, write_rows};
use crate::direct::all_within;
use crate::geometry::{Geometry, Window};

/// What the longest vectors hold: stretches are rounded up to it.
const LANES: usize = 16;
/// Taps whose sums of products are taken together.
const TAPS: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Scratch memory that a thread uses over and over.
#[derive(Default)]
struct Scratch {
    /// A plane in phases.
    phases: Vec<f32>,
    /// Positions with zeros between their lines, or sums.
    lines: Vec<f32>,
}

/// Whether this is the way for a convolution of this shape.
pub(crate) fn suits(geometry: &Geometry) -> bool {
    let [[inputs, ..], [outputs, ..]] = [geometry.large, geometry.small];
    let each = geometry.groups == inputs && inputs == outputs;
    geometry.groups > 1 && each && geometry.window.stride <= 2
}

/// The convolution of `input` with `weight` (`[channels, 1, kernel, kernel]`):
/// `[channels, n, height, width]`.
pub(crate) fn convolve(
    input: &Planes<'_>,
    weight: &[f32],
    geometry: &Geometry,
    then: Then<'_>,
) -> Vec<f32> {
    let layout = Layout::new(geometry);
    let mut output = vec![0.0; geometry.small[0] * geometry.n * geometry.positions()];
    let length = (geometry.n * geometry.positions()).max(1);
    let channels = output.par_chunks_mut(length).enumerate();
    channels.for_each(|(channel, into)| {
        SCRATCH.with_borrow_mut(|scratch| {
            Arch::new().dispatch(Forward {
                input,
                channel,
                weight: &weight[channel * geometry.taps()..][..geometry.taps()],
                bias: then.bias.map_or(0.0, |bias| bias[channel]),
                bounds: then.bounds,
                geometry,
                layout: &layout,
                scratch,
                into,
            });
        });
    });
    output
}

/// The adjoint of [`convolve`] in its input: from `output` (`[channels, n, height, width]`, the smaller)
/// to as many of the larger images.
pub(crate) fn convolve_back(output: &[f32], weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let layout = Layout::new(geometry);
    let mut input = vec![0.0; geometry.large[0] * geometry.n * geometry.pixels()];
    let of = |pixels: usize| (geometry.n * pixels).max(1);
    (input.par_chunks_mut(of(geometry.pixels())))
        .zip(output.par_chunks(of(geometry.positions())))
        .zip(weight.par_chunks(geometry.taps()))
        .for_each(|((into, output), weight)| {
            SCRATCH.with_borrow_mut(|scratch| {
                Arch::new().dispatch(Back {
                    output,
                    weight,
                    geometry,
                    layout: &layout,
                    scratch,
                    into,
                });
            });
        });
    input
}

/// The derivative of a sum weighted by `output` (`[channels, n, height, width]`) of the convolution of
/// `input` in its weights: `[channels, 1, kernel, kernel]`.
pub(crate) fn correlate(input: &Planes<'_>, output: &[f32], geometry: &Geometry) -> Vec<f32> {
    let layout = Layout::new(geometry);
    let mut weight = vec![0.0; geometry.large[0] * geometry.taps()];
    let length = (geometry.n * geometry.positions()).max(1);
    (weight.par_chunks_mut(geometry.taps()).enumerate())
        .zip(output.par_chunks(length))
        .for_each(|((channel, into), output)| {
            SCRATCH.with_borrow_mut(|scratch| {
                Arch::new().dispatch(InWeights {
                    input,
                    channel,
                    output,
                    geometry,
                    layout: &layout,
                    scratch,
                    into,
                });
            });
        });
    weight
}

/// Where a plane's values lie.
struct Layout {
    window: Window,
    /// From line to line of a phase.
    pitch: usize,
    /// Values of a phase.
    phase: usize,
    /// Where the values of each tap begin.
    taps: Vec<usize>,
    /// From the first position of the output to the last, rounded up.
    span: usize,
    /// The most that a tap lies behind the first of its phase.
    behind: usize,
}

impl Layout {
    fn new(geometry: &Geometry) -> Self {
        let window = geometry.window;
        let Window {
            kernel,
            stride,
            padding,
        } = window;
        let [rows, pitch] =
            [1, 2].map(|side| (geometry.large[side] + 2 * padding).div_ceil(stride));
        let phase = rows * pitch;
        let [_, height, width] = geometry.small;
        let behind = |y: usize, x: usize| y / stride * pitch + x / stride;
        let taps = (0..kernel * kernel).map(|tap| (tap / kernel, tap % kernel));
        Self {
            window,
            pitch,
            phase,
            taps: taps
                .map(|(y, x)| (y % stride * stride + x % stride) * phase + behind(y, x))
                .collect(),
            span: ((height - 1) * pitch + width).next_multiple_of(LANES),
            behind: behind(kernel - 1, kernel - 1),
        }
    }

    /// Values of all phases, and what the last vector of the last tap reads.
    fn len(&self) -> usize {
        self.window.stride * self.window.stride * self.phase + 2 * LANES
    }

    /// Values of an output's lines with zeros before, between and behind them: as far as a phase reaches.
    fn lines(&self) -> usize {
        self.behind + self.span.max(self.phase.next_multiple_of(LANES)) + LANES
    }

    /// Where in a phase the first line of a plane begins whose number has this remainder, and that number.
    fn first(&self, remainder: usize) -> [usize; 2] {
        let Window {
            stride, padding, ..
        } = self.window;
        let number = (remainder + stride - padding % stride) % stride;
        [(number + padding) / stride, number]
    }

    /// Copies a plane of lines of `width` into phases, whose borders hold zeros already.
    #[inline(always)]
    fn write(&self, plane: &[f32], width: usize, into: &mut [f32]) {
        let stride = self.window.stride;
        let columns = [0, stride - 1].map(|remainder| self.first(remainder));
        for remainder in 0..stride {
            let [row, number] = self.first(remainder);
            let start = remainder * stride * self.phase + row * self.pitch;
            if stride == 1 {
                write_rows(&mut into[start + columns[0][0]..], self.pitch, plane, width);
                return;
            }
            let lines = plane.chunks_exact(width).skip(number).step_by(stride);
            for (y, line) in lines.enumerate() {
                let (first, second) = into[start + y * self.pitch..].split_at_mut(self.phase);
                let [first, second] = [
                    (&mut first[columns[0][0]..], columns[0][1]),
                    (&mut second[columns[1][0]..], columns[1][1]),
                ];
                // The line's first value is of the phase whose first number is 0.
                let [(evens, _), (odds, _)] = match first.1 {
                    0 => [first, second],
                    _ => [second, first],
                };
                part(line, evens, odds);
            }
        }
    }

    /// [`Self::write`] backwards.
    #[inline(always)]
    fn read(&self, from: &[f32], width: usize, plane: &mut [f32]) {
        let stride = self.window.stride;
        let columns = [0, stride - 1].map(|remainder| self.first(remainder));
        for remainder in 0..stride {
            let [row, number] = self.first(remainder);
            let start = remainder * stride * self.phase + row * self.pitch;
            if stride == 1 {
                copy_rows(&from[start + columns[0][0]..], self.pitch, plane, width);
                return;
            }
            let lines = plane.chunks_exact_mut(width).skip(number).step_by(stride);
            for (y, line) in lines.enumerate() {
                let (first, second) = from[start + y * self.pitch..].split_at(self.phase);
                let [first, second] = [
                    (&first[columns[0][0]..], columns[0][1]),
                    (&second[columns[1][0]..], columns[1][1]),
                ];
                let [(evens, _), (odds, _)] = match first.1 {
                    0 => [first, second],
                    _ => [second, first],
                };
                join(line, evens, odds);
            }
        }
    }
}

/// Pairs that are taken at a time: a number known to the compiler makes them a few vector moves.
const PAIRS: usize = 8;

/// The values of a line with even and with odd numbers.
#[inline(always)]
fn part(line: &[f32], evens: &mut [f32], odds: &mut [f32]) {
    let (blocks, rest) = line.as_chunks::<{ 2 * PAIRS }>();
    let (even_blocks, _) = evens.as_chunks_mut::<PAIRS>();
    let (odd_blocks, _) = odds.as_chunks_mut::<PAIRS>();
    for ((block, evens), odds) in blocks.iter().zip(even_blocks).zip(odd_blocks) {
        for i in 0..PAIRS {
            (evens[i], odds[i]) = (block[2 * i], block[2 * i + 1]);
        }
    }
    let done = blocks.len() * PAIRS;
    let (pairs, last) = rest.as_chunks::<2>();
    for (i, [even, odd]) in pairs.iter().enumerate() {
        (evens[done + i], odds[done + i]) = (*even, *odd);
    }
    if let [last] = last {
        evens[done + pairs.len()] = *last;
    }
}

/// [`part`] backwards.
#[inline(always)]
fn join(line: &mut [f32], evens: &[f32], odds: &[f32]) {
    let (blocks, rest) = line.as_chunks_mut::<{ 2 * PAIRS }>();
    let done = blocks.len() * PAIRS;
    let (even_blocks, _) = evens.as_chunks::<PAIRS>();
    let (odd_blocks, _) = odds.as_chunks::<PAIRS>();
    for ((block, evens), odds) in blocks.iter_mut().zip(even_blocks).zip(odd_blocks) {
        for i in 0..PAIRS {
            (block[2 * i], block[2 * i + 1]) = (evens[i], odds[i]);
        }
    }
    for (i, value) in rest.iter_mut().enumerate() {
        *value = if i % 2 == 0 { evens } else { odds }[done + i / 2];
    }
}

/// `first` and the sum of what `starts` name of `from`, each times its weight, for every place of `into`,
/// which is whole vectors.
#[inline(always)]
fn combine<S: Simd>(
    simd: S,
    (from, starts, weights): (&[f32], &[usize], &[f32]),
    first: f32,
    bounds: [f32; 2],
    into: &mut [f32],
) {
    let (vectors, _) = S::as_mut_simd_f32s(into);
    let mut at = 0;
    while at < vectors.len() {
        let rest = &mut vectors[at..];
        let from = &from[at * S::F32_LANES..];
        let done = if let Some(into) = rest.first_chunk_mut::<8>() {
            *into = block(simd, (from, starts, weights), first, bounds);
            8
        } else if let Some(into) = rest.first_chunk_mut::<4>() {
            *into = block(simd, (from, starts, weights), first, bounds);
            4
        } else if let Some(into) = rest.first_chunk_mut::<1>() {
            *into = block(simd, (from, starts, weights), first, bounds);
            1
        } else {
            return;
        };
        at += done;
    }
}

/// The next `P` vectors of it.
#[inline(always)]
fn block<S: Simd, const P: usize>(
    simd: S,
    (from, starts, weights): (&[f32], &[usize], &[f32]),
    first: f32,
    bounds: [f32; 2],
) -> [S::f32s; P] {
    let mut sums = [simd.splat_f32s(first); P];
    for (start, weight) in starts.iter().zip(weights) {
        let weight = simd.splat_f32s(*weight);
        let (values, _) = S::as_simd_f32s(&from[*start..]);
        let Some(values) = values.first_chunk::<P>() else {
            unreachable!("stretches end within the plane")
        };
        for p in 0..P {
            sums[p] = simd.mul_add_e_f32s(weight, values[p], sums[p]);
        }
    }
    // No closure, which is not always made a part of what has the vector instructions.
    for sum in &mut sums {
        *sum = all_within(simd, *sum, bounds);
    }
    sums
}

/// The sum of products of `with` with what each of these taps reads.
#[inline(always)]
fn products<S: Simd, const T: usize>(
    simd: S,
    from: &[f32],
    starts: &[usize; T],
    with: &[f32],
) -> [f32; T] {
    let (with, _) = S::as_simd_f32s(with);
    let read = starts.map(|start| S::as_simd_f32s(&from[start..]).0);
    let mut sums = [simd.splat_f32s(0.0); T];
    // One check for all.
    let length = read
        .iter()
        .map(|read| read.len())
        .fold(with.len(), usize::min);
    let read = read.map(|read| &read[..length]);
    for (i, with) in with[..length].iter().enumerate() {
        for t in 0..T {
            sums[t] = simd.mul_add_e_f32s(*with, read[t][i], sums[t]);
        }
    }
    let mut totals = [0.0; T];
    for t in 0..T {
        totals[t] = simd.reduce_sum_f32s(sums[t]);
    }
    totals
}

// Each of these is one channel's work. They are types so that the compiler puts them inside the function
// that has the processor's vector instructions.

struct Forward<'a> {
    input: &'a Planes<'a>,
    channel: usize,
    weight: &'a [f32],
    bias: f32,
    bounds: [f32; 2],
    geometry: &'a Geometry,
    layout: &'a Layout,
    scratch: &'a mut Scratch,
    into: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (layout, geometry) = (self.layout, self.geometry);
        let Scratch { phases, lines } = self.scratch;
        // Borders stay zero from plane to plane.
        phases.clear();
        phases.resize(layout.len(), 0.0);
        lines.resize(layout.lines(), 0.0);
        let planes = self.into.chunks_exact_mut(geometry.positions());
        for (image, plane) in planes.enumerate() {
            let from = self.input.plane(self.channel, image);
            layout.write(from, geometry.large[2], phases);
            let sums = &mut lines[..layout.span];
            let taps = (&**phases, &*layout.taps, self.weight);
            combine(simd, taps, self.bias, self.bounds, sums);
            copy_rows(sums, layout.pitch, plane, geometry.small[2]);
        }
    }
}

struct Back<'a> {
    output: &'a [f32],
    weight: &'a [f32],
    geometry: &'a Geometry,
    layout: &'a Layout,
    scratch: &'a mut Scratch,
    into: &'a mut [f32],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (layout, geometry) = (self.layout, self.geometry);
        let Scratch { phases, lines } = self.scratch;
        phases.clear();
        phases.resize(layout.len(), 0.0);
        lines.clear();
        lines.resize(layout.lines(), 0.0);
        let length = layout.phase.next_multiple_of(LANES);
        // A phase after the other, so that what is written beyond one is written again.
        let of_phase = |number: usize| -> (Vec<usize>, Vec<f32>) {
            let taps = layout.taps.iter().zip(self.weight);
            let taps = taps.filter(|(tap, _)| **tap / layout.phase == number);
            let taps =
                taps.map(|(tap, weight)| (layout.behind - (tap - number * layout.phase), *weight));
            taps.unzip()
        };
        let stride = geometry.window.stride;
        let of_phases: Vec<_> = (0..stride * stride).map(of_phase).collect();
        let planes = self.into.chunks_exact_mut(geometry.pixels());
        let outputs = self.output.chunks_exact(geometry.positions());
        for (plane, output) in planes.zip(outputs) {
            let [_, _, width] = geometry.small;
            write_rows(&mut lines[layout.behind..], layout.pitch, output, width);
            for (number, (starts, weights)) in of_phases.iter().enumerate() {
                let into = &mut phases[number * layout.phase..][..length];
                let free = [f32::NEG_INFINITY, f32::INFINITY];
                combine(simd, (&**lines, starts, weights), 0.0, free, into);
            }
            layout.read(phases, geometry.large[2], plane);
        }
    }
}

struct InWeights<'a> {
    input: &'a Planes<'a>,
    channel: usize,
    output: &'a [f32],
    geometry: &'a Geometry,
    layout: &'a Layout,
    scratch: &'a mut Scratch,
    into: &'a mut [f32],
}

impl WithSimd for InWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (layout, geometry) = (self.layout, self.geometry);
        let Scratch { phases, lines } = self.scratch;
        phases.clear();
        phases.resize(layout.len(), 0.0);
        lines.clear();
        lines.resize(layout.lines(), 0.0);
        // Sums over images keep their digits.
        let mut sums = vec![0.0f64; layout.taps.len()];
        let outputs = self.output.chunks_exact(geometry.positions());
        for (image, output) in outputs.enumerate() {
            let from = self.input.plane(self.channel, image);
            layout.write(from, geometry.large[2], phases);
            write_rows(lines, layout.pitch, output, geometry.small[2]);
            let with = &lines[..layout.span];
            let (blocks, rest) = layout.taps.as_chunks::<TAPS>();
            let (block_sums, rest_sums) = sums.as_chunks_mut::<TAPS>();
            for (starts, sums) in blocks.iter().zip(block_sums) {
                let found = products(simd, phases, starts, with);
                sums.iter_mut()
                    .zip(found)
                    .for_each(|(sum, v)| *sum += f64::from(v));
            }
            for (start, sum) in rest.iter().zip(rest_sums) {
                let [found] = products(simd, phases, &[*start], with);
                *sum += f64::from(found);
            }
        }
        for (into, sum) in self.into.iter_mut().zip(sums) {
            *into = sum as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, modulus: usize) -> Vec<f32> {
        let value = |i: usize| (i * 7919 % modulus) as f32 / modulus as f32 - 0.5;
        (0..count).map(value).collect()
    }

    /// Each value of the output by the definition: the input's and the weight's place of each product.
    fn each(geometry: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
        let ([c, h, w], [_, height, width]) = (geometry.large, geometry.small);
        let Window {
            kernel,
            stride,
            padding,
        } = geometry.window;
        for plane in 0..c * geometry.n {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                for (ky, kx) in (0..kernel).flat_map(|y| (0..kernel).map(move |x| (y, x))) {
                    let row = (y * stride + ky).wrapping_sub(padding);
                    let column = (x * stride + kx).wrapping_sub(padding);
                    if row < h && column < w {
                        let output = (plane * height + y) * width + x;
                        let input = (plane * h + row) * w + column;
                        let tap = (plane / geometry.n * kernel + ky) * kernel + kx;
                        visit(output, input, tap);
                    }
                }
            }
        }
    }

    #[test]
    fn equals_the_definition() {
        let window = |kernel, stride, padding| Window {
            kernel,
            stride,
            padding,
        };
        let cases = [
            ([1, 2, 1, 1], window(1, 1, 0)),
            ([2, 3, 7, 9], window(3, 1, 1)),
            ([3, 5, 7, 9], window(3, 2, 1)),
            ([2, 4, 8, 6], window(3, 2, 1)),
            ([2, 4, 8, 6], window(3, 2, 2)),
            ([2, 3, 33, 40], window(5, 2, 2)),
            ([1, 3, 12, 11], window(5, 2, 3)),
            ([2, 2, 5, 40], window(7, 1, 3)),
            ([1, 2, 16, 15], window(7, 2, 3)),
            ([2, 3, 11, 6], window(2, 2, 0)),
            ([2, 3, 5, 5], window(5, 1, 0)),
            ([1, 2, 4, 4], window(1, 2, 0)),
        ];
        for (shape, window) in cases {
            let [n, c, h, w] = shape;
            let geometry = Geometry::convolution(shape, c, window).in_groups(c);
            assert!(suits(&geometry));
            let input = values(n * c * h * w, 101);
            let weight = values(c * window.kernel * window.kernel, 103);
            let output = values(n * c * geometry.positions(), 107);
            let bias = values(c, 13);
            let planes = Planes {
                values: &input,
                channel: n * h * w,
                image: h * w,
                pixels: h * w,
            };
            let mut sums: Vec<f64> = (0..output.len())
                .map(|i| f64::from(bias[i / (n * geometry.positions())]))
                .collect();
            let (mut inputs, mut weights) = (vec![0.0; input.len()], vec![0.0; weight.len()]);
            each(&geometry, |o, i, t| {
                let [input, weight, output] = [input[i], weight[t], output[o]].map(f64::from);
                sums[o] += input * weight;
                inputs[i] += output * weight;
                weights[t] += output * input;
            });
            let clipped: Vec<f64> = sums.iter().map(|sum| sum.clamp(0.0, 0.5)).collect();
            let then = Then {
                bias: Some(&bias),
                bounds: [0.0, 0.5],
            };
            for (found, expected) in [
                (convolve(&planes, &weight, &geometry, then), clipped),
                (convolve_back(&output, &weight, &geometry), inputs),
                (correlate(&planes, &output, &geometry), weights),
            ] {
                assert_eq!(found.len(), expected.len());
                let largest = expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
                for (found, expected) in found.iter().zip(&expected) {
                    let apart = (f64::from(*found) - expected).abs();
                    assert!(apart < 1e-6 * largest, "{shape:?} {window:?}: {apart}");
                }
            }
        }
    }
}
