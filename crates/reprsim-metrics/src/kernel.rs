//! Kernels: how two samples of one layer are compared, and the n x n matrix of
//! those values in tiles, never whole.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::source::HostValues;
use crate::view::{ColumnMap, RowMap, Transform, View, dot};
use crate::{MetricError, Undefined};

/// A kernel between samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// The inner product of activations.
    Linear,
    /// The inner product after the published preprocessing: entries clamped at
    /// the model's 0.95 quantile of absolute values, rows of length 1.
    ClampedLinear,
    /// The Pearson correlation of two samples' activations.
    Correlation,
    /// The rank of that correlation among all pairs of samples.
    CorrelationRank,
    /// `exp(-|x - y|^2 / (2 s^2))`, s the median Euclidean distance over all
    /// pairs of samples.
    GaussianMedian,
}

impl Kernel {
    pub(crate) fn transform(self, threshold: f64) -> Transform {
        let rows = match self {
            Self::Linear | Self::GaussianMedian => RowMap::AsIs,
            Self::ClampedLinear => RowMap::ClampedUnit { threshold },
            Self::Correlation | Self::CorrelationRank => RowMap::Standardised,
        };
        Transform {
            rows,
            columns: match self {
                Self::GaussianMedian => ColumnMap::Located,
                _ => ColumnMap::Centred,
            },
        }
    }

    /// Whether its products need no n x n matrix.
    pub(crate) fn is_linear(self) -> bool {
        matches!(self, Self::Linear | Self::ClampedLinear | Self::Correlation)
    }
}

/// Rows of a tile.
const TILE_ROWS: usize = 128;

/// Entries of a tile at most: the sum over their squares in f32 keeps seven
/// digits. Tiles are added up in f64.
const TILE_ENTRIES: usize = 1 << 18;

/// Bytes of all layers' tiles at once.
const TILES_BYTES: usize = 64 << 20;

/// Tiles that together cover an n x n matrix on and above the diagonal, of a size
/// for working on those of `layers` layers at once: squares on the diagonal and
/// wide tiles beside them.
pub(crate) fn tiles(n: usize, layers: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let entries = TILE_ENTRIES.min(TILES_BYTES / 4 / layers.max(1));
    let width = (entries / TILE_ROWS).max(TILE_ROWS);
    let mut all = Vec::new();
    for start in (0..n).step_by(TILE_ROWS) {
        let rows = start..(start + TILE_ROWS).min(n);
        all.push((rows.clone(), rows.clone()));
        for left in (rows.end..n).step_by(width) {
            all.push((rows.clone(), left..(left + width).min(n)));
        }
    }
    all
}

/// The products of a view's samples, tile by tile, in the host's memory.
pub(crate) struct GramTiles<'a> {
    view: &'a View,
    #[cfg(feature = "wgpu")]
    replayed: Option<crate::gpu::Gram>,
}

impl<'a> GramTiles<'a> {
    /// Of a view that is not degenerate.
    pub fn new(view: &'a View) -> Result<Self, MetricError> {
        Ok(Self {
            view,
            #[cfg(feature = "wgpu")]
            replayed: crate::gpu::Gram::new(view, [TILE_ROWS, TILE_ENTRIES / TILE_ROWS])?,
        })
    }

    /// The products of some samples with others, row-major. The ranges are those of [`tiles`] of
    /// one layer.
    pub fn tile(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<HostValues, MetricError> {
        #[cfg(feature = "wgpu")]
        if let Some(replayed) = &self.replayed {
            return Ok(HostValues::from(replayed.tile(rows, columns)?));
        }
        let x = self.view.chunk(rows.clone())?;
        let y = self.view.chunk(columns.clone())?;
        HostValues::of(x.matmul(y.transpose()))
    }
}

/// A layer's kernel matrix: a rule for its entries, its diagonal and row sums.
///
/// Entries may be shifted by a constant and, for linear kernels, doubly
/// centred: no measure sees that, and sums keep their digits.
pub(crate) struct KernelLayer<'a> {
    pub view: &'a View,
    pub entry: Entry,
    /// The diagonal of the tiles, which is left out of them: it is known in f64,
    /// and where dimensions are many it would drown the rest in f32.
    pub tile_diagonal: Vec<f64>,
    pub diagonal: Vec<f64>,
    /// Row sums, diagonal included. Of non-linear kernels they are known once
    /// the matrix has been gone through.
    pub rows: Vec<f64>,
}

