//! Measures of samples that come batch by batch and are not kept: exactly, from sums in f64 that grow
//! with dimensions alone.
//!
//! Linear kernels and cross-covariances are told from `X'X`, `Y'Y`, `X'Y` and a few vectors. Rows are
//! taken from the first batch's mean, and what is left of their own mean is taken off at the end: sums
//! keep their digits whatever the offset.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use crate::kernel::Kernel;
use crate::lanes::{dot, square_sum};
use crate::measure::{Formula, Measure};
use crate::pair::{CovariancePair, KernelPair, KernelSums};
use crate::products::exact_null_mean;
use crate::score::Score;
use crate::view::standardise;
use crate::{MetricError, Undefined};

/// Two layers of which samples come a batch at a time.
pub struct Stream {
    measures: Vec<&'static dyn Measure>,
    /// As they are, and as correlations see them, where a measure asks for it.
    centred: Option<Sums>,
    standardised: Option<Sums>,
    /// Why there is no value, whatever comes.
    undefined: Option<Undefined>,
    n: usize,
}

/// Measures that need all samples at once.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} needs all samples at once: what streams is told from sums over samples: {}",
    names.join(", "), streaming.join(", ")
)]
pub struct NotStreamed {
    /// Their names.
    pub names: Vec<&'static str>,
    /// The measures that do not.
    pub streaming: Vec<&'static str>,
}

/// Whether a formula is one over sums that stream.
fn streams(formula: &Formula) -> bool {
    matches!(
        formula,
        Formula::Kernel(Kernel::Linear | Kernel::Correlation, _) | Formula::Covariance(_)
    )
}

impl Stream {
    /// No samples yet of layers that these measures are to compare.
    ///
    /// # Errors
    /// [`NotStreamed`] names the measures that need all samples at once, of all those that do not.
    pub fn new(measures: Vec<&'static dyn Measure>) -> Result<Self, NotStreamed> {
        let name = |m: &&'static dyn Measure| m.properties().name;
        let whole: Vec<&str> = (measures.iter())
            .filter(|m| !streams(&m.formula()))
            .map(name)
            .collect();
        if !whole.is_empty() {
            let registered = crate::REGISTRY.iter().filter(|m| streams(&m.formula()));
            return Err(NotStreamed {
                names: whole,
                streaming: registered.map(|m| m.properties().name).collect(),
            });
        }
        let correlates = |m: &&'static dyn Measure| {
            matches!(m.formula(), Formula::Kernel(Kernel::Correlation, _))
        };
        Ok(Self {
            centred: (measures.iter().any(|m| !correlates(m))).then(|| Sums::new(true)),
            standardised: (measures.iter().any(correlates)).then(|| Sums::new(false)),
            measures,
            undefined: None,
            n: 0,
        })
    }

    /// The measures, in the order of the scores.
    pub fn measures(&self) -> &[&'static dyn Measure] {
        &self.measures
    }

    /// Samples so far.
    pub fn samples(&self) -> usize {
        self.n
    }

    /// Adds samples: rows of both layers, row-major, in the same order; `epsilon` as of
    /// [`crate::Source::epsilon`].
    ///
    /// # Errors
    /// [`MetricError::Shape`] if there are not `n` rows of these widths, or widths change.
    pub fn update(
        &mut self,
        n: usize,
        x: (&[f64], usize, f64),
        y: (&[f64], usize, f64),
    ) -> Result<(), MetricError> {
        for (values, d, _) in [x, y] {
            if n.checked_mul(d) != Some(values.len()) {
                let values = values.len();
                return Err(MetricError::Shape { values, n, d });
            }
        }
        for sums in self.centred.iter().chain(&self.standardised) {
            for (side, (values, d, _)) in sums.sides.iter().zip([x, y]) {
                if side.reference.as_ref().is_some_and(|r| r.len() != d) {
                    let values = values.len();
                    return Err(MetricError::Shape { values, n, d });
                }
            }
        }
        if n == 0 {
            return Ok(());
        }
        if x.1 == 0 || y.1 == 0 {
            self.undefined = self.undefined.or(Some(Undefined::NoDimensions));
        }
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        if !(finite(x.0) && finite(y.0)) {
            self.undefined = self.undefined.or(Some(Undefined::NonFinite));
        }
        self.n += n;
        if self.undefined.is_some() {
            return Ok(());
        }
        if let Some(sums) = &mut self.centred {
            sums.add([x.0.to_vec(), y.0.to_vec()], [x.1, y.1], [x.2, y.2]);
        }
        if let Some(sums) = &mut self.standardised {
            let mut mapped = [x.0.to_vec(), y.0.to_vec()];
            for (rows, (_, d, epsilon)) in mapped.iter_mut().zip([x, y]) {
                for row in rows.chunks_exact_mut(d) {
                    let reason = match d {
                        1 => Some(Undefined::TooFewDimensions { needed: 2 }),
                        _ => standardise(row, epsilon),
                    };
                    sums.undefined = sums.undefined.or(reason);
                }
            }
            sums.add(mapped, [x.1, y.1], [x.2, y.2]);
        }
        Ok(())
    }

    /// The score of each measure on all samples so far: its value, and its exact mean over all
    /// permutations of the samples where formulas tell it.
    pub fn scores(&self) -> Vec<Score> {
        let n = self.n;
        self.measures.iter().map(|m| self.score(*m, n)).collect()
    }

    fn score(&self, measure: &dyn Measure, n: usize) -> Score {
        let needed = measure.properties().samples;
        if n < needed {
            return Score::undefined(Undefined::TooFewSamples { needed });
        }
        if let Some(reason) = self.undefined {
            return Score::undefined(reason);
        }
        let formula = measure.formula();
        let sums = match formula {
            Formula::Kernel(Kernel::Correlation, _) => &self.standardised,
            _ => &self.centred,
        };
        let Some(sums) = sums else {
            return Score::undefined(Undefined::NoFiniteValue);
        };
        if let Some(reason) = sums.undefined.or_else(|| sums.degenerate()) {
            return Score::undefined(reason);
        }
        match formula {
            Formula::Kernel(_, of) => {
                let pair = sums.kernels();
                let score = Score::of(of(&pair).and_then(finite));
                let mean = exact_null_mean(&pair, of).filter(|_| score.value.is_ok());
                Score {
                    null_mean: mean,
                    ..score
                }
            }
            Formula::Covariance(of) => {
                let covariance = sums.centred_product(Which::Both);
                let lengths = [0, 1].map(|side| sums.sides[side].variation(sums.n).sqrt());
                let pair = CovariancePair {
                    covariance: covariance.as_ref(),
                    lengths: (lengths[0], lengths[1]),
                    n: self.n,
                };
                Score::of(of(&pair).and_then(finite))
            }
            _ => Score::undefined(Undefined::NoFiniteValue),
        }
    }
}

