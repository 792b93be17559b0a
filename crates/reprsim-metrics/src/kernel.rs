//! Kernels: how two samples of one layer are compared, and the n x n matrix of
//! those values in tiles, never whole.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::distances::{Precision, Ranks, double, median_square, single};
use crate::source::HostValues;
use crate::view::{ColumnMap, RowMap, Transform, View};
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
                Self::CorrelationRank => ColumnMap::Centred,
                _ => ColumnMap::Near,
            },
        }
    }

    /// Whether its products need no n x n matrix.
    pub(crate) fn is_linear(self) -> bool {
        matches!(self, Self::Linear | Self::ClampedLinear | Self::Correlation)
    }
}

/// A layer's kernel matrix: a rule for its entries, its diagonal and row sums.
///
/// Entries may be shifted by a constant and, for linear kernels, doubly
/// centred: no measure sees that, and sums keep their digits.
pub(crate) struct KernelLayer<'a> {
    pub view: &'a View,
    pub entry: Entry,
    /// Known in f64, and left out of tiles: where dimensions are many it would drown the rest in
    /// f32.
    pub diagonal: Vec<f64>,
    /// Row sums without the diagonal. Of non-linear kernels they are known once the matrix has been
    /// gone through.
    pub off: Vec<f64>,
}

/// How an inner product becomes an entry.
pub(crate) enum Entry {
    /// As it is.
    Product,
    /// `exp((2 xy - |x|^2 - |y|^2) scale) - shift`.
    Gaussian {
        scale: f64,
        shift: f64,
        precision: Precision,
    },
    /// The centred rank of the distance: of rows of length 1 it is that of one less the
    /// correlation.
    Rank(Ranks),
}

impl<'a> KernelLayer<'a> {
    /// Prepares the kernel matrix of a view that is not degenerate.
    pub fn new(kernel: Kernel, view: &'a View) -> Result<Result<Self, Undefined>, MetricError> {
        let n = view.rows();
        let layer = |entry: Entry, diagonal: Vec<f64>, off| {
            Ok(Ok(Self {
                view,
                entry,
                diagonal,
                off,
            }))
        };
        match kernel {
            Kernel::Linear | Kernel::ClampedLinear => {
                layer(Entry::Product, view.squares.clone(), view.off.clone())
            }
            Kernel::Correlation => {
                // K less its mean is the Gram matrix of the view plus o_i + o_j, o of mean 0.
                let diagonal = (view.squares.iter().zip(&view.offsets))
                    .map(|(r, o)| r + 2.0 * o)
                    .collect();
                let off = (view.off.iter().zip(&view.offsets))
                    .map(|(off, o)| off + (n as f64 - 2.0) * o)
                    .collect();
                layer(Entry::Product, diagonal, off)
            }
            Kernel::GaussianMedian => {
                let (Some(median), precision) = median_square(view)? else {
                    return Ok(Err(Undefined::ZeroMedianDistance));
                };
                let shift = (-0.5f64).exp();
                let entry = Entry::Gaussian {
                    scale: 0.5 / median,
                    shift,
                    precision,
                };
                layer(entry, vec![1.0 - shift; n], vec![])
            }
            // Only pairs of different samples have a rank.
            Kernel::CorrelationRank => layer(Entry::Rank(Ranks::new(view)?), vec![0.0; n], vec![]),
        }
    }

    /// Whether the row sums have still to be found.
    pub fn lacks_rows(&self) -> bool {
        self.off.is_empty()
    }

    /// Whether entries are told on the host.
    pub fn on_host(&self) -> bool {
        match &self.entry {
            Entry::Product => false,
            Entry::Gaussian { precision, .. } => *precision == Precision::Double,
            Entry::Rank(_) => true,
        }
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
        self.entries(rows, columns, &device, || Ok(x.matmul(y.transpose())))
    }

    /// The entries for the samples `rows` and `columns` from their products, which are on `device`
    /// and taken where entries need them; zero on the diagonal.
    pub fn entries(
        &self,
        rows: &[u32],
        columns: &[u32],
        device: &Device,
        product: impl FnOnce() -> Result<Tensor<2>, MetricError>,
    ) -> Result<Tensor<2>, MetricError> {
        let shape = [rows.len(), columns.len()];
        let squares = |of: &[u32], shape: [usize; 2]| {
            let values: Vec<f32> = (of.iter())
                .map(|i| self.view.squares[*i as usize] as f32)
                .collect();
            Tensor::<2>::from_data(TensorData::new(values, shape), device)
        };
        let off_diagonal = |tile: Tensor<2>| match rows == columns {
            true => {
                let size = rows.len();
                let mut mask = vec![false; size * size];
                (0..size).for_each(|i| mask[i * size + i] = true);
                let mask = TensorData::new(mask, [size, size]);
                // What is there may be beyond f32: zero times it would be no number.
                tile.mask_fill(Tensor::<2, Bool>::from_data(mask, device), 0.0)
            }
            false => tile,
        };
        match &self.entry {
            Entry::Product => Ok(off_diagonal(product()?)),
            Entry::Gaussian {
                scale,
                shift,
                precision: Precision::Single,
            } => {
                let x2 = squares(rows, [rows.len(), 1]);
                let y2 = squares(columns, [1, columns.len()]);
                let exponent = (product()? * 2.0 - x2 - y2).clamp_max(0.0) * *scale;
                Ok(off_diagonal(exponent.exp() - *shift))
            }
            Entry::Gaussian { scale, shift, .. } => {
                let distances = double(self.view, rows, columns)?;
                let entry = |square: &f64| ((-square * scale).exp() - shift) as f32;
                let values: Vec<f32> = distances.iter().map(entry).collect();
                let tile = Tensor::from_data(TensorData::new(values, shape), device);
                Ok(off_diagonal(tile))
            }
            Entry::Rank(ranks) => {
                let n = self.view.rows();
                let values = match ranks {
                    Ranks::Exact(ranks) => (rows.iter())
                        .flat_map(|i| columns.iter().map(move |j| (*i as usize, *j as usize)))
                        .map(|(i, j)| ranks[i * n + j])
                        .collect(),
                    Ranks::Binned {
                        precision,
                        bins,
                        ranks,
                    } => {
                        let distances = match precision {
                            Precision::Double => double(self.view, rows, columns)?,
                            Precision::Single => {
                                let products = HostValues::of(product()?)?;
                                let places = |of: &'_ [u32]| -> Vec<usize> {
                                    of.iter().map(|i| *i as usize).collect()
                                };
                                let (rows, of) = (places(rows), places(columns));
                                let of = of.iter().copied();
                                single(self.view, &products, rows.into_iter(), of, columns.len())
                            }
                        };
                        let mut values = vec![0.0f32; distances.len()];
                        values
                            .par_iter_mut()
                            .zip(&distances)
                            .for_each(|(value, square)| *value = ranks[bins.place(*square)]);
                        for (row, i) in values.chunks_exact_mut(columns.len()).zip(rows) {
                            for (value, j) in row.iter_mut().zip(columns) {
                                if i == j {
                                    *value = 0.0;
                                }
                            }
                        }
                        values
                    }
                };
                // Here they are, and here they stay: products are taken as the CPU takes them.
                let values = TensorData::new(values, shape);
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
}
