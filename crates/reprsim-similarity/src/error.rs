//! What can be wrong with a comparison.

use reprsim_activations::{ActivationError, DifferentSamples};
use reprsim_metrics::{MetricError, UnknownMeasure};

/// A comparison that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimilarityError {
    /// Fewer than two models.
    #[error("{0} models: two at least are compared")]
    TooFewModels(usize),
    /// A model without layers.
    #[error("model '{0}' has no layers")]
    NoLayers(String),
    /// Two layers of a model have one name.
    #[error("model '{model}' has two layers called '{layer}'")]
    LayerTwice {
        /// The model.
        model: String,
        /// The name.
        layer: String,
    },
    /// Layers that have no name in common, where only those are to be compared.
    #[error("models '{a}' and '{b}' have no layer of the same name")]
    NoCommonLayer {
        /// One model.
        a: String,
        /// The other.
        b: String,
    },
    /// Two layers have different numbers of rows.
    #[error(
        "layer '{layer_a}' of {model_a} has {n_a} rows and layer '{layer_b}' of {model_b} has \
         {n_b}: they must be of the same samples in the same order"
    )]
    RowsDiffer {
        /// The model of one layer.
        model_a: String,
        /// One layer.
        layer_a: String,
        /// Its rows.
        n_a: usize,
        /// The model of the other.
        model_b: String,
        /// The other layer.
        layer_b: String,
        /// Its rows.
        n_b: usize,
    },
    /// A model has not one sample id a row.
    #[error("model '{model}' has {ids} sample ids and {rows} rows")]
    IdsAndRows {
        /// The model.
        model: String,
        /// Its sample ids.
        ids: usize,
        /// Its rows.
        rows: usize,
    },
    /// Rows are other samples here than there; the reason names the first.
    #[error("{a} and {b} are not of the same samples: {difference}")]
    DifferentSamples {
        /// One model.
        a: String,
        /// The other.
        b: String,
        /// Where they part.
        difference: DifferentSamples,
    },
    /// Masks that are neither one for all files nor one a file.
    #[error("{given} masks for {files} files: give one for all of them, or one for each in order")]
    Masks {
        /// Masks.
        given: usize,
        /// Files.
        files: usize,
    },
    /// There are blocks, but not one a row.
    #[error("{blocks} rows have a block and the layers have {rows} rows")]
    Blocks {
        /// Rows that have a block.
        blocks: usize,
        /// Rows of the layers.
        rows: usize,
    },
    /// A covariate of no layer, or of several.
    #[error("the covariate '{name}' has {layers} layers: it is one")]
    CovariateLayers {
        /// The covariate.
        name: String,
        /// Its layers.
        layers: usize,
    },
    /// A measure that nothing can be taken off.
    #[error(
        "'{0}' takes no covariate: CKA and RSA that are cosines do, such as cka_linear_debiased and \
         rsa_correlation_spearman"
    )]
    NoCovariate(&'static str),
    /// What is not known where a covariate is held fixed.
    #[error("there is no {0} where a covariate is held fixed: leave one of them out")]
    BesideCovariate(&'static str),
    /// Neighbours were asked for, and none.
    #[error("k = 0: at least one neighbour is needed")]
    NoNeighbors,
    /// More permutations or half-samples than any memory holds.
    #[error("{draws} permutations or half-samples; the most is {most}")]
    TooManyDraws {
        /// As many as were asked for.
        draws: usize,
        /// As many as there may be.
        most: usize,
    },
    /// Permutations that do not fit into memory.
    #[error(transparent)]
    TooLarge(#[from] reprsim_base::OverBudget),
    /// A measure that there is not.
    #[error(transparent)]
    Measure(#[from] UnknownMeasure),
    /// A file of activations.
    #[error(transparent)]
    Activations(#[from] ActivationError),
    /// Measuring.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

impl SimilarityError {
    /// Whether the input was wrong, as opposed to a failure on the way.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Metric(error) => matches!(
                error,
                MetricError::Shape { .. } | MetricError::TooManyRows { .. }
            ),
            _ => true,
        }
    }
}