fn finite(value: f64) -> crate::Value {
    match value.is_finite() {
        true => Ok(value),
        false => Err(Undefined::NoFiniteValue),
    }
}

/// Which layers a product is of.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// A layer with itself.
    Own(usize),
    /// The first with the second.
    Both,
}

/// Sums over samples, of rows u of the first layer and v of the second, each less its reference.
struct Sums {
    /// Whether rows are taken from their mean; else they count as they are.
    centred: bool,
    n: f64,
    sides: [Side; 2],
    own: [Products; 2],
    both: Products,
    undefined: Option<Undefined>,
}

/// Sums of one layer.
#[derive(Default)]
struct Side {
    /// What is taken off each row; none before the first.
    reference: Option<Vec<f64>>,
    /// Of u, and of the second to fourth powers of its entries.
    powers: [Vec<f64>; 4],
    /// The coarsest spacing of its numbers, as a share of them.
    epsilon: f64,
}

/// Sums of two layers, or of one with itself.
struct Products {
    /// Of u v'.
    matrix: Mat<f64>,
    /// Of |u|² |v|².
    squares: f64,
    /// Of |v|² u, and of |u|² v.
    left: Vec<f64>,
    right: Vec<f64>,
}

impl Sums {
    fn new(centred: bool) -> Self {
        Self {
            centred,
            n: 0.0,
            sides: Default::default(),
            own: [Products::none(), Products::none()],
            both: Products::none(),
            undefined: None,
        }
    }

