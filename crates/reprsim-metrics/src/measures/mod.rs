//! The table of measures: a file each, a line each; and the helpers that several share.

mod differences;
mod names;
mod neighbor_lists;
mod ratios;
mod registry_names;
mod table;
mod units;

use table::measures;

measures! {
    // file: measures. Exact ones first, in the order in which tables show them.
    cka_linear_debiased: CKA_LINEAR_DEBIASED;
    cka_linear_biased: CKA_LINEAR_BIASED;
    cka_linear_row_column: CKA_LINEAR_ROW_COLUMN;
    cka_linear_minibatch: CKA_LINEAR_MINIBATCH;
    cka_rbf_median_debiased: CKA_RBF_MEDIAN_DEBIASED;
    cka_rbf_median_biased: CKA_RBF_MEDIAN_BIASED;
    mutual_knn: MUTUAL_KNN;
    cycle_knn: CYCLE_KNN;
    lcs_knn: LCS_KNN;
    edit_distance_knn: EDIT_DISTANCE_KNN;
    cknna: CKNNA;
    cknna_symmetric: CKNNA_SYMMETRIC;
    jaccard_knn: JACCARD_KNN;
    rank_knn: RANK_KNN;
    rank_jaccard_knn: RANK_JACCARD_KNN;
    second_order_cosine: SECOND_ORDER_COSINE;
    rsa: RSA_CORRELATION_PEARSON, RSA_CORRELATION_SPEARMAN, RSA_CORRELATION_KENDALL,
        RSA_CORRELATION_COSINE, RSA_CORRELATION_WHITENED_COSINE, RSA_EUCLIDEAN_PEARSON,
        RSA_EUCLIDEAN_SPEARMAN, RSA_EUCLIDEAN_KENDALL, RSA_EUCLIDEAN_COSINE, RSA_COSINE_PEARSON,
        RSA_COSINE_SPEARMAN, RSA_MAHALANOBIS_PEARSON, RSA_MAHALANOBIS_SPEARMAN,
        RSA_MAHALANOBIS_WHITENED_COSINE;
    svcca: SVCCA;
    cca_mean: CCA_MEAN;
    pwcca: PWCCA, PWCCA_B, PWCCA_MEAN;
    procrustes: PROCRUSTES;
    partial_whitening: SHAPE_ALPHA05, SHAPE_ALPHA0;
    permutation_procrustes: PERMUTATION_PROCRUSTES;
    soft_matching: SOFT_MATCHING, SOFT_MATCHING_CORRELATION;
    correlation_match: CORRELATION_MATCH, CORRELATION_SEMI_MATCH;
    linear_regression: LINEAR_REGRESSION, LINEAR_REGRESSION_A_FROM_B;
    ridge_regression: RIDGE_B_FROM_A, RIDGE_A_FROM_B;
    gulp: GULP;
    rtd: RTD;
    imd: IMD;
    uniformity_difference: UNIFORMITY_DIFFERENCE;
    magnitude_difference: MAGNITUDE_DIFFERENCE;
    concentricity_difference: CONCENTRICITY_DIFFERENCE;
    paper: PAPER_CYCLE_KNN, PAPER_MUTUAL_KNN, PAPER_LCS_KNN, PAPER_CKA, PAPER_UNBIASED_CKA,
        PAPER_CKNNA, PAPER_SVCCA, PAPER_EDIT_DISTANCE_KNN;
}

pub use names::{by_name, named, of_mode};
use ratios::{mean_singular_value, ratio, ratio_of, ratio_of_differences};
pub use registry_names::{Alias, aliases};
