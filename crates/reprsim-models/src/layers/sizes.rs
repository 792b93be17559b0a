//! How large an architecture may be by itself; whether it fits into memory is another question.

use crate::ModelError;

/// Layers or blocks beyond which a depth is a slip of the keyboard.
pub(crate) const DEEPEST: usize = 1024;
/// The same for a width, whose multiples are then far from what a number holds.
const WIDEST: usize = 1 << 20;

/// Checks the width of `what`.
pub(crate) fn check_width(what: &str, width: usize) -> Result<(), ModelError> {
    match width {
        1..=WIDEST => Ok(()),
        _ => Err(ModelError::Settings(format!(
            "{what} of width {width}; it has 1 to {WIDEST}"
        ))),
    }
}

/// Pixels that a convolution, or a pooling, leaves of each side.
pub(crate) fn side_after(side: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    (side + 2 * padding).saturating_sub(kernel) / stride + 1
}

/// Values of `channels` maps of these sides.
pub(crate) fn map_values(channels: usize, sides: [usize; 2]) -> u128 {
    channels as u128 * sides[0] as u128 * sides[1] as u128
}
