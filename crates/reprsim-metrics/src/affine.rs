//! The affine map that brings one layer nearest to another: what a stitch between models begins as
//! (direct matching, Csiszarik et al. 2021, arXiv 2110.14633).

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::linalg::{cholesky, inverse_of_lower};
use crate::{MetricError, Undefined};

/// Share of the mean variance of the inputs that is added to that of each: dead units and copies of
/// others have no weights of their own.
const RIDGE: f64 = 1e-6;

/// Sums over rows of inputs and outputs that tell the map; rows may come some at a time.
#[derive(Clone, Debug)]
pub struct AffineSums {
    widths: [usize; 2],
    rows: usize,
    /// [1 X]'[1 X], on and below its diagonal.
    own: Mat<f64>,
    /// [1 X]'Y.
    cross: Mat<f64>,
}

/// Y = X W + c.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// W, inputs by outputs, row-major.
    pub weights: Vec<f64>,
    /// c.
    pub bias: Vec<f64>,
}

impl AffineSums {
    /// None yet, for rows of so many inputs and outputs.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            widths: [inputs, outputs],
            rows: 0,
            own: Mat::zeros(inputs + 1, inputs + 1),
            cross: Mat::zeros(inputs + 1, outputs),
        }
    }

    /// Adds rows, row-major: the same number of each.
    ///
    /// # Errors
    /// [`MetricError::Shape`] if they are not.
    pub fn add(&mut self, x: &[f64], y: &[f64]) -> Result<(), MetricError> {
        let [inputs, outputs] = self.widths;
        let rows = x.len() / inputs.max(1);
        for (values, width) in [(x.len(), inputs), (y.len(), outputs)] {
            if values != rows * width {
                return Err(MetricError::Shape {
                    values,
                    n: rows,
                    d: width,
                });
            }
        }
        let with_one = Mat::from_fn(rows, inputs + 1, |i, j| match j {
            0 => 1.0,
            j => x[i * inputs + j - 1],
        });
        let y = MatRef::from_row_major_slice(y, rows, outputs);
        let (left, right) = (with_one.transpose(), with_one.as_ref());
        matmul(self.own.as_mut(), Accum::Add, left, right, 1.0, Par::Seq);
        matmul(self.cross.as_mut(), Accum::Add, left, y, 1.0, Par::Seq);
        self.rows += rows;
        Ok(())
    }

    /// The map of least squares, with a ridge of a millionth of the inputs' mean variance.
    ///
    /// # Errors
    /// [`Undefined::TooFewSamples`] without rows, [`Undefined::NonFinite`] if a value was not finite,
    /// [`Undefined::ConstantLayer`] if no input varies.
    pub fn solve(&self) -> Result<Affine, Undefined> {
        let [inputs, outputs] = self.widths;
        if self.rows == 0 {
            return Err(Undefined::TooFewSamples { needed: 1 });
        }
        let n = self.rows as f64;
        // Centred: the constant has no ridge.
        let mean = |j: usize| self.own[(j + 1, 0)] / n;
        let mean_out = |j: usize| self.cross[(0, j)] / n;
        let mut own = Mat::from_fn(inputs, inputs, |i, j| {
            let (high, low) = (i.max(j), i.min(j));
            self.own[(high + 1, low + 1)] - n * mean(i) * mean(j)
        });
        let cross = Mat::from_fn(inputs, outputs, |i, j| {
            self.cross[(i + 1, j)] - n * mean(i) * mean_out(j)
        });
        let variance = (0..inputs).map(|i| own[(i, i)]).sum::<f64>() / inputs.max(1) as f64;
        if !variance.is_finite()
            || cross
                .col_iter()
                .flat_map(|c| c.iter())
                .any(|v| !v.is_finite())
        {
            return Err(Undefined::NonFinite);
        }
        if variance <= 0.0 {
            return Err(Undefined::ConstantLayer);
        }
        for i in 0..inputs {
            own[(i, i)] += RIDGE * variance;
        }
        let factor = cholesky(own.as_ref()).ok_or(Undefined::NoConvergence)?;
        let inverse = inverse_of_lower(factor.as_ref());
        let mut half = Mat::<f64>::zeros(inputs, outputs);
        let mut weights = Mat::<f64>::zeros(inputs, outputs);
        let product = |out: &mut Mat<f64>, left, right| {
            matmul(out.as_mut(), Accum::Replace, left, right, 1.0, Par::Seq);
        };
        product(&mut half, inverse.as_ref(), cross.as_ref());
        product(&mut weights, inverse.transpose(), half.as_ref());
        let bias = (0..outputs)
            .map(|j| mean_out(j) - (0..inputs).map(|i| mean(i) * weights[(i, j)]).sum::<f64>());
        Ok(Affine {
            bias: bias.collect(),
            weights: (0..inputs)
                .flat_map(|i| (0..outputs).map(move |j| (i, j)))
                .map(|at| weights[at])
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_affine_map_is_found_again_with_dead_inputs_beside_it() {
        let weights = [[2.0, -1.0], [0.5, 3.0], [0.0, 0.0]];
        let mut sums = AffineSums::new(3, 2);
        for part in 0..4 {
            let mut x = vec![];
            let mut y = vec![];
            for i in 0..25 {
                let at = f64::from(part * 25 + i);
                let row = [at.sin() + 10.0, (1.7 * at).cos(), 4.0];
                x.extend(row);
                y.extend(
                    [0, 1]
                        .map(|j| 7.0 + row.iter().zip(weights).map(|(x, w)| x * w[j]).sum::<f64>()),
                );
            }
            sums.add(&x, &y).unwrap();
        }
        let found = sums.solve().unwrap();
        for (i, row) in weights.iter().enumerate() {
            for (j, weight) in row.iter().enumerate() {
                let value = found.weights[2 * i + j];
                assert!((value - weight).abs() < 1e-5, "{i} {j}: {value}");
            }
        }
        assert!(found.bias.iter().all(|c| (c - 7.0).abs() < 1e-4));
        let mut constant = AffineSums::new(1, 1);
        constant.add(&[2.0, 2.0], &[1.0, 3.0]).unwrap();
        assert_eq!(constant.solve(), Err(Undefined::ConstantLayer));
        assert!(constant.add(&[1.0], &[]).is_err());
        assert!(AffineSums::new(1, 1).solve().is_err());
    }
}
