//! Kernels: how two samples of one layer are compared, and the n x n matrix of
//! those values in tiles, never whole.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::distances::{Precision, Ranks, double, median_square, single};
use crate::source::HostValues;
use crate::view::{ColumnMap, RowMap, Transform, View};
use crate::{MetricError, Undefined, lanes};

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
    /// The cosine of two samples' activations.
    Cosine,
    /// The rank of that cosine among all pairs of samples.
    CosineRank,
    /// The rank of the Euclidean distance among all pairs of samples.
    EuclideanRank,
    /// The inner product of activations in an orthonormal basis of the layer.
    Mahalanobis,
    /// The rank of the Euclidean distance in such a basis.
    MahalanobisRank,
    /// `exp(-|x - y|^2 / (2 s^2))`, s the median Euclidean distance over all
    /// pairs of samples.
    GaussianMedian,
}

impl Kernel {
    pub(crate) fn transform(self, threshold: f64) -> Transform {
        let rows = match self {
            Self::Linear
            | Self::GaussianMedian
            | Self::EuclideanRank
            | Self::Mahalanobis
            | Self::MahalanobisRank => RowMap::AsIs,
            Self::Cosine | Self::CosineRank => RowMap::Unit,
            Self::ClampedLinear => RowMap::ClampedUnit { threshold },
            Self::Correlation | Self::CorrelationRank => RowMap::Standardised,
        };
        Transform {
            rows,
            columns: match self {
                Self::GaussianMedian | Self::EuclideanRank => ColumnMap::Located,
                Self::CorrelationRank | Self::CosineRank | Self::MahalanobisRank => {
                    ColumnMap::Centred
                }
                _ => ColumnMap::Near,
            },
        }
    }

    /// Whether its products need no n x n matrix.
    pub(crate) fn is_linear(self) -> bool {
        matches!(
            self,
            Self::Linear
                | Self::ClampedLinear
                | Self::Correlation
                | Self::Cosine
                | Self::Mahalanobis
        )
    }

    /// Whether it sees layers in orthonormal bases.
    pub(crate) fn is_whitened(self) -> bool {
        matches!(self, Self::Mahalanobis | Self::MahalanobisRank)
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
            Kernel::Linear | Kernel::ClampedLinear | Kernel::Mahalanobis => {
                layer(Entry::Product, view.squares.clone(), view.off.clone())
            }
            Kernel::Correlation | Kernel::Cosine => {
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
            Kernel::CorrelationRank
            | Kernel::CosineRank
            | Kernel::EuclideanRank
            | Kernel::MahalanobisRank => {
                layer(Entry::Rank(Ranks::new(view)?), vec![0.0; n], vec![])
            }
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
        let product = || x.matmul(y.transpose());
        let squares = |of: &[u32], shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(self.squares(of), shape), &device)
        };
        let tile = match &self.entry {
            Entry::Product => product(),
            Entry::Gaussian {
                scale,
                shift,
                precision: Precision::Single,
            } => {
                let x2 = squares(rows, [rows.len(), 1]);
                let y2 = squares(columns, [1, columns.len()]);
                let exponent = (product() * 2.0 - x2 - y2).clamp_max(0.0) * *scale;
                exponent.exp() - *shift
            }
            Entry::Gaussian { .. } | Entry::Rank(_) => {
                let read = || Ok(HostValues::of(product())?.to_vec());
                let values = self.entries(rows, columns, read)?;
                // Here they are, and here they stay where products are taken as the CPU takes them.
                let device = match &self.entry {
                    Entry::Rank(_) => Device::flex(),
                    _ => device.clone(),
                };
                let values = TensorData::new(values, [rows.len(), columns.len()]);
                return Ok(Tensor::from_data(values, &device));
            }
        };
        if rows != columns {
            return Ok(tile);
        }
        let size = rows.len();
        let mut mask = vec![false; size * size];
        mask.iter_mut().step_by(size + 1).for_each(|at| *at = true);
        let mask = TensorData::new(mask, [size, size]);
        // What is there may be beyond f32: zero times it would be no number.
        Ok(tile.mask_fill(Tensor::<2, Bool>::from_data(mask, &device), 0.0))
    }

    /// The same on the host, row-major, from their products, which are taken where entries need them.
    pub fn entries(
        &self,
        rows: &[u32],
        columns: &[u32],
        product: impl FnOnce() -> Result<Vec<f32>, MetricError>,
    ) -> Result<Vec<f32>, MetricError> {
        let mut values = match &self.entry {
            Entry::Product => product()?,
            Entry::Gaussian {
                scale,
                shift,
                precision: Precision::Single,
            } => {
                let mut values = product()?;
                let lengths = (self.squares(rows), self.squares(columns));
                for (row, own) in values.chunks_exact_mut(columns.len()).zip(&lengths.0) {
                    lanes::gaussian(row, &lengths.1, *own, *scale as f32, *shift as f32);
                }
                values
            }
            Entry::Gaussian { scale, shift, .. } => {
                let distances = double(self.view, rows, columns)?;
                let entry = |square: &f64| ((-square * scale).exp() - shift) as f32;
                distances.iter().map(entry).collect()
            }
            Entry::Rank(Ranks::Exact(ranks)) => {
                let n = self.view.rows();
                let row = |i: &u32| &ranks[*i as usize * n..][..n];
                (rows.iter())
                    .flat_map(|i| columns.iter().map(|j| row(i)[*j as usize]))
                    .collect()
            }
            Entry::Rank(Ranks::Binned {
                precision,
                bins,
                ranks,
            }) => {
                let distances = match precision {
                    Precision::Double => double(self.view, rows, columns)?,
                    Precision::Single => single(self.view, &product()?, rows, columns),
                };
                let mut values = vec![0.0f32; distances.len()];
                (values.par_iter_mut().zip(&distances))
                    .with_min_len(RANKS_A_TASK)
                    .for_each(|(value, square)| *value = ranks[bins.place(*square)]);
                values
            }
        };
        if rows == columns {
            let diagonal = values.iter_mut().step_by(columns.len() + 1);
            diagonal.for_each(|value| *value = 0.0);
        }
        Ok(values)
    }

    /// Squared lengths of some samples.
    fn squares(&self, of: &[u32]) -> Vec<f32> {
        let square = |i: &u32| self.view.squares[*i as usize] as f32;
        of.iter().map(square).collect()
    }
}

/// Ranks that one thread looks up at least.
const RANKS_A_TASK: usize = 1 << 15;

impl View {
    /// The mean of the uncentred Gram matrix.
    pub fn grand_mean(&self) -> f64 {
        self.shift().iter().map(|m| m * m).sum()
    }
}
