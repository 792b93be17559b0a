//! Shape metrics between Procrustes and CCA: layers, centred and scaled to singular values of mean
//! square 1, are partly whitened, each singular value s becoming `alpha s + 1 - alpha`, and turned
//! onto each other. alpha = 1 is Procrustes, which has its own name; 0 whitens wholly, and 0.5 is
//! half way, as what is mixed is of one size. Two ids say what a curve over alpha says, and each is
//! one more name to choose from.

use faer::Mat;

use crate::Value;
use crate::basis::Directions;
use crate::linalg::nuclear_norm;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::pair::SubspacePair;
use crate::subspace::Columns;

const ALL: Directions = Directions::Leading(<[f64]>::len);

/// See the module.
pub static SHAPE_ALPHA0: Definition = Definition {
    properties: Properties {
        name: "shape_alpha0_similarity",
        alias: None,
        title: "shape similarity, whitened",
        what: "The cosine of the angular shape distance of layers that are whitened: the sum of \
               their canonical correlations over the root of the product of their dimensions \
               (Williams et al. 2021, with alpha 0).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (each is a linear map of the other)",
        symmetric: true,
        geometry: Geometry::Shape,
        invariances: Invariances::LINEAR,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Williams et al. 2021, arXiv 2110.14739",
    },
    formula: Formula::Subspace(Columns::Centred, ALL, |pair| value(pair, 0.0)),
    chance: None,
};

/// See the module.
pub static SHAPE_ALPHA05: Definition = Definition {
    properties: Properties {
        name: "shape_alpha05_similarity",
        alias: None,
        title: "shape similarity, half whitened",
        what: "The cosine of the angular shape distance of layers that are half whitened, between \
               Procrustes and canonical correlations (Williams et al. 2021, with alpha 0.5 and \
               layers scaled to singular values of mean square 1).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(0.0), Bound::Number(1.0)),
        range_in_words: "from 0 (unrelated, which chance exceeds the more, the larger d / n) to \
               1 (the same up to rotation, scale and translation)",
        symmetric: true,
        geometry: Geometry::Shape,
        invariances: Invariances::SIMILARITY,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Williams et al. 2021, arXiv 2110.14739",
    },
    formula: Formula::Subspace(Columns::Centred, ALL, |pair| value(pair, 0.5)),
    chance: None,
};

fn value(pair: &SubspacePair, alpha: f64) -> Value {
    let whitened = |singular: &[f64]| -> Vec<f64> {
        let scale = length(singular) / (singular.len() as f64).sqrt();
        (singular.iter())
            .map(|s| alpha * s / scale + 1.0 - alpha)
            .collect()
    };
    let (a, b) = (whitened(pair.singular_a), whitened(pair.singular_b));
    let product = Mat::from_fn(a.len(), b.len(), |i, j| a[i] * pair.product[(i, j)] * b[j]);
    Ok(nuclear_norm(product.as_ref())? / (length(&a) * length(&b)))
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}
