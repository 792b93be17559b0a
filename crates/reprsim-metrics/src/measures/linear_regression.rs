//! The share of the second layer's variance that a linear map of the first explains:
//! `|Q_a'B|^2 / |B|^2`, Q_a an orthonormal basis of the first layer's centred
//! columns; and the other way. Not symmetric, and 1 whenever d_a >= n - 1.

use faer::MatRef;

use crate::Value;
use crate::basis::Directions;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
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
        geometry: Geometry::Share,
        invariances: Invariances::SIMILARITY,
        chance: "d_a / (n - 1)",
        samples: 2,
        uses_k: false,
        reference: "Kornblith et al. 2019, arXiv 1905.00414, section 5",
    },
    formula: Formula::Subspace(Columns::Centred, Directions::Leading(<[f64]>::len), value),
    chance: None,
};

/// The other way.
pub static LINEAR_REGRESSION_A_FROM_B: Definition = Definition {
    properties: Properties {
        name: "linear_regression_r2_a_from_b",
        title: "R2 of predicting a linearly from b",
        what: "The share of the first layer's variance that a linear map of the second \
               explains on the same samples (Kornblith et al. 2019, section 5).",
        range_in_words: "from 0 (the second layer says nothing of the first; chance gives d_b / \
               (n - 1)) to 1 (the first is a linear map of the second, or dimensions \
               are as many as samples)",
        chance: "d_b / (n - 1)",
        ..LINEAR_REGRESSION.properties
    },
    formula: Formula::Subspace(
        Columns::Centred,
        Directions::Leading(<[f64]>::len),
        other_way,
    ),
    chance: None,
};

fn value(pair: &SubspacePair) -> Value {
    Ok(explained(pair.product, pair.singular_b))
}

fn other_way(pair: &SubspacePair) -> Value {
    Ok(explained(pair.product.transpose(), pair.singular_a))
}

/// The share of the variance of a layer with these singular values, whose directions are the columns
/// of the product with those of the other.
fn explained(product: MatRef<'_, f64>, singular: &[f64]) -> f64 {
    let explained: f64 = (singular.iter().enumerate())
        .map(|(j, s)| {
            let column: f64 = product.col(j).iter().map(|v| v * v).sum();
            column * s * s
        })
        .sum();
    explained / singular.iter().map(|s| s * s).sum::<f64>()
}
