//! Linear CKA as published: after clamping and normalising rows, with 1e-6 in the
//! denominator.

use crate::Value;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::paper::ratio_with_epsilon;
use crate::pair::KernelPair;

/// See the module.
pub static PAPER_CKA: Definition = Definition {
    properties: Properties {
        name: "cka",
        alias: None,
        title: "linear CKA",
        what: "Linear CKA by the biased estimator (Kornblith et al. 2019), after the \
               preprocessing of Li et al. (2025): entries clamped, rows of length 1, \
               1e-6 in the denominator.",
        mode: Mode::Paper,
        estimator: "biased (HSIC_0)",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the same up to scale)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SCALE,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Li et al. 2025, arXiv 2505.13899; Kornblith et al. 2019, arXiv 1905.00414",
    },
    formula: Formula::Kernel(Kernel::ClampedLinear, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    ratio_with_epsilon(pair.cross.hsic0(), pair.a.hsic0(), pair.b.hsic0())
}
