//! Linear CKA with the biased HSIC estimator (Kornblith et al. 2019): with X and Y
//! centred, `|Y'X|^2 / (|X'X| |Y'Y|)`. Its chance level is about d / (n + d).

use crate::Value;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::ratio;
use crate::pair::KernelPair;

/// See the module.
pub static CKA_LINEAR_BIASED: Definition = Definition {
    properties: Properties {
        name: "cka_linear_biased",
        alias: Some("cka"),
        title: "linear CKA",
        what: "Linear CKA: the squared length of the cross-covariance of the two \
               layers over the product of the lengths of their own covariances \
               (Kornblith et al. 2019). This estimator is biased: unrelated layers \
               score about d / (n + d).",
        mode: Mode::Exact,
        estimator: "biased (HSIC_0)",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the same up to rotation, scale and translation)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SIMILARITY,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Kornblith et al. 2019, arXiv 1905.00414",
    },
    formula: Formula::Kernel(Kernel::Linear, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    ratio(pair.cross.hsic0(), pair.a.hsic0(), pair.b.hsic0())
}
