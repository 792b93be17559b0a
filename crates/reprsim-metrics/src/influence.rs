//! Which samples carry a linear CKA: its value without each sample.
//!
//! Leaving out row i of centred X and Y shifts the other rows by `x_i / (n - 1)`,
//! so that with c = n / (n - 1) the cross-covariance C = X'Y becomes
//! `C - c x_i y_i'`, and every sum of HSIC_0 and HSIC_1 can be brought up to date
//! from products of x_i and y_i with n-independent vectors: all n values cost two
//! matrix products. (Davari et al. 2022, arXiv 2210.16156, show how far one
//! moved sample can take CKA.)

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Tensor;

use crate::source::HostValues;
use crate::view::View;
use crate::{Measure, MetricError, Permutations, Set, Undefined, Value};

/// Linear CKA of a pair of layers with each sample left out.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaveOneOut {
    /// Biased, one value a sample; `None` where too little of a layer's own term is
    /// left to tell: [`Set::without`] can.
    pub biased: Vec<Option<f64>>,
    /// Debiased, one value a sample.
    pub debiased: Vec<Option<f64>>,
}

impl LeaveOneOut {
    /// The sample whose absence changes `score` most. A sample that outweighs all
    /// others together comes before any other.
    pub fn most_influential(score: f64, without: &[Option<f64>]) -> Option<usize> {
        let change = |value: &Option<f64>| value.map_or(f64::INFINITY, |v| (v - score).abs());
        (without.iter().enumerate())
            .max_by(|(i, x), (j, y)| change(x).total_cmp(&change(y)).then(j.cmp(i)))
            .map(|(i, _)| i)
    }
}

/// Where less than this share of a layer's own term is left, f32 products cannot
/// tell what it is.
const LEFT: f64 = 1e-4;

impl Set {
    /// Linear CKA of each pair of layers without each sample in turn.
    ///
    /// Values are those of f32 products: where one sample outweighs all others
    /// together, few digits are left of what remains without it. [`Set::without`]
    /// gives one value in full.
    ///
    /// # Errors
    /// [`MetricError`] if activations cannot be read, the device fails or a pair is of
    /// no layers of the set. The inner results say why CKA is undefined for a pair.
    pub fn leave_one_out(
        &self,
        pairs: &[(usize, usize)],
    ) -> Result<Vec<Result<LeaveOneOut, Undefined>>, MetricError> {
        self.check(pairs)?;
        let n = self.rows();
        if n < 5 {
            let reason = Undefined::TooFewSamples { needed: 5 };
            return Ok(vec![Err(reason); pairs.len()]);
        }
        let room = self.room();
        let involved: BTreeSet<usize> = pairs.iter().flat_map(|(i, j)| [*i, *j]).collect();
        let mut layers: BTreeMap<usize, Result<(View, Vec<Hsic>), Undefined>> = BTreeMap::new();
        for i in involved {
            let view = self.centred(i, &room)?;
            let layer = match view.degenerate {
                Some(reason) => Err(reason),
                None => {
                    let own = without_each(&view, &view)?;
                    Ok((view, own))
                }
            };
            layers.insert(i, layer);
        }
        pairs
            .iter()
            .map(|(i, j)| {
                let ((x, own_x), (y, own_y)) = match (&layers[i], &layers[j]) {
                    (Ok(x), Ok(y)) => (x, y),
                    (Err(reason), _) | (_, Err(reason)) => return Ok(Err(*reason)),
                };
                let cross = without_each(x, y)?;
                let ratio = |of: fn(&Hsic) -> f64| -> Vec<Option<f64>> {
                    let own = |own: &[Hsic]| -> Vec<f64> {
                        let most = own.iter().map(of).fold(0.0, f64::max);
                        (own.iter().map(of))
                            .map(|left| if left > LEFT * most { left } else { 0.0 })
                            .collect()
                    };
                    let (own_x, own_y) = (own(own_x), own(own_y));
                    (0..n)
                        .map(|i| {
                            let norm = own_x[i].sqrt() * own_y[i].sqrt();
                            (norm > 0.0).then(|| of(&cross[i]) / norm)
                        })
                        .collect()
                };
                Ok(Ok(LeaveOneOut {
                    biased: ratio(|h| h.biased),
                    debiased: ratio(|h| h.debiased),
                }))
            })
            .collect()
    }

    /// A measure of a pair of layers without one sample, from the beginning.
    ///
    /// # Errors
    /// As [`Set::compare`].
    pub fn without(
        &self,
        sample: usize,
        measure: &dyn Measure,
        pair: (usize, usize),
    ) -> Result<Value, MetricError> {
        self.check(&[pair])?;
        let rest: Vec<u32> = (0..self.rows() as u32)
            .filter(|i| *i as usize != sample)
            .collect();
        let scores = self.pair(pair).subset(&rest).compare(
            &[measure],
            &[(0, 1)],
            &Permutations::none(),
            &mut |_| (),
        )?;
        Ok(scores[0][0].value)
    }
}