    fn add(&mut self, mut rows: [Vec<f64>; 2], widths: [usize; 2], epsilons: [f64; 2]) {
        for (at, side) in self.sides.iter_mut().enumerate() {
            side.add(&mut rows[at], widths[at], self.centred);
            side.epsilon = side.epsilon.max(epsilons[at]);
        }
        let [x, y] = [0, 1].map(|at| Rows::new(&rows[at], widths[at]));
        self.n += x.count() as f64;
        self.own[0].add(&x, &x);
        self.own[1].add(&y, &y);
        self.both.add(&x, &y);
    }

    fn products(&self, which: Which) -> (&Products, &Side, &Side) {
        match which {
            Which::Own(at) => (&self.own[at], &self.sides[at], &self.sides[at]),
            Which::Both => (&self.both, &self.sides[0], &self.sides[1]),
        }
    }

    /// The product of the centred rows.
    fn centred_product(&self, which: Which) -> Mat<f64> {
        let (products, a, b) = self.products(which);
        let (s, t) = (a.sum(), b.sum());
        let n = self.n;
        let matrix = &products.matrix;
        Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| {
            matrix[(i, j)] - s[i] * (t[j] / n)
        })
    }

    /// Why a layer has no value.
    fn degenerate(&self) -> Option<Undefined> {
        (self.sides.iter()).find_map(|side| match self.centred {
            true => side.degenerate(self.n),
            false => None,
        })
    }

    fn kernels(&self) -> KernelPair {
        let sums = |which| match self.centred {
            true => self.of_centred(which),
            false => self.as_they_are(which),
        };
        KernelPair {
            cross: sums(Which::Both),
            a: sums(Which::Own(0)),
            b: sums(Which::Own(1)),
            columns: [0, 1].map(|at| self.sides[at].columns(self.n)),
        }
    }

    /// Of kernel matrices of centred rows, whose rows add up to zero.
    fn of_centred(&self, which: Which) -> KernelSums {
        let (products, a, b) = self.products(which);
        let n = self.n;
        let mean = |of: &Side| of.sum().iter().map(|s| s / n).collect::<Vec<f64>>();
        let (m, k) = (mean(a), mean(b));
        let (mm, kk) = (square_sum(&m), square_sum(&k));
        let squares = |of: &Side| of.powers[1].iter().sum::<f64>();
        // Sum of |u - m|² |v - k|².
        let diagonal =
            products.squares - 2.0 * dot(&products.right, &k) - 2.0 * dot(&products.left, &m)
                + kk * squares(a)
                + mm * squares(b)
                + 4.0 * through(&m, &products.matrix, &k)
                - 3.0 * n * mm * kk;
        let product = square_norm(self.centred_product(which).as_ref());
        let traces = (a.variation(n), b.variation(n));
        KernelSums {
            n,
            off_product: product - diagonal,
            diagonal,
            rows: 0.0,
            off_rows: diagonal,
            off_totals: (-traces.0, -traces.1),
            traces,
            size: product,
        }
    }

    /// Of kernel matrices of rows as they are.
    fn as_they_are(&self, which: Which) -> KernelSums {
        let (products, a, b) = self.products(which);
        let (s, t) = (a.sum(), b.sum());
        let rows = through(s, &products.matrix, t);
        let product = square_norm(products.matrix.as_ref());
        let squares = |of: &Side| of.powers[1].iter().sum::<f64>();
        let traces = (squares(a), squares(b));
        KernelSums {
            n: self.n,
            off_product: product - products.squares,
            diagonal: products.squares,
            rows,
            off_rows: rows - dot(&products.left, s) - dot(&products.right, t) + products.squares,
            off_totals: (square_sum(s) - traces.0, square_sum(t) - traces.1),
            traces,
            size: product,
        }
    }
}

