//! Soft matching: the best transport between the units of two layers, each unit of a layer with
//! the same weight, so that layers of different widths are matched whole. Of inner products, as the
//! cosine that belongs to the soft matching distance, and of correlations. Of layers of the same
//! width they are permutation Procrustes and the correlation match.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::units::{correlations, matched};
use crate::pair::CovariancePair;
use crate::subspace::Columns;
use crate::transport::transport;

/// See the module.
pub static SOFT_MATCHING: Definition = Definition {
    properties: Properties {
        name: "soft_matching_similarity",
        alias: Some("soft_matching"),
        title: "soft matching similarity",
        what: "How alike the units of two layers are once all of one are matched with all of the \
               other as well as can be, each unit with the same weight, shared between several \
               where widths differ: the cosine that belongs to the soft matching distance (Khosla \
               and Williams 2024).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from -1 (each unit the negative of its best partner) over 0 (unrelated, \
               which chance exceeds the more, the larger d / n) to 1 (the same units in some \
               order, each as often, up to scale and translation of all)",
        symmetric: true,
        geometry: Geometry::Shape,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Khosla, Williams 2024, arXiv 2311.09466",
    },
    formula: Formula::Units(Columns::Centred, of_products),
    chance: None,
};

/// See the module.
pub static SOFT_MATCHING_CORRELATION: Definition = Definition {
    properties: Properties {
        name: "soft_matching_correlation",
        alias: None,
        title: "soft matching of correlations",
        what: "The mean correlation of units that are matched as well as can be, each unit of a \
               layer with the same weight, shared between several where widths differ (Khosla \
               and Williams 2024).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from -1 (each unit the negative of its best partner) over 0 (unrelated, \
               which chance exceeds the more, the larger d / n) to 1 (the same units in some \
               order, each up to scale and translation)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Khosla, Williams 2024, arXiv 2311.09466",
    },
    formula: Formula::Units(Columns::Scaled, of_correlations),
    chance: None,
};

/// With |X|^2 / d for the mean squared length of a unit: the distance is the square root of
/// `|X|^2 / d_a + |Y|^2 / d_b - 2 sum_ij P_ij x_i'y_j`.
fn of_products(pair: &CovariancePair) -> Value {
    let (d_a, d_b) = pair.covariance.shape();
    let mean_length = (d_a as f64 * d_b as f64).sqrt();
    Ok(matched(pair, transport)? * mean_length / (pair.lengths.0 * pair.lengths.1))
}

fn of_correlations(pair: &CovariancePair) -> Value {
    correlations(pair, transport)
}
