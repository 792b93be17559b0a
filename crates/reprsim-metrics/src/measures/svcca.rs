//! Singular vector CCA: the mean canonical correlation between the fewest singular
//! directions of each layer that carry 99 % of its variance (squared singular
//! values).

use crate::Value;
use crate::basis::Directions;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::mean_singular_value;
use crate::pair::SubspacePair;
use crate::subspace::Columns;

/// See the module.
pub static SVCCA: Definition = Definition {
    properties: Properties {
        name: "svcca_var99_mean",
        alias: Some("svcca"),
        title: "singular vector CCA, 99 % of variance",
        what: "Singular vector canonical correlation analysis: the mean canonical \
               correlation between the fewest singular directions of each layer that \
               carry 99 % of its variance (Raghu et al. 2017).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the same leading directions)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::SIMILARITY,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Raghu et al. 2017, arXiv 1706.05806",
    },
    formula: Formula::Subspace(Columns::Centred, Directions::Leading(kept), value),
    chance: None,
};

/// Share of the variance that is kept.
const VARIANCE: f64 = 0.99;

fn value(pair: &SubspacePair) -> Value {
    let (a, b) = (kept(pair.singular_a), kept(pair.singular_b));
    mean_singular_value(pair.product.submatrix(0, 0, a, b))
}

/// How many directions that takes.
fn kept(singular: &[f64]) -> usize {
    let total: f64 = singular.iter().map(|s| s * s).sum();
    let mut reached = 0.0;
    let short = singular.iter().take_while(|s| {
        reached += *s * *s;
        reached < VARIANCE * total
    });
    (short.count() + 1).min(singular.len())
}
