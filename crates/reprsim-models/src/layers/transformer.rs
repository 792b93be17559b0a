//! What transformers have in common.

use super::sizes::{DEEPEST, check_width};
use crate::{Kept, ModelError};

/// `block1` to the last of `depth` blocks.
pub(crate) fn block_names(depth: usize) -> impl Iterator<Item = String> {
    (1..=depth).map(|block| format!("block{block}"))
}

/// What a training step keeps of one sequence: in each block the maps of attention, and eight arrays
/// of the block's width (of norms, queries, keys, values, and the perceptron's four), one of which leaves it.
pub(crate) fn kept_of(tokens: usize, width: usize, depth: usize, heads: usize) -> Kept {
    let [tokens, width, heads] = [tokens, width, heads].map(|size| size as u128);
    let mut kept = Kept::default();
    for _ in 0..depth {
        kept.add_part(tokens * (heads * tokens + 7 * width), tokens * width);
    }
    kept
}

/// Checks the sizes of the transformer `name`.
pub(crate) fn check_transformer(
    name: &str,
    width: usize,
    depth: usize,
    heads: usize,
) -> Result<(), ModelError> {
    if !(1..=DEEPEST).contains(&depth) {
        return Err(ModelError::Settings(format!(
            "a {name} has 1 to {DEEPEST} blocks, not {depth}"
        )));
    }
    check_width(&format!("a {name}"), width)?;
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(ModelError::Settings(format!(
            "a {name} of width {width} with {heads} heads: heads must divide the width"
        )));
    }
    Ok(())
}
