//! CKA with a Gaussian kernel and the HSIC_1 estimator; the bandwidth of each layer
//! is the median Euclidean distance over all pairs of samples.

use crate::Value;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::ratio_of;
use crate::pair::{KernelPair, KernelSums};

/// See the module.
pub static CKA_RBF_MEDIAN_DEBIASED: Definition = Definition {
    properties: Properties {
        name: "cka_rbf_median_debiased",
        alias: None,
        title: "Gaussian CKA, debiased",
        what: "CKA with a Gaussian kernel between samples, as wide as the median \
               distance in its layer (Kornblith et al. 2019). Each HSIC in it is the \
               estimator of Song et al. (2012), which few samples do not bias.",
        mode: Mode::Exact,
        estimator: "debiased (HSIC_1)",
        range: (Bound::None, Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated; negative by chance) to 1 (the same distances between \
               samples, up to scale)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SIMILARITY,
        chance: "0",
        samples: 4,
        uses_k: false,
        reference: "Kornblith et al. 2019, arXiv 1905.00414, section 3 (bandwidth: the median distance)",
    },
    formula: Formula::Kernel(Kernel::GaussianMedian, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    ratio_of(pair, KernelSums::hsic1)
}
