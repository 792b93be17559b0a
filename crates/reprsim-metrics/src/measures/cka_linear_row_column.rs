//! Linear CKA corrected for finite samples of both stimuli (rows) and units
//! (columns), after Chun, Canatar, Chung, Lee (2025), arXiv 2502.15104.
//!
//! HSIC_1 corrects for rows. Sampling columns biases only a layer's HSIC with
//! itself, where a column meets itself: HSIC_1 is bilinear in the kernels, the
//! kernel is a sum over Q columns, so the mean over pairs of *different* columns is
//! `(HSIC_1(K, K) - sum_q HSIC_1(k_q, k_q)) Q / (Q - 1)` on the scale of the sum.
//! The cross term assumes that the columns of the two layers are sampled
//! independently: a layer's similarity with itself exceeds 1.

use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::ratio_of_differences;
use crate::pair::{KernelPair, KernelSums};
use crate::{Undefined, Value};

/// See the module.
pub static CKA_LINEAR_ROW_COLUMN: Definition = Definition {
    properties: Properties {
        name: "cka_linear_row_column",
        alias: None,
        title: "linear CKA, row and column corrected",
        what: "Debiased linear CKA between the populations of units of which a layer's \
               dimensions are a sample: besides the bias of few samples it takes off \
               that of few dimensions (Chun et al. 2025).",
        mode: Mode::Exact,
        estimator: "HSIC_1 over different columns",
        range: (Bound::None, Bound::None),
        range_in_words: "from 0 (unrelated; negative by chance) with 1 for equal populations of \
               units and no upper end: a layer compared with itself exceeds 1",
        symmetric: true,
        geometry: Geometry::Open,
        invariances: Invariances::AXES,
        chance: "0",
        samples: 4,
        uses_k: false,
        reference: "Chun et al. 2025, arXiv 2502.15104",
    },
    formula: Formula::Kernel(Kernel::Linear, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    if pair.columns.iter().any(|(_, columns)| *columns < 2.0) {
        return Err(Undefined::TooFewDimensions { needed: 2 });
    }
    let own = |sums: &KernelSums, (same_column, columns): (f64, f64)| {
        (sums.hsic1() - same_column) * columns / (columns - 1.0)
    };
    ratio_of_differences(
        pair.cross.hsic1(),
        [
            (own(&pair.a, pair.columns[0]), pair.a.size),
            (own(&pair.b, pair.columns[1]), pair.b.size),
        ],
    )
}
