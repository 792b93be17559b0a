//! Products of kernel matrices under shifts of the samples in one order.
//!
//! With samples in that order a shift by s matches entry (t, u) of one matrix with (t + s, u + s) of the
//! other, round the end: both lie on the same diagonal, so that the sum of K_ij L_p(i)p(j) is, over the
//! diagonals, the inner product of one with the other moved by s. That reads memory as it lies, where
//! any other permutation has to gather each entry, and needs no more of the matrices at a time than a
//! few diagonals.

use std::ops::Range;

use rayon::prelude::*;

use crate::MetricError;
use crate::entries::entries;
use crate::kernel::KernelLayer;
use crate::lanes::dot_in_single;
use crate::permutations::Cycle;
use crate::square::Square;

/// Entries of the diagonals of one layer that are held at once, about.
const ENTRIES: usize = 1 << 21;

/// Layers that may all have so many; of more each has less.
const FEW: usize = 4;

/// Diagonals that are held at once.
const DIAGONALS: Range<usize> = 32..257;

/// Samples whose entries on them are found at once.
const SAMPLES: usize = 64;

/// For each shift the sums of K_ij L_p(i)p(j), i != j, of each of these pairs of layers.
pub(crate) fn products(
    layers: &[KernelLayer],
    pairs: &[(usize, usize)],
    cycle: &Cycle<'_>,
) -> Result<Vec<Square>, MetricError> {
    let n = cycle.order.len();
    let mut involved: Vec<usize> = pairs.iter().flat_map(|(i, j)| [*i, *j]).collect();
    involved.sort_unstable();
    involved.dedup();
    // Twice round, so that no diagonal is cut.
    let order = [cycle.order, cycle.order].concat();
    let entries = FEW * ENTRIES / involved.len().max(FEW);
    let width = (entries / n).clamp(DIAGONALS.start, DIAGONALS.end - 1);
    // Each pair of samples lies on one diagonal of the first half.
    let bands: Vec<Range<usize>> = (1..n / 2 + 1)
        .step_by(width)
        .map(|start| start..(start + width).min(n / 2 + 1))
        .collect();
    let one = |band: &Range<usize>| {
        let diagonals = (involved.iter())
            .map(|i| diagonals(&layers[*i], &order, band))
            .collect::<Result<Vec<_>, MetricError>>()?;
        let of = |layer: &usize| involved.binary_search(layer).map(|at| &diagonals[at]);
        let mut sums = vec![0.0; pairs.len() * cycle.shifts.len()];
        for ((i, j), sums) in pairs
            .iter()
            .zip(sums.chunks_exact_mut(cycle.shifts.len().max(1)))
        {
            let (Ok(k), Ok(l)) = (of(i), of(j)) else {
                continue;
            };
            for (at, (k, l)) in k.chunks_exact(n).zip(l.chunks_exact(n)).enumerate() {
                // The middle one of an even number has each pair twice.
                let weight = if 2 * (band.start + at) == n { 1.0 } else { 2.0 };
                for (sum, shift) in sums.iter_mut().zip(cycle.shifts) {
                    let (ends, starts) = l.split_at(*shift as usize);
                    let (first, last) = k.split_at(n - *shift as usize);
                    *sum += weight * (dot_in_single(first, starts) + dot_in_single(last, ends));
                }
            }
        }
        Ok(sums)
    };
    // Added up in the order of the bands: the same on any number of threads. As many at a time as
    // there are threads bound the memory.
    let mut totals = vec![0.0; pairs.len() * cycle.shifts.len()];
    for bands in bands.chunks(rayon::current_num_threads()) {
        let parts = (bands.par_iter().map(one)).collect::<Result<Vec<_>, MetricError>>()?;
        for part in parts {
            (totals.iter_mut().zip(part)).for_each(|(total, sum)| *total += sum);
        }
    }
    let mut out = vec![Square::new(layers.len()); cycle.shifts.len()];
    for ((i, j), totals) in pairs
        .iter()
        .zip(totals.chunks_exact(cycle.shifts.len().max(1)))
    {
        for (out, total) in out.iter_mut().zip(totals) {
            out.add(*i, *j, *total);
        }
    }
    Ok(out)
}

/// Some diagonals of a layer's matrix whose samples are in the order given, twice round: of each the
/// entry beside each sample.
fn diagonals(
    layer: &KernelLayer,
    order: &[u32],
    band: &Range<usize>,
) -> Result<Vec<f32>, MetricError> {
    let n = order.len() / 2;
    let mut out = vec![0.0; band.len() * n];
    for start in (0..n).step_by(SAMPLES) {
        let rows = start..(start + SAMPLES).min(n);
        let columns = start + band.start..rows.end + band.end - 1;
        let values = entries(layer, &rows, &columns, Some(order))?;
        for (diagonal, out) in out.chunks_exact_mut(n).enumerate() {
            let skewed = (values.get(diagonal..)).map(|v| v.iter().step_by(columns.len() + 1));
            let out = out[rows.clone()].iter_mut();
            out.zip(skewed.into_iter().flatten())
                .for_each(|(o, v)| *o = *v);
        }
    }
    Ok(out)
}
