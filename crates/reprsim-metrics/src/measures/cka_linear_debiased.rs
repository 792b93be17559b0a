//! Linear CKA with the HSIC_1 estimator of Song et al. (2012), as in Nguyen et al.
//! (2021). A ratio of unbiased estimates: hardly biased, and 0 on average for
//! unrelated layers whatever their width.

use crate::Value;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::ratio_of;
use crate::pair::{KernelPair, KernelSums};

/// See the module.
pub static CKA_LINEAR_DEBIASED: Definition = Definition {
    properties: Properties {
        name: "cka_linear_debiased",
        alias: Some("unbiased_cka"),
        title: "linear CKA, debiased",
        what: "Linear CKA: how far the inner products between samples in one layer, \
               centred, go with those in the other (Kornblith et al. 2019). Each HSIC \
               in it is the estimator of Song et al. (2012), which few samples do not \
               bias (Nguyen et al. 2021).",
        mode: Mode::Exact,
        estimator: "debiased (HSIC_1)",
        range: (Bound::None, Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated; negative by chance) to 1 (the same up to rotation, \
               scale and translation)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SIMILARITY,
        chance: "0",
        samples: 4,
        uses_k: false,
        reference: "Song et al. 2012, JMLR 13, eq. 5; Nguyen et al. 2021, arXiv 2010.15327",
    },
    formula: Formula::Kernel(Kernel::Linear, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    ratio_of(pair, KernelSums::hsic1)
}
