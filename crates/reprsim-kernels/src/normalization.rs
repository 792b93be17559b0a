//! Batch normalisation of channel-major images, on slices.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::affine::within;
use crate::sums::{sum, sum_of_products};

/// What [`normalize_train`] returns.
pub(crate) struct Normalized {
    pub output: Vec<f32>,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Biased variance of each channel.
    pub variance: Vec<f32>,
}

/// The gradients that [`normalize_backward`] returns.
pub(crate) struct Gradients {
    pub input: Vec<f32>,
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

/// Scale and shift of a channel.
#[derive(Clone, Copy)]
pub(crate) struct Affine<'a> {
    pub gamma: &'a [f32],
    pub beta: &'a [f32],
    pub epsilon: f32,
    /// What is less becomes the first, what is more the second.
    pub bounds: [f32; 2],
}

/// Normalises each channel (`values` holds them one after another) with its own mean and
/// variance, then scales and shifts it.
pub(crate) fn normalize_train(values: &[f32], affine: Affine<'_>) -> Normalized {
    let length = length_of(values, affine);
    let (mean, variance): (Vec<f32>, Vec<f32>) = values
        .par_chunks_exact(length)
        .map(|channel| Arch::new().dispatch(Moments(channel)))
        .unzip();
    Normalized {
        output: normalize(values, &mean, &variance, affine),
        mean,
        variance,
    }
}

/// Normalises each channel with a given mean and variance, then scales and shifts it.
pub(crate) fn normalize(
    values: &[f32],
    mean: &[f32],
    variance: &[f32],
    affine: Affine<'_>,
) -> Vec<f32> {
    let length = length_of(values, affine);
    let mut output = vec![0.0; values.len()];
    output
        .par_chunks_exact_mut(length)
        .zip(values.par_chunks_exact(length))
        .enumerate()
        .for_each(|(c, (output, values))| {
            Arch::new().dispatch(Forward {
                output,
                values,
                mean: mean[c],
                scale: affine.gamma[c] / (variance[c] + affine.epsilon).sqrt(),
                shift: affine.beta[c],
                bounds: affine.bounds,
            });
        });
    output
}

/// Gradients of [`normalize_train`] for the gradient of its output. `output` is that
/// output, by which positions are known where the rectifier was shut.
pub(crate) fn normalize_backward(
    values: &[f32],
    output: &[f32],
    gradient: &[f32],
    mean: &[f32],
    variance: &[f32],
    affine: Affine<'_>,
) -> Gradients {
    let length = length_of(values, affine);
    let mut input = vec![0.0; values.len()];
    let (gamma, beta): (Vec<f32>, Vec<f32>) = input
        .par_chunks_exact_mut(length)
        .zip(values.par_chunks_exact(length))
        .zip(output.par_chunks_exact(length))
        .zip(gradient.par_chunks_exact(length))
        .enumerate()
        .map(|(c, (((input, values), output), gradient))| {
            Arch::new().dispatch(Backward {
                input,
                values,
                output,
                gradient,
                mean: mean[c],
                inverse: 1.0 / (variance[c] + affine.epsilon).sqrt(),
                gamma: affine.gamma[c],
                bounds: affine.bounds,
            })
        })
        .unzip();
    Gradients { input, gamma, beta }
}

fn length_of(values: &[f32], affine: Affine<'_>) -> usize {
    (values.len() / affine.gamma.len().max(1)).max(1)
}

// Each of these is one channel's work. They are types because the compiler puts the
// processor's widest instructions only into code that is inlined where these are known
// to exist, and a closure is not always inlined.

/// Mean and biased variance, in two passes.
struct Moments<'a>(&'a [f32]);

impl WithSimd for Moments<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f32, f32) {
        let count = self.0.len() as f32;
        let mean = sum(self.0, |x| x) / count;
        let variance = sum(self.0, |x| (x - mean) * (x - mean)) / count;
        (mean, variance)
    }
}

struct Forward<'a> {
    output: &'a mut [f32],
    values: &'a [f32],
    mean: f32,
    scale: f32,
    shift: f32,
    bounds: [f32; 2],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (y, x) in self.output.iter_mut().zip(self.values) {
            *y = within((*x - self.mean) * self.scale + self.shift, self.bounds);
        }
    }
}

struct Backward<'a> {
    /// Where the gradient of the input goes.
    input: &'a mut [f32],
    values: &'a [f32],
    output: &'a [f32],
    gradient: &'a [f32],
    mean: f32,
    /// One over the standard deviation.
    inverse: f32,
    gamma: f32,
    bounds: [f32; 2],
}

impl WithSimd for Backward<'_> {
    /// The gradients of gamma and beta.
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f32, f32) {
        let [least, most] = self.bounds;
        // The gradient within the rectifier is kept in `input` for now.
        for ((into, y), d) in self.input.iter_mut().zip(self.output).zip(self.gradient) {
            // Both are read whatever they are: a load that may not happen cannot be
            // part of a vector.
            let (y, d) = (*y, *d);
            *into = if (y > least) & (y < most) { d } else { 0.0 };
        }
        let total = sum(self.input, |d| d);
        let product = self.inverse * sum_of_products(self.input, self.values, self.mean);
        let count = self.values.len() as f32;
        let (offset, slope) = (total / count, product / count * self.inverse);
        let scale = self.gamma * self.inverse;
        for (d, x) in self.input.iter_mut().zip(self.values) {
            *d = scale * (*d - offset - (*x - self.mean) * slope);
        }
        (product, total)
    }
}
