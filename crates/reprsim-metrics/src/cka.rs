//! Linear CKA, biased and debiased, for all pairs of two sets of layers.
//!
//! With X and Y centred, K = XX' and L = YY':
//! - biased (Kornblith et al. 2019): `|Y'X|² / (|X'X| |Y'Y|)`;
//! - debiased: the same ratio of HSIC_1 (Song et al. 2012, eq. 5), which for
//!   centred features is, up to the common factor 1 / (n (n - 3)),
//!   `|Y'X|² - n/(n-2) Σ|x_i|²|y_i|² + Σ|x_i|² Σ|y_i|² / ((n-1)(n-2))`.
//!
//! `|Y'X|²` needs no n x n matrix: all cross-covariances of the two sets are one
//! matrix product. Only where both layers are wider than n is it taken as
//! `<K, L>` instead.

use burn::tensor::Tensor;

use crate::layer::{Layer, MetricError, host_f64};
use crate::measure::{Measure, Score, Undefined};

/// Scores of every layer of one set against every layer of the other.
#[derive(Clone, Debug, PartialEq)]
pub struct CkaTable {
    columns: usize,
    products: Vec<PairTerms>,
}

/// What the two estimators need of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PairTerms {
    n: usize,
    degenerate: Option<Undefined>,
    cross: HsicTerms,
    self_a: HsicTerms,
    self_b: HsicTerms,
}

/// The three sums of HSIC_1 for one pair of centred layers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct HsicTerms {
    /// |Y'X|².
    product: f64,
    /// Σ|x_i|²|y_i|².
    diagonal: f64,
    /// Σ|x_i|² Σ|y_i|².
    traces: f64,
}

impl HsicTerms {
    fn of(product: f64, a: &[f64], b: &[f64]) -> Self {
        Self {
            product,
            diagonal: a.iter().zip(b).map(|(x, y)| x * y).sum(),
            traces: a.iter().sum::<f64>() * b.iter().sum::<f64>(),
        }
    }

    fn debiased(&self, n: f64) -> f64 {
        self.product - n / (n - 2.0) * self.diagonal + self.traces / ((n - 1.0) * (n - 2.0))
    }
}

/// Compares every layer of `a` with every layer of `b` on the same samples.
///
/// # Errors
/// [`MetricError::RowsDiffer`] if the layers have different numbers of rows;
/// [`MetricError::Device`] if reading from the device fails.
pub fn linear_cka(a: &[Layer], b: &[Layer]) -> Result<CkaTable, MetricError> {
    for (x, y) in a.iter().flat_map(|x| b.iter().map(move |y| (x, y))) {
        if x.rows() != y.rows() {
            return Err(MetricError::RowsDiffer {
                a: x.name.clone(),
                n_a: x.rows(),
                b: y.name.clone(),
                n_b: y.rows(),
            });
        }
    }
    let cross = cross_products(a, b)?;
    let mut products = Vec::with_capacity(a.len() * b.len());
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            products.push(PairTerms {
                n: x.rows(),
                degenerate: x.degenerate.or(y.degenerate),
                cross: HsicTerms::of(cross[i * b.len() + j], &x.row_norms, &y.row_norms),
                self_a: HsicTerms::of(x.self_product, &x.row_norms, &x.row_norms),
                self_b: HsicTerms::of(y.self_product, &y.row_norms, &y.row_norms),
            });
        }
    }
    Ok(CkaTable {
        columns: b.len(),
        products,
    })
}

impl CkaTable {
    /// The score of layer `i` of the first set against layer `j` of the second.
    pub fn score(&self, i: usize, j: usize, measure: Measure) -> Score {
        let terms = &self.products[i * self.columns + j];
        match measure {
            Measure::CkaLinearBiased => terms.biased(),
            Measure::CkaLinearDebiased => terms.debiased(),
        }
    }
}

impl PairTerms {
    fn biased(&self) -> Score {
        let norm = (self.self_a.product * self.self_b.product).sqrt();
        let value = match self.degenerate {
            Some(reason) => Err(reason),
            None if self.n < 2 => Err(Undefined::TooFewSamples { needed: 2 }),
            None => Ok(self.cross.product / norm),
        };
        // Over all permutations the mean of <K, PLP'> is tr K tr L / (n - 1)
        // for doubly centred K and L.
        let null_mean = value
            .is_ok()
            .then(|| self.cross.traces / (self.n as f64 - 1.0) / norm);
        Score { value, null_mean }
    }

