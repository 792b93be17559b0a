//! What can be wrong with a model.

/// A model that cannot be built as asked, or is given what it cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Its settings make no sense, by themselves or for this input.
    #[error("{0}")]
    Settings(String),
    /// It does not fit into memory.
    #[error(transparent)]
    TooLarge(#[from] reprsim_base::OverBudget),
    /// It takes in another kind of samples.
    #[error("a {model} learns {wants}; {}", match *given {
        "images" => "these are images",
        _ => "this is text",
    })]
    Input {
        /// The architecture.
        model: &'static str,
        /// What it takes in.
        wants: &'static str,
        /// What there is.
        given: &'static str,
    },
}
