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
use crate::error::UnknownMeasure;
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
///
/// # Errors
/// [`UnknownMeasure`] if no measure of the mode is called so.
pub fn by_name(name: &str, mode: Mode) -> Result<&'static dyn Measure, UnknownMeasure> {
    of_mode(mode)
        .find(|m| m.properties().name == name)
        .or_else(|| of_mode(mode).find(|m| m.properties().alias == Some(name)))
        .ok_or_else(|| {
            let names = of_mode(mode).map(|m| m.properties().name);
            let aliases = of_mode(mode).filter_map(|m| m.properties().alias);
            UnknownMeasure {
                name: name.to_string(),
                known: names.chain(aliases).collect(),
            }
        })
}

/// The measure called `name`, of either mode: a name is never used twice.
///
/// # Errors
/// [`UnknownMeasure`] if none is called so.
pub fn named(name: &str) -> Result<&'static dyn Measure, UnknownMeasure> {
    let find = |m: &&dyn Measure| m.properties().name == name;
    (REGISTRY.into_iter())
        .find(find)
        .ok_or_else(|| UnknownMeasure {
            name: name.to_string(),
            known: REGISTRY.map(|m| m.properties().name).to_vec(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_with_the_nearest() {
        let told = |error: Option<UnknownMeasure>| error.map(|e| e.to_string()).unwrap_or_default();
        let message = told(named("cka_linear_debiasd").err());
        assert!(
            message.contains("'cka_linear_debiasd'")
                && message.contains("did you mean 'cka_linear_debiased'"),
            "{message}"
        );
        let message = told(by_name("ckaa", Mode::Exact).err());
        assert!(message.contains("did you mean 'cka'"), "{message}");
        assert!(by_name("cka_linear_biased", Mode::Paper).is_err());
        for measure in REGISTRY {
            let name = measure.properties().name;
            assert!(named(name).is_ok_and(|m| m.properties().name == name));
        }
    }
}
