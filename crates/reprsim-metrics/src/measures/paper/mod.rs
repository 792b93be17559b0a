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

pub(super) use cka::PaperCka;
pub(super) use cknna::PaperCknna;
pub(super) use cycle_knn::PaperCycleKnn;
pub(super) use edit_distance_knn::PaperEditDistanceKnn;
use epsilon::ratio_with_epsilon;
pub(super) use lcs_knn::PaperLcsKnn;
pub(super) use mutual_knn::PaperMutualKnn;
pub(super) use svcca::PaperSvcca;
pub(super) use unbiased_cka::PaperUnbiasedCka;
