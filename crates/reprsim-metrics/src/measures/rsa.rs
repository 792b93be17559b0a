//! Representational similarity analysis: a comparison of the two layers' dissimilarities over all
//! pairs of samples. Dissimilarities are kernels, so that squared distances come from the same
//! sums as CKA; comparisons are formulas over these sums. The whitened cosine of squared Euclidean
//! distances is linear CKA, biased (Diedrichsen et al. 2020), and has that name.

use crate::concordance::Concordance;
use crate::kernel::Kernel;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::{ratio, ratio_of};
use crate::pair::{KernelPair, KernelSums};
use crate::{Undefined, Value};

/// A dissimilarity, in words.
macro_rules! dissimilarity {
    (correlation) => {
        "one less the correlation of two samples' activations"
    };
    (euclidean) => {
        "the squared Euclidean distance of two samples"
    };
    (cosine) => {
        "one less the cosine of two samples' activations"
    };
    (mahalanobis) => {
        "the squared Euclidean distance of two samples once the layer is whitened"
    };
}

/// A comparison: its name, in words, whose it is, the lower and the upper end of its range, the
/// value for unrelated layers.
macro_rules! comparison {
    (pearson, word) => {
        "Pearson"
    };
    (pearson, what) => {
        "the Pearson correlation"
    };
    (pearson, whose) => {
        "Kriegeskorte et al. 2008"
    };
    (pearson, low) => {
        "from -1 (what is alike in one layer is unlike in the other) over 0 (unrelated)"
    };
    (pearson, high) => {
        "to 1 (dissimilarities on one straight line)"
    };
    (spearman, word) => {
        "Spearman"
    };
    (spearman, what) => {
        "the rank correlation"
    };
    (spearman, whose) => {
        "Kriegeskorte et al. 2008"
    };
    (spearman, low) => {
        comparison!(pearson, low)
    };
    (spearman, high) => {
        "to 1 (the same order of dissimilarities)"
    };
    (kendall, word) => {
        "Kendall"
    };
    (kendall, what) => {
        "Kendall's tau-a"
    };
    (kendall, whose) => {
        "Nili et al. 2014"
    };
    (kendall, low) => {
        comparison!(pearson, low)
    };
    (kendall, high) => {
        "to 1 (the same order of dissimilarities, none of them equal)"
    };
    (cosine, word) => {
        "cosine"
    };
    (cosine, what) => {
        "the cosine"
    };
    (cosine, whose) => {
        "Nili et al. 2014"
    };
    (cosine, low) => {
        "from 0 (pairs that are unlike in one layer are the same in the other)"
    };
    (cosine, high) => {
        "to 1 (dissimilarities are multiples of each other)"
    };
    (whitened_cosine, word) => {
        "whitened cosine"
    };
    (whitened_cosine, what) => {
        "the cosine, weighted by how estimates of dissimilarities vary together,"
    };
    (whitened_cosine, whose) => {
        "Diedrichsen et al. 2020"
    };
    (whitened_cosine, low) => {
        "from 0 (unrelated, which chance exceeds the more, the larger d / n)"
    };
    (whitened_cosine, high) => {
        comparison!(cosine, high)
    };
}

/// Definitions by dissimilarity and comparison, with the formula.
macro_rules! definitions {
    ($($id:ident: $dissimilarity:ident $comparison:ident, $formula:expr;)*) => {$(
        /// See the module.
        pub static $id: Definition = Definition {
            properties: Properties {
                name: concat!("rsa_", stringify!($dissimilarity), "_", stringify!($comparison)),
                alias: None,
                title: concat!(
                    "RSA, ", stringify!($dissimilarity), " distance, ", comparison!($comparison, word)
                ),
                what: concat!(
                    "Representational similarity analysis: ", comparison!($comparison, what),
                    ", over all pairs of samples, of their dissimilarities in the two layers, a \
                     dissimilarity being ", dissimilarity!($dissimilarity), " (",
                    comparison!($comparison, whose), ")."
                ),
                mode: Mode::Exact,
                estimator: Comparison::$comparison.estimator,
                range: (Bound::Number(Comparison::$comparison.lowest), Bound::Number(1.0)),
                range_in_words: concat!(
                    comparison!($comparison, low), " ", comparison!($comparison, high)
                ),
                symmetric: true,
                geometry: Comparison::$comparison.geometry,
                invariances: invariances::$dissimilarity,
                chance: Comparison::$comparison.chance,
                samples: 3,
                uses_k: false,
                reference: Comparison::$comparison.reference,
            },
            formula: $formula,
            chance: None,
        };
    )*};
}

