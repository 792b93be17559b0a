//! Correlation match: the mean correlation of units that are matched one to one so that it is the
//! largest, and of each unit with whichever is the most correlated with it.

use crate::Value;
use crate::measure::{Bound, Definition, Formula, Geometry, Invariances, Mode, Properties};
use crate::measures::units::correlations;
use crate::pair::CovariancePair;
use crate::subspace::Columns;
use crate::transport::assignment;

/// See the module.
pub static CORRELATION_MATCH: Definition = Definition {
    properties: Properties {
        name: "correlation_match",
        alias: None,
        title: "correlation match",
        what: "The mean correlation of units that are matched one to one so that it is the \
               largest; units of the wider layer that none is left for do not count (Li et al. \
               2015).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from -1 (each unit the negative of its best partner) over 0 (unrelated, \
               which chance exceeds the more, the larger d / n) to 1 (each unit of the narrower \
               layer has its own in the other, up to scale and translation)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Li, Yosinski, Clune, Lipson, Hopcroft 2015, arXiv 1511.07543",
    },
    formula: Formula::Units(Columns::Scaled, one_to_one),
    chance: None,
};

/// See the module.
pub static CORRELATION_SEMI_MATCH: Definition = Definition {
    properties: Properties {
        name: "correlation_semi_match",
        alias: None,
        title: "correlation semi-match",
        what: "The mean correlation of each unit with the most correlated one of the other layer, \
               which several may share; the mean of both directions (Li et al. 2015; so in Klabunde \
               et al. 2025).",
        mode: Mode::Exact,
        estimator: "plain",
        range: (Bound::Number(-1.0), Bound::Number(1.0)),
        range_in_words: "from -1 (each unit the negative of its best partner) over 0 (unrelated, \
               which chance exceeds the more, the larger d / n) to 1 (each unit has its like in \
               the other layer, up to scale and translation)",
        symmetric: true,
        geometry: Geometry::Share,
        invariances: Invariances::AXES,
        chance: "grows with d / n",
        samples: 2,
        uses_k: false,
        reference: "Li, Yosinski, Clune, Lipson, Hopcroft 2015, arXiv 1511.07543; Klabunde et al. 2025, arXiv 2408.00531",
    },
    formula: Formula::Units(Columns::Scaled, each_with_its_best),
    chance: None,
};

fn one_to_one(pair: &CovariancePair) -> Value {
    correlations(pair, |weights, d_a, d_b| {
        assignment(weights, d_a, d_b) / d_a.min(d_b) as f64
    })
}

fn each_with_its_best(pair: &CovariancePair) -> Value {
    correlations(pair, |weights, d_a, d_b| {
        let mut of_b = vec![f64::NEG_INFINITY; d_b];
        let mut sum = 0.0;
        for row in weights.chunks_exact(d_b) {
            sum += row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            of_b.iter_mut()
                .zip(row)
                .for_each(|(best, v)| *best = best.max(*v));
        }
        (sum / d_a as f64 + of_b.iter().sum::<f64>() / d_b as f64) / 2.0
    })
}
