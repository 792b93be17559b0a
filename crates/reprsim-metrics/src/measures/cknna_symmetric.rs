//! CKNNA over an undirected neighbour graph: i and j are neighbours in a layer if
//! either is among the k nearest of the other.
//!
//! The directed form counts a pair twice where both samples list each other and once
//! where only one does; here every pair counts once. For k = n - 1 it is the
//! debiased linear CKA.

use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use rayon::prelude::*;

use crate::Value;
use crate::measures::ratio;
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static CKNNA_SYMMETRIC: Definition = Definition {
    properties: Properties {
        name: "cknna_symmetric",
        alias: None,
        title: "kernel alignment on mutual neighbours, undirected",
        what: "Debiased linear CKA over the pairs of samples that are neighbours in \
               both layers, two samples being neighbours if either is among the \
               other's k nearest by cosine (after Huh et al. 2024).",
        mode: Mode::Exact,
        estimator: "debiased (U-centred)",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from 0 (no neighbour in common; negative where common neighbours \
               disagree) to 1 (the same neighbours, as alike in both layers)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::ANGLES,
        chance: "about k / n",
        samples: 4,
        uses_k: true,
        reference: "Huh et al. 2024, arXiv 2405.07987",
    },
    formula: Formula::Neighbors(Space::Cosine, true, value),
    chance: None,
};

fn value(pair: &NeighborPair) -> Value {
    let (a, b) = (
        edges(pair.a, pair.kernel_a, pair.k),
        edges(pair.b, pair.kernel_b, pair.k),
    );
    let squares = |edges: &[Edge]| edges.iter().map(|(_, v)| v * v).sum::<f64>();
    let mut cross = 0.0;
    let mut others = b.iter().peekable();
    for (edge, k) in &a {
        while others.next_if(|(other, _)| other < edge).is_some() {}
        if let Some((_, l)) = others.next_if(|(other, _)| other == edge) {
            cross += k * l;
        }
    }
    ratio(cross, squares(&a), squares(&b))
}

/// Two samples, the smaller first, and the kernel between them.
type Edge = ((u32, u32), f64);

fn edges(lists: &[u32], kernel: &[f64], k: usize) -> Vec<Edge> {
    let mut edges: Vec<Edge> = lists
        .par_iter()
        .zip(kernel)
        .enumerate()
        .map(|(at, (j, value))| {
            let i = (at / k) as u32;
            ((i.min(*j), i.max(*j)), *value)
        })
        .collect();
    edges.par_sort_unstable_by_key(|(edge, _)| *edge);
    edges.dedup_by_key(|(edge, _)| *edge);
    edges
}
