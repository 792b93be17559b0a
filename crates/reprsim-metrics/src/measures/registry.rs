//! All measures by name.

use super::cca_mean::CcaMean;
use super::cka_linear_biased::CkaLinearBiased;
use super::cka_linear_debiased::CkaLinearDebiased;
use super::cka_linear_minibatch::CkaLinearMinibatch;
use super::cka_linear_row_column::CkaLinearRowColumn;
use super::cka_rbf_median_biased::CkaRbfMedianBiased;
use super::cka_rbf_median_debiased::CkaRbfMedianDebiased;
use super::cknna::Cknna;
use super::cknna_symmetric::CknnaSymmetric;
use super::cycle_knn::CycleKnn;
use super::edit_distance_knn::EditDistanceKnn;
use super::lcs_knn::LcsKnn;
use super::linear_regression::LinearRegression;
use super::mutual_knn::MutualKnn;
use super::paper::{
    PaperCka, PaperCknna, PaperCycleKnn, PaperEditDistanceKnn, PaperLcsKnn, PaperMutualKnn,
    PaperSvcca, PaperUnbiasedCka,
};
use super::procrustes::Procrustes;
use super::pwcca::Pwcca;
use super::rsa_correlation_pearson::RsaCorrelationPearson;
use super::rsa_correlation_spearman::RsaCorrelationSpearman;
use super::svcca::Svcca;
use crate::measure::{Measure, Mode};

/// All measures, exact ones first, in the order in which tables show them.
pub static REGISTRY: [&dyn Measure; 27] = [
    &CkaLinearDebiased,
    &CkaLinearBiased,
    &CkaLinearRowColumn,
    &CkaLinearMinibatch,
    &CkaRbfMedianDebiased,
    &CkaRbfMedianBiased,
    &MutualKnn,
    &CycleKnn,
    &LcsKnn,
    &EditDistanceKnn,
    &Cknna,
    &CknnaSymmetric,
    &RsaCorrelationPearson,
    &RsaCorrelationSpearman,
    &Svcca,
    &CcaMean,
    &Pwcca,
    &Procrustes,
    &LinearRegression,
    &PaperCycleKnn,
    &PaperMutualKnn,
    &PaperLcsKnn,
    &PaperCka,
    &PaperUnbiasedCka,
    &PaperCknna,
    &PaperSvcca,
    &PaperEditDistanceKnn,
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
