//! Linear CKA from batches: the ratio of HSIC_1 summed over batches of 256 samples,
//! drawn once without replacement (Nguyen et al. 2021, eq. 2 and 3). It estimates
//! the debiased CKA of the whole at a cost linear in n. Up to 256 samples it equals
//! it.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::ratio_of_differences;
use crate::minibatch::MinibatchSums;

/// See the module.
pub static CKA_LINEAR_MINIBATCH: Definition = Definition {
    properties: Properties {
        name: "cka_linear_minibatch",
        alias: None,
        title: "linear CKA over minibatches of 256",
        what: "Debiased linear CKA from the HSIC_1 of Song et al. (2012) summed over \
               batches of 256 samples, for more samples than can be compared at once \
               (Nguyen et al. 2021).",
        mode: Mode::Exact,
        estimator: "debiased (ratio of summed HSIC_1)",
        range: (Bound::None, Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated; negative by chance) to 1 (the same up to rotation, \
               scale and translation)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SIMILARITY,
        chance: "0",
        samples: 4,
        uses_k: false,
        reference: "Nguyen et al. 2021, arXiv 2010.15327",
    },
    formula: Formula::Minibatch(value),
    chance: None,
};

fn value(sums: &MinibatchSums) -> Value {
    ratio_of_differences(sums.cross, [sums.a, sums.b])
}
