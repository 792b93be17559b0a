//! CKNNA as published: HSIC_1 of the two kernel matrices with all entries set to zero
//! but those where j is among the k nearest neighbours of i in both layers, and 1e-6
//! added to the geometric mean of each layer's own.
//!
//! The masks are not symmetric and HSIC_1 multiplies by the transpose, so its leading
//! term keeps only pairs of samples that list each other, and its last term mixes
//! row sums with column sums: swapping the layers changes the value a little.

use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use rayon::prelude::*;

use crate::Value;
use crate::measures::neighbor_lists::both;
use crate::measures::paper::ratio_with_epsilon;
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static PAPER_CKNNA: Definition = Definition {
    properties: Properties {
        name: "cknna",
        alias: None,
        title: "kernel alignment on mutual neighbours",
        what: "The HSIC estimator of Song et al. (2012) over kernels of which only the \
               pairs of k nearest neighbours in both layers are kept (Huh et al. \
               2024), after the preprocessing of Li et al. (2025): entries clamped, \
               rows of length 1, 1e-6 in the denominator.",
        mode: Mode::Paper,
        estimator: "debiased (HSIC_1 of masked kernels)",
        range: (Bound::None, Bound::None),
        range_in_words: "from 0 (no neighbour in common; negative by chance), without bounds; a \
               layer compared with itself gives 1",
        symmetric: false,
        geometry: Geometry::Open,
        invariances: Invariances::SCALE,
        chance: "near 0",
        samples: 4,
        uses_k: true,
        reference: "Li et al. 2025, arXiv 2505.13899; Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::ClampedCosine, true, value),
    chance: None,
};

fn value(pair: &NeighborPair) -> Value {
    let n = pair.a.len() / pair.k;
    let cross: Vec<Row> = (0..n).into_par_iter().map(|i| both(pair, i)).collect();
    let own = |lists: &[u32], kernel: &[f64]| -> Vec<Row> {
        (lists.par_chunks(pair.k))
            .zip(kernel.par_chunks(pair.k))
            .map(|(list, kernel)| list.iter().zip(kernel).map(|(j, v)| (*j, *v, *v)).collect())
            .collect()
    };
    ratio_with_epsilon(
        hsic1(&cross),
        hsic1(&own(pair.a, pair.kernel_a)),
        hsic1(&own(pair.b, pair.kernel_b)),
    )
}

/// The entries of a row that are kept: column, K and L.
type Row = Vec<(u32, f64, f64)>;

fn hsic1(rows: &[Row]) -> f64 {
    let n = rows.len() as f64;
    let mut column_sums = vec![0.0; rows.len()];
    let (mut product, mut total_k, mut total_l) = (0.0, 0.0, 0.0);
    for (i, row) in rows.iter().enumerate() {
        for (j, k, l) in row {
            column_sums[*j as usize] += k;
            total_k += k;
            total_l += l;
            let back = rows[*j as usize].iter().find(|(j, ..)| *j as usize == i);
            product += back.map_or(0.0, |(_, _, l)| k * l);
        }
    }
    let middle: f64 = (column_sums.iter().zip(rows))
        .map(|(sum, row)| sum * row.iter().map(|(.., l)| l).sum::<f64>())
        .sum();
    (product + total_k * total_l / ((n - 1.0) * (n - 2.0)) - 2.0 / (n - 2.0) * middle)
        / (n * (n - 3.0))
}