/// How an inner product becomes an entry.
pub(crate) enum Entry {
    /// As it is.
    Product,
    /// `exp((2 xy - |x|^2 - |y|^2) scale) - shift`.
    Gaussian { scale: f64, shift: f64 },
    /// The centred rank of the correlation.
    Rank { grand_mean: f64, ranks: Ranks },
}

impl<'a> KernelLayer<'a> {
    /// Prepares the kernel matrix of a view that is not degenerate.
    pub fn new(kernel: Kernel, view: &'a View) -> Result<Result<Self, Undefined>, MetricError> {
        let n = view.rows();
        let layer = |entry: Entry, diagonal: Vec<f64>, rows| {
            Ok(Ok(Self {
                view,
                tile_diagonal: match entry {
                    Entry::Product => view.squares.clone(),
                    _ => diagonal.clone(),
                },
                entry,
                diagonal,
                rows,
            }))
        };
        match kernel {
            Kernel::Linear | Kernel::ClampedLinear => {
                layer(Entry::Product, view.squares.clone(), vec![0.0; n])
            }
            Kernel::Correlation => {
                // K less its mean is the doubly centred matrix plus o_i + o_j.
                let diagonal = (view.squares.iter().zip(&view.offsets))
                    .map(|(r, o)| r + 2.0 * o)
                    .collect();
                let rows = view.offsets.iter().map(|o| o * n as f64).collect();
                layer(Entry::Product, diagonal, rows)
            }
            Kernel::GaussianMedian => {
                let Some(median) = median_square_distance(view)? else {
                    return Ok(Err(Undefined::ZeroMedianDistance));
                };
                let shift = (-0.5f64).exp();
                let entry = Entry::Gaussian {
                    scale: 0.5 / median,
                    shift,
                };
                layer(entry, vec![1.0 - shift; n], vec![])
            }
            Kernel::CorrelationRank => {
                let grand_mean = view.grand_mean();
                let ranks = Ranks::new(view, grand_mean)?;
                let entry = Entry::Rank { grand_mean, ranks };
                // Only pairs of different samples have a rank.
                layer(entry, vec![0.0; n], vec![])
            }
        }
    }

    /// Whether the row sums have still to be found.
    pub fn lacks_rows(&self) -> bool {
        self.rows.is_empty()
    }

    /// The entries for the samples `rows` and `columns`, whose transformed
    /// activations are `x` and `y`; zero on the diagonal.
    pub fn tile(
        &self,
        x: Tensor<2>,
        y: Tensor<2>,
        rows: &[u32],
        columns: &[u32],
    ) -> Result<Tensor<2>, MetricError> {
        let device = x.device();
        let product = x.matmul(y.transpose());
        let squares = |of: &[u32], shape: [usize; 2]| {
            let values: Vec<f32> = (of.iter())
                .map(|i| self.view.squares[*i as usize] as f32)
                .collect();
            Tensor::<2>::from_data(TensorData::new(values, shape), &device)
        };
        let off_diagonal = |tile: Tensor<2>| match rows == columns {
            true => {
                let size = rows.len();
                let mut mask = vec![1.0f32; size * size];
                (0..size).for_each(|i| mask[i * size + i] = 0.0);
                tile * Tensor::from_data(TensorData::new(mask, [size, size]), &device)
            }
            false => tile,
        };
        match &self.entry {
            Entry::Product => Ok(off_diagonal(product)),
            Entry::Gaussian { scale, shift } => {
                let x2 = squares(rows, [rows.len(), 1]);
                let y2 = squares(columns, [1, columns.len()]);
                let exponent = (product * 2.0 - x2 - y2).clamp_max(0.0) * *scale;
                Ok(off_diagonal(exponent.exp() - *shift))
            }
            Entry::Rank { grand_mean, ranks } => {
                let mut values = HostValues::of(product)?.to_vec();
                let n = self.view.rows();
                values
                    .par_chunks_mut(columns.len())
                    .zip(rows.par_iter())
                    .for_each(|(values, i)| {
                        for (v, j) in values.iter_mut().zip(columns) {
                            *v = match ranks {
                                _ if i == j => 0.0,
                                Ranks::Exact(ranks) => ranks[*i as usize * n + *j as usize],
                                Ranks::Binned(ranks) => {
                                    ranks[bin(self.view.dissimilarity(*v, *i, *j, *grand_mean))]
                                }
                            };
                        }
                    });
                // Here they are, and here they stay: products are taken as the CPU takes them.
                let values = TensorData::new(values, [rows.len(), columns.len()]);
                Ok(Tensor::from_data(values, &Device::flex()))
            }
        }
    }
}

