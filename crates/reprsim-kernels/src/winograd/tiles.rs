//! Images cut into tiles, and the transforms of all tiles of a channel.
//!
//! A channel's pixels are first sorted by their place in their tile: the transforms then run over
//! values that lie one after another, a lane for each tile, however small the images are. What a tile
//! reads beyond its own pixels is its neighbours'.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::points::{LANES, POINTS};
use super::transforms::{IN, OUT, TAPS, input, output, output_adjoint, weight, weight_adjoint};
use crate::channels::Planes;

/// How images are cut into tiles: what does not fill the last tile of a side is zero.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    pub height: usize,
    pub width: usize,
}

impl Tiling {
    fn across(&self) -> usize {
        self.width.div_ceil(OUT)
    }

    fn down(&self) -> usize {
        self.height.div_ceil(OUT)
    }

    /// Tiles of an image.
    pub fn tiles(&self) -> usize {
        self.across() * self.down()
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }
}

/// Which sides of some images' tiles have a neighbour: 1 where there is one.
pub(super) struct Borders {
    left: Vec<f32>,
    right: Vec<f32>,
    above: Vec<f32>,
    below: Vec<f32>,
}

impl Borders {
    pub fn new(tiling: &Tiling, images: usize) -> Self {
        let (across, down) = (tiling.across(), tiling.down());
        let tiles = (images * tiling.tiles()).next_multiple_of(LANES);
        let mask = |has: &dyn Fn(usize, usize) -> bool| {
            let place = |tile| has(tile % across, tile / across % down);
            (0..tiles)
                .map(|tile| f32::from(u8::from(place(tile))))
                .collect()
        };
        Self {
            left: mask(&|x, _| x > 0),
            right: mask(&|x, _| x + 1 < across),
            above: mask(&|_, y| y > 0),
            below: mask(&|_, y| y + 1 < down),
        }
    }
}

/// Pixels of one channel of some images, sorted by their place in their tile: `OUT * OUT` rows of
/// one value for each tile, with room for a row of tiles on both sides.
#[derive(Default)]
pub(super) struct Sorted {
    values: Vec<f32>,
    /// The same sorted by the row in their tile alone.
    lines: Vec<f32>,
    /// Tiles of room, on one side.
    room: usize,
    /// Values of a row with all its room.
    length: usize,
}

impl Sorted {
    fn reshape(&mut self, tiling: &Tiling, images: usize) {
        let tiles = images * tiling.tiles();
        self.room = tiling.across() + 1;
        let length = tiles.next_multiple_of(LANES) + 2 * self.room + LANES;
        if self.length != length {
            // The room must hold numbers; it is masked.
            self.length = length;
            self.values.clear();
            self.values.resize(OUT * OUT * length, 0.0);
        }
        self.lines.clear();
        self.lines.resize(OUT * OUT * tiles, 0.0);
    }

    /// Where a line of an image lies among lines that are sorted by their row in their tile.
    fn line(&self, tiling: &Tiling, image: usize, y: usize) -> usize {
        let width = tiling.across() * OUT;
        let of_row = self.lines.len() / OUT;
        y % OUT * of_row + (image * tiling.down() + y / OUT) * width
    }

    #[inline(always)]
    fn fill<'a>(&mut self, tiling: &Tiling, images: impl Iterator<Item = &'a [f32]>) {
        for (i, image) in images.enumerate() {
            for (y, line) in image.chunks_exact(tiling.width).enumerate() {
                let start = self.line(tiling, i, y);
                self.lines[start..start + line.len()].copy_from_slice(line);
            }
        }
        let of_row = (self.lines.len() / OUT).max(1);
        let rows = self.values.chunks_exact_mut(OUT * self.length);
        for (lines, row) in self.lines.chunks_exact(of_row).zip(rows) {
            part(lines, row, self.length, self.room);
        }
    }

    /// The inverse of [`Self::fill`].
    #[inline(always)]
    fn write(&mut self, tiling: &Tiling, images: &mut [f32]) {
        let of_row = (self.lines.len() / OUT).max(1);
        let rows = self.values.chunks_exact(OUT * self.length);
        for (lines, row) in self.lines.chunks_exact_mut(of_row).zip(rows) {
            join(lines, row, self.length, self.room);
        }
        for (i, image) in images.chunks_exact_mut(tiling.pixels()).enumerate() {
            for (y, line) in image.chunks_exact_mut(tiling.width).enumerate() {
                let start = self.line(tiling, i, y);
                line.copy_from_slice(&self.lines[start..start + line.len()]);
            }
        }
    }

    /// The pixels in this place of the tiles from `tile` on; tiles are counted through all images.
    #[inline(always)]
    fn pixels<S: Simd>(&self, row: usize, column: usize, tile: isize) -> S::f32s {
        let start = (row * OUT + column) * self.length + (self.room as isize + tile) as usize;
        load::<S>(&self.values[start..])
    }
}

