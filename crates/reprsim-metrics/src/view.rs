//! A layer as a family of measures wants to see it: its rows mapped, its
//! columns centred, in f64; then rounded to f32 for the device.
//!
//! Centring on the host in f64 makes every translation-invariant measure keep
//! its value under a common offset of a thousand standard deviations, on every
//! device.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

#[cfg(feature = "wgpu")]
use crate::source::HostValues;
use crate::{Layer, MetricError, Undefined};

/// What is done to each row.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum RowMap {
    /// Nothing.
    AsIs,
    /// Divided by its length; a row of zeros stays.
    Unit,
    /// Its mean taken off, then divided by its length: products are Pearson
    /// correlations.
    Standardised,
    /// Clamped to +- the threshold, then divided by its length: the published
    /// preprocessing.
    ClampedUnit {
        /// The largest absolute value that is kept.
        threshold: f64,
    },
}

/// What is done to each column, after the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ColumnMap {
    /// Nothing.
    AsIs,
    /// Its mean taken off.
    Centred,
    /// Its median over some samples taken off: where distances matter, one far
    /// sample must not move the others away from the origin.
    Located,
    /// Its mean taken off, then divided by its standard deviation (n - 1); a
    /// constant column becomes zeros.
    Scaled,
}

/// Both maps.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Transform {
    pub rows: RowMap,
    pub columns: ColumnMap,
}

impl Transform {
    /// What each column is multiplied by, from the sums of its squares.
    ///
    /// Raw activations are brought to a mean squared row length of 1, which no
    /// measure on them can see, so that products neither overflow nor vanish in
    /// f32. Mapped rows have their length already.
    fn scale(self, squares: &[f64], means: &[f64], n: usize) -> Vec<f64> {
        match (self.columns, self.rows) {
            (ColumnMap::Scaled, _) => squares
                .iter()
                .zip(means)
                .map(|(s, mean)| {
                    let sd = (s / (n as f64 - 1.0)).sqrt();
                    // What rounding leaves of a constant column is no deviation.
                    let varies = *s > CONSTANT * n as f64 * mean * mean;
                    if varies { 1.0 / sd } else { 0.0 }
                })
                .collect(),
            (ColumnMap::Centred | ColumnMap::Located, RowMap::AsIs) => {
                let length = (squares.iter().sum::<f64>() / n as f64).sqrt();
                vec![1.0 / length; squares.len()]
            }
            _ => vec![],
        }
    }
}

/// Bytes that views may still keep on the device.
#[derive(Debug)]
pub(crate) struct Room(AtomicUsize);

impl Room {
    pub fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    fn take(&self, bytes: usize) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .is_ok()
    }
}

/// A transformed layer: f32 rows on the device, kept there or read again from
/// the source each time.
#[derive(Debug)]
pub(crate) struct View {
    layer: Layer,
    transform: Transform,
    shift: Vec<f64>,
    scale: Vec<f64>,
    /// The rows in the host's memory, if they are kept.
    kept: Option<Tensor<2>>,
    /// The same on the device, once they were asked for.
    resident: OnceLock<Tensor<2>>,
    device: Device,
    /// Squared length of each transformed row.
    pub squares: Vec<f64>,
    /// For each row, its product with the mean that was taken off, less that of
    /// the mean row: the row means of the uncentred Gram matrix less their mean.
    /// Empty unless rows are mapped and columns centred.
    pub offsets: Vec<f64>,
    /// Sum over columns of the squared sum of squares, and of the sum of fourth
    /// powers.
    pub column_moments: (f64, f64),
    /// Sum over rows of each column's squares.
    column_squares: Vec<f64>,
    pub degenerate: Option<Undefined>,
}

/// A layer whose variance is below this share of its mean square is constant
/// as far as f32 activations can tell.
const CONSTANT: f64 = 1e-14;

/// Bytes of f64 rows worked on at once.
const CHUNK_BYTES: usize = 16 << 20;

/// Rows whose sums are taken by one thread; fixed, so that sums are the same on
/// any number of threads.
const ROWS_A_TASK: usize = 128;

