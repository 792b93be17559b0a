//! Projection-weighted CCA: the mean canonical correlation, each weighted by how much
//! of the first layer its canonical variate accounts for, the sum over dimensions of
//! the absolute inner products. Not symmetric, and for that sum not invariant to
//! rotation.

use crate::Value;
use crate::basis::Directions;
use crate::linalg::{product, thin_svd};
use crate::measure::{Bound, Definition, Formula, Invariances, Mode, Properties};
use crate::pair::SubspacePair;
use crate::subspace::Columns;

/// See the module.
pub static PWCCA: Definition = Definition {
    properties: Properties {
        name: "pwcca",
        alias: None,
        title: "projection-weighted CCA",
        what: "Projection-weighted canonical correlation: the canonical correlations \
               of the two layers, each weighted by how much of the first layer its \
               direction accounts for (Morcos et al. 2018).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the first layer lies in the directions of the second)",
        symmetric: false,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Morcos, Raghu, Bengio 2018, arXiv 1806.05759",
    },
    formula: Formula::Subspace(Columns::Centred, Directions::All, value),
    chance: None,
};

fn value(pair: &SubspacePair) -> Value {
    let svd = thin_svd(pair.product)?;
    // Variates are U_a W: their products with the layer's dimensions are W'SV'.
    let products = product(svd.u.transpose(), pair.loadings_a.as_ref());
    let (mut weighted, mut weights) = (0.0, 0.0);
    for (i, correlation) in svd.singular.iter().enumerate() {
        let weight: f64 = products.row(i).iter().map(|v| v.abs()).sum();
        weighted += weight * correlation;
        weights += weight;
    }
    Ok(weighted / weights)
}
