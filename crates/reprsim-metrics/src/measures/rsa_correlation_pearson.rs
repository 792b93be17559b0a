//! Representational similarity analysis: the Pearson correlation of the two layers'
//! dissimilarities over all pairs of samples, a dissimilarity being 1 less the
//! Pearson correlation of two samples' activations. From d x d products alone.

use crate::Value;
use crate::form::Geometry;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Invariances, Mode, Properties};
use crate::measures::ratio_of;
use crate::pair::{KernelPair, KernelSums};

/// See the module.
pub static RSA_CORRELATION_PEARSON: Definition = Definition {
    properties: Properties {
        name: "rsa_correlation_pearson",
        alias: None,
        title: "RSA, correlation distance, Pearson",
        what: "Representational similarity analysis: the Pearson correlation, over all \
               pairs of samples, of their dissimilarities in the two layers, a \
               dissimilarity being one less the correlation of two samples' \
               activations (Kriegeskorte et al. 2008).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from -1 (what is alike in one layer is unlike in the other) over 0 \
               (unrelated) to 1 (dissimilarities on one straight line)",
        symmetric: true,
        geometry: Geometry::Cosine,
        invariances: Invariances::SCALE,
        chance: "0",
        samples: 3,
        uses_k: false,
        reference: "Kriegeskorte, Mur, Bandettini 2008, doi 10.3389/neuro.06.004.2008",
    },
    formula: Formula::Kernel(Kernel::Correlation, value),
    chance: None,
};

fn value(pair: &KernelPair) -> Value {
    ratio_of(pair, KernelSums::covariance)
}
