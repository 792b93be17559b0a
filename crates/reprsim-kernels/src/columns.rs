//! Windows of images as columns of a matrix, and back.
//!
//! Row (c, ky, kx) of the matrix holds, for every image and output position, the pixel of
//! channel c that the window's element (ky, kx) meets there (Chellapilla, Puri and Simard
//! 2006). A plane is first copied into a padded one whose columns are sorted by their
//! remainder modulo the stride: what a row of the matrix takes from it is then
//! contiguous for any stride, and no pixel needs a check for the border.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::channels::Planes;
use crate::geometry::{Geometry, Window};

/// One padded plane: `rows` rows of `stride` phases of `phase` columns each.
pub(crate) struct Padded {
    rows: usize,
    row: usize,
    phase: usize,
    /// Where the first pixel is.
    first: usize,
    /// Where the values of each tap begin.
    pub taps: Vec<usize>,
    /// From one row of output positions to the next.
    pub step: usize,
}

impl Padded {
    pub fn new(geometry: &Geometry) -> Self {
        let Window {
            kernel,
            stride,
            padding,
        } = geometry.window;
        let phase = (geometry.large[2] + 2 * padding).div_ceil(stride);
        let row = phase * stride;
        Self {
            rows: geometry.large[1] + 2 * padding,
            row,
            phase,
            first: padding * row,
            taps: (0..kernel * kernel)
                .map(|tap| (tap / kernel, tap % kernel))
                .map(|(y, x)| y * row + (x % stride) * phase + x / stride)
                .collect(),
            step: stride * row,
        }
    }

    /// Values of a plane.
    pub fn len(&self) -> usize {
        self.rows * self.row
    }

    /// The place of a line's pixel `x` within its row.
    #[inline(always)]
    fn column(&self, x: usize, window: Window) -> usize {
        let x = x + window.padding;
        (x % window.stride) * self.phase + x / window.stride
    }
}

/// Scratch memory that a thread uses over and over.
#[derive(Default)]
pub(crate) struct Scratch {
    padded: Vec<f32>,
    pub columns: Vec<f32>,
}

/// Fills `scratch.columns` with the matrix `[channels * taps, images * positions]`.
pub(crate) fn gather(
    input: &Planes<'_>,
    geometry: &Geometry,
    channels: Range<usize>,
    images: Range<usize>,
    scratch: &mut Scratch,
) {
    let padded = Padded::new(geometry);
    let values = channels.len() * geometry.taps() * images.len() * geometry.positions();
    scratch.columns.resize(values, 0.0);
    // Borders stay zero from plane to plane.
    scratch.padded.clear();
    scratch.padded.resize(padded.len(), 0.0);
    Arch::new().dispatch(Gather {
        input,
        geometry,
        channels,
        images,
        padded: &padded,
        scratch,
    });
}

struct Gather<'a> {
    input: &'a Planes<'a>,
    geometry: &'a Geometry,
    channels: Range<usize>,
    images: Range<usize>,
    padded: &'a Padded,
    scratch: &'a mut Scratch,
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let positions = self.geometry.positions();
        let row = self.images.len() * positions;
        let [_, _, width] = self.geometry.small;
        let plane = &mut self.scratch.padded;
        let rows = self
            .scratch
            .columns
            .chunks_exact_mut(self.padded.taps.len() * row);
        for (channel, rows) in self.channels.zip(rows) {
            for (i, image) in self.images.clone().enumerate() {
                pad(
                    self.input.plane(channel, image),
                    self.geometry,
                    self.padded,
                    plane,
                );
                for (start, row) in self.padded.taps.iter().zip(rows.chunks_exact_mut(row)) {
                    let into = &mut row[i * positions..(i + 1) * positions];
                    copy_rows(&plane[*start..], self.padded.step, into, width);
                }
            }
        }
    }
}

/// Adds the matrix `[channels * taps, images * positions]` in `scratch.columns` up to
/// images: the adjoint of [`gather`]. `planes` holds the planes of each channel for these
/// images, which are overwritten.
pub(crate) fn scatter(
    geometry: &Geometry,
    images: usize,
    planes: &mut [&mut [f32]],
    scratch: &mut Scratch,
) {
    Arch::new().dispatch(Scatter {
        geometry,
        images,
        planes,
        padded: &Padded::new(geometry),
        scratch,
    });
}

struct Scatter<'a, 'b> {
    geometry: &'a Geometry,
    images: usize,
    planes: &'a mut [&'b mut [f32]],
    padded: &'a Padded,
    scratch: &'a mut Scratch,
}

