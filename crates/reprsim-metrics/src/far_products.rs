//! What far samples add to sums over two kernel matrices.

use crate::MetricError;
use crate::view::View;

/// Samples whose products with all are held at once.
const BLOCK: usize = 32;

/// The sum of `x_i x_j y_p(i) y_p(j)` over all i != j of which one is far in `x`, or p of one in `y`:
/// what products of the near samples lack. `map` is p.
pub(crate) fn sum(x: &View, y: &View, map: Option<&[u32]>) -> Result<f64, MetricError> {
    let n = x.rows();
    let moved = |i: usize| map.map_or(i, |map| map[i] as usize);
    let mut is_far = vec![false; n];
    let mut of_y = vec![false; n];
    x.far
        .samples
        .iter()
        .for_each(|i| is_far[*i as usize] = true);
    y.far.samples.iter().for_each(|i| of_y[*i as usize] = true);
    (0..n).for_each(|i| is_far[i] |= of_y[moved(i)]);
    let samples: Vec<u32> = (0..n as u32).filter(|i| is_far[*i as usize]).collect();
    let mut sum = 0.0;
    for samples in samples.chunks(BLOCK) {
        let images: Vec<u32> = samples.iter().map(|i| moved(*i as usize) as u32).collect();
        let (k, l) = (x.with_all(samples)?, y.with_all(&images)?);
        for ((i, k), l) in samples.iter().zip(k.chunks_exact(n)).zip(l.chunks_exact(n)) {
            let entry = |j: usize| k[j] * l[moved(j)];
            // A pair of which both are far is met twice.
            let weight = |j: usize| if is_far[j] { 1.0 } else { 2.0 };
            let others = (0..n).filter(|j| *j != *i as usize);
            sum += others.map(|j| weight(j) * entry(j)).sum::<f64>();
        }
    }
    Ok(sum)
}