/// Values in turns to `OUT` rows of `length`, behind some room. (Blocks of constant size, because the
/// compiler finds no vector instructions for single values in turns.)
#[inline(always)]
fn part(values: &[f32], rows: &mut [f32], length: usize, room: usize) {
    let (blocks, rest) = values.as_chunks::<{ OUT * LANES }>();
    for (row, rows) in rows.chunks_exact_mut(length).enumerate() {
        let (into, _) = rows[room..].as_chunks_mut::<LANES>();
        for (block, into) in blocks.iter().zip(into) {
            let mut lanes = [0.0; LANES];
            for lane in 0..LANES {
                lanes[lane] = block[lane * OUT + row];
            }
            *into = lanes;
        }
        let start = room + blocks.len() * LANES;
        for (value, into) in rest.iter().skip(row).step_by(OUT).zip(&mut rows[start..]) {
            *into = *value;
        }
    }
}

/// The inverse of [`part`].
#[inline(always)]
fn join(values: &mut [f32], rows: &[f32], length: usize, room: usize) {
    let (blocks, rest) = values.as_chunks_mut::<{ OUT * LANES }>();
    let count = blocks.len();
    for (at, block) in blocks.iter_mut().enumerate() {
        let start = room + at * LANES;
        let mut joined = [0.0; OUT * LANES];
        for row in 0..OUT {
            if let Some(lanes) = rows[row * length + start..].first_chunk::<LANES>() {
                for lane in 0..LANES {
                    joined[lane * OUT + row] = lanes[lane];
                }
            }
        }
        *block = joined;
    }
    for (at, tile) in rest.as_chunks_mut::<OUT>().0.iter_mut().enumerate() {
        for (row, value) in tile.iter_mut().enumerate() {
            *value = rows[row * length + room + count * LANES + at];
        }
    }
}

#[inline(always)]
fn load<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}

#[inline(always)]
fn store<S: Simd>(values: &mut [f32], vector: S::f32s) {
    S::as_mut_simd_f32s(&mut values[..S::F32_LANES]).0[0] = vector;
}

// Functions rather than closures from here on: those are not always inlined, and then lack the
// processor's vector instructions.

/// Zeros where there is no neighbour. (A product with the mask would leave what is not finite.)
#[inline(always)]
fn masked<S: Simd>(simd: S, values: S::f32s, mask: &[f32], tile: usize) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    let has = simd.greater_than_f32s(load::<S>(&mask[tile..]), zero);
    simd.select_f32s(has, values, zero)
}

#[inline(always)]
fn masked_row<S: Simd>(simd: S, row: [S::f32s; IN], mask: &[f32], tile: usize) -> [S::f32s; IN] {
    let mut masked_row = row;
    for value in &mut masked_row {
        *value = masked(simd, *value, mask, tile);
    }
    masked_row
}

#[inline(always)]
fn column<T: Copy, const R: usize, const C: usize>(rows: &[[T; C]; R], place: usize) -> [T; R] {
    let mut column = [rows[0][place]; R];
    for (value, row) in column.iter_mut().zip(rows) {
        *value = row[place];
    }
    column
}

/// Puts a column of points, of the tiles from `at` on, where they belong.
#[inline(always)]
fn put<S: Simd>(into: &mut [&mut [f32]; POINTS], x: usize, at: usize, column: [S::f32s; IN]) {
    for (y, found) in column.into_iter().enumerate() {
        store::<S>(&mut into[y * IN + x][at..], found);
    }
}

/// `B' d` of one row of the pixels that tiles read; `tile` is `at` or in the row of tiles above or
/// below.
#[inline(always)]
fn row_around<S: Simd>(
    simd: S,
    sorted: &Sorted,
    borders: &Borders,
    at: usize,
    row: usize,
    tile: isize,
) -> [S::f32s; IN] {
    let pixels = [
        masked(
            simd,
            sorted.pixels::<S>(row, 3, tile - 1),
            &borders.left,
            at,
        ),
        sorted.pixels::<S>(row, 0, tile),
        sorted.pixels::<S>(row, 1, tile),
        sorted.pixels::<S>(row, 2, tile),
        sorted.pixels::<S>(row, 3, tile),
        masked(
            simd,
            sorted.pixels::<S>(row, 0, tile + 1),
            &borders.right,
            at,
        ),
    ];
    input(simd, pixels)
}

