//! How rows change places under permutations.

/// How rows that have a block change places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exchange {
    /// Rows of a block depend on each other (windows of a document, trials of a subject): blocks change
    /// places as a whole, each with those of as many rows, and half-samples take them whole.
    #[default]
    Whole,
    /// Rows change places inside their block alone (a class, a session): what blocks have in common
    /// counts for nothing. Half-samples take half of each.
    Within,
}

impl Exchange {
    /// Why no permutation moves a row, in words that follow "it".
    pub fn immovable_because(self) -> &'static str {
        match self {
            Self::Whole => "is in a group that no other has the size of",
            Self::Within => "is the only one of its group",
        }
    }
}
