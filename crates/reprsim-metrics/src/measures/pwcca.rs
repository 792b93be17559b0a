//! Projection-weighted CCA: the mean canonical correlation, each weighted by how much
//! of the first layer its canonical variate accounts for, the sum over dimensions of
//! the absolute inner products. Not symmetric, and for that sum not invariant to
//! rotation.

use crate::measure::{Bound, Definition, Formula, Invariances, Mode, Properties};
use crate::pair::SubspacePair;
use crate::subspace::Columns;
use crate::{Undefined, Value};

/// See the module.
pub static PWCCA: Definition = Definition {
    properties: Properties {
        name: "pwcca",
        alias: None,
        title: "projection-weighted CCA",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        symmetric: false,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Morcos, Raghu, Bengio 2018, arXiv 1806.05759",
    },
    formula: Formula::Subspace(Columns::Centred, value),
    chance: None,
};

fn value(pair: &SubspacePair) -> Value {
    let Ok(svd) = pair.product.as_ref().thin_svd() else {
        return Err(Undefined::NoVariance);
    };
    // Variates are U_a W: their products with the layer's dimensions are W'SV'.
    let products = svd.U().transpose() * pair.loadings_a;
    let (mut weighted, mut weights) = (0.0, 0.0);
    for (i, correlation) in svd.S().column_vector().iter().enumerate() {
        let weight: f64 = products.row(i).iter().map(|v| v.abs()).sum();
        weighted += weight * correlation;
        weights += weight;
    }
    Ok(weighted / weights)
}
