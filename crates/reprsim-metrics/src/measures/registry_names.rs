//! Names that measures have in the public registry of similarity measures (Cloos, Yang, Cueva 2024, "A
//! Framework for Standardizing Similarity Measures in a Rapidly Evolving Field"; the package
//! `similarity-repository`), and how values differ.
//!
//! There a measure is `measure/REPOSITORY/NAME`, whichever repository computes it, and what a repository
//! calls it itself `REPOSITORY/NAME`. A name has often an end that says how the value is given.

/// A name in the registry of what one of our measures computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name, without `measure/REPOSITORY/`, or with the repository whose own it is.
    pub name: String,
    /// Ours.
    pub measure: &'static str,
    /// The registry's value from ours where they differ, and what else to know; often empty.
    pub convention: String,
}

/// The beginning of what a measure is called in the registry whichever repository computes it, ours, and
/// what to know; and which ends it has.
const STANDARD: &[(&str, &str, &str, Ends)] = &[
    (
        "cka-kernel=linear-hsic=gretton",
        "cka_linear_biased",
        "",
        Ends::Score,
    ),
    (
        "cka-kernel=linear-hsic=song",
        "cka_linear_debiased",
        "",
        Ends::Score,
    ),
    ("linear_CKA", "cka_linear_biased", "", Ends::None),
    (
        "feature_space_linear_cka",
        "cka_linear_biased",
        "",
        Ends::None,
    ),
    (
        "feature_space_linear_cka-debiased_True",
        "cka_linear_debiased",
        "",
        Ends::None,
    ),
    (
        "mutual_knn-topk={topk}",
        "mutual_knn_cosine",
        "",
        Ends::None,
    ),
    ("cycle_knn-topk={topk}", "cycle_knn_cosine", "", Ends::None),
    (
        "lcs_knn-topk={topk}",
        "lcs_knn_cosine",
        "k times ours",
        Ends::None,
    ),
    (
        "edit_distance_knn-topk={topk}",
        "edit_distance_knn_cosine",
        "",
        Ends::None,
    ),
    (
        "cknna-topk={topk}",
        "cknna_linear",
        "with 1e-6 in its denominator",
        Ends::None,
    ),
    ("jaccard_similarity", "jaccard_knn_cosine", "", Ends::None),
    ("rank_similarity", "rank_knn_cosine", "", Ends::None),
    (
        "second_order_cosine_similarity",
        "second_order_cosine",
        "of cosine distances, where ours is of cosines",
        Ends::None,
    ),
    (
        "rsa-rdm=correlation-compare=pearson",
        "rsa_correlation_pearson",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=correlation-compare=spearman",
        "rsa_correlation_spearman",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=correlation-compare=tau_a",
        "rsa_correlation_kendall",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=correlation-compare=cosine",
        "rsa_correlation_cosine",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=correlation-compare=cosine_cov",
        "rsa_correlation_whitened_cosine",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=squared_euclidean-compare=pearson",
        "rsa_euclidean_pearson",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=squared_euclidean-compare=spearman",
        "rsa_euclidean_spearman",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=squared_euclidean-compare=tau_a",
        "rsa_euclidean_kendall",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=squared_euclidean-compare=cosine",
        "rsa_euclidean_cosine",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=squared_euclidean-compare=cosine_cov",
        "cka_linear_biased",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=euclidean-compare=spearman",
        "rsa_euclidean_spearman",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=cosine-compare=pearson",
        "rsa_cosine_pearson",
        "",
        Ends::None,
    ),
    (
        "rsa-rdm=cosine-compare=spearman",
        "rsa_cosine_spearman",
        "",
        Ends::None,
    ),
    (
        "hard_correlation_match",
        "correlation_match",
        "",
        Ends::None,
    ),
    (
        "permutation_metric",
        "permutation_procrustes_similarity",
        "",
        Ends::Score,
    ),
    (
        "permutation_procrustes",
        "permutation_procrustes_similarity",
        "the length of the difference of layers as they are",
        Ends::None,
    ),
    ("svcca-var=0.99", "svcca_var99_mean", "", Ends::Score),
    ("cca", "cca_mean", "", Ends::Score),
    ("pwcca", "pwcca", "", Ends::Score),
    ("procrustes", "procrustes_similarity", "", Ends::Score),
    ("nbs", "procrustes_similarity", "", Ends::Score),
    (
        "orthogonal_angular_shape_metric_centered",
        "procrustes_similarity",
        "arccos of ours",
        Ends::None,
    ),
    (
        "orthogonal_procrustes_centered_and_normalized",
        "procrustes_similarity",
        "sqrt(2 - 2 ours)",
        Ends::None,
    ),
    (
        "linear_regression",
        "linear_regression_r2_a_from_b",
        "",
        Ends::None,
    ),
    ("gulp", "gulp", "ours with its sign turned", Ends::None),
    (
        "imd",
        "imd",
        "ours with its sign turned, estimated from random vectors",
        Ends::None,
    ),
    (
        "uniformity_difference",
        "uniformity_difference",
        "ours with its sign turned",
        Ends::None,
    ),
    (
        "magnitude_difference",
        "magnitude_difference",
        "ours with its sign turned",
        Ends::None,
    ),
    (
        "concentricity_difference",
        "concentricity_difference",
        "ours with its sign turned",
        Ends::None,
    ),
];

