//! Images of another size, by two matrix products.

use burn::tensor::Tensor;

use crate::after::After;
use crate::linear::linear;

/// Images `[n, c, h, w]` with their columns multiplied by `rows`, `[h, height]`, and their rows by
/// `columns`, `[w, width]`: `[n, c, height, width]`. Each column of a matrix is what one row, or
/// column, of the result takes of those before. Nothing is rounded, and nothing is clamped.
pub fn resample(images: Tensor<4>, rows: Tensor<2>, columns: Tensor<2>) -> Tensor<4> {
    let tall = linear(images.swap_dims(2, 3), rows, None, After::Nothing);
    linear(tall.swap_dims(2, 3), columns, None, After::Nothing)
}
