//! The eight measures as Li et al. (2025, arXiv 2505.13899) computed them, under
//! their names there.

mod cka;
mod cknna;
mod cycle_knn;
mod edit_distance_knn;
mod epsilon;
mod lcs_knn;
mod mutual_knn;
mod svcca;
mod unbiased_cka;

pub(super) use cka::PAPER_CKA;
pub(super) use cknna::PAPER_CKNNA;
pub(super) use cycle_knn::PAPER_CYCLE_KNN;
pub(super) use edit_distance_knn::PAPER_EDIT_DISTANCE_KNN;
use epsilon::ratio_with_epsilon;
pub(super) use lcs_knn::PAPER_LCS_KNN;
pub(super) use mutual_knn::PAPER_MUTUAL_KNN;
pub(super) use svcca::PAPER_SVCCA;
pub(super) use unbiased_cka::PAPER_UNBIASED_CKA;