impl View {
    pub fn new(
        layer: &Layer,
        transform: Transform,
        room: &Room,
        device: &Device,
    ) -> Result<Self, MetricError> {
        let [n, d] = layer.source.shape();
        let mut view = Self {
            layer: layer.clone(),
            transform,
            shift: vec![],
            scale: vec![],
            kept: None,
            resident: OnceLock::new(),
            device: device.clone(),
            squares: vec![],
            offsets: vec![],
            column_moments: (0.0, 0.0),
            column_squares: vec![],
            degenerate: layer.empty(),
        };
        if view.degenerate.is_some() {
            return Ok(view);
        }

        // First pass: means, and whether the input can be measured at all.
        let mut sums = vec![0.0; d];
        let mut raw = 0.0;
        let mut mapped = 0.0;
        let reason = view.for_chunks(|rows| {
            raw += rows
                .par_chunks(ROWS_A_TASK * d)
                .map(square_sum)
                .sum_in_order();
            let degenerate = view.map_rows(rows);
            mapped += rows
                .par_chunks(ROWS_A_TASK * d)
                .map(square_sum)
                .sum_in_order();
            add_in_order(&mut sums, column_sums(rows, d, |x| x));
            degenerate
        })?;
        view.degenerate = match raw.is_finite() {
            true => reason,
            false => Some(Undefined::NonFinite),
        };
        if view.degenerate.is_some() {
            return Ok(view);
        }
        if mapped == 0.0 {
            view.degenerate = Some(Undefined::ConstantLayer);
            return Ok(view);
        }

        // Second pass: deviations from the mean, which set the scale.
        if transform.columns != ColumnMap::AsIs {
            view.shift = match transform.columns {
                ColumnMap::Located => view.medians()?,
                _ => sums.iter().map(|s| s / n as f64).collect(),
            };
            let mut squares = vec![0.0; d];
            view.for_chunks(|rows| {
                view.map_rows(rows);
                view.map_columns(rows);
                add_in_order(&mut squares, column_sums(rows, d, |x| x * x));
                None
            })?;
            let variation: f64 = squares.iter().sum();
            if variation <= CONSTANT * mapped {
                view.degenerate = Some(Undefined::ConstantLayer);
                return Ok(view);
            }
            view.scale = transform.scale(&squares, &view.shift, n);
        }

        // Last pass: the transformed rows, their lengths, and a copy that stays.
        let keep = room.take(n * d * 4);
        let mut kept = Vec::with_capacity(if keep { n * d } else { 0 });
        let mut squares = Vec::with_capacity(n);
        let mut offsets = Vec::new();
        let mut moments = (vec![0.0; d], vec![0.0; d]);
        let with_offsets =
            transform.rows != RowMap::AsIs && transform.columns == ColumnMap::Centred;
        view.for_chunks(|rows| {
            view.map_rows(rows);
            if with_offsets {
                let row = |row: &[f64]| dot(row, &view.shift);
                offsets.par_extend(rows.par_chunks(d).map(row));
            }
            view.map_columns(rows);
            squares.par_extend(rows.par_chunks(d).map(square_sum));
            add_in_order(&mut moments.0, column_sums(rows, d, |x| x * x));
            add_in_order(&mut moments.1, column_sums(rows, d, |x| x * x * x * x));
            if keep {
                kept.par_extend(rows.par_iter().map(|v| *v as f32));
            }
            None
        })?;
        let mean = offsets.iter().sum::<f64>() / n as f64;
        offsets.iter_mut().for_each(|o| *o -= mean);
        view.squares = squares;
        view.offsets = offsets;
        view.column_moments = (
            moments.0.iter().map(|s| s * s).sum(),
            moments.1.iter().sum(),
        );
        view.column_squares = moments.0;
        if keep {
            let values = TensorData::new(kept, [n, d]);
            view.kept = Some(Tensor::from_data(values, &Device::flex()));
        }
        Ok(view)
    }

    /// Number of samples.
    pub fn rows(&self) -> usize {
        self.layer.rows()
    }

    /// Number of dimensions.
    pub fn width(&self) -> usize {
        self.layer.width()
    }

    /// The layer's name.
    pub fn name(&self) -> &str {
        &self.layer.name
    }

    /// The largest singular value that rounding gives a layer which was stored, centred or not, in
    /// its type: what is smaller is no direction. 0 where rows are mapped, as published.
    ///
    /// Rounding is nearly independent noise whose standard deviation is less than a third of the
    /// distance between neighbouring numbers; the largest singular value of such noise with columns
    /// of deviations s is about `max(s) sqrt(n) + |s|` (Bandeira and van Handel 2016), of which
    /// three times is taken.
    pub fn rounding(&self) -> f64 {
        if self.transform.rows != RowMap::AsIs || self.column_squares.is_empty() {
            return 0.0;
        }
        let n = self.rows() as f64;
        let column = |(j, squares): (usize, &f64)| {
            let scale = self.scale.get(j).copied().unwrap_or(1.0);
            let shift = self.shift.get(j).copied().unwrap_or_default() * scale;
            squares / n + shift * shift
        };
        let squares: Vec<f64> = self.column_squares.iter().enumerate().map(column).collect();
        let largest = squares.iter().copied().fold(0.0, f64::max);
        let all: f64 = squares.iter().sum();
        self.layer.source.epsilon() * ((n * largest).sqrt() + all.sqrt())
    }

