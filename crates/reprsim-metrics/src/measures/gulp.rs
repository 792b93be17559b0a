//! GULP (Boix-Adsera et al. 2022) without a ridge, with its sign turned: how much the best linear
//! predictions from the two layers differ, in the worst case over targets of length 1.
//!
//! With orthonormal bases U_a and U_b of the centred columns the squared distance is
//! `|U_a U_a' - U_b U_b'|² = r_a + r_b - 2 |U_a'U_b|²`, r the number of directions.

use crate::Value;
use crate::basis::Directions;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::differences::negative;
use crate::pair::SubspacePair;
use crate::subspace::Columns;

/// See the module.
pub static GULP: Definition = Definition {
    properties: Properties {
        name: "gulp",
        alias: None,
        title: "GULP distance, negative",
        what: "How much what can be predicted linearly from one layer differs from what can be from \
               the other, as a squared distance of their predictors without a ridge, with its sign \
               turned (Boix-Adsera et al. 2022).",
        mode: Mode::Exact,
        estimator: "in-sample",
        range: (Bound::None, Bound::Number(0.0)),
        range_in_words: "from minus the dimensions of both layers together (nothing in common; all \
               values are negative) to 0 (the same up to an invertible linear map, or dimensions \
               as many as samples)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::LINEAR,
        chance: "2 d_a d_b / (n - 1) - d_a - d_b",
        samples: 2,
        uses_k: false,
        reference: "Boix-Adsera et al. 2022, arXiv 2210.06545",
    },
    formula: Formula::Subspace(Columns::Centred, Directions::All, value),
    chance: None,
};

fn value(pair: &SubspacePair) -> Value {
    let product = pair.product;
    let common: f64 = (product.col_iter())
        .map(|column| column.iter().map(|v| v * v).sum::<f64>())
        .sum();
    Ok(negative(
        (product.nrows() + product.ncols()) as f64 - 2.0 * common,
    ))
}
