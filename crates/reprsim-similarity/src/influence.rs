//! The sample that each linear CKA depends on most.

use reprsim_metrics::{LeaveOneOut, Measure, MetricError, Score, Set};

use crate::result::Influence;

/// Of each measure (outer) and pair of layers (inner) the most influential sample; only
/// linear CKA is known without each sample at little cost.
pub(crate) fn influence(
    set: &Set,
    measures: &[&'static dyn Measure],
    pairs: &[(usize, usize)],
    scores: &[Vec<Score>],
    on_stage: &mut dyn FnMut(&str),
) -> Result<Vec<Vec<Option<Influence>>>, MetricError> {
    let mut out = vec![vec![None; pairs.len()]; measures.len()];
    if !measures.iter().any(|m| values_of(*m).is_some()) {
        return Ok(out);
    }
    on_stage("influence of each sample");
    let without = set.leave_one_out(pairs)?;
    for (at, (pair, without)) in pairs.iter().zip(without).enumerate() {
        let Ok(without) = without else { continue };
        for ((measure, scores), out) in measures.iter().zip(scores).zip(&mut out) {
            let Some(values) = values_of(*measure) else {
                continue;
            };
            let Ok(score) = scores[at].value else {
                continue;
            };
            if let Some(row) = LeaveOneOut::most_influential(score, values(&without)) {
                let value = set.without(row, *measure, *pair)?;
                out[at] = value
                    .ok()
                    .map(|value_without| Influence { row, value_without });
            }
        }
    }
    Ok(out)
}

/// The values of one estimator without each sample.
type Values = fn(&LeaveOneOut) -> &[Option<f64>];

/// Where the values of a measure without each sample are.
fn values_of(measure: &dyn Measure) -> Option<Values> {
    match measure.properties().name {
        "cka_linear_biased" => Some(|without| &without.biased),
        "cka_linear_debiased" => Some(|without| &without.debiased),
        _ => None,
    }
}