/// Which ends a name has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// None.
    None,
    /// Those of [`ENDS`].
    Score,
}

/// Ends of names, and their values from ours. Lengths are of layers as they are given.
const ENDS: &[(&str, &str)] = &[
    ("-score", ""),
    ("-distance=angular", "arccos of ours"),
    ("-distance=euclidean", "sqrt(|X|² + |Y|² - 2 |X| |Y| ours)"),
    (
        "-distance=squared_euclidean",
        "|X|² + |Y|² - 2 |X| |Y| ours",
    ),
    ("-distance=one_minus_score", "1 - ours"),
    ("-score-negative_log", "-log of ours"),
];

/// What repositories call measures themselves, and the name that the registry gives them.
const OWN: &[(&str, &str)] = &[
    ("brainscore/cka", "cka-kernel=linear-hsic=gretton-score"),
    (
        "brainscore/rsa-correlation-spearman",
        "rsa-rdm=correlation-compare=spearman",
    ),
    ("contrasim/cca", "cca-score"),
    (
        "contrasim/feature_space_linear_cka",
        "cka-kernel=linear-hsic=gretton-score",
    ),
    (
        "contrasim/feature_space_linear_cka_debiased",
        "cka-kernel=linear-hsic=song-score",
    ),
    ("contrasim/pwcca", "pwcca-score"),
    ("contrasim/svcca-var=0.99", "svcca-var=0.99-score"),
    (
        "correcting_cka_alignment/cka",
        "cka-kernel=linear-hsic=gretton-score",
    ),
    (
        "correcting_cka_alignment/cka_debiased",
        "cka-kernel=linear-hsic=song-score",
    ),
    ("drfrankenstein/cka", "cka-kernel=linear-hsic=gretton-score"),
    (
        "fsd/linear_CKA_loss",
        "cka-kernel=linear-hsic=gretton-score-negative_log",
    ),
    ("imd/imd", "imd"),
    (
        "implicitdeclaration_similarity/linear_cka",
        "cka-kernel=linear-hsic=gretton-score",
    ),
    ("llm_repsim/cka", "cka-kernel=linear-hsic=gretton-score"),
    ("llm_repsim/jaccard_similarity", "jaccard_similarity"),
    (
        "llm_repsim/orthogonal_procrustes",
        "procrustes-distance=euclidean",
    ),
    (
        "llm_repsim/representational_similarity_analysis",
        "rsa-rdm=correlation-compare=pearson",
    ),
    ("modelsym/ortho_cka", "cka-kernel=linear-hsic=gretton-score"),
    ("modelsym/ortho_procrustes", "procrustes-distance=euclidean"),
    ("mouse_vision/rsa", "rsa-rdm=correlation-compare=pearson"),
    (
        "netrep/LinearCKA",
        "cka-kernel=linear-hsic=gretton-distance=angular",
    ),
    ("neuroaimetrics/CKA", "cka-kernel=linear-hsic=gretton-score"),
    (
        "nn_similarity_index/cka",
        "cka-kernel=linear-hsic=gretton-score",
    ),
    ("nn_similarity_index/nbs", "nbs-score"),
    (
        "nnsrm_neurips18/procrustes",
        "procrustes-distance=euclidean",
    ),
    ("nnsrm_neurips18/rsa", "rsa-rdm=correlation-compare=pearson"),
    ("platonic/cka", "cka-kernel=linear-hsic=gretton-score"),
    ("platonic/cknna_topk", "cknna-topk={topk}"),
    ("platonic/cycle_knn_topk", "cycle_knn-topk={topk}"),
    (
        "platonic/edit_distance_knn_topk",
        "edit_distance_knn-topk={topk}",
    ),
    ("platonic/lcs_knn_topk", "lcs_knn-topk={topk}"),
    ("platonic/mutual_knn_topk", "mutual_knn-topk={topk}"),
    ("platonic/unbiased_cka", "cka-kernel=linear-hsic=song-score"),
    ("pyrcca/cca", "cca-score"),
    ("pyrcca/svcca-var=0.99", "svcca-var=0.99-score"),
    (
        "representation_similarity/cka",
        "cka-kernel=linear-hsic=gretton-score",
    ),
    (
        "representation_similarity/cka_debiased",
        "cka-kernel=linear-hsic=song-score",
    ),
    (
        "repsim/AngularCKA.linear",
        "cka-kernel=linear-hsic=gretton-distance=angular",
    ),
    ("resi/CKA", "cka-kernel=linear-hsic=gretton-score"),
    ("resi/ConcentricityDifference", "concentricity_difference"),
    ("resi/Gulp", "gulp"),
    ("resi/IMDScore", "imd"),
    ("resi/JaccardSimilarity", "jaccard_similarity"),
    ("resi/LinearRegression", "linear_regression"),
    ("resi/MagnitudeDifference", "magnitude_difference"),
    (
        "resi/OrthogonalAngularShapeMetricCentered",
        "orthogonal_angular_shape_metric_centered",
    ),
    (
        "resi/OrthogonalProcrustesCenteredAndNormalized",
        "orthogonal_procrustes_centered_and_normalized",
    ),
    ("resi/PWCCA", "pwcca-score"),
    (
        "resi/ProcrustesSizeAndShapeDistance",
        "procrustes-distance=euclidean",
    ),
    (
        "resi/RSA_correlation_spearman",
        "rsa-rdm=correlation-compare=spearman",
    ),
    ("resi/RankSimilarity", "rank_similarity"),
    ("resi/SVCCA", "svcca-var=0.99-score"),
    (
        "resi/SecondOrderCosineSimilarity",
        "second_order_cosine_similarity",
    ),
    ("resi/UniformityDifference", "uniformity_difference"),
    (
        "rsatoolbox/rsa-correlation-corr",
        "rsa-rdm=correlation-compare=pearson",
    ),
    (
        "rsatoolbox/rsa-correlation-spearman",
        "rsa-rdm=correlation-compare=spearman",
    ),
    ("rtd/cka", "cka-kernel=linear-hsic=gretton-score"),
    ("rtd/pwcca", "pwcca-score"),
    (
        "sim_metric/lin_cka_dist",
        "cka-kernel=linear-hsic=gretton-distance=one_minus_score",
    ),
    ("sim_metric/mean_cca_corr", "cca-score"),
    (
        "sim_metric/procrustes",
        "procrustes-distance=squared_euclidean",
    ),
    ("sim_metric/pwcca_dist", "pwcca-distance=one_minus_score"),
    (
        "survey_measures/procrustes",
        "procrustes-distance=squared_euclidean",
    ),
    ("svcca/cca", "cca-score"),
    ("svcca/pwcca", "pwcca-score"),
    ("svcca/svcca-var=0.99", "svcca-var=0.99-score"),
    (
        "thingsvision/cka_kernel_linear_biased",
        "cka-kernel=linear-hsic=gretton-score",
    ),
    (
        "thingsvision/cka_kernel_linear_unbiased",
        "cka-kernel=linear-hsic=song-score",
    ),
    (
        "thingsvision/rsa_method_correlation_corr_method_pearson",
        "rsa-rdm=correlation-compare=pearson",
    ),
    (
        "thingsvision/rsa_method_correlation_corr_method_spearman",
        "rsa-rdm=correlation-compare=spearman",
    ),
    (
        "netrep/PermutationMetric_angular",
        "permutation_metric-distance=angular",
    ),
    (
        "netrep/PermutationMetric_euclidean",
        "permutation_metric-distance=euclidean",
    ),
    ("resi/HardCorrelationMatch", "hard_correlation_match"),
    ("resi/PermutationProcrustes", "permutation_procrustes"),
    (
        "resi/RSA_euclidean_spearman",
        "rsa-rdm=euclidean-compare=spearman",
    ),
    (
        "rsatoolbox/rsa-correlation-cosine",
        "rsa-rdm=correlation-compare=cosine",
    ),
    (
        "rsatoolbox/rsa-correlation-cosine_cov",
        "rsa-rdm=correlation-compare=cosine_cov",
    ),
    (
        "rsatoolbox/rsa-correlation-tau_a",
        "rsa-rdm=correlation-compare=tau_a",
    ),
    (
        "rsatoolbox/rsa-euclidean-corr",
        "rsa-rdm=squared_euclidean-compare=pearson",
    ),
    (
        "rsatoolbox/rsa-euclidean-cosine",
        "rsa-rdm=squared_euclidean-compare=cosine",
    ),
    (
        "rsatoolbox/rsa-euclidean-cosine_cov",
        "rsa-rdm=squared_euclidean-compare=cosine_cov",
    ),
    (
        "rsatoolbox/rsa-euclidean-spearman",
        "rsa-rdm=squared_euclidean-compare=spearman",
    ),
    (
        "rsatoolbox/rsa-euclidean-tau_a",
        "rsa-rdm=squared_euclidean-compare=tau_a",
    ),
    (
        "thingsvision/rsa_method_cosine_corr_method_pearson",
        "rsa-rdm=cosine-compare=pearson",
    ),
    (
        "thingsvision/rsa_method_cosine_corr_method_spearman",
        "rsa-rdm=cosine-compare=spearman",
    ),
    (
        "thingsvision/rsa_method_euclidean_corr_method_spearman",
        "rsa-rdm=euclidean-compare=spearman",
    ),
    (
        "unsupervised_analysis/cka",
        "cka-kernel=linear-hsic=gretton-score",
    ),
];