/// `B' d B` of every tile of a channel: the products' second factors.
pub(super) struct Around<'a> {
    pub tiling: &'a Tiling,
    pub borders: &'a Borders,
    pub planes: &'a Planes<'a>,
    pub channel: usize,
    pub images: Range<usize>,
    pub sorted: &'a mut Sorted,
    pub into: [&'a mut [f32]; POINTS],
}

impl WithSimd for Around<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            tiling,
            borders,
            planes,
            channel,
            images,
            sorted,
            mut into,
        } = self;
        let tiles = images.len() * tiling.tiles();
        sorted.reshape(tiling, images.len());
        sorted.fill(tiling, images.map(|image| planes.plane(channel, image)));
        let across = tiling.across() as isize;
        for at in (0..tiles).step_by(S::F32_LANES) {
            let tile = at as isize;
            let above = row_around(simd, sorted, borders, at, 3, tile - across);
            let below = row_around(simd, sorted, borders, at, 0, tile + across);
            let rows = [
                masked_row(simd, above, &borders.above, at),
                row_around(simd, sorted, borders, at, 0, tile),
                row_around(simd, sorted, borders, at, 1, tile),
                row_around(simd, sorted, borders, at, 2, tile),
                row_around(simd, sorted, borders, at, 3, tile),
                masked_row(simd, below, &borders.below, at),
            ];
            for x in 0..IN {
                let found = input(simd, column(&rows, x));
                put::<S>(&mut into, x, at, found);
            }
        }
    }
}

/// `A y A'` of every tile of a channel.
pub(super) struct Within<'a> {
    pub tiling: &'a Tiling,
    pub planes: &'a Planes<'a>,
    pub channel: usize,
    pub images: Range<usize>,
    pub sorted: &'a mut Sorted,
    pub into: [&'a mut [f32]; POINTS],
}

impl WithSimd for Within<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            tiling,
            planes,
            channel,
            images,
            sorted,
            mut into,
        } = self;
        let tiles = images.len() * tiling.tiles();
        sorted.reshape(tiling, images.len());
        sorted.fill(tiling, images.map(|image| planes.plane(channel, image)));
        for at in (0..tiles).step_by(S::F32_LANES) {
            let mut rows = [[simd.splat_f32s(0.0); IN]; OUT];
            for (y, row) in rows.iter_mut().enumerate() {
                let tile = at as isize;
                let pixels = [
                    sorted.pixels::<S>(y, 0, tile),
                    sorted.pixels::<S>(y, 1, tile),
                    sorted.pixels::<S>(y, 2, tile),
                    sorted.pixels::<S>(y, 3, tile),
                ];
                *row = output_adjoint(simd, pixels);
            }
            for x in 0..IN {
                let found = output_adjoint(simd, column(&rows, x));
                put::<S>(&mut into, x, at, found);
            }
        }
    }
}

/// `A' m A` of every tile of a channel, written to its images.
pub(super) struct Images<'a> {
    pub tiling: &'a Tiling,
    pub products: [&'a [f32]; POINTS],
    pub sorted: &'a mut Sorted,
    pub into: &'a mut [f32],
}

impl WithSimd for Images<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            tiling,
            products,
            sorted,
            into,
        } = self;
        let images = into.len() / tiling.pixels();
        sorted.reshape(tiling, images);
        for at in (0..images * tiling.tiles()).step_by(S::F32_LANES) {
            let mut rows = [[simd.splat_f32s(0.0); OUT]; IN];
            for (y, row) in rows.iter_mut().enumerate() {
                let mut points = [simd.splat_f32s(0.0); IN];
                for (x, point) in points.iter_mut().enumerate() {
                    *point = load::<S>(&products[y * IN + x][at..]);
                }
                *row = output(simd, points);
            }
            for x in 0..OUT {
                let column = output(simd, column(&rows, x));
                for (y, found) in column.into_iter().enumerate() {
                    let start = (y * OUT + x) * sorted.length + sorted.room + at;
                    store::<S>(&mut sorted.values[start..], found);
                }
            }
        }
        sorted.write(tiling, into);
    }
}

/// `G g G'` of the weights between one channel and each of some others.
pub(super) struct Weights<'a, W> {
    /// The nine weights between the channel and another.
    pub weights: W,
    pub count: usize,
    pub into: [&'a mut [f32]; POINTS],
}