impl View {
    /// The mean of the uncentred Gram matrix.
    pub fn grand_mean(&self) -> f64 {
        self.shift().iter().map(|m| m * m).sum()
    }

    /// One less the correlation of two samples, from the product of their
    /// centred rows.
    fn dissimilarity(&self, product: f32, i: u32, j: u32, grand_mean: f64) -> f32 {
        let offsets = self.offsets[i as usize] + self.offsets[j as usize];
        (1.0 - (f64::from(product) + offsets + grand_mean)).max(0.0) as f32
    }
}

/// Counts of the bins of all entries (i, j), i < j, of a view's Gram matrix.
fn histogram(
    view: &View,
    bins: usize,
    bin: impl Fn(f32, usize, usize) -> Option<usize> + Sync,
) -> Result<Vec<u64>, MetricError> {
    let gram = GramTiles::new(view)?;
    let count = |tiles: &[(Range<usize>, Range<usize>)]| {
        let mut counts = vec![0u64; bins];
        for (rows, columns) in tiles {
            let values = gram.tile(rows, columns)?;
            for (row, i) in values.chunks_exact(columns.len()).zip(rows.clone()) {
                for (v, j) in row.iter().zip(columns.clone()) {
                    if j > i
                        && let Some(bin) = bin(*v, i, j)
                    {
                        counts[bin] += 1;
                    }
                }
            }
        }
        Ok(counts)
    };
    let tiles = tiles(view.rows(), 1);
    let share = tiles.len().div_ceil(rayon::current_num_threads()).max(1);
    let parts = (tiles.par_chunks(share).map(count)).collect::<Result<Vec<_>, MetricError>>()?;
    let mut counts = vec![0u64; bins];
    for part in parts {
        (counts.iter_mut().zip(part)).for_each(|(count, more)| *count += more);
    }
    Ok(counts)
}

/// The square of the median Euclidean distance between samples, `None` if it is
/// zero. For an even number of pairs it is the mean of the middle two.
///
/// Exact, without keeping the distances: f32 values sort as their bits do, so two
/// passes count the upper and then the lower half of the bits.
fn median_square_distance(view: &View) -> Result<Option<f64>, MetricError> {
    let n = view.rows() as u64;
    let pairs = n * (n - 1) / 2;
    if pairs == 0 {
        return Ok(None);
    }
    let squares: Vec<f32> = view.squares.iter().map(|s| *s as f32).collect();
    let bits = |product: f32, i: usize, j: usize| {
        (squares[i] + squares[j] - 2.0 * product).max(0.0).to_bits() as usize
    };
    let upper = histogram(view, 1 << 16, |v, i, j| Some(bits(v, i, j) >> 16))?;
    let ranks = [(pairs - 1) / 2, pairs / 2];
    let buckets = ranks.map(|rank| at_rank(&upper, rank));
    let mut distances = [0.0; 2];
    let mut lower: Option<(usize, Vec<u64>)> = None;
    for (distance, (bucket, within)) in distances.iter_mut().zip(buckets) {
        let counts = match lower.take() {
            Some((of, counts)) if of == bucket => counts,
            _ => histogram(view, 1 << 16, |v, i, j| {
                let bits = bits(v, i, j);
                (bits >> 16 == bucket).then_some(bits & 0xffff)
            })?,
        };
        let (low, _) = at_rank(&counts, within);
        *distance = f64::from(f32::from_bits((bucket << 16 | low) as u32)).sqrt();
        lower = Some((bucket, counts));
    }
    let median = (distances[0] + distances[1]) / 2.0;
    Ok((median > 0.0).then_some(median * median))
}

