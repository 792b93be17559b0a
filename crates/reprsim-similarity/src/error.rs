//! What can be wrong with a comparison.

use reprsim_activations::{ActivationError, Axes, DifferentSamples};
use reprsim_metrics::{MetricError, UnknownMeasure};

use crate::exchange::Exchange;

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
    #[error(
        "{a} and {b} are not of the same samples: {difference}{}",
        remedy(difference)
    )]
    DifferentSamples {
        /// One model.
        a: String,
        /// The other.
        b: String,
        /// Where they part.
        difference: Box<DifferentSamples>,
    },
    /// A model has not one label a row.
    #[error("model '{model}' has {labels} labels '{column}' and {rows} rows")]
    ColumnAndRows {
        /// The model.
        model: String,
        /// The name of the labels.
        column: String,
        /// Labels.
        labels: usize,
        /// Its rows.
        rows: usize,
    },
    /// Ways to read that are neither one for all files nor one a file.
    #[error(
        "{given} ways to read {files} files: give one for all of them, or one for each in order"
    )]
    Readings {
        /// Ways to read.
        given: usize,
        /// Files.
        files: usize,
    },
    /// An order of axes of which there is no array.
    #[error("axes '{0}': no layer has {count} axes", count = .0.count())]
    AxesUnused(Axes),
    /// A name or pattern of layers that means none of any file.
    #[error("no layer of any file is called '{name}'; there are: {known}")]
    LayerUnused {
        /// The name or pattern.
        name: String,
        /// Layers that there are.
        known: String,
    },
    /// A model whose rows have no ids, where they are to be matched.
    #[error(
        "{0} says nothing of its samples one by one: add an array 'sample_ids' of whole numbers or texts, \
         or give a file of them (--ids=FILE for each model in order)"
    )]
    NoIds(String),
    /// A sample that a model has twice, where rows are to be matched.
    #[error("{model} has sample {id} twice, in rows {first} and {second} (from 0)")]
    IdTwice {
        /// The model.
        model: String,
        /// The sample.
        id: String,
        /// A row.
        first: usize,
        /// Another.
        second: usize,
    },
    /// Models without a sample in common.
    #[error("no sample is in all models: the first of {a} is {id_a}, the first of {b} is {id_b}")]
    NoCommonSample {
        /// One model.
        a: String,
        /// Its first sample.
        id_a: String,
        /// Another.
        b: String,
        /// Its first sample.
        id_b: String,
    },
    /// Labels that no model has.
    #[error(
        "no model has a whole number or a text for each sample called '{name}'{}",
        known_columns(known)
    )]
    NoColumn {
        /// The name.
        name: String,
        /// Names that there are.
        known: Vec<String>,
    },
    /// Labels that are others in another model.
    #[error("'{column}' is not the same in {a} and {b}: {difference}")]
    ColumnsDiffer {
        /// The name.
        column: String,
        /// One model.
        a: String,
        /// Another.
        b: String,
        /// Where they part.
        difference: Box<DifferentSamples>,
    },
    /// A draw of no samples.
    #[error("no sample can be drawn: there must be room for one, or for one whole group")]
    NoSamples,
    /// A model of several layers, where one of each is compared.
    #[error("model '{model}' has the layers {layers}, and one of each model is compared: name it")]
    SeveralLayers {
        /// The model.
        model: String,
        /// Its layers.
        layers: String,
    },
    /// Two models of one name, where rows and columns of a matrix have to be told apart.
    #[error("two models are called '{0}'")]
    ModelTwice(String),
    /// There are blocks, but not one a row.
    #[error("{blocks} rows have a block and the layers have {rows} rows")]
    Blocks {
        /// Rows that have a block.
        blocks: usize,
        /// Rows of the layers.
        rows: usize,
    },
    /// Rows that are to change places inside their block alone, and have none.
    #[error("rows cannot be permuted within groups: no row has a group")]
    NoBlocks,
    /// Blocks that no permutation can move: every p would be 1.
    #[error(
        "there is nothing to permute, for every row {}: {}",
        .0.immovable_because(),
        other_groups(*.0)
    )]
    NothingToPermute(Exchange),
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

/// What to do where ids of samples differ one by one.
fn remedy(difference: &DifferentSamples) -> &'static str {
    match difference {
        DifferentSamples::Hashes { .. } => "",
        _ => "; rows are matched by their ids with --ids",
    }
}

/// What to do where groups leave nothing to permute.
fn other_groups(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Whole => "take groups of equal size, or permute within them",
        Exchange::Within => "take larger groups, or permute them as a whole",
    }
}

/// Names of labels that there are.
fn known_columns(known: &[String]) -> String {
    match known {
        [] => "; there are none".into(),
        known => format!("; there are: {}", known.join(", ")),
    }
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