    /// The column means that were taken off.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// The device that products are taken on.
    #[cfg(feature = "wgpu")]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All transformed rows, row-major, if they are kept.
    #[cfg(feature = "wgpu")]
    pub fn kept(&self) -> Result<Option<HostValues>, MetricError> {
        let kept = self.kept.clone();
        kept.map(HostValues::of).transpose()
    }

    fn resident(&self) -> Option<&Tensor<2>> {
        let place = |kept: &Tensor<2>| kept.clone().to_device(&self.device);
        let kept = self.kept.as_ref()?;
        Some(self.resident.get_or_init(|| place(kept)))
    }

    /// Transformed rows on the device.
    pub fn chunk(&self, rows: Range<usize>) -> Result<Tensor<2>, MetricError> {
        if let Some(resident) = self.resident() {
            return Ok(if rows.len() == self.rows() {
                resident.clone()
            } else {
                resident.clone().slice_dim(0, rows)
            });
        }
        let shape = [rows.len(), self.width()];
        let values = self.read(rows)?;
        Ok(self.upload(&values, shape))
    }

    /// Transformed rows on the device, in the order of `indices`.
    pub fn gather(&self, indices: &[u32]) -> Result<Tensor<2>, MetricError> {
        if let Some(resident) = self.resident() {
            let indices: Vec<i32> = indices.iter().map(|i| *i as i32).collect();
            let count = indices.len();
            let indices =
                Tensor::<1, Int>::from_data(TensorData::new(indices, [count]), &self.device);
            return Ok(resident.clone().select(0, indices));
        }
        let mut values = Vec::with_capacity(indices.len() * self.width());
        for i in indices {
            values.extend(self.read(*i as usize..*i as usize + 1)?);
        }
        Ok(self.upload(&values, [indices.len(), self.width()]))
    }

    /// Transformed rows in f64 on the host, row-major.
    pub fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, MetricError> {
        let mut values = vec![0.0; rows.len() * self.width()];
        self.read_source(rows, &mut values)?;
        self.map_rows(&mut values);
        self.map_columns(&mut values);
        Ok(values)
    }

    /// The median of each column over evenly spaced samples.
    fn medians(&self) -> Result<Vec<f64>, MetricError> {
        const SAMPLES: usize = 255;
        let (n, d) = (self.rows(), self.width());
        let mut rows = Vec::with_capacity(SAMPLES.min(n) * d);
        for i in (0..n).step_by(n.div_ceil(SAMPLES)) {
            let mut row = vec![0.0; d];
            self.read_source(i..i + 1, &mut row)?;
            self.map_rows(&mut row);
            rows.extend(row);
        }
        Ok((0..d)
            .map(|j| {
                let mut column: Vec<f64> = rows.iter().skip(j).step_by(d).copied().collect();
                column.sort_by(f64::total_cmp);
                column[column.len() / 2]
            })
            .collect())
    }

    /// Calls `work` with each chunk of rows; the first reason that it gives.
    fn for_chunks(
        &self,
        mut work: impl FnMut(&mut [f64]) -> Option<Undefined>,
    ) -> Result<Option<Undefined>, MetricError> {
        let (n, d) = (self.rows(), self.width());
        let step = rows_within(CHUNK_BYTES, d * 8);
        let mut buffer = vec![0.0; step.min(n) * d];
        let mut reason = None;
        for start in (0..n).step_by(step) {
            let end = (start + step).min(n);
            let rows = &mut buffer[..(end - start) * d];
            self.read_source(start..end, rows)?;
            reason = reason.or(work(rows));
        }
        Ok(reason)
    }

    fn read_source(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), MetricError> {
        self.layer
            .source
            .read(rows, out)
            .map_err(|source| MetricError::Source {
                layer: self.layer.name.clone(),
                source,
            })
    }

