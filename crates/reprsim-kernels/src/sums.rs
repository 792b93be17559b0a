//! Sums in a fixed order that vector instructions can follow.

/// Sums are taken in this many lanes, whatever the processor's vectors hold: the result
/// is the same everywhere.
const LANES: usize = 16;

/// The sum of a function of each value.
#[inline(always)]
pub(crate) fn sum(values: &[f32], function: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += function(chunk[i]);
        }
    }
    total(lanes) + rest.iter().map(|x| function(*x)).sum::<f32>()
}

/// The sum of `gradient (value - mean)`.
#[inline(always)]
pub(crate) fn sum_of_products(gradient: &[f32], values: &[f32], mean: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (gradients, gradient_rest) = gradient.as_chunks::<LANES>();
    let (chunks, rest) = values.as_chunks::<LANES>();
    for (gradient, chunk) in gradients.iter().zip(chunks) {
        for i in 0..LANES {
            lanes[i] += gradient[i] * (chunk[i] - mean);
        }
    }
    let rest = gradient_rest.iter().zip(rest);
    total(lanes) + rest.map(|(g, x)| g * (x - mean)).sum::<f32>()
}

/// Lanes summed as a tree.
#[inline(always)]
fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}
