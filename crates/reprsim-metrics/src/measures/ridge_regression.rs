//! Cross-validated ridge regression: the share of the variance of one layer that a ridge
//! regression from the other predicts of samples that it was not fitted on, each left out in its
//! turn. There are no folds to draw: the value depends on the samples alone, in whatever order.
//!
//! The penalty is one of ten between 1e-6 and 1e3 times the mean squared singular value, the one that
//! generalised cross-validation prefers (Golub, Heath, Wahba 1979), which costs no look at the
//! samples; the prediction at that penalty is exact: the error without sample i is its residual over
//! 1 less its leverage (Allen 1974).

use faer::Mat;

use crate::Value;
use crate::linalg::product;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::pair::SamplesPair;

/// See the module.
pub static RIDGE_B_FROM_A: Definition = Definition {
    properties: Properties {
        name: "ridge_cv_r2_b_from_a",
        alias: None,
        title: "R2 of predicting b from a by cross-validated ridge",
        what: "The share of the second layer's variance that a ridge regression from the first \
               predicts of samples left out of its fit, one at a time (Allen 1974; the penalty by \
               Golub, Heath and Wahba 1979).",
        mode: Mode::Exact,
        estimator: "leave-one-out",
        range: (Bound::None, Bound::Number(1.0)),
        range_in_words: "from 0 (the first layer predicts nothing of the second; negative by \
               chance) to 1 (the second is a linear map of the first)",
        symmetric: false,
        geometry: Geometry::Share,
        invariances: Invariances::SIMILARITY,
        chance: "about 0",
        samples: 3,
        uses_k: false,
        reference: "Allen 1974, Technometrics 16; Golub, Heath, Wahba 1979, Technometrics 21",
    },
    formula: Formula::Samples(b_from_a),
    chance: None,
};

/// See the module.
pub static RIDGE_A_FROM_B: Definition = Definition {
    properties: Properties {
        name: "ridge_cv_r2_a_from_b",
        alias: None,
        title: "R2 of predicting a from b by cross-validated ridge",
        what: "The share of the first layer's variance that a ridge regression from the second \
               predicts of samples left out of its fit, one at a time (Allen 1974; the penalty by \
               Golub, Heath and Wahba 1979).",
        range_in_words: "from 0 (the second layer predicts nothing of the first; negative by \
               chance) to 1 (the first is a linear map of the second)",
        ..RIDGE_B_FROM_A.properties
    },
    formula: Formula::Samples(a_from_b),
    chance: None,
};

/// Penalties, over the mean squared singular value, in powers of ten.
const PENALTIES: std::ops::RangeInclusive<i32> = -6..=3;

/// Rows that are predicted at once.
const ROWS: usize = 512;

fn b_from_a(pair: &SamplesPair) -> Value {
    Ok(left_out(pair))
}

fn a_from_b(pair: &SamplesPair) -> Value {
    Ok(left_out(&SamplesPair {
        a: pair.b,
        b: pair.a,
        singular_a: pair.singular_b,
        singular_b: pair.singular_a,
    }))
}

/// `1 - sum_i |e_i|^2 / sum_i |m_i|^2`, e_i the error of sample i of the second layer predicted from
/// all others, m_i that of their mean.
fn left_out(pair: &SamplesPair) -> f64 {
    let (n, r) = pair.a.shape();
    let samples = n as f64;
    let square = |v: &f64| v * v;
    // U_a' Y, Y in its own singular directions.
    let scaled = Mat::from_fn(n, pair.singular_b.len(), |i, j| {
        pair.b[(i, j)] * pair.singular_b[j]
    });
    let along = product(pair.a.transpose(), scaled.as_ref());
    let explained: Vec<f64> = (0..r)
        .map(|k| along.row(k).iter().map(square).sum())
        .collect();
    let whole: f64 = pair.singular_b.iter().map(square).sum();
    let beyond = (whole - explained.iter().sum::<f64>()).max(0.0);
    let unit = pair.singular_a.iter().map(square).sum::<f64>() / r as f64;
    // What a penalty leaves of each direction: 1 less how much of it is fitted.
    let left = |power: i32| -> Vec<f64> {
        let penalty = 10f64.powi(power) * unit;
        let of = |s: &f64| penalty / (s * s + penalty);
        pair.singular_a.iter().map(of).collect()
    };
    let generalised = |left: &[f64]| {
        let residual = (left.iter().zip(&explained)).map(|(l, of)| l * l * of);
        let freedom = samples - 1.0 - r as f64 + left.iter().sum::<f64>();
        (beyond + residual.sum::<f64>()) / (freedom * freedom)
    };
    let mut best = left(*PENALTIES.start());
    for power in PENALTIES.skip(1) {
        let other = left(power);
        if generalised(&other) < generalised(&best) {
            best = other;
        }
    }
    // Where directions are as many as centred samples can have there is nothing beyond them.
    let is_whole = r + 1 >= n;
    let kept = Mat::from_fn(r, along.ncols(), |k, j| (1.0 - best[k]) * along[(k, j)]);
    let dropped = Mat::from_fn(r, along.ncols(), |k, j| best[k] * along[(k, j)]);
    let mut errors = 0.0;
    for start in (0..n).step_by(ROWS) {
        let rows = ROWS.min(n - start);
        let basis = pair.a.subrows(start, rows);
        // Of a whole basis the residual is what the penalty takes off, without a difference.
        let residual = match is_whole {
            true => product(basis, dropped.as_ref()),
            false => scaled.subrows(start, rows) - product(basis, kept.as_ref()),
        };
        for i in 0..rows {
            let leverage = |left: bool| -> f64 {
                (basis.row(i).iter().zip(&best))
                    .map(|(u, l)| u * u * if left { *l } else { 1.0 - l })
                    .sum()
            };
            let free = match is_whole {
                true => leverage(true),
                false => 1.0 - 1.0 / samples - leverage(false),
            };
            errors += residual.row(i).iter().map(square).sum::<f64>() / (free * free);
        }
    }
    let of_mean = samples / (samples - 1.0);
    1.0 - errors / (whole * of_mean * of_mean)
}
