//! Debiased linear CKA as published: after clamping and normalising rows, with 1e-6
//! added to the geometric mean of the two HSIC_1.

use crate::Value;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::paper::ratio_with_epsilon;
use crate::pair::{KernelPair, KernelSums};

/// See the module.
pub static PAPER_UNBIASED_CKA: Definition = Definition {
    properties: Properties {
        name: "unbiased_cka",
        alias: None,
        title: "linear CKA, debiased",
        what: "Linear CKA with the HSIC estimator of Song et al. (2012), after the \
               preprocessing of Li et al. (2025): entries clamped, rows of length 1, \
               1e-6 in the denominator.",
        mode: Mode::Paper,
        estimator: "debiased (HSIC_1)",
        range: (Bound::None, Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated; negative by chance) to 1 (the same up to scale)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SCALE,
        chance: "0",
        samples: 4,
        uses_k: false,
        reference: "Li et al. 2025, arXiv 2505.13899; Song et al. 2012, JMLR 13, eq. 5; Nguyen et al. 2021, arXiv 2010.15327",
    },
    formula: Formula::Kernel(Kernel::ClampedLinear, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    let hsic1 = |sums: &KernelSums| sums.hsic1() / (sums.n * (sums.n - 3.0));
    ratio_with_epsilon(hsic1(&pair.cross), hsic1(&pair.a), hsic1(&pair.b))
}