    fn debiased(&self) -> Score {
        let n = self.n as f64;
        let value = match self.degenerate {
            Some(reason) => Err(reason),
            None if self.n < 4 => Err(Undefined::TooFewSamples { needed: 4 }),
            None => {
                let (a, b) = (self.self_a.debiased(n), self.self_b.debiased(n));
                // A squared norm of the U-centred Gram matrix: zero only if all
                // samples are equally far apart, which leaves nothing to compare.
                let floor = 1e-12 * (self.self_a.product * self.self_b.product).sqrt();
                if a <= 0.0 || b <= 0.0 || (a * b).sqrt() <= floor {
                    Err(Undefined::ConstantLayer)
                } else {
                    Ok(self.cross.debiased(n) / (a * b).sqrt())
                }
            }
        };
        // U-centred Gram matrices sum to zero with a zero diagonal, so the mean
        // over permutations is exactly zero.
        let null_mean = value.is_ok().then_some(0.0);
        Score { value, null_mean }
    }
}

/// |Y'X|² for every pair, row-major in (a, b).
fn cross_products(a: &[Layer], b: &[Layer]) -> Result<Vec<f64>, MetricError> {
    let mut out = vec![0.0; a.len() * b.len()];
    let wide = |x: &Layer, y: &Layer| x.width().min(y.width()) > x.rows();
    let usable = |l: &&Layer| l.degenerate.is_none();

    let kept_a: Vec<&Layer> = a.iter().filter(usable).collect();
    let kept_b: Vec<&Layer> = b.iter().filter(usable).collect();
    let any_wide = kept_a.iter().any(|x| kept_b.iter().any(|y| wide(x, y)));
    if any_wide {
        // Some pair is cheaper as <K, L>: take each pair the cheaper way.
        let grams_a = grams(a);
        let grams_b = grams(b);
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                if x.degenerate.or(y.degenerate).is_some() {
                    continue;
                }
                out[i * b.len() + j] = match (&grams_a[i], &grams_b[j]) {
                    (Some(k), Some(l)) if wide(x, y) => {
                        let [n, _] = k.dims();
                        let rows = (k.clone() * l.clone()).sum_dim(1).reshape([n]);
                        host_f64(rows)?.iter().sum()
                    }
                    _ => crate::layer::square_sum(
                        x.centred.clone().transpose().matmul(y.centred.clone()),
                    )?,
                };
            }
        }
        return Ok(out);
    }
    if kept_a.is_empty() || kept_b.is_empty() {
        return Ok(out);
    }

    // All cross-covariances in one product, [sum of d_a, sum of d_b].
    let join =
        |layers: &[&Layer]| Tensor::cat(layers.iter().map(|l| l.centred.clone()).collect(), 1);
    let all = join(&kept_a).transpose().matmul(join(&kept_b));
    let width: usize = kept_b.iter().map(|l| l.width()).sum();
    let values = host_f64(all)?;
    let mut top = 0;
    for (i, x) in a.iter().enumerate() {
        if x.degenerate.is_some() {
            continue;
        }
        let mut left = 0;
        for (j, y) in b.iter().enumerate() {
            if y.degenerate.is_some() {
                continue;
            }
            out[i * b.len() + j] = (top..top + x.width())
                .map(|row| {
                    values[row * width + left..row * width + left + y.width()]
                        .iter()
                        .map(|v| v * v)
                        .sum::<f64>()
                })
                .sum();
            left += y.width();
        }
        top += x.width();
    }
    Ok(out)
}

/// XX' of the layers that are wider than they have rows.
fn grams(layers: &[Layer]) -> Vec<Option<Tensor<2>>> {
    layers
        .iter()
        .map(|l| {
            (l.degenerate.is_none() && l.width() > l.rows())
                .then(|| l.centred.clone().matmul(l.centred.clone().transpose()))
        })
        .collect()
}
