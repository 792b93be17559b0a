//! Projection-weighted CCA: the mean canonical correlation, each weighted by how much
//! of one layer its canonical variate accounts for, the sum over dimensions of
//! the absolute inner products: of the first layer as published, of the second, or the mean of
//! both values. Not invariant to rotation, for that sum. Programs that weigh by the narrower layer
//! (Google's svcca, the ReSi benchmark) give the first or the second of these.

use faer::{Mat, MatRef};

use crate::Value;
use crate::basis::Directions;
use crate::linalg::{Svd, product, thin_svd};
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
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
        geometry: Geometry::Share,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Morcos, Raghu, Bengio 2018, arXiv 1806.05759",
    },
    formula: Formula::Subspace(Columns::Centred, Directions::All, by_first),
    chance: None,
};

/// By the second layer.
pub static PWCCA_B: Definition = Definition {
    properties: Properties {
        name: "pwcca_b",
        title: "projection-weighted CCA, weighted by b",
        what: "Projection-weighted canonical correlation: the canonical correlations \
               of the two layers, each weighted by how much of the second layer its \
               direction accounts for (Morcos et al. 2018).",
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the second layer lies in the directions of the first)",
        ..PWCCA.properties
    },
    formula: Formula::Subspace(Columns::Centred, Directions::All, by_second),
    chance: None,
};

/// The mean of both.
pub static PWCCA_MEAN: Definition = Definition {
    properties: Properties {
        name: "pwcca_mean",
        title: "projection-weighted CCA, both ways",
        what: "Projection-weighted canonical correlation: the mean of the two values that weigh \
               the canonical correlations by how much of the first and of the second layer their \
               directions account for (Morcos et al. 2018, made symmetric).",
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (each layer lies in the directions of the other)",
        symmetric: true,
        ..PWCCA.properties
    },
    formula: Formula::Subspace(Columns::Centred, Directions::All, by_both),
    chance: None,
};

fn by_first(pair: &SubspacePair) -> Value {
    let svd = thin_svd(pair.product)?;
    Ok(weighted(&svd, svd.u.as_ref(), pair.loadings_a))
}

fn by_second(pair: &SubspacePair) -> Value {
    let svd = thin_svd(pair.product)?;
    Ok(weighted(&svd, svd.v.as_ref(), pair.loadings_b))
}

fn by_both(pair: &SubspacePair) -> Value {
    let svd = thin_svd(pair.product)?;
    let first = weighted(&svd, svd.u.as_ref(), pair.loadings_a);
    let second = weighted(&svd, svd.v.as_ref(), pair.loadings_b);
    Ok((first + second) / 2.0)
}

/// The mean canonical correlation by the weights of the layer whose variates these are.
fn weighted(svd: &Svd, variates: MatRef<'_, f64>, loadings: &Mat<f64>) -> f64 {
    // Variates are U_a W: their products with the layer's dimensions are W'SV'.
    let products = product(variates.transpose(), loadings.as_ref());
    let (mut weighted, mut weights) = (0.0, 0.0);
    for (i, correlation) in svd.singular.iter().enumerate() {
        let weight: f64 = products.row(i).iter().map(|v| v.abs()).sum();
        weighted += weight * correlation;
        weights += weight;
    }
    weighted / weights
}
