//! The mean canonical correlation over all directions of both layers whose singular
//! value is above 1e-10 of the largest. It is 1 whenever a layer has as many such
//! directions as the samples allow (d >= n - 1): it can only be read where n is many
//! times d.

use crate::Value;
use crate::basis::Directions;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::mean_singular_value;
use crate::pair::SubspacePair;
use crate::subspace::Columns;

/// See the module.
pub static CCA_MEAN: Definition = Definition {
    properties: Properties {
        name: "cca_mean",
        alias: None,
        title: "mean canonical correlation",
        what: "The mean canonical correlation between all directions of the two layers \
               (Hotelling 1936; Raghu et al. 2017).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the same up to an invertible linear map, or dimensions as many as \
               samples)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::LINEAR,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Hotelling 1936; Raghu et al. 2017, arXiv 1706.05806",
    },
    formula: Formula::Subspace(Columns::Centred, Directions::All, value),
    chance: None,
};

fn value(pair: &SubspacePair) -> Value {
    mean_singular_value(pair.product)
}
