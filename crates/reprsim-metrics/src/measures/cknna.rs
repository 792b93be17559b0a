//! Centred kernel nearest-neighbour alignment (Huh et al. 2024, appendix A): the
//! debiased linear CKA restricted to pairs (i, j) where j is among the k nearest
//! neighbours of i by cosine in both layers.
//!
//! With K and L U-centred, `sum K_ij L_ij` over the pairs of both, divided by the root
//! of the sums of `K_ij^2` over the pairs of the first and `L_ij^2` over those of the
//! second. For k = n - 1 it is the debiased linear CKA.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::neighbor_lists::both;
use crate::measures::ratio;
use crate::neighbors::Space;
use crate::pair::NeighborPair;

/// See the module.
pub static CKNNA: Definition = Definition {
    properties: Properties {
        name: "cknna_linear",
        alias: Some("cknna"),
        title: "kernel alignment on mutual neighbours",
        what: "Debiased linear CKA over those pairs of samples alone of which one is \
               among the other's k nearest neighbours by cosine in both layers (Huh et \
               al. 2024).",
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
    let squares = |kernel: &[f64]| kernel.iter().map(|v| v * v).sum::<f64>();
    let cross: f64 = (0..pair.a.len() / pair.k)
        .flat_map(|i| both(pair, i))
        .map(|(_, k, l)| k * l)
        .sum();
    ratio(cross, squares(pair.kernel_a), squares(pair.kernel_b))
}
