//! A convolution and both halves of its derivative: transforms, a matrix product for each point,
//! and the transform back, for some images at a time.
//!
//! How images are divided depends on their shapes alone, and so do the results: threads share the
//! channels and the points.

use std::cell::RefCell;
use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, Par};
use rayon::prelude::*;

use super::points::Points;
use super::tiles::{Around, Borders, Images, Sorted, Tiling, Weights, WeightsAdjoint, Within, run};
use super::transforms::TAPS;
use crate::channels::Planes;
use crate::geometry::{Geometry, Window};

/// Tiles that are transformed together, about: what they become stays in a core's caches.
const TILES: usize = 128;

/// Channels on either side below which transforms cost more than they save.
const CHANNELS: usize = 16;

thread_local! {
    static SORTED: RefCell<Sorted> = RefCell::default();
}

/// Whether this is the way for a convolution of this shape.
pub(crate) fn suits(geometry: &Geometry) -> bool {
    let window = Window {
        kernel: TAPS,
        stride: 1,
        padding: 1,
    };
    // Of images of two pixels and less a tile is mostly empty.
    let [_, height, width] = geometry.large;
    let fills = height.min(width) > TAPS - 1;
    geometry.window == window && fills && geometry.large[0].min(geometry.small[0]) >= CHANNELS
}

/// The convolution of `input` with `weight` (`[small, large, 3, 3]`):
/// `[small channels, n, height, width]`.
pub(crate) fn convolve(input: &Planes<'_>, weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let inputs = geometry.large[0];
    let (weight, _) = weight.as_chunks::<{ TAPS * TAPS }>();
    let mut weights = Points::default();
    weights.reshape(geometry.small[0], inputs);
    (weights.rows().into_par_iter().enumerate()).for_each(|(output, into)| {
        run(Weights {
            weights: |input: usize| weight[output * inputs + input],
            count: inputs,
            into,
        });
    });
    apply(input, &weights, geometry, [inputs, geometry.small[0]])
}

/// The adjoint of [`convolve`] in its input: from `output` (`[small channels, n, height,
/// width]`) to `[large channels, n, height, width]`.
pub(crate) fn convolve_back(output: &[f32], weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let (inputs, outputs) = (geometry.large[0], geometry.small[0]);
    let (weight, _) = weight.as_chunks::<{ TAPS * TAPS }>();
    let mut weights = Points::default();
    weights.reshape(inputs, outputs);
    (weights.rows().into_par_iter().enumerate()).for_each(|(input, into)| {
        run(Weights {
            // Backwards.
            weights: |output: usize| {
                let mut taps = weight[output * inputs + input];
                taps.reverse();
                taps
            },
            count: outputs,
            into,
        });
    });
    apply(
        &whole(output, geometry),
        &weights,
        geometry,
        [outputs, inputs],
    )
}

/// The convolution with transformed weights, between so many channels.
fn apply(
    input: &Planes<'_>,
    weights: &Points,
    geometry: &Geometry,
    [from, to]: [usize; 2],
) -> Vec<f32> {
    let tiling = tiling(geometry);
    let pixels = geometry.pixels();
    let mut output = vec![0.0; to * geometry.n * pixels];
    let (mut around, mut products) = (Points::default(), Points::default());
    for images in blocks(geometry, &tiling) {
        let tiles = images.len() * tiling.tiles();
        let borders = Borders::new(&tiling, images.len());
        transform_around(input, &tiling, &borders, &images, from, &mut around);
        products.reshape(to, tiles);
        let matrices = products.matrices().into_par_iter().enumerate();
        matrices.for_each(|(point, product)| {
            let (weights, around) = (weights.matrix(point), around.matrix(point));
            matmul(product, Accum::Replace, weights, around, 1.0, Par::Seq);
        });
        let channels = output
            .par_chunks_mut((geometry.n * pixels).max(1))
            .enumerate();
        channels.for_each(|(channel, planes)| {
            SORTED.with_borrow_mut(|sorted| {
                run(Images {
                    tiling: &tiling,
                    products: products.row(channel),
                    sorted,
                    into: &mut planes[images.start * pixels..images.end * pixels],
                });
            });
        });
    }
    output
}

/// The derivative of a sum weighted by `output` (`[small channels, n, height, width]`) of
/// the convolution of `input` in its weights: `[small, large, 3, 3]`.
pub(crate) fn correlate(input: &Planes<'_>, output: &[f32], geometry: &Geometry) -> Vec<f32> {
    let (inputs, outputs) = (geometry.large[0], geometry.small[0]);
    let tiling = tiling(geometry);
    let output = whole(output, geometry);
    let mut sums = Points::default();
    sums.reshape(outputs, inputs);
    let (mut around, mut within) = (Points::default(), Points::default());
    for images in blocks(geometry, &tiling) {
        let borders = Borders::new(&tiling, images.len());
        transform_around(input, &tiling, &borders, &images, inputs, &mut around);
        within.reshape(outputs, images.len() * tiling.tiles());
        (within.rows().into_par_iter().enumerate()).for_each(|(channel, into)| {
            SORTED.with_borrow_mut(|sorted| {
                run(Within {
                    tiling: &tiling,
                    planes: &output,
                    channel,
                    images: images.clone(),
                    sorted,
                    into,
                });
            });
        });
        let accumulate = if images.start == 0 {
            Accum::Replace
        } else {
            Accum::Add
        };
        let add = |(point, sum): (usize, MatMut<'_, f32>)| {
            let (within, around) = (within.matrix(point), around.matrix(point));
            matmul(sum, accumulate, within, around.transpose(), 1.0, Par::Seq);
        };
        sums.matrices().into_par_iter().enumerate().for_each(add);
    }
    let mut weight = vec![0.0; outputs * inputs * TAPS * TAPS];
    let (pairs, _) = weight.as_chunks_mut::<{ TAPS * TAPS }>();
    let rows = pairs.par_chunks_mut(inputs).enumerate();
    rows.for_each(|(output, into)| {
        let points = sums.row(output);
        run(WeightsAdjoint { points, into });
    });
    weight
}

/// The transform of what the tiles of some images read, a row for each of `channels`.
fn transform_around(
    planes: &Planes<'_>,
    tiling: &Tiling,
    borders: &Borders,
    images: &Range<usize>,
    channels: usize,
    into: &mut Points,
) {
    into.reshape(channels, images.len() * tiling.tiles());
    (into.rows().into_par_iter().enumerate()).for_each(|(channel, into)| {
        SORTED.with_borrow_mut(|sorted| {
            run(Around {
                tiling,
                borders,
                planes,
                channel,
                images: images.clone(),
                sorted,
                into,
            });
        });
    });
}

fn tiling(geometry: &Geometry) -> Tiling {
    let [_, height, width] = geometry.large;
    Tiling { height, width }
}

/// Images that are transformed together.
fn blocks(geometry: &Geometry, tiling: &Tiling) -> impl Iterator<Item = Range<usize>> + use<> {
    let n = geometry.n;
    let images = (TILES / tiling.tiles().max(1)).max(1);
    let block = move |start: usize| start..(start + images).min(n);
    (0..n).step_by(images).map(block)
}

/// Channel-major values as planes; input and output have equal sides.
fn whole<'a>(values: &'a [f32], geometry: &Geometry) -> Planes<'a> {
    let pixels = geometry.pixels();
    Planes {
        values,
        channel: geometry.n * pixels,
        image: pixels,
        pixels,
    }
}