    fn map_rows(&self, rows: &mut [f64]) -> Option<Undefined> {
        let d = self.width();
        let rows = rows.par_chunks_mut(d);
        match self.transform.rows {
            RowMap::AsIs => None,
            RowMap::Unit => {
                rows.for_each(unit);
                None
            }
            RowMap::ClampedUnit { threshold } => {
                rows.for_each(|row| {
                    row.iter_mut()
                        .for_each(|v| *v = v.max(-threshold).min(threshold));
                    unit(row);
                });
                None
            }
            RowMap::Standardised if d < 2 => Some(Undefined::TooFewDimensions { needed: 2 }),
            RowMap::Standardised => rows
                .map(|row| {
                    let raw = square_sum(row);
                    let mean = row.iter().sum::<f64>() / d as f64;
                    row.iter_mut().for_each(|v| *v -= mean);
                    let constant = square_sum(row) <= CONSTANT * raw;
                    unit(row);
                    constant.then_some(Undefined::ConstantSample)
                })
                .reduce(|| None, Option::or),
        }
    }

    fn map_columns(&self, rows: &mut [f64]) {
        if self.shift.is_empty() {
            return;
        }
        rows.par_chunks_mut(self.width()).for_each(|row| {
            for (v, mean) in row.iter_mut().zip(&self.shift) {
                *v -= mean;
            }
            for (v, scale) in row.iter_mut().zip(&self.scale) {
                *v *= scale;
            }
        });
    }

    fn upload(&self, values: &[f64], shape: [usize; 2]) -> Tensor<2> {
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// The absolute value at index `int(0.95 N)` of the sorted entries of all
/// `layers` together: the threshold of the published preprocessing.
///
/// Found in two passes over the bits of f32, which sort as the values do.
pub(crate) fn clamp_threshold(layers: &[Layer]) -> Result<f64, MetricError> {
    let total: usize = layers.iter().map(|l| l.rows() * l.width()).sum();
    let rank = (0.95 * total as f64) as usize;
    let (high, before) = bucket_of(rank, |bits| Some((bits >> 16) as usize), layers)?;
    let (low, _) = bucket_of(
        rank - before,
        |bits| ((bits >> 16) as usize == high).then_some((bits & 0xffff) as usize),
        layers,
    )?;
    Ok(f64::from(f32::from_bits((high << 16 | low) as u32)))
}

/// The bucket that holds the entry of `rank`, and how many come before it.
fn bucket_of(
    rank: usize,
    bucket: impl Fn(u32) -> Option<usize> + Sync,
    layers: &[Layer],
) -> Result<(usize, usize), MetricError> {
    let mut counts = vec![0usize; 1 << 16];
    for layer in layers {
        let [n, d] = layer.source.shape();
        if d == 0 {
            continue;
        }
        let step = rows_within(CHUNK_BYTES, d * 8);
        let mut buffer = vec![0.0; step.min(n) * d];
        for start in (0..n).step_by(step) {
            let end = (start + step).min(n);
            let rows = &mut buffer[..(end - start) * d];
            layer
                .source
                .read(start..end, rows)
                .map_err(|source| MetricError::Source {
                    layer: layer.name.clone(),
                    source,
                })?;
            for v in rows.iter() {
                if let Some(i) = bucket((v.abs() as f32).to_bits()) {
                    counts[i] += 1;
                }
            }
        }
    }
    let mut before = 0;
    for (i, count) in counts.iter().enumerate() {
        if before + count > rank {
            return Ok((i, before));
        }
        before += count;
    }
    Ok((0, 0))
}

/// How many rows of `row_bytes` fit into `bytes`, at least one.
pub(crate) fn rows_within(bytes: usize, row_bytes: usize) -> usize {
    (bytes / row_bytes.max(1)).max(1)
}

fn unit(row: &mut [f64]) {
    let length = square_sum(row).sqrt();
    if length > 0.0 {
        row.iter_mut().for_each(|v| *v /= length);
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn square_sum(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

/// For each task's rows, the sums of its columns.
fn column_sums(rows: &[f64], d: usize, of: impl Fn(f64) -> f64 + Sync) -> Vec<Vec<f64>> {
    rows.par_chunks(ROWS_A_TASK * d)
        .map(|rows| {
            let mut sums = vec![0.0; d];
            for row in rows.chunks_exact(d) {
                for (sum, v) in sums.iter_mut().zip(row) {
                    *sum += of(*v);
                }
            }
            sums
        })
        .collect()
}

fn add_in_order(sums: &mut [f64], parts: Vec<Vec<f64>>) {
    for part in parts {
        for (sum, v) in sums.iter_mut().zip(part) {
            *sum += v;
        }
    }
}

/// Sums of parallel parts, taken in their order.
trait SumInOrder {
    fn sum_in_order(self) -> f64;
}

impl<I: IndexedParallelIterator<Item = f64>> SumInOrder for I {
    fn sum_in_order(self) -> f64 {
        self.collect::<Vec<f64>>().iter().sum()
    }
}
