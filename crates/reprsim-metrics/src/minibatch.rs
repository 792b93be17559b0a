//! HSIC_1 summed over batches of samples (Nguyen, Raghu, Kornblith 2021, arXiv
//! 2010.15327, eq. 2 and 3).

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Tensor;

use crate::kernel::{Kernel, KernelLayer};
use crate::null::Part;
use crate::pair::KernelSums;
use crate::permutations::Permutations;
use crate::source::HostValues;
use crate::view::View;
use crate::{MetricError, Undefined};

/// Samples a batch.
pub const BATCH: usize = 256;

/// The order of the samples is drawn with this seed.
const SEED: u64 = 0x6d69_6e69;

/// Sums of n (n - 3) HSIC_1 over the batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MinibatchSums {
    /// Both layers.
    pub cross: f64,
    /// The first with itself, and the product of kernels that it is what is left of.
    pub a: (f64, f64),
    /// The second with itself, likewise.
    pub b: (f64, f64),
}

/// Compares `pairs` of `views`, whose columns are centred; `heard` is told of what is found, and says
/// whether more permutations are needed.
pub(crate) fn compare(
    views: &[View],
    pairs: &[(usize, usize)],
    permutations: &Permutations,
    heard: &mut dyn FnMut(Part<'_, MinibatchSums>) -> bool,
) -> Result<(), MetricError> {
    let n = views.first().map_or(0, View::rows);
    let mut layers = Vec::new();
    for view in views {
        layers.push(match view.degenerate {
            Some(reason) => Err(reason),
            None if n < 4 => Err(Undefined::TooFewSamples { needed: 4 }),
            None => KernelLayer::new(Kernel::Linear, view)?,
        });
    }
    let usable = |(i, j): &(usize, usize)| layers[*i].is_ok() && layers[*j].is_ok();
    let known: Vec<(usize, usize)> = pairs.iter().copied().filter(usable).collect();
    // One epoch in a random order. Sums of n (n - 3) HSIC_1 give a last, shorter
    // batch the weight that it has.
    let drawn = if known.is_empty() { 0 } else { n };
    let order = Permutations::random(drawn, 1, SEED);
    let order = order.iter().next().unwrap_or_default();
    let batches: Vec<&[u32]> = order.chunks(BATCH).filter(|b| b.len() >= 4).collect();
    let run = |map: Option<&[u32]>| sums(&layers, &known, &batches, map);
    let places: BTreeMap<(usize, usize), usize> = known
        .iter()
        .enumerate()
        .map(|(at, pair)| (*pair, at))
        .collect();
    let place = |pair: &(usize, usize)| places.get(pair).copied();
    let sums = run(None)?;
    let observed: Vec<Result<MinibatchSums, Undefined>> = (pairs.iter())
        .map(
            |pair| match (place(pair), &layers[pair.0], &layers[pair.1]) {
                (Some(at), _, _) => Ok(sums[at]),
                (None, Err(reason), _) | (None, _, Err(reason)) => Err(*reason),
                (None, Ok(_), Ok(_)) => Ok(MinibatchSums::default()),
            },
        )
        .collect();
    heard(Part::Observed(&observed));
    for batch in permutations.batches() {
        let mut permuted: Vec<Vec<MinibatchSums>> = vec![vec![]; pairs.len()];
        for map in batch.maps {
            let sums = run(Some(map))?;
            for (pair, permuted) in pairs.iter().zip(&mut permuted) {
                permuted.extend(place(pair).map(|at| sums[at]));
            }
        }
        if !heard(Part::Permuted(&permuted)) {
            break;
        }
    }
    Ok(())
}

fn sums(
    layers: &[Result<KernelLayer, Undefined>],
    pairs: &[(usize, usize)],
    batches: &[&[u32]],
    map: Option<&[u32]>,
) -> Result<Vec<MinibatchSums>, MetricError> {
    let set = |of: &dyn Fn(&(usize, usize)) -> usize| {
        let set: BTreeSet<usize> = pairs.iter().map(of).collect();
        set.into_iter().collect::<Vec<_>>()
    };
    let (firsts, seconds) = (set(&|p| p.0), set(&|p| p.1));
    let mut totals = vec![MinibatchSums::default(); pairs.len()];
    for batch in batches {
        let moved: Vec<u32> = match map {
            None => batch.to_vec(),
            Some(map) => batch.iter().map(|i| map[*i as usize]).collect(),
        };
        let size = batch.len();
        let mut flat = Vec::new();
        let mut sides: Vec<Side> = Vec::new();
        for (numbers, samples) in [(&firsts, *batch), (&seconds, &moved)] {
            for i in numbers {
                let Ok(layer) = &layers[*i] else { continue };
                let (x, power) = layer.view.gather_all(samples)?;
                // Of products of two rows each.
                let factor = 4f64.powi(power);
                let tile = layer.tile(x.clone(), x, samples, samples)?;
                let sums = HostValues::of(tile.clone().sum_dim(1))?;
                let off_rows = sums.iter().copied().map(f64::from).collect();
                let diagonal = (samples.iter())
                    .map(|s| layer.view.squares[*s as usize] / factor)
                    .collect();
                sides.push(Side {
                    off_rows,
                    diagonal,
                    factor,
                });
                flat.push(tile.reshape([1, size * size]));
            }
        }
        let count = flat.len();
        if count == 0 {
            continue;
        }
        let flat = Tensor::cat(flat, 0);
        let products = HostValues::of(flat.clone().matmul(flat.transpose()))?;
        let sums =
            |x: usize, y: usize| sides[x].with(&sides[y], f64::from(products[x * count + y]));
        for ((i, j), total) in pairs.iter().zip(&mut totals) {
            let (Ok(x), Ok(y)) = (firsts.binary_search(i), seconds.binary_search(j)) else {
                continue;
            };
            let y = firsts.len() + y;
            total.cross += sums(x, y).hsic1() * sides[x].factor * sides[y].factor;
            for (own, at) in [(&mut total.a, x), (&mut total.b, y)] {
                let (sums, factor) = (sums(at, at), sides[at].factor * sides[at].factor);
                own.0 += sums.hsic1() * factor;
                own.1 += sums.size * factor;
            }
        }
    }
    Ok(totals)
}

/// One layer's kernel matrix of a batch.
struct Side {
    /// Row sums without the diagonal.
    off_rows: Vec<f64>,
    diagonal: Vec<f64>,
    /// What the matrix is to be multiplied by.
    factor: f64,
}

impl Side {
    fn with(&self, other: &Self, product: f64) -> KernelSums {
        let dot = crate::lanes::dot;
        let rows = |side: &Self| -> Vec<f64> {
            (side.off_rows.iter().zip(&side.diagonal))
                .map(|(r, d)| r + d)
                .collect()
        };
        let sum = |values: &[f64]| values.iter().sum::<f64>();
        KernelSums {
            n: self.diagonal.len() as f64,
            off_product: product,
            diagonal: dot(&self.diagonal, &other.diagonal),
            rows: dot(&rows(self), &rows(other)),
            off_rows: dot(&self.off_rows, &other.off_rows),
            off_totals: (sum(&self.off_rows), sum(&other.off_rows)),
            traces: (sum(&self.diagonal), sum(&other.diagonal)),
            size: product.abs(),
        }
    }
}
