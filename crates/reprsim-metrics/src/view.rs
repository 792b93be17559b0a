//! A layer as a family of measures wants to see it: its rows mapped, its
//! columns centred, in f64; then rounded to f32, in the host's memory or read again.
//!
//! Centring on the host in f64 makes every translation-invariant measure keep
//! its value under a common offset of a thousand standard deviations, on every
//! device.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::far::{self, Far};
use crate::lanes::{add_columns, dot, place_columns, square_apart, square_sum, to_single};
use crate::magnitude::{self, Magnitude};
use crate::rows::Rows;
use crate::source::HostValues;
use crate::{Layer, MetricError, Stop, Undefined};

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
    /// Its mean over the near samples taken off; far ones are kept apart ([`crate::far`]).
    Near,
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
                    // What computing leaves of a constant column is no deviation.
                    let varies = *s > n as f64 * (COMPUTED * mean).powi(2);
                    if varies { 1.0 / sd } else { 0.0 }
                })
                .collect(),
            (ColumnMap::Centred | ColumnMap::Near | ColumnMap::Located, RowMap::AsIs) => {
                let length = (squares.iter().sum::<f64>() / n as f64).sqrt();
                vec![1.0 / length; squares.len()]
            }
            _ => vec![],
        }
    }
}

/// Bytes that views may still keep in the host's memory, and what ends the work on them.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: AtomicUsize,
    stop: Stop,
}

impl Room {
    pub fn new(bytes: usize, stop: Stop) -> Self {
        Self {
            bytes: AtomicUsize::new(bytes),
            stop,
        }
    }

    fn take(&self, bytes: usize) -> bool {
        self.bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .is_ok()
    }
}

/// What rounding does to the directions of a layer.
///
/// Rounding is nearly independent noise whose standard deviation is less than a third of the distance
/// between neighbouring numbers, and of each column by itself. The largest singular value of n x d
/// independent numbers of deviation s is about `s (sqrt(n) + sqrt(d))` (Bandeira and van Handel 2016);
/// a direction v sees of columns of deviations s the mean `sqrt(sum v_k^2 s_k^2)`. Three times that is
/// taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounding {
    noise: f64,
    /// The mean square of each column as stored.
    squares: Vec<f64>,
}

impl Rounding {
    /// The most that any direction sees of it.
    pub fn most(&self) -> f64 {
        self.noise * self.squares.iter().copied().fold(0.0, f64::max).sqrt()
    }

    /// The largest singular value that it gives a direction with these components; what is smaller is
    /// none.
    pub fn of(&self, direction: impl Iterator<Item = f64>) -> f64 {
        let seen = self.squares.iter().zip(direction);
        self.noise * seen.map(|(square, v)| square * v * v).sum::<f64>().sqrt()
    }
}

/// A transformed layer: f32 rows, kept in the host's memory or read again from
/// the source each time.
#[derive(Debug)]
pub(crate) struct View {
    layer: Layer,
    transform: Transform,
    shift: Vec<f64>,
    /// What is left to take off after the shift, where an offset is so large that the digits of f64
    /// do not hold the mean.
    rest: Vec<f64>,
    scale: Vec<f64>,
    /// The rows in the host's memory, row-major, if they are kept.
    kept: Option<Vec<f32>>,
    /// The same on the device, once they were asked for.
    resident: OnceLock<Tensor<2>>,
    device: Device,
    stop: Stop,
    /// Squared length of each transformed row.
    pub squares: Vec<f64>,
    /// The samples whose rows on the device are zeros.
    pub far: Far,
    /// The products of each row with all others, added up.
    pub off: Vec<f64>,
    /// For each row, its product with the mean that was taken off, less the mean of that: what the
    /// Gram matrix of the rows before has beside that of these, but for a constant. Empty unless
    /// rows are mapped and columns centred.
    pub offsets: Vec<f64>,
    /// n (n - 3) HSIC_1 of each column with itself, added up.
    pub columns: f64,
    /// Sum over rows of each column's squares.
    column_squares: Vec<f64>,
    pub degenerate: Option<Undefined>,
}

