//! All measures by name.

use super::cca_mean::CCA_MEAN;
use super::cka_linear_biased::CKA_LINEAR_BIASED;
use super::cka_linear_debiased::CKA_LINEAR_DEBIASED;
use super::cka_linear_minibatch::CKA_LINEAR_MINIBATCH;
use super::cka_linear_row_column::CKA_LINEAR_ROW_COLUMN;
use super::cka_rbf_median_biased::CKA_RBF_MEDIAN_BIASED;
use super::cka_rbf_median_debiased::CKA_RBF_MEDIAN_DEBIASED;
use super::cknna::CKNNA;
use super::cknna_symmetric::CKNNA_SYMMETRIC;
use super::cycle_knn::CYCLE_KNN;
use super::edit_distance_knn::EDIT_DISTANCE_KNN;
use super::lcs_knn::LCS_KNN;
use super::linear_regression::LINEAR_REGRESSION;
use super::mutual_knn::MUTUAL_KNN;
use super::paper::{
    PAPER_CKA, PAPER_CKNNA, PAPER_CYCLE_KNN, PAPER_EDIT_DISTANCE_KNN, PAPER_LCS_KNN,
    PAPER_MUTUAL_KNN, PAPER_SVCCA, PAPER_UNBIASED_CKA,
};
use super::procrustes::PROCRUSTES;
use super::pwcca::PWCCA;
use super::rsa_correlation_pearson::RSA_CORRELATION_PEARSON;
use super::rsa_correlation_spearman::RSA_CORRELATION_SPEARMAN;
use super::svcca::SVCCA;
use crate::measure::{Measure, Mode};

/// All measures, exact ones first, in the order in which tables show them.
pub static REGISTRY: [&dyn Measure; 27] = [
    &CKA_LINEAR_DEBIASED,
    &CKA_LINEAR_BIASED,
    &CKA_LINEAR_ROW_COLUMN,
    &CKA_LINEAR_MINIBATCH,
    &CKA_RBF_MEDIAN_DEBIASED,
    &CKA_RBF_MEDIAN_BIASED,
    &MUTUAL_KNN,
    &CYCLE_KNN,
    &LCS_KNN,
    &EDIT_DISTANCE_KNN,
    &CKNNA,
    &CKNNA_SYMMETRIC,
    &RSA_CORRELATION_PEARSON,
    &RSA_CORRELATION_SPEARMAN,
    &SVCCA,
    &CCA_MEAN,
    &PWCCA,
    &PROCRUSTES,
    &LINEAR_REGRESSION,
    &PAPER_CYCLE_KNN,
    &PAPER_MUTUAL_KNN,
    &PAPER_LCS_KNN,
    &PAPER_CKA,
    &PAPER_UNBIASED_CKA,
    &PAPER_CKNNA,
    &PAPER_SVCCA,
    &PAPER_EDIT_DISTANCE_KNN,
];

/// The measures of a mode.
pub fn of_mode(mode: Mode) -> impl Iterator<Item = &'static dyn Measure> {
    REGISTRY
        .into_iter()
        .filter(move |m| m.properties().mode == mode)
}

/// The measure that `name` means in `mode`: its name, or the published name of
/// the same idea.
pub fn by_name(name: &str, mode: Mode) -> Option<&'static dyn Measure> {
    of_mode(mode)
        .find(|m| m.properties().name == name)
        .or_else(|| of_mode(mode).find(|m| m.properties().alias == Some(name)))
}

/// The measure called `name`, of either mode: a name is never used twice.
pub fn find(name: &str) -> Option<&'static dyn Measure> {
    REGISTRY.into_iter().find(|m| m.properties().name == name)
}
