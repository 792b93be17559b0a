//! CKA with a Gaussian kernel and the biased HSIC estimator; the bandwidth of each
//! layer is the median Euclidean distance over all pairs of samples.

use crate::Value;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::ratio;
use crate::pair::KernelPair;

/// See the module.
pub static CKA_RBF_MEDIAN_BIASED: Definition = Definition {
    properties: Properties {
        name: "cka_rbf_median_biased",
        alias: None,
        title: "Gaussian CKA",
        what: "CKA with a Gaussian kernel between samples, as wide as the median \
               distance in its layer (Kornblith et al. 2019). This estimator is \
               biased: unrelated layers score above 0.",
        mode: Mode::Exact,
        estimator: "biased (HSIC_0)",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the fewer the \
               samples) to 1 (the same distances between samples, up to scale)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SIMILARITY,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Kornblith et al. 2019, arXiv 1905.00414, section 3 (bandwidth: the median distance)",
    },
    formula: Formula::Kernel(Kernel::GaussianMedian, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    ratio(pair.cross.hsic0(), pair.a.hsic0(), pair.b.hsic0())
}