struct Hsic {
    biased: f64,
    debiased: f64,
}

/// HSIC_0 and HSIC_1, up to their constant factors, without each sample.
fn without_each(x: &View, y: &View) -> Result<Vec<Hsic>, MetricError> {
    let n = x.rows();
    let whole = Sums::of(x, y)?;
    let (r, s) = (&x.squares, &y.squares);
    let (r_total, s_total): (f64, f64) = (r.iter().sum(), s.iter().sum());
    let rs_total: f64 = crate::lanes::dot(r, s);
    let m = n as f64 - 1.0;
    let c = n as f64 / m;
    Ok((0..n)
        .map(|i| {
            let (ri, si) = (r[i], s[i]);
            let product = whole.product - 2.0 * c * whole.bilinear[i] + c * c * ri * si;
            // |x_j + x_i / m|^2 for j != i, summed alone and in products.
            let trace = |total: f64, own: f64| total - own - own / m;
            let (u, v) = (ri / (m * m), si / (m * m));
            let (g, h) = (2.0 / m, 2.0 / m);
            // Sums over j != i of r_j, s_j, K_ij, L_ij and their products.
            let (sum_r, sum_s) = (r_total - ri, s_total - si);
            let (sum_k, sum_l) = (-ri, -si);
            let sum_rs = rs_total - ri * si;
            let sum_rl = whole.r_with_y[i] - ri * si;
            let sum_ks = whole.s_with_x[i] - ri * si;
            let sum_kl = whole.bilinear[i] - ri * si;
            let diagonal = sum_rs
                + h * sum_rl
                + v * sum_r
                + g * sum_ks
                + g * h * sum_kl
                + g * v * sum_k
                + u * sum_s
                + u * h * sum_l
                + u * v * m;
            let traces = trace(r_total, ri) * trace(s_total, si);
            Hsic {
                biased: product,
                debiased: product - m / (m - 2.0) * diagonal + traces / ((m - 1.0) * (m - 2.0)),
            }
        })
        .collect())
}

/// Products of centred X and Y.
struct Sums {
    /// |X'Y|^2.
    product: f64,
    /// x_i' (X'Y) y_i = sum over j of K_ij L_ij.
    bilinear: Vec<f64>,
    /// Sum over j of |x_j|^2 L_ij.
    r_with_y: Vec<f64>,
    /// Sum over j of |y_j|^2 K_ij.
    s_with_x: Vec<f64>,
}

/// Rows worked on at once.
const CHUNK: usize = 8192;

impl Sums {
    fn of(x: &View, y: &View) -> Result<Self, MetricError> {
        let n = x.rows();
        let chunks = || (0..n).step_by(CHUNK).map(|s| s..(s + CHUNK).min(n));
        let mut covariance: Option<Tensor<2>> = None;
        // Sums of the rows of each side, weighted by the other's squared lengths.
        let mut x_by_s = vec![0.0; x.width()];
        let mut y_by_r = vec![0.0; y.width()];
        for rows in chunks() {
            let part = x
                .chunk(rows.clone())?
                .transpose()
                .matmul(y.chunk(rows.clone())?);
            covariance = Some(match covariance {
                Some(sum) => sum + part,
                None => part,
            });
            weigh(
                &mut x_by_s,
                &x.read(rows.clone())?,
                &y.squares[rows.clone()],
            );
            weigh(&mut y_by_r, &y.read(rows.clone())?, &x.squares[rows]);
        }
        let mut sums = Self {
            product: 0.0,
            bilinear: Vec::with_capacity(n),
            r_with_y: Vec::with_capacity(n),
            s_with_x: Vec::with_capacity(n),
        };
        let Some(covariance) = covariance else {
            return Ok(sums);
        };
        for rows in chunks() {
            let image = x.chunk(rows.clone())?.matmul(covariance.clone());
            let part = HostValues::of((image * y.chunk(rows.clone())?).sum_dim(1))?;
            sums.bilinear.extend(part.iter().copied().map(f64::from));
            let along = |values: Vec<f64>, weights: &[f64]| -> Vec<f64> {
                (values.chunks_exact(weights.len()))
                    .map(|row| crate::lanes::dot(row, weights))
                    .collect()
            };
            sums.s_with_x.extend(along(x.read(rows.clone())?, &x_by_s));
            sums.r_with_y.extend(along(y.read(rows)?, &y_by_r));
        }
        sums.product = sums.bilinear.iter().sum();
        Ok(sums)
    }
}

fn weigh(sums: &mut [f64], rows: &[f64], weights: &[f64]) {
    for (row, weight) in rows.chunks_exact(sums.len()).zip(weights) {
        (sums.iter_mut().zip(row)).for_each(|(s, v)| *s += weight * v);
    }
}