definitions! {
    RSA_CORRELATION_PEARSON: correlation pearson, Formula::Kernel(Kernel::Correlation, of_entries);
    RSA_CORRELATION_SPEARMAN: correlation spearman, Formula::Kernel(Kernel::CorrelationRank, of_entries);
    RSA_CORRELATION_KENDALL: correlation kendall, Formula::Concordance(Kernel::CorrelationRank, tau);
    RSA_CORRELATION_COSINE: correlation cosine, Formula::Kernel(Kernel::Correlation, of_distances);
    RSA_CORRELATION_WHITENED_COSINE: correlation whitened_cosine, Formula::Kernel(Kernel::Correlation, whitened);
    RSA_EUCLIDEAN_PEARSON: euclidean pearson, Formula::Kernel(Kernel::Linear, of_deviations);
    RSA_EUCLIDEAN_SPEARMAN: euclidean spearman, Formula::Kernel(Kernel::EuclideanRank, of_entries);
    RSA_EUCLIDEAN_KENDALL: euclidean kendall, Formula::Concordance(Kernel::EuclideanRank, tau);
    RSA_EUCLIDEAN_COSINE: euclidean cosine, Formula::Kernel(Kernel::Linear, of_distances);
    RSA_COSINE_PEARSON: cosine pearson, Formula::Kernel(Kernel::Cosine, of_deviations);
    RSA_COSINE_SPEARMAN: cosine spearman, Formula::Kernel(Kernel::CosineRank, of_entries);
    RSA_MAHALANOBIS_PEARSON: mahalanobis pearson, Formula::Kernel(Kernel::Mahalanobis, of_deviations);
    RSA_MAHALANOBIS_SPEARMAN: mahalanobis spearman, Formula::Kernel(Kernel::MahalanobisRank, of_entries);
    RSA_MAHALANOBIS_WHITENED_COSINE: mahalanobis whitened_cosine, Formula::Kernel(Kernel::Mahalanobis, whitened);
}

/// What is known of a comparison, besides words.
struct Comparison {
    estimator: &'static str,
    lowest: f64,
    geometry: Geometry,
    chance: &'static str,
    reference: &'static str,
}

#[allow(non_upper_case_globals, reason = "named as in the table")]
impl Comparison {
    const pearson: Self = Self {
        estimator: "plain",
        lowest: -1.0,
        geometry: Geometry::Cosine,
        chance: "0",
        reference: "Kriegeskorte, Mur, Bandettini 2008, doi 10.3389/neuro.06.004.2008",
    };
    const spearman: Self = Self {
        estimator: "plain, mean ranks for ties",
        ..Self::pearson
    };
    const kendall: Self = Self {
        // Concordant less discordant pairs of pairs is an inner product of signs.
        reference: "Nili et al. 2014, doi 10.1371/journal.pcbi.1003553",
        estimator: "tau-a: ties count as neither",
        geometry: Geometry::Share,
        ..Self::pearson
    };
    const cosine: Self = Self {
        lowest: 0.0,
        chance: "near 1 where dissimilarities vary little",
        reference: Self::kendall.reference,
        ..Self::pearson
    };
    const whitened_cosine: Self = Self {
        lowest: 0.0,
        chance: "grows with d / n",
        reference: "Diedrichsen et al. 2020, arXiv 2007.02789",
        ..Self::pearson
    };
}

/// What dissimilarities do not see.
#[allow(non_upper_case_globals, reason = "named as in the table")]
mod invariances {
    use super::Invariances;

    pub const correlation: Invariances = Invariances::SCALE;
    pub const euclidean: Invariances = Invariances::SIMILARITY;
    pub const cosine: Invariances = Invariances::ANGLES;
    pub const mahalanobis: Invariances = Invariances::LINEAR;
}

/// Of entries that are dissimilarities but for sign and a constant, or their ranks.
fn of_entries(pair: &KernelPair) -> Value {
    ratio_of(pair, KernelSums::covariance)
}

/// Of the distances that belong to a kernel, less their mean.
fn of_deviations(pair: &KernelPair) -> Value {
    ratio_of(pair, KernelSums::distance_covariance)
}

/// Of the distances themselves.
fn of_distances(pair: &KernelPair) -> Value {
    ratio_of(pair, KernelSums::distance_product)
}

/// The covariance of estimates of squared distances between n conditions of independent noise is such
/// that distances weighted by its inverse are the doubly centred kernel.
fn whitened(pair: &KernelPair) -> Value {
    ratio(pair.cross.hsic0(), pair.a.hsic0(), pair.b.hsic0())
}

fn tau(found: &Concordance) -> Value {
    match found.varies {
        true => Ok(found.tau_a()),
        false => Err(Undefined::NoVariance),
    }
}