/// A layer whose variance is below this share of its mean square is constant: that is what adding up
/// leaves.
const CONSTANT: f64 = 1e-36;

/// Rows of length 1 of which this share varies, squared, have cosines that rounding alone tells apart.
const ONE_DIRECTION: f64 = 1e-14;

/// Rounding of what was computed in f64 is a smaller share of it.
const COMPUTED: f64 = 8.0 * f64::EPSILON;

/// A mean that is off by this share of the deviations, squared, is not seen.
const UNSEEN: f64 = 1e-20;

/// Whether anything is left of columns once their middle is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variation {
    Varies,
    Not(Undefined),
}

/// Bytes of rows multiplied with others at once.
const CHUNK_BYTES: usize = 2 << 20;

/// Rows whose sums are taken by one thread at most; fixed, so that sums are the same on any number of
/// threads.
const ROWS_A_TASK: usize = 128;

/// Bytes of f64 rows that one thread works on at once: what a core's cache holds.
const TASK_BYTES: usize = 512 << 10;

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
            rest: vec![],
            scale: vec![],
            kept: None,
            resident: OnceLock::new(),
            device: device.clone(),
            stop: room.stop.clone(),
            squares: vec![],
            far: Far::default(),
            off: vec![],
            offsets: vec![],
            columns: 0.0,
            column_squares: vec![],
            degenerate: layer.empty(),
        };
        if view.degenerate.is_some() {
            return Ok(view);
        }

        if transform.rows == RowMap::AsIs && *layer.magnitude()? == Magnitude::TooFarApart {
            view.degenerate = Some(Undefined::TooFarApart);
            return Ok(view);
        }

        // First pass: means, and whether the input can be measured at all.
        let medians = match transform.columns {
            ColumnMap::Near | ColumnMap::Located => view.medians()?,
            _ => vec![],
        };
        let mut sums = vec![0.0; d];
        let mut finite = true;
        let mut mapped = 0.0;
        let mut apart = Vec::new();
        let mut reason = None;
        view.for_tasks(
            None,
            |_, rows| {
                // A sum that is a number has only numbers in it.
                let finite = square_sum(rows).is_finite() || is_finite(rows);
                let reason = view.map_rows(rows);
                let apart: Vec<f64> = match transform.columns {
                    ColumnMap::Near => (rows.chunks_exact(d))
                        .map(|row| square_apart(row, &medians))
                        .collect(),
                    _ => vec![],
                };
                (
                    finite,
                    reason,
                    square_sum(rows),
                    column_sums(rows, d, |x| x),
                    apart,
                )
            },
            |(is_finite, why, squares, part, far)| {
                finite &= is_finite;
                reason = reason.or(why);
                mapped += squares;
                add(&mut sums, &part);
                apart.extend(far);
            },
        )?;
        view.degenerate = match finite {
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
        let whole = match transform.columns {
            ColumnMap::Located => medians,
            _ => sums.iter().map(|s| s / n as f64).collect(),
        };
        let parted = view.part(&far::select(&apart))?;
        if !parted
            && transform.columns != ColumnMap::AsIs
            && let Variation::Not(reason) = view.place(whole, mapped)?
        {
            view.degenerate = Some(reason);
            return Ok(view);
        }

        // Last pass: the transformed rows, their lengths, and a copy that stays.
        let keep = room.take(n * d * 4);
        let mut kept = vec![0.0f32; if keep { n * d } else { 0 }];
        let mut squares = Vec::with_capacity(n);
        let mut off = Vec::with_capacity(n);
        let mut offsets = Vec::new();
        let mut moments = Moments::new(d);
        let far_sum = view.far.sum(d);
        let shift_square = square_sum(&view.shift);
        let with_offsets = transform.rows != RowMap::AsIs
            && matches!(transform.columns, ColumnMap::Centred | ColumnMap::Near);
        view.for_tasks(
            keep.then_some(&mut kept),
            |start, rows| {
                view.map_rows(rows);
                let is_zero = |row: &[f64]| row.iter().all(|v| *v == 0.0);
                let zeros: Vec<bool> = match with_offsets {
                    true => rows.chunks_exact(d).map(is_zero).collect(),
                    false => vec![],
                };
                view.map_columns(rows);
                let squares: Vec<f64> = rows.chunks_exact(d).map(square_sum).collect();
                // Of a row of length 1, x + m, the product with m is known from |x|, which keeps its
                // digits where all rows are nearly one.
                let offsets: Vec<f64> = (zeros.iter().zip(&squares))
                    .map(|(zero, r)| match zero {
                        true => -r - (1.0 - shift_square) / 2.0,
                        false => -r / 2.0,
                    })
                    .collect();
                view.far.clear(rows, d, start);
                let off: Vec<f64> = match view.far.is_empty() {
                    true => squares.iter().map(|r| -r).collect(),
                    false => {
                        let near = |row: &[f64]| dot(row, &far_sum) - square_sum(row);
                        rows.chunks_exact(d).map(near).collect()
                    }
                };
                (
                    squares,
                    offsets,
                    off,
                    Moments::of(rows, d, !view.far.is_empty()),
                )
            },
            |(of_rows, offsets_of, off_of, part)| {
                squares.extend(of_rows);
                offsets.extend(offsets_of);
                off.extend(off_of);
                moments.add(&part);
            },
        )?;
        for (i, row) in view.far.iter(d) {
            off[i] = view.far.off(i, row);
        }
        let mean = offsets.iter().sum::<f64>() / n as f64;
        offsets.iter_mut().for_each(|o| *o -= mean);
        view.squares = squares;
        view.off = off;
        view.offsets = offsets;
        view.columns = moments.alone(n, &view.far);
        view.column_squares = moments.squares;
        view.kept = keep.then_some(kept);
        Ok(view)
    }

    /// Takes the mean of all but the `far` samples off, and keeps these apart; `false`, and nothing
    /// is done, if there are none, or the others do not vary without them.
    fn part(&mut self, far: &[u32]) -> Result<bool, MetricError> {
        if far.is_empty() {
            return Ok(false);
        }
        let (n, d) = (self.rows(), self.width());
        self.far.samples = far.to_vec();
        let mut sums = vec![0.0; d];
        let mut mapped = 0.0;
        self.for_tasks(
            None,
            |start, rows| {
                self.map_rows(rows);
                self.far.clear(rows, d, start);
                (square_sum(rows), column_sums(rows, d, |x| x))
            },
            |(squares, part)| {
                mapped += squares;
                add(&mut sums, &part);
            },
        )?;
        let near = (n - far.len()) as f64;
        let mean = sums.iter().map(|s| s / near).collect();
        if self.place(mean, mapped)? != Variation::Varies {
            self.far = Far::default();
            return Ok(false);
        }
        let mut rows = Vec::with_capacity(far.len() * d);
        for i in far {
            rows.extend(self.read(*i as usize..*i as usize + 1)?);
        }
        self.far.rows = rows;
        Ok(true)
    }

    /// Takes `shift` off the columns and sets their scale; whether anything is left of rows that had
    /// `mapped`, the sum of their squares.
    fn place(&mut self, shift: Vec<f64>, mapped: f64) -> Result<Variation, MetricError> {
        let d = self.width();
        (self.shift, self.rest, self.scale) = (shift, vec![], vec![]);
        let (mut squares, mut sums) = (vec![0.0; d], vec![0.0; d]);
        self.for_tasks(
            None,
            |start, rows| {
                self.map_rows(rows);
                self.map_columns(rows);
                self.far.clear(rows, d, start);
                (column_sums(rows, d, |x| x * x), column_sums(rows, d, |x| x))
            },
            |(of_squares, part)| {
                add(&mut squares, &of_squares);
                add(&mut sums, &part);
            },
        )?;
        let near = self.rows() - self.far.samples.len();
        let n = near as f64;
        if self.transform.columns != ColumnMap::Located {
            let rest: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
            // In most layers it would not be seen.
            let is_seen = |(rest, square): (&f64, &f64)| n * rest * rest > UNSEEN * square;
            if rest.iter().zip(&squares).any(is_seen) {
                for (square, rest) in squares.iter_mut().zip(&rest) {
                    *square = (*square - n * rest * rest).max(0.0);
                }
                self.rest = rest;
            }
        }
        self.scale = self.transform.scale(&squares, &self.shift, near);
        let variation: f64 = squares.iter().sum();
        let by_cosine = matches!(
            (self.transform.columns, self.transform.rows),
            (
                ColumnMap::Centred,
                RowMap::Unit | RowMap::ClampedUnit { .. }
            ) | (ColumnMap::Near, RowMap::Unit)
        );
        let spacing = self.layer.type_epsilon();
        let is_more = |(square, mean): (&f64, &f64)| *square > n * (spacing * mean).powi(2);
        Ok(if variation <= CONSTANT * mapped {
            Variation::Not(Undefined::ConstantLayer)
        } else if by_cosine && variation <= ONE_DIRECTION * mapped {
            Variation::Not(Undefined::EqualCosines)
        } else if !squares.iter().zip(&self.shift).any(is_more) {
            Variation::Not(Undefined::OnlyRounding)
        } else {
            Variation::Varies
        })
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

    /// The noise that rounding is, of values, centred or not, that are as precise as
    /// [`Layer::epsilon`] says. None where rows are mapped, as published.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn rounding(&self) -> Result<Rounding, MetricError> {
        if self.transform.rows != RowMap::AsIs || self.column_squares.is_empty() {
            return Ok(Rounding::default());
        }
        let n = self.rows() as f64;
        let column = |(j, squares): (usize, &f64)| {
            let scale = self.scale.get(j).copied().unwrap_or(1.0);
            let shift = self.shift.get(j).copied().unwrap_or_default() * scale;
            squares / n + shift * shift
        };
        Ok(Rounding {
            noise: self.layer.epsilon()? * (n.sqrt() + (self.width() as f64).sqrt()),
            squares: self.column_squares.iter().enumerate().map(column).collect(),
        })
    }

    /// By how much, and by which share of them, distances of rows differ that are not equal: by more than
    /// rounding of rows makes of them, a share of their length.
    pub fn told_apart(&self) -> (f64, f64) {
        /// What is further away than others by the digits of f64 has four of them left.
        const SHARE: f64 = 1e-11;
        let rounding = 4.0 * f64::EPSILON * (self.width() as f64).sqrt();
        let mut squares = self.squares.clone();
        let largest = squares.iter().copied().fold(0.0, f64::max).sqrt();
        let middle = squares.len() / 2;
        match (self.transform.rows, self.transform.columns) {
            // One sample may be far from all others.
            (RowMap::AsIs, ColumnMap::Located) if middle < squares.len() => {
                let (_, median, _) = squares.select_nth_unstable_by(middle, f64::total_cmp);
                (rounding * median.sqrt(), SHARE)
            }
            // Of orthonormal columns, which a basis has to so many digits.
            (RowMap::AsIs, _) => (SHARE * largest, SHARE),
            // Rows of length 1 before columns were mapped.
            _ => (rounding * largest, 0.0),
        }
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

    /// All transformed rows, row-major, zeros for far ones, if they are kept.
    #[cfg(feature = "wgpu")]
    pub fn kept(&self) -> Option<&[f32]> {
        self.kept.as_deref()
    }

    /// Goes on, unless it is to end.
    pub fn check_stop(&self) -> Result<(), MetricError> {
        self.stop.check()
    }

    /// Whether all rows are kept on the host.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether products are taken on the host.
    pub fn on_host(&self) -> bool {
        self.device == Device::flex()
    }

    /// All transformed rows in f32, zeros for far ones, of those in f64.
    pub fn near_of(&self, rows: &[f64]) -> Vec<f32> {
        let d = self.width();
        let mut near = vec![0.0; rows.len()];
        (near
            .par_chunks_mut(CHUNK_BYTES)
            .zip(rows.par_chunks(CHUNK_BYTES)))
        .for_each(|(near, rows)| to_single(near, rows));
        for (i, _) in self.far.iter(d) {
            near[i * d..][..d].fill(0.0);
        }
        near
    }

    /// Transformed rows on the host, row-major, zeros for far ones, in the order of `indices`, at the
    /// end of `out`.
    pub fn near_each(&self, indices: &[u32], out: &mut Vec<f32>) -> Result<(), MetricError> {
        for i in indices {
            let i = *i as usize;
            out.extend_from_slice(&self.near(i..i + 1)?);
        }
        Ok(())
    }

    fn resident(&self) -> Option<&Tensor<2>> {
        let kept = self.kept.as_ref().filter(|_| !self.on_host())?;
        Some(self.resident.get_or_init(|| {
            let values = TensorData::new(kept.clone(), [self.rows(), self.width()]);
            Tensor::from_data(values, &self.device)
        }))
    }

    /// Transformed rows on the device, zeros for far ones.
    pub fn chunk(&self, rows: Range<usize>) -> Result<Tensor<2>, MetricError> {
        self.stop.check()?;
        if let Some(resident) = self.resident() {
            return Ok(if rows.len() == self.rows() {
                resident.clone()
            } else {
                resident.clone().slice_dim(0, rows)
            });
        }
        let shape = [rows.len(), self.width()];
        let values = TensorData::new(self.near(rows)?.into_owned(), shape);
        Ok(Tensor::from_data(values, &self.device))
    }

    /// Transformed rows on the device, in the order of `indices`, far ones with them, all divided by
    /// two to a power, and that power: it brings the largest product of two of them near to 1, where
    /// f32 has squares of it.
    pub fn gather_all(&self, indices: &[u32]) -> Result<(Tensor<2>, i32), MetricError> {
        let near = self.gather(indices)?;
        if !indices.iter().any(|i| self.far.samples.contains(i)) {
            return Ok((near, 0));
        }
        let mut squares: Vec<f64> = indices.iter().map(|i| self.squares[*i as usize]).collect();
        squares.sort_by(|a, b| b.total_cmp(a));
        let product: f64 = squares
            .iter()
            .take(2)
            .map(|square| square.log2() / 2.0)
            .sum();
        let power = if product.is_finite() {
            (product / 2.0).round() as i32
        } else {
            0
        };
        let factor = 2f64.powi(-power);
        let d = self.width();
        let mut values = vec![0.0; indices.len() * d];
        for (far, row) in self.far.iter(d) {
            for (i, values) in indices.iter().zip(values.chunks_exact_mut(d)) {
                if *i as usize == far {
                    (values.iter_mut().zip(row)).for_each(|(value, v)| *value = v * factor);
                }
            }
        }
        Ok((
            near * factor + self.upload(&values, [indices.len(), d]),
            power,
        ))
    }

    /// Inner products of some samples with all, a row a sample, far ones as they are.
    pub fn with_all(&self, samples: &[u32]) -> Result<Vec<f64>, MetricError> {
        let (n, d) = (self.rows(), self.width());
        let mut rows = self.read_each(samples)?;
        // Lengths are left to f64: those of far samples may be beyond f32.
        let lengths: Vec<f64> = rows.chunks_exact_mut(d).map(unit).collect();
        let left = self.upload(&rows, [samples.len(), d]);
        let mut out = vec![0.0; samples.len() * n];
        let step = rows_within(CHUNK_BYTES, d * 8);
        for start in (0..n).step_by(step) {
            let chunk = start..(start + step).min(n);
            let near = self.chunk(chunk.clone())?;
            let part = HostValues::of(left.clone().matmul(near.transpose()))?;
            for ((out, part), length) in
                (out.chunks_exact_mut(n).zip(part.chunks_exact(chunk.len()))).zip(&lengths)
            {
                let out = out[chunk.clone()].iter_mut();
                out.zip(part)
                    .for_each(|(out, v)| *out = length * f64::from(*v));
            }
        }
        for (i, far) in self.far.iter(d) {
            for ((out, row), length) in
                (out.chunks_exact_mut(n).zip(rows.chunks_exact(d))).zip(&lengths)
            {
                out[i] = length * dot(row, far);
            }
        }
        Ok(out)
    }

    /// Transformed rows on the device, in the order of `indices`, zeros for far ones.
    pub fn gather(&self, indices: &[u32]) -> Result<Tensor<2>, MetricError> {
        self.stop.check()?;
        if let Some(resident) = self.resident() {
            let indices: Vec<i32> = indices.iter().map(|i| *i as i32).collect();
            let count = indices.len();
            let indices =
                Tensor::<1, Int>::from_data(TensorData::new(indices, [count]), &self.device);
            return Ok(resident.clone().select(0, indices));
        }
        let shape = [indices.len(), self.width()];
        let mut values = Vec::with_capacity(shape[0] * shape[1]);
        self.near_each(indices, &mut values)?;
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            &self.device,
        ))
    }

    /// Transformed rows in f64 on the host, row-major, in the order of `indices`.
    pub fn read_each(&self, indices: &[u32]) -> Result<Vec<f64>, MetricError> {
        let mut values = Vec::with_capacity(indices.len() * self.width());
        for i in indices {
            values.extend(self.read(*i as usize..*i as usize + 1)?);
        }
        Ok(values)
    }

    /// Transformed rows in f64 on the host, row-major.
    pub fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, MetricError> {
        let mut values = vec![];
        self.read_into(rows, &mut values)?;
        Ok(values)
    }

    /// The same in place of what is in `values`.
    pub fn read_into(&self, rows: Range<usize>, values: &mut Vec<f64>) -> Result<(), MetricError> {
        self.stop.check()?;
        let d = self.width();
        values.resize(rows.len() * d, 0.0);
        let height = self.task_rows();
        (values.par_chunks_mut(height * d).enumerate()).try_for_each(|(task, values)| {
            let start = rows.start + task * height;
            self.read_source(start..start + values.len() / d, values)?;
            self.map_rows(values);
            self.map_columns(values);
            Ok(())
        })
    }

    /// Rows as they are stored, row-major.
    pub fn read_stored(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), MetricError> {
        self.layer.read_as_stored(rows, out)
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
        let median = |j| {
            let mut column: Vec<f64> = rows.iter().skip(j).step_by(d).copied().collect();
            let middle = column.len() / 2;
            *column.select_nth_unstable_by(middle, f64::total_cmp).1
        };
        Ok((0..d)
            .into_par_iter()
            .with_min_len(32)
            .map(median)
            .collect())
    }

    /// Rows that one thread works on at once.
    fn task_rows(&self) -> usize {
        rows_within(TASK_BYTES, self.width() * 8).min(ROWS_A_TASK)
    }

    /// Has `work` done on all rows, some at a time on each thread, and where they begin, and tells `take`
    /// in the order of the rows what it gives; what it leaves of the rows goes to `kept`.
    fn for_tasks<T: Send>(
        &self,
        mut kept: Option<&mut Vec<f32>>,
        work: impl Fn(usize, &mut [f64]) -> T + Sync,
        mut take: impl FnMut(T),
    ) -> Result<(), MetricError> {
        /// Whose parts are held at once.
        const TASKS: usize = 64;
        let (n, d) = (self.rows(), self.width());
        let height = self.task_rows();
        let step = TASKS * height;
        let one = |buffer: &mut Vec<f64>, start: usize| {
            let end = (start + height).min(n);
            buffer.resize((end - start) * d, 0.0);
            self.read_source(start..end, buffer)?;
            Ok(work(start, buffer))
        };
        for first in (0..n).step_by(step) {
            self.stop.check()?;
            let end = (first + step).min(n);
            let starts = (first..end).into_par_iter().step_by(height);
            let parts: Vec<T> = match &mut kept {
                None => starts
                    .map_init(Vec::new, one)
                    .collect::<Result<_, MetricError>>()?,
                Some(kept) => starts
                    .zip(kept[first * d..end * d].par_chunks_mut(height * d))
                    .map_init(Vec::new, |buffer, (start, kept)| {
                        let part = one(buffer, start)?;
                        to_single(kept, buffer);
                        Ok(part)
                    })
                    .collect::<Result<_, MetricError>>()?,
            };
            parts.into_iter().for_each(&mut take);
        }
        Ok(())
    }

    fn read_source(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), MetricError> {
        match self.transform.rows {
            RowMap::AsIs => self.layer.read(rows, out),
            // What is mapped is brought to its length row by row.
            _ => self.layer.read_as_stored(rows, out),
        }
    }

    fn map_rows(&self, rows: &mut [f64]) -> Option<Undefined> {
        let d = self.width();
        let rows = rows.chunks_exact_mut(d);
        match self.transform.rows {
            RowMap::AsIs => None,
            RowMap::Unit => {
                rows.for_each(|row| {
                    unit(row);
                });
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
            RowMap::Standardised => {
                let spacing = self.layer.type_epsilon();
                rows.map(|row| standardise(row, spacing))
                    .fold(None, Option::or)
            }
        }
    }

    fn map_columns(&self, rows: &mut [f64]) {
        if !self.shift.is_empty() {
            place_columns(rows, &self.shift, &self.rest, &self.scale);
        }
    }

    fn upload(&self, values: &[f64], shape: [usize; 2]) -> Tensor<2> {
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// Transformed rows on the host, zeros for far ones.
impl Rows for View {
    fn count(&self) -> usize {
        self.rows()
    }

    fn width(&self) -> usize {
        self.layer.width()
    }

    fn near(&self, rows: Range<usize>) -> Result<Cow<'_, [f32]>, MetricError> {
        self.stop.check()?;
        let d = self.layer.width();
        if let Some(kept) = &self.kept {
            return Ok(Cow::Borrowed(&kept[rows.start * d..rows.end * d]));
        }
        let mut values = self.read(rows.clone())?;
        self.far.clear(&mut values, d, rows.start);
        let mut out = vec![0.0; values.len()];
        to_single(&mut out, &values);
        Ok(Cow::Owned(out))
    }
}

/// The absolute value at index `int(0.95 N)` of the sorted entries of all
/// `layers` together: the threshold of the published preprocessing.
///
/// Found in two passes over the leading bits of f64, which sort as the values do: all of a value of
/// f32, and eight digits of others.
pub(crate) fn clamp_threshold(layers: &[Layer]) -> Result<f64, MetricError> {
    let total: usize = layers.iter().map(|l| l.rows() * l.width()).sum();
    let rank = (0.95 * total as f64) as usize;
    let (high, before) = bucket_of(rank, |bits| Some((bits >> PASS) as usize), layers)?;
    let (low, _) = bucket_of(
        rank - before,
        |bits| ((bits >> PASS) as usize == high).then_some((bits & (BUCKETS as u64 - 1)) as usize),
        layers,
    )?;
    Ok(f64::from_bits(((high << PASS | low) as u64) << LEFT_OUT))
}

/// Bits that one pass over the values tells apart.
const PASS: u32 = 20;

/// What a pass counts.
const BUCKETS: usize = 1 << PASS;

/// Bits of a value that two passes leave out; the sign is one of those that are not there.
const LEFT_OUT: u32 = 63 - 2 * PASS;

/// The bucket that holds the entry of `rank`, and how many come before it.
fn bucket_of(
    rank: usize,
    bucket: impl Fn(u64) -> Option<usize> + Sync,
    layers: &[Layer],
) -> Result<(usize, usize), MetricError> {
    let mut counts = vec![0usize; BUCKETS];
    for layer in layers {
        layer.for_rows(|rows| {
            for v in rows {
                if let Some(i) = bucket(v.abs().to_bits() >> LEFT_OUT) {
                    counts[i] += 1;
                }
            }
            true
        })?;
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

/// Divides a row by its length, unless it is zero; the length.
fn unit(row: &mut [f64]) -> f64 {
    let mut length = square_sum(row).sqrt();
    let mut scale = 1.0;
    if !(SMALL..1.0 / SMALL).contains(&length) {
        // Squares overflow or vanish though the values do not.
        scale = row.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        if scale == 0.0 || !scale.is_finite() {
            return scale;
        }
        row.iter_mut().for_each(|v| *v /= scale);
        length = square_sum(row).sqrt();
    }
    row.iter_mut().for_each(|v| *v /= length);
    scale * length
}

/// Takes the mean off a row and divides it by its length, or says that it does not vary by more than
/// numbers of its type lie apart: by `spacing`, as a share of them.
pub(crate) fn standardise(row: &mut [f64], spacing: f64) -> Option<Undefined> {
    let mut raw = square_sum(row);
    if !(SMALL * SMALL..1.0 / (SMALL * SMALL)).contains(&raw) {
        // Squares overflow or vanish though the values do not.
        magnitude::times(row, -Magnitude::of_row(row).unwrap_or_default());
        raw = square_sum(row);
    }
    let mut centre = || {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        row.iter_mut().for_each(|v| *v -= mean);
        square_sum(row)
    };
    let mut left = centre();
    // The mean of large numbers is off by more than it is of what is left.
    if left < 1e-4 * raw {
        left = centre();
    }
    unit(row);
    (left <= spacing * spacing * raw).then_some(Undefined::ConstantSample)
}

fn is_finite(values: &[f64]) -> bool {
    values.iter().all(|v| v.is_finite())
}

/// Lengths between this and one over it have squares that are sound numbers.
const SMALL: f64 = 1e-140;

/// Sums over the near rows of the powers of each column.
struct Moments {
    squares: Vec<f64>,
    cubes: Vec<f64>,
    fourths: Vec<f64>,
}

impl Moments {
    fn new(d: usize) -> Self {
        let zeros = || vec![0.0; d];
        Self {
            squares: zeros(),
            cubes: zeros(),
            fourths: zeros(),
        }
    }

    /// Those over some rows of `d` values.
    fn of(rows: &[f64], d: usize, with_cubes: bool) -> Self {
        Self {
            squares: column_sums(rows, d, |x| x * x),
            cubes: match with_cubes {
                true => column_sums(rows, d, |x| x * x * x),
                false => vec![],
            },
            fourths: column_sums(rows, d, |x| x * x * x * x),
        }
    }

    fn add(&mut self, part: &Self) {
        add(&mut self.squares, &part.squares);
        add(&mut self.cubes, &part.cubes);
        add(&mut self.fourths, &part.fourths);
    }

    /// n (n - 3) HSIC_1 of each column with itself, added up: that of the kernel x_i x_j, whose
    /// sums off the diagonal are told from those of powers. Near values add up to zero.
    fn alone(&self, n: usize, far: &Far) -> f64 {
        let (n, d) = (n as f64, self.squares.len());
        let column = |q: usize| {
            let (a, b, c) = (self.squares[q], self.fourths[q], self.cubes[q]);
            // Far values one after the other, each with those before it: nothing cancels.
            let (mut sum, mut squares, mut product, mut total) = (0.0, 0.0, 0.0, 0.0);
            for (_, row) in far.iter(d) {
                let v = row[q];
                product += 2.0 * v * v * squares;
                total += 2.0 * v * sum;
                squares += v * v;
                sum += v;
            }
            // Of each the sum of the others, those before and those behind it.
            let values: Vec<f64> = far.iter(d).map(|(_, row)| row[q]).collect();
            let mut behind = vec![0.0; values.len() + 1];
            for (at, v) in values.iter().enumerate().rev() {
                behind[at] = behind[at + 1] + v;
            }
            let (mut before, mut own) = (0.0, 0.0);
            for (v, behind) in values.iter().zip(&behind[1..]) {
                own += (v * (before + behind)).powi(2);
                before += v;
            }
            let off_rows = own + sum * sum * a - 2.0 * sum * c + b;
            let (product, total) = (product + 2.0 * a * squares + (a * a - b), total - a);
            product + total * total / ((n - 1.0) * (n - 2.0)) - 2.0 / (n - 2.0) * off_rows
        };
        (0..d).map(column).sum()
    }
}

/// The sums of the columns of rows of `d` values.
fn column_sums(rows: &[f64], d: usize, of: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; d];
    add_columns(&mut sums, rows, of);
    sums
}

fn add(sums: &mut [f64], part: &[f64]) {
    sums.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
}