impl WithSimd for Scatter<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let positions = self.geometry.positions();
        let row = self.images * positions;
        let [_, _, width] = self.geometry.small;
        let sums = &mut self.scratch.padded;
        let rows = self
            .scratch
            .columns
            .chunks_exact(self.padded.taps.len() * row);
        for (planes, rows) in self.planes.iter_mut().zip(rows) {
            for (i, plane) in planes.chunks_exact_mut(self.geometry.pixels()).enumerate() {
                sums.clear();
                sums.resize(self.padded.len(), 0.0);
                for (start, row) in self.padded.taps.iter().zip(rows.chunks_exact(row)) {
                    let from = &row[i * positions..(i + 1) * positions];
                    add_rows(&mut sums[*start..], self.padded.step, from, width);
                }
                unpad(plane, self.geometry, self.padded, sums);
            }
        }
    }
}

/// Copies a plane into a padded one, whose borders hold zeros already.
#[inline(always)]
pub(crate) fn pad(plane: &[f32], geometry: &Geometry, padded: &Padded, into: &mut [f32]) {
    let [_, _, width] = geometry.large;
    let window = geometry.window;
    if window.stride == 1 {
        let first = padded.first + window.padding;
        return write_rows(&mut into[first..], padded.row, plane, width);
    }
    let rows = into[padded.first..].chunks_exact_mut(padded.row);
    for (line, row) in plane.chunks_exact(width).zip(rows) {
        match window.stride {
            2 => {
                let (pairs, last) = line.as_chunks::<2>();
                let (evens, odds) = evens_and_odds(row, padded, window);
                part(pairs, evens, odds);
                if let [last] = last {
                    row[padded.column(width - 1, window)] = *last;
                }
            }
            _ => {
                for (x, value) in line.iter().enumerate() {
                    row[padded.column(x, window)] = *value;
                }
            }
        }
    }
}

#[inline(always)]
fn unpad(plane: &mut [f32], geometry: &Geometry, padded: &Padded, from: &mut [f32]) {
    let [_, _, width] = geometry.large;
    let window = geometry.window;
    let rows = from[padded.first..].chunks_exact_mut(padded.row);
    for (line, row) in plane.chunks_exact_mut(width).zip(rows) {
        match window.stride {
            1 => line.copy_from_slice(&row[window.padding..window.padding + width]),
            2 => {
                let (pairs, last) = line.as_chunks_mut::<2>();
                let (evens, odds) = evens_and_odds(row, padded, window);
                join(pairs, evens, odds);
                if let [last] = last {
                    *last = row[padded.column(width - 1, window)];
                }
            }
            _ => {
                for (x, value) in line.iter_mut().enumerate() {
                    *value = row[padded.column(x, window)];
                }
            }
        }
    }
}

/// Where the pixels of a line with even and with odd numbers are in its row, for a stride
/// of two.
#[inline(always)]
fn evens_and_odds<'a>(
    row: &'a mut [f32],
    padded: &Padded,
    window: Window,
) -> (&'a mut [f32], &'a mut [f32]) {
    let (first, second) = row.split_at_mut(padded.phase);
    let before = window.padding / 2;
    if window.padding.is_multiple_of(2) {
        (&mut first[before..], &mut second[before..])
    } else {
        (&mut second[before..], &mut first[before + 1..])
    }
}

/// The first and the second values of pairs. (A number known to the compiler makes them a few vector
/// moves; it finds none for one pair after another.)
#[inline(always)]
fn part(pairs: &[[f32; 2]], evens: &mut [f32], odds: &mut [f32]) {
    match pairs.len() {
        4 => part_of::<4>(pairs, evens, odds),
        7 => part_of::<7>(pairs, evens, odds),
        8 => part_of::<8>(pairs, evens, odds),
        14 => part_of::<14>(pairs, evens, odds),
        16 => part_of::<16>(pairs, evens, odds),
        _ => {
            for ((pair, even), odd) in pairs.iter().zip(evens).zip(odds) {
                [*even, *odd] = *pair;
            }
        }
    }
}

#[inline(always)]
fn part_of<const PAIRS: usize>(pairs: &[[f32; 2]], evens: &mut [f32], odds: &mut [f32]) {
    let parts = (
        pairs.first_chunk::<PAIRS>(),
        evens.first_chunk_mut::<PAIRS>(),
        odds.first_chunk_mut::<PAIRS>(),
    );
    if let (Some(pairs), Some(evens), Some(odds)) = parts {
        let (mut first, mut second) = ([0.0; PAIRS], [0.0; PAIRS]);
        for i in 0..PAIRS {
            (first[i], second[i]) = (pairs[i][0], pairs[i][1]);
        }
        (*evens, *odds) = (first, second);
    }
}

