//! What the formulas of the measures are written in: terms of a pair of layers
//! that a whole family of measures shares.

use faer::MatRef;

/// The sums over two n x n kernel matrices K and L that HSIC and correlations
/// of their entries are made of.
///
/// The diagonal is apart everywhere: where one sample is far from all others, or dimensions are
/// many, no sum that has it in it has digits left for the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelSums {
    /// Number of samples.
    pub n: f64,
    /// Sum of K_ij L_ij, i != j.
    pub off_product: f64,
    /// Sum of K_ii L_ii.
    pub diagonal: f64,
    /// Sum over i of the product of the sums of row i, K_ii and L_ii included.
    pub rows: f64,
    /// The same with the diagonal left out of the row sums.
    pub off_rows: f64,
    /// Sums of all entries of K and of L, the diagonal left out.
    pub off_totals: (f64, f64),
    /// Traces of K and of L.
    pub traces: (f64, f64),
    /// What was added up in f32 to find `off_product`: rounding is a share of it.
    pub size: f64,
}

impl KernelSums {
    /// `tr(K H L H)`, H = I - 11'/n: (n - 1)^2 times the biased HSIC_0.
    pub fn hsic0(&self) -> f64 {
        let (off, traces) = (self.off_totals, self.traces);
        let totals = (off.0 + traces.0) * (off.1 + traces.1);
        self.off_product + self.diagonal - 2.0 / self.n * self.rows + totals / self.n.powi(2)
    }

    /// n (n - 3) times HSIC_1 of Song et al. (2012, JMLR 13, eq. 5).
    pub fn hsic1(&self) -> f64 {
        let n = self.n;
        self.off_product + self.off_totals.0 * self.off_totals.1 / ((n - 1.0) * (n - 2.0))
            - 2.0 / (n - 2.0) * self.off_rows
    }

    /// n (n - 1) times the covariance of the off-diagonal entries of K and L.
    pub fn covariance(&self) -> f64 {
        self.off_product - self.off_totals.0 * self.off_totals.1 / (self.n * (self.n - 1.0))
    }

    /// The sum over i != j of D_ij E_ij, the squared distances `K_ii + K_jj - 2 K_ij` that belong to the
    /// kernels.
    pub fn distance_product(&self) -> f64 {
        // The sum of K_ii L_ij and K_ij L_ii, i != j.
        let mixed = self.rows - self.off_rows - self.diagonal;
        4.0 * (self.off_product - mixed)
            + 2.0 * (self.n - 2.0) * self.diagonal
            + 2.0 * self.traces.0 * self.traces.1
    }

    /// n (n - 1) times the covariance of these distances.
    pub fn distance_covariance(&self) -> f64 {
        let n = self.n;
        let total = |trace, off| 2.0 * (n - 1.0) * trace - 2.0 * off;
        let (a, b) = (
            total(self.traces.0, self.off_totals.0),
            total(self.traces.1, self.off_totals.1),
        );
        self.distance_product() - a * b / (n * (n - 1.0))
    }

    /// The mean of these sums over all permutations of the samples of L.
    ///
    /// Formulas are linear in the sums across two layers, so what they give for
    /// this is the exact mean of the measure over all n! permutations.
    pub(crate) fn expected(&self) -> Self {
        let n = self.n;
        let off = self.off_totals;
        Self {
            off_product: off.0 * off.1 / (n * (n - 1.0)),
            diagonal: self.traces.0 * self.traces.1 / n,
            rows: (off.0 + self.traces.0) * (off.1 + self.traces.1) / n,
            off_rows: off.0 * off.1 / n,
            ..*self
        }
    }
}

/// Two kernel matrices: their sums together and each with itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelPair {
    /// K with L.
    pub cross: KernelSums,
    /// K with itself.
    pub a: KernelSums,
    /// L with itself.
    pub b: KernelSums,
    /// The part of `a` and of `b` in which a column meets itself, as n (n - 3)
    /// HSIC_1, and the number of columns. Only of linear kernels.
    pub columns: [(f64, f64); 2],
}

/// The k nearest neighbours of each sample in two layers, nearest first.
#[derive(Clone, Copy, Debug)]
pub struct NeighborPair<'a> {
    /// Number of neighbours.
    pub k: usize,
    /// Those of the first layer, `n * k`.
    pub a: &'a [u32],
    /// Those of the second layer, `n * k`, its samples renamed as the
    /// permutation says.
    pub b: &'a [u32],
    /// Kernel values between each sample and its neighbours, `n * k`, in the
    /// order of `a`; empty where no measure asked for them.
    pub kernel_a: &'a [f64],
    /// Likewise for `b`.
    pub kernel_b: &'a [f64],
}

/// The k nearest neighbours of each sample in two layers, and cosines between any samples.
pub struct CosinePair<'a> {
    /// The lists.
    pub lists: NeighborPair<'a>,
    /// Cosines in the first layer.
    pub a: Cosines<'a>,
    /// Cosines in the second layer, its samples renamed as the permutation says.
    pub b: Cosines<'a>,
}

/// Cosines between the samples of a layer, computed as they are asked for.
pub struct Cosines<'a> {
    pub(crate) rows: &'a [f32],
    pub(crate) width: usize,
    pub(crate) map: Option<&'a [u32]>,
}

/// The Euclidean distances between the samples of a part in two layers.
#[derive(Clone, Copy, Debug)]
pub struct DistancePair<'a> {
    /// Samples of the part.
    pub n: usize,
    /// Distances in the first layer, `n * n`.
    pub a: &'a [f64],
    /// Distances in the second layer, `n * n`, its samples renamed as the permutation says.
    pub b: &'a [f64],
}

/// Two layers in orthonormal bases: those of their left singular vectors, X = U S V', or any others,
/// X = Q R, where no measure asks for singular vectors.
pub struct SubspacePair<'a> {
    /// Singular values of the first layer, descending; none of a basis that is not of singular vectors.
    pub singular_a: &'a [f64],
    /// Likewise of the second layer.
    pub singular_b: &'a [f64],
    /// S V', or R, of the first layer, for weights of its directions.
    pub loadings_a: &'a faer::Mat<f64>,
    /// Likewise of the second layer.
    pub loadings_b: &'a faer::Mat<f64>,
    /// U_a' U_b, or Q_a' Q_b, of as many leading directions of each as were asked for.
    pub product: MatRef<'a, f64>,
}

/// The cross-covariance of two layers, X'Y, up to a rotation of each where the formula is one of
/// [`crate::Formula::Covariance`].
pub struct CovariancePair<'a> {
    /// X'Y.
    pub covariance: MatRef<'a, f64>,
    /// |X| and |Y|.
    pub lengths: (f64, f64),
    /// Number of samples.
    pub n: usize,
}

/// Two layers in bases of their left singular vectors, X = U S V', sample by sample.
#[derive(Clone, Copy)]
pub struct SamplesPair<'a> {
    /// U of the first layer, `[n, r_a]`.
    pub a: MatRef<'a, f64>,
    /// U of the second layer, `[n, r_b]`, its samples in the order of the permutation.
    pub b: MatRef<'a, f64>,
    /// Singular values of the first layer, descending.
    pub singular_a: &'a [f64],
    /// Likewise of the second layer.
    pub singular_b: &'a [f64],
}