/// The bin that holds the entry of `rank`, and its rank within the bin.
fn at_rank(counts: &[u64], rank: u64) -> (usize, u64) {
    let mut before = 0;
    for (bin, count) in counts.iter().enumerate() {
        if before + count > rank {
            return (bin, rank - before);
        }
        before += count;
    }
    (counts.len() - 1, 0)
}

/// The rank of a dissimilarity among those of all pairs of samples, less the mean
/// rank, over their number; ties share their mean rank.
pub(crate) enum Ranks {
    /// `n * n`, from products in f64, where samples are few: there one rank
    /// swapped by rounding would show in the sixth digit.
    Exact(Vec<f32>),
    /// The mean rank of each bin of dissimilarities, where there are so many that
    /// rounding does not show.
    Binned(Vec<f32>),
}

/// Samples up to which ranks are exact.
const EXACT_UP_TO: usize = 1024;

/// Bits of the mantissa of a dissimilarity that tell its bin.
const RANK_BITS: u32 = 14;
/// The smallest dissimilarity with bins of its own is 2^-20: copies of a sample
/// are to share a bin whatever f32 makes of them.
const RANK_BASE: usize = (127 - 20) << RANK_BITS;
const RANK_BINS: usize = 23 << RANK_BITS;

impl Ranks {
    fn new(view: &View, grand_mean: f64) -> Result<Self, MetricError> {
        if view.rows() <= EXACT_UP_TO {
            return Ok(Self::Exact(exact_ranks(view)?));
        }
        let counts = histogram(view, RANK_BINS, |v, i, j| {
            Some(bin(view.dissimilarity(v, i as u32, j as u32, grand_mean)))
        })?;
        let total: u64 = counts.iter().sum();
        let mut before = 0.0;
        let mean_rank = |count: &u64| {
            let rank = before + *count as f64 / 2.0;
            before += *count as f64;
            ((rank - total as f64 / 2.0) / total as f64) as f32
        };
        Ok(Self::Binned(counts.iter().map(mean_rank).collect()))
    }
}

/// The centred, scaled rank of each pair of samples.
fn exact_ranks(view: &View) -> Result<Vec<f32>, MetricError> {
    let (n, d) = (view.rows(), view.width());
    let rows = view.read(0..n)?;
    let row = |i: usize| &rows[i * d..][..d];
    // The mean correlation is the same for all pairs.
    let mut pairs: Vec<(i64, u32, u32)> = (0..n)
        .into_par_iter()
        .flat_map_iter(|i| {
            (i + 1..n).map(move |j| {
                let correlation = dot(row(i), row(j)) + view.offsets[i] + view.offsets[j];
                // Equal but for rounding is a tie.
                ((-correlation * 1e12).round() as i64, i as u32, j as u32)
            })
        })
        .collect();
    pairs.par_sort_unstable();
    let total = pairs.len() as f64;
    let mut ranks = vec![0.0f32; n * n];
    let mut start = 0;
    for ties in pairs.chunk_by(|x, y| x.0 == y.0) {
        let rank = (start as f64 + ties.len() as f64 / 2.0 - total / 2.0) / total;
        for (_, i, j) in ties {
            ranks[*i as usize * n + *j as usize] = rank as f32;
            ranks[*j as usize * n + *i as usize] = rank as f32;
        }
        start += ties.len();
    }
    Ok(ranks)
}

/// The bin of a dissimilarity: its leading bits, as fine relative to it
/// everywhere.
fn bin(dissimilarity: f32) -> usize {
    ((dissimilarity.to_bits() >> (23 - RANK_BITS)) as usize)
        .saturating_sub(RANK_BASE)
        .min(RANK_BINS - 1)
}