/// All names: those of every repository, then those that one has for itself.
pub fn aliases() -> Vec<Alias> {
    let mut all: Vec<Alias> = STANDARD.iter().flat_map(of_standard).collect();
    let own = OWN.iter().filter_map(|(own, standard)| {
        let alias = all.iter().find(|alias| alias.name == *standard)?;
        Some(Alias {
            name: (*own).to_string(),
            ..alias.clone()
        })
    });
    let own: Vec<Alias> = own.collect();
    all.extend(own);
    all
}

fn of_standard(
    (name, measure, convention, ends): &(&'static str, &'static str, &'static str, Ends),
) -> Vec<Alias> {
    let alias = |end: &str, convention: &str| Alias {
        name: format!("{name}{end}"),
        measure,
        convention: convention.to_string(),
    };
    match ends {
        Ends::None => vec![alias("", convention)],
        Ends::Score => ENDS.iter().map(|(end, value)| alias(end, value)).collect(),
    }
}

/// Our measure of a name in the registry.
pub(super) fn measure_called(id: &str) -> Option<&'static str> {
    let name = match id.strip_prefix("measure/") {
        Some(rest) => rest.split_once('/')?.1,
        // A name alone, `gulp` say, is no name of a repository.
        None if id.contains('/') => id,
        None => return None,
    };
    let found = aliases().into_iter().find(|alias| alias.name == name);
    found.map(|alias| alias.measure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Mode;
    use crate::measures::{by_name, named};

    #[test]
    fn every_name_is_there_once_and_means_a_measure() {
        let all = aliases();
        let own = all.iter().filter(|alias| alias.name.contains('/')).count();
        assert_eq!(own, OWN.len(), "each is of a standard name");
        for (at, alias) in all.iter().enumerate() {
            assert!(named(alias.measure).is_ok(), "{}", alias.measure);
            assert!(
                all[..at].iter().all(|other| other.name != alias.name),
                "{alias:?}"
            );
        }
    }

    #[test]
    fn a_measure_is_found_by_its_names_in_the_registry() {
        for (id, measure) in [
            (
                "measure/netrep/procrustes-distance=angular",
                "procrustes_similarity",
            ),
            ("measure/resi/jaccard_similarity", "jaccard_knn_cosine"),
            ("resi/Gulp", "gulp"),
            (
                "measure/thingsvision/cka-kernel=linear-hsic=song-score",
                "cka_linear_debiased",
            ),
            ("sim_metric/lin_cka_dist", "cka_linear_biased"),
        ] {
            let found = by_name(id, Mode::Exact).map(|m| m.properties().name);
            assert_eq!(found.ok(), Some(measure), "{id}");
        }
        for id in [
            "measure/rsatoolbox/rsa-rdm=poisson-compare=cosine",
            "measure/gulp",
            "measure/",
        ] {
            assert!(by_name(id, Mode::Exact).is_err(), "{id}");
        }
        assert!(by_name("resi/Gulp", Mode::Paper).is_err());
    }
}
