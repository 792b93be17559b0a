//! A convolution, and both halves of its derivative, as matrix products over tiles.
//!
//! The matrix of windows is never whole in memory: a tile of it, some images by some
//! channels, is written to scratch memory, multiplied, and forgotten. Tiles are the same
//! for any number of threads.

use std::cell::RefCell;
use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::channels::Planes;
use crate::columns::{Scratch, gather, scatter};
use crate::geometry::Geometry;

/// Columns of a tile, about: enough to keep the product busy.
const COLUMNS: usize = 1024;

/// Rows of a tile, at most, where a single channel has no more: with [`COLUMNS`] a
/// megabyte, what a core's own cache holds.
const ROWS: usize = 288;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Geometry {
    fn images_per_tile(&self) -> usize {
        (COLUMNS / self.positions()).clamp(1, self.n.max(1))
    }

    fn channels_per_tile(&self) -> usize {
        (ROWS / self.taps()).clamp(1, self.large[0])
    }

    fn image_tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        ranges(self.n, self.images_per_tile())
    }

    fn channel_tiles(&self) -> Vec<Range<usize>> {
        ranges(self.large[0], self.channels_per_tile()).collect()
    }
}

fn ranges(end: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..end)
        .step_by(step)
        .map(move |start| start..(start + step).min(end))
}

/// The convolution of `input` with `weight` (`[small, large, kernel, kernel]`):
/// `[small channels, n, height, width]`.
pub(crate) fn convolve(input: &Planes<'_>, weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let outputs = geometry.small[0];
    let columns = geometry.n * geometry.positions();
    let weight = MatRef::from_row_major_slice(weight, outputs, geometry.large[0] * geometry.taps());
    let mut output = vec![0.0; outputs * columns];
    let per_tile = geometry.images_per_tile() * geometry.positions();
    MatMut::from_row_major_slice_mut(&mut output, outputs, columns)
        .par_col_chunks_mut(per_tile.max(1))
        .zip(geometry.image_tiles().collect::<Vec<_>>())
        .for_each(|(mut output, images)| {
            SCRATCH.with_borrow_mut(|scratch| {
                for (i, channels) in geometry.channel_tiles().into_iter().enumerate() {
                    gather(input, geometry, channels.clone(), images.clone(), scratch);
                    let rows = taps_of(&channels, geometry);
                    let accumulate = if i == 0 { Accum::Replace } else { Accum::Add };
                    let columns =
                        MatRef::from_row_major_slice(&scratch.columns, rows.len(), output.ncols());
                    let weight = weight.subcols(rows.start, rows.len());
                    matmul(output.as_mut(), accumulate, weight, columns, 1.0, Par::Seq);
                }
            });
        });
    output
}

/// The adjoint of [`convolve`] in its input: from `output` (`[small channels, n, height,
/// width]`) to `[large channels, n, height, width]`.
pub(crate) fn convolve_back(output: &[f32], weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let outputs = geometry.small[0];
    let (positions, pixels) = (geometry.positions(), geometry.pixels());
    let weight = MatRef::from_row_major_slice(weight, outputs, geometry.large[0] * geometry.taps());
    let output = MatRef::from_row_major_slice(output, outputs, geometry.n * positions);
    let mut input = vec![0.0; geometry.large[0] * geometry.n * pixels];
    let per_tile = geometry.images_per_tile();
    tiles_of(&mut input, geometry)
        .into_par_iter()
        .for_each(|(channels, planes)| {
            SCRATCH.with_borrow_mut(|scratch| {
                let rows = taps_of(&channels, geometry);
                let weight = weight.subcols(rows.start, rows.len()).transpose();
                for (tile, mut planes) in planes.into_iter().enumerate() {
                    let images = planes[0].len() / pixels;
                    let columns = images * positions;
                    scratch.columns.resize(rows.len() * columns, 0.0);
                    matmul(
                        MatMut::from_row_major_slice_mut(&mut scratch.columns, rows.len(), columns),
                        Accum::Replace,
                        weight,
                        output.subcols(tile * per_tile * positions, columns),
                        1.0,
                        Par::Seq,
                    );
                    scatter(geometry, images, &mut planes, scratch);
                }
            });
        });
    input
}

/// The derivative of a sum weighted by `output` (`[small channels, n, height, width]`) of
/// the convolution of `input` in its weights: `[small, large, kernel, kernel]`.
pub(crate) fn correlate(input: &Planes<'_>, output: &[f32], geometry: &Geometry) -> Vec<f32> {
    let outputs = geometry.small[0];
    let positions = geometry.positions();
    let inputs = geometry.large[0] * geometry.taps();
    let output = MatRef::from_row_major_slice(output, outputs, geometry.n * positions);
    let mut weight = vec![0.0; outputs * inputs];
    let per_tile = geometry.channels_per_tile() * geometry.taps();
    MatMut::from_row_major_slice_mut(&mut weight, outputs, inputs)
        .par_col_chunks_mut(per_tile)
        .zip(geometry.channel_tiles())
        .for_each(|(mut weight, channels)| {
            SCRATCH.with_borrow_mut(|scratch| {
                for images in geometry.image_tiles() {
                    gather(input, geometry, channels.clone(), images.clone(), scratch);
                    let columns = images.len() * positions;
                    let windows =
                        MatRef::from_row_major_slice(&scratch.columns, weight.ncols(), columns);
                    matmul(
                        weight.as_mut(),
                        Accum::Add,
                        output.subcols(images.start * positions, columns),
                        windows.transpose(),
                        1.0,
                        Par::Seq,
                    );
                }
            });
        });
    weight
}

/// The rows that these channels have in the matrix of windows.
fn taps_of(channels: &Range<usize>, geometry: &Geometry) -> Range<usize> {
    channels.start * geometry.taps()..channels.end * geometry.taps()
}

/// A channel tile, and for each image tile its part of each of its channels.
type Tile<'a> = (Range<usize>, Vec<Vec<&'a mut [f32]>>);

/// Cuts channel-major images into tiles.
fn tiles_of<'a>(values: &'a mut [f32], geometry: &Geometry) -> Vec<Tile<'a>> {
    let per_tile = geometry.images_per_tile() * geometry.pixels();
    let mut channels = values.chunks_mut((geometry.n * geometry.pixels()).max(1));
    geometry
        .channel_tiles()
        .into_iter()
        .map(|range| {
            let mut tiles: Vec<Vec<&mut [f32]>> =
                geometry.image_tiles().map(|_| Vec::new()).collect();
            for channel in channels.by_ref().take(range.len()) {
                for (tile, part) in tiles.iter_mut().zip(channel.chunks_mut(per_tile)) {
                    tile.push(part);
                }
            }
            (range, tiles)
        })
        .collect()
}
