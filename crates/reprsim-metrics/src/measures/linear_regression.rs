//! The share of the second layer's variance that a linear map of the first explains:
//! `|Q_a'B|^2 / |B|^2`, Q_a an orthonormal basis of the first layer's centred
//! columns. Not symmetric, and 1 whenever d_a >= n - 1.

use crate::Value;
use crate::basis::Directions;
use crate::measure::{Bound, Definition, Formula, Invariances, Mode, Properties};
use crate::pair::SubspacePair;
use crate::subspace::Columns;

/// See the module.
pub static LINEAR_REGRESSION: Definition = Definition {
    properties: Properties {
        name: "linear_regression_r2_b_from_a",
        alias: None,
        title: "R2 of predicting b linearly from a",
        what: "The share of the second layer's variance that a linear map of the first \
               explains on the same samples (Kornblith et al. 2019, section 5).",
        mode: Mode::Exact,
        estimator: "in-sample",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (the first layer says nothing of the second; chance gives d_a / \
               (n - 1)) to 1 (the second is a linear map of the first, or dimensions \
               are as many as samples)",
        symmetric: false,
        invariances: Invariances::SIMILARITY,
        chance: "d_a / (n - 1)",
        samples: 2,
        uses_k: false,
        reference: "Kornblith et al. 2019, arXiv 1905.00414, section 5",
    },
    formula: Formula::Subspace(Columns::Centred, Directions::Leading(<[f64]>::len), value),
    chance: None,
};

fn value(pair: &SubspacePair) -> Value {
    let squares = |s: &[f64]| s.iter().map(|v| v * v).sum::<f64>();
    let explained: f64 = (pair.singular_b.iter().enumerate())
        .map(|(j, s)| {
            let column: f64 = pair.product.col(j).iter().map(|v| v * v).sum();
            column * s * s
        })
        .sum();
    Ok(explained / squares(pair.singular_b))
}