impl Side {
    /// Adds rows of `d` values, which are taken from the reference.
    fn add(&mut self, rows: &mut [f64], d: usize, centred: bool) {
        let reference = self.reference.get_or_insert_with(|| {
            let n = (rows.len() / d.max(1)) as f64;
            let mut mean = vec![0.0; d];
            for row in rows.chunks_exact(d) {
                mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n);
            }
            if !centred {
                mean.fill(0.0);
            }
            mean
        });
        self.powers
            .iter_mut()
            .for_each(|power| power.resize(d, 0.0));
        let [first, second, third, fourth] = &mut self.powers;
        for row in rows.chunks_exact_mut(d) {
            for (j, v) in row.iter_mut().enumerate() {
                *v -= reference[j];
                let square = *v * *v;
                first[j] += *v;
                second[j] += square;
                third[j] += square * *v;
                fourth[j] += square * square;
            }
        }
    }

    /// The sum of the rows.
    fn sum(&self) -> &[f64] {
        &self.powers[0]
    }

    /// The sum of the squares of each column, centred.
    fn variations(&self, n: f64) -> impl Iterator<Item = f64> {
        let sums = self.powers[0].iter().zip(&self.powers[1]);
        sums.map(move |(s, square)| (square - s * (s / n)).max(0.0))
    }

    /// The sum of the squares of all centred entries.
    fn variation(&self, n: f64) -> f64 {
        self.variations(n).sum()
    }

    fn degenerate(&self, n: f64) -> Option<Undefined> {
        if self.variation(n) == 0.0 {
            return Some(Undefined::ConstantLayer);
        }
        let reference = self.reference.as_deref().unwrap_or_default();
        let means = reference.iter().zip(self.sum()).map(|(r, s)| r + s / n);
        let is_more = |(square, mean): (f64, f64)| square > n * (self.epsilon * mean).powi(2);
        let varies = self.variations(n).zip(means).any(is_more);
        (!varies).then_some(Undefined::OnlyRounding)
    }

    /// n (n - 3) HSIC_1 of each centred column with itself, added up, and the number of columns.
    fn columns(&self, n: f64) -> (f64, f64) {
        let column = |j: usize| {
            let [s1, s2, s3, s4] = [0, 1, 2, 3].map(|power| self.powers[power][j]);
            let m = s1 / n;
            let square = s2 - n * m * m;
            let fourth = s4 - 4.0 * m * s3 + 6.0 * m * m * s2 - 3.0 * n * m.powi(4);
            square * square - fourth + square * square / ((n - 1.0) * (n - 2.0))
                - 2.0 / (n - 2.0) * fourth
        };
        let count = self.powers[0].len();
        ((0..count).map(column).sum(), count as f64)
    }
}

/// Rows of a batch and their squared lengths.
struct Rows<'a> {
    values: &'a [f64],
    width: usize,
    squares: Vec<f64>,
}

impl<'a> Rows<'a> {
    fn new(values: &'a [f64], width: usize) -> Self {
        Self {
            values,
            width,
            squares: values.chunks_exact(width).map(square_sum).collect(),
        }
    }

    fn count(&self) -> usize {
        self.squares.len()
    }

    fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(self.values, self.count(), self.width)
    }

    /// The sum of the rows, each times a weight.
    fn weighted(&self, weights: &[f64], sum: &mut Vec<f64>) {
        sum.resize(self.width, 0.0);
        for (row, weight) in self.values.chunks_exact(self.width).zip(weights) {
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += weight * v);
        }
    }
}

impl Products {
    /// Of no samples.
    fn none() -> Self {
        Self {
            matrix: Mat::new(),
            squares: 0.0,
            left: vec![],
            right: vec![],
        }
    }

    fn add(&mut self, x: &Rows<'_>, y: &Rows<'_>) {
        /// Columns that one thread multiplies: the same digits on any number of threads.
        const COLUMNS: usize = 64;
        if self.matrix.nrows() == 0 {
            self.matrix = Mat::zeros(x.width, y.width);
        }
        let (left, right) = (x.matrix().transpose(), y.matrix());
        (self.matrix.as_mut().par_col_chunks_mut(COLUMNS).enumerate()).for_each(|(block, out)| {
            let columns = right.subcols(block * COLUMNS, out.ncols());
            matmul(out, Accum::Add, left, columns, 1.0, Par::Seq);
        });
        self.squares += dot(&x.squares, &y.squares);
        x.weighted(&y.squares, &mut self.left);
        y.weighted(&x.squares, &mut self.right);
    }
}

/// a' M b.
fn through(a: &[f64], matrix: &Mat<f64>, b: &[f64]) -> f64 {
    let column = |(j, b): (usize, &f64)| {
        let column = matrix.col(j).iter().zip(a);
        b * column.map(|(m, a)| m * a).sum::<f64>()
    };
    b.iter().enumerate().map(column).sum()
}