impl<W: Fn(usize) -> [f32; TAPS * TAPS]> WithSimd for Weights<'_, W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for at in (0..self.count).step_by(S::F32_LANES) {
            let mut taps = [[0.0; LANES]; TAPS * TAPS];
            for lane in 0..S::F32_LANES.min(self.count - at) {
                let weights = (self.weights)(at + lane);
                for (tap, weight) in taps.iter_mut().zip(weights) {
                    tap[lane] = weight;
                }
            }
            let mut rows = [[simd.splat_f32s(0.0); IN]; TAPS];
            for (y, row) in rows.iter_mut().enumerate() {
                let taps = [
                    load::<S>(&taps[y * TAPS]),
                    load::<S>(&taps[y * TAPS + 1]),
                    load::<S>(&taps[y * TAPS + 2]),
                ];
                *row = weight(simd, taps);
            }
            for x in 0..IN {
                let found = weight(simd, column(&rows, x));
                put::<S>(&mut self.into, x, at, found);
            }
        }
    }
}

/// `G' u G` for one channel and each of some others: nine weights for each.
pub(super) struct WeightsAdjoint<'a> {
    pub points: [&'a [f32]; POINTS],
    pub into: &'a mut [[f32; TAPS * TAPS]],
}

impl WithSimd for WeightsAdjoint<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (chunk, into) in self.into.chunks_mut(S::F32_LANES).enumerate() {
            let at = chunk * S::F32_LANES;
            let mut rows = [[simd.splat_f32s(0.0); TAPS]; IN];
            for (y, row) in rows.iter_mut().enumerate() {
                let mut points = [simd.splat_f32s(0.0); IN];
                for (x, point) in points.iter_mut().enumerate() {
                    *point = load::<S>(&self.points[y * IN + x][at..]);
                }
                *row = weight_adjoint(simd, points);
            }
            let mut taps = [[0.0; LANES]; TAPS * TAPS];
            for x in 0..TAPS {
                let column = weight_adjoint(simd, column(&rows, x));
                for (y, found) in column.into_iter().enumerate() {
                    store::<S>(&mut taps[y * TAPS + x], found);
                }
            }
            for (lane, weights) in into.iter_mut().enumerate() {
                for (weight, tap) in weights.iter_mut().zip(&taps) {
                    *weight = tap[lane];
                }
            }
        }
    }
}

/// Runs one of these with the widest vectors there are.
pub(super) fn run(work: impl WithSimd<Output = ()>) {
    Arch::new().dispatch(work);
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::super::points::Points;
    use super::*;

    /// Every instruction set that this processor has, and none.
    fn on_each(work: impl Fn(&dyn Fn(Around<'_>)) -> Vec<f32>) -> Vec<Vec<f32>> {
        let mut found = vec![
            work(&|around| Scalar.vectorize(around)),
            work(&|around| run(around)),
        ];
        #[cfg(target_arch = "x86_64")]
        {
            use pulp::x86::{V3, V4};
            if let Some(simd) = V3::try_new() {
                found.push(work(&|around| Simd::vectorize(simd, around)));
            }
            if let Some(simd) = V4::try_new() {
                found.push(work(&|around| Simd::vectorize(simd, around)));
            }
        }
        found
    }

    #[test]
    fn every_instruction_set_finds_the_same() {
        let (images, channels) = (7, 2);
        let tiling = Tiling {
            height: 9,
            width: 6,
        };
        let pixels = tiling.pixels();
        let values: Vec<f32> = (0..images * channels * pixels)
            .map(|i| ((i * 7919) % 1013) as f32 / 500.0 - 1.0)
            .collect();
        let planes = Planes {
            values: &values,
            channel: images * pixels,
            image: pixels,
            pixels,
        };
        let borders = Borders::new(&tiling, images);
        let found = on_each(|vectorize| {
            let mut points = Points::default();
            points.reshape(channels, images * tiling.tiles());
            for (channel, into) in points.rows().into_iter().enumerate() {
                vectorize(Around {
                    tiling: &tiling,
                    borders: &borders,
                    planes: &planes,
                    channel,
                    images: 0..images,
                    sorted: &mut Sorted::default(),
                    into,
                });
            }
            let rows = (0..channels).flat_map(|channel| points.row(channel));
            rows.flat_map(|row| row[..images * tiling.tiles()].to_vec())
                .collect()
        });
        assert!(found.len() > 1);
        let largest = found[0].iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        assert!(largest > 1.0);
        for other in &found[1..] {
            for (x, y) in found[0].iter().zip(other) {
                assert!((x - y).abs() < 1e-6 * largest, "{x} {y}");
            }
        }
    }
}