/// [`part`] backwards.
#[inline(always)]
fn join(pairs: &mut [[f32; 2]], evens: &[f32], odds: &[f32]) {
    match pairs.len() {
        4 => join_of::<4>(pairs, evens, odds),
        7 => join_of::<7>(pairs, evens, odds),
        8 => join_of::<8>(pairs, evens, odds),
        14 => join_of::<14>(pairs, evens, odds),
        16 => join_of::<16>(pairs, evens, odds),
        _ => {
            for ((pair, even), odd) in pairs.iter_mut().zip(evens).zip(odds) {
                *pair = [*even, *odd];
            }
        }
    }
}

#[inline(always)]
fn join_of<const PAIRS: usize>(pairs: &mut [[f32; 2]], evens: &[f32], odds: &[f32]) {
    let parts = (
        pairs.first_chunk_mut::<PAIRS>(),
        evens.first_chunk::<PAIRS>(),
        odds.first_chunk::<PAIRS>(),
    );
    if let (Some(pairs), Some(evens), Some(odds)) = parts {
        let mut joined = [[0.0; 2]; PAIRS];
        for i in 0..PAIRS {
            joined[i] = [evens[i], odds[i]];
        }
        *pairs = joined;
    }
}

/// Copies rows of `width` values that are `step` apart to contiguous ones.
#[inline(always)]
pub(crate) fn copy_rows(from: &[f32], step: usize, into: &mut [f32], width: usize) {
    // A width known to the compiler makes a row a few vector moves instead of a call.
    match width {
        4 => copy_rows_of::<4>(from, step, into),
        7 => copy_rows_of::<7>(from, step, into),
        8 => copy_rows_of::<8>(from, step, into),
        14 => copy_rows_of::<14>(from, step, into),
        16 => copy_rows_of::<16>(from, step, into),
        28 => copy_rows_of::<28>(from, step, into),
        32 => copy_rows_of::<32>(from, step, into),
        _ => {
            for (y, row) in into.chunks_exact_mut(width).enumerate() {
                row.copy_from_slice(&from[y * step..y * step + width]);
            }
        }
    }
}

#[inline(always)]
fn copy_rows_of<const WIDTH: usize>(from: &[f32], step: usize, into: &mut [f32]) {
    let (rows, _) = into.as_chunks_mut::<WIDTH>();
    for (y, row) in rows.iter_mut().enumerate() {
        if let Some(values) = from[y * step..].first_chunk::<WIDTH>() {
            *row = *values;
        }
    }
}

/// Copies contiguous rows of `width` values to ones that are `step` apart.
#[inline(always)]
pub(crate) fn write_rows(into: &mut [f32], step: usize, from: &[f32], width: usize) {
    match width {
        4 => write_rows_of::<4>(into, step, from),
        7 => write_rows_of::<7>(into, step, from),
        8 => write_rows_of::<8>(into, step, from),
        14 => write_rows_of::<14>(into, step, from),
        16 => write_rows_of::<16>(into, step, from),
        28 => write_rows_of::<28>(into, step, from),
        32 => write_rows_of::<32>(into, step, from),
        _ => {
            for (y, row) in from.chunks_exact(width).enumerate() {
                into[y * step..y * step + width].copy_from_slice(row);
            }
        }
    }
}

#[inline(always)]
fn write_rows_of<const WIDTH: usize>(into: &mut [f32], step: usize, from: &[f32]) {
    let (rows, _) = from.as_chunks::<WIDTH>();
    for (y, row) in rows.iter().enumerate() {
        if let Some(values) = into[y * step..].first_chunk_mut::<WIDTH>() {
            *values = *row;
        }
    }
}

/// Adds contiguous rows of `width` values to rows that are `step` apart.
#[inline(always)]
fn add_rows(into: &mut [f32], step: usize, from: &[f32], width: usize) {
    match width {
        4 => add_rows_of::<4>(into, step, from),
        7 => add_rows_of::<7>(into, step, from),
        8 => add_rows_of::<8>(into, step, from),
        14 => add_rows_of::<14>(into, step, from),
        16 => add_rows_of::<16>(into, step, from),
        28 => add_rows_of::<28>(into, step, from),
        32 => add_rows_of::<32>(into, step, from),
        _ => {
            for (y, row) in from.chunks_exact(width).enumerate() {
                let sums = &mut into[y * step..y * step + width];
                sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
        }
    }
}

#[inline(always)]
fn add_rows_of<const WIDTH: usize>(into: &mut [f32], step: usize, from: &[f32]) {
    let (rows, _) = from.as_chunks::<WIDTH>();
    for (y, row) in rows.iter().enumerate() {
        if let Some(sums) = into[y * step..].first_chunk_mut::<WIDTH>() {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
    }
}