fn square_norm(matrix: MatRef<'_, f64>) -> f64 {
    let columns = matrix.col_iter();
    columns
        .map(|column| column.iter().map(|v| v * v).sum::<f64>())
        .sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use burn::tensor::Device;

    use super::*;
    use crate::{Layer, Matrix, Options, Permutations, Set, named};

    fn values(n: usize, d: usize, seed: f64, offset: f64) -> Vec<f64> {
        let value = |i: usize| (((i as f64 + seed) * 1.7).sin() * 43_758.547).fract() + offset;
        (0..n * d).map(value).collect()
    }

    fn streaming() -> Vec<&'static dyn Measure> {
        let all = crate::REGISTRY.iter().copied();
        all.filter(|m| streams(&m.formula())).collect()
    }

    /// Whatever the batches and the offset, the values are those of all samples at once, whose products
    /// are in f32.
    #[test]
    fn batches_are_measured_as_the_whole_is() {
        let (n, widths) = (203, [7, 12]);
        for offset in [0.0, 1e4] {
            let x = values(n, widths[0], 0.0, offset);
            let mut y = values(n, widths[1], 5e3, -offset);
            for (y, x) in y.chunks_exact_mut(widths[1]).zip(x.chunks_exact(widths[0])) {
                y.iter_mut()
                    .zip(x)
                    .for_each(|(y, x)| *y += 0.8 * (x - offset));
            }
            let layer =
                |values: &[f64], d| Layer::new("x", Matrix::new(values.to_vec(), n, d).unwrap());
            let models = vec![vec![layer(&x, widths[0])], vec![layer(&y, widths[1])]];
            let set = Set::new(models, &Device::flex(), Options::default()).unwrap();
            let measures = streaming();
            assert!(measures.len() >= 4);
            let whole =
                (set.compare(&measures, &[(0, 1)], &Permutations::none(), &mut |_| ())).unwrap();
            for batch in [1, 50, 203] {
                let mut stream = Stream::new(measures.clone()).unwrap();
                let rows = |values: &[f64], d: usize, at: usize| {
                    values[at * d..(at + batch).min(n) * d].to_vec()
                };
                for at in (0..n).step_by(batch) {
                    let (x, y) = (rows(&x, widths[0], at), rows(&y, widths[1], at));
                    let count = x.len() / widths[0];
                    let sides = [
                        (&x[..], widths[0], f64::EPSILON),
                        (&y[..], widths[1], f64::EPSILON),
                    ];
                    stream.update(count, sides[0], sides[1]).unwrap();
                }
                for ((measure, score), whole) in measures.iter().zip(stream.scores()).zip(&whole) {
                    let name = measure.properties().name;
                    let (value, expected) = (score.value.unwrap(), whole[0].value.unwrap());
                    assert!(
                        (value - expected).abs() < 2e-6,
                        "{name} {batch}: {value} {expected}"
                    );
                    if let (Some(mean), Some(expected)) = (score.null_mean, whole[0].null_mean) {
                        assert!((mean - expected).abs() < 2e-6, "{name}: {mean} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_value_says_why() {
        let mut stream = Stream::new(vec![named("cka_linear_debiased").unwrap()]).unwrap();
        let undefined = |stream: &Stream| stream.scores()[0].value.err();
        let needed = 4;
        assert_eq!(
            undefined(&stream),
            Some(Undefined::TooFewSamples { needed })
        );
        let (x, y) = (values(6, 2, 1.0, 0.0), vec![3.0; 12]);
        let side = |values| (values, 2, f64::EPSILON);
        stream.update(6, side(&x[..]), side(&y[..])).unwrap();
        assert_eq!(undefined(&stream), Some(Undefined::ConstantLayer));
        assert!(stream.update(6, side(&x[..]), (&y[..], 3, 0.0)).is_err());
        stream
            .update(1, side(&[f64::NAN, 0.0]), side(&[0.0, 1.0]))
            .unwrap();
        assert_eq!(undefined(&stream), Some(Undefined::NonFinite));
    }

    #[test]
    fn what_needs_all_samples_says_so() {
        let error = Stream::new(vec![named("cca_mean").unwrap()]).err().unwrap();
        let told = error.to_string();
        assert!(
            told.contains("cca_mean") && told.contains("cka_linear_debiased"),
            "{told}"
        );
    }
}
