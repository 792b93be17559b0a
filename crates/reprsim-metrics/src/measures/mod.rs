//! One file a measure, and the helpers that several share.

mod cca_mean;
mod cka_linear_biased;
mod cka_linear_debiased;
mod cka_linear_minibatch;
mod cka_linear_row_column;
mod cka_rbf_median_biased;
mod cka_rbf_median_debiased;
mod cknna;
mod cknna_symmetric;
mod cycle_knn;
mod edit_distance_knn;
mod lcs_knn;
mod linear_regression;
mod mutual_knn;
mod neighbor_lists;
mod paper;
mod procrustes;
mod pwcca;
mod ratios;
mod registry;
mod rsa_correlation_pearson;
mod rsa_correlation_spearman;
mod svcca;

use ratios::{mean, ratio, ratio_of, ratio_of_differences};
pub use registry::{REGISTRY, by_name, named, of_mode};
