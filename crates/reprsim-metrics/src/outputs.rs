//! How alike the answers of two classifiers of the same classes are, from their scores and the right
//! answers: what layers may differ in without it being seen, and the other way round.

use crate::{MetricError, Undefined, Value};

/// The scores that two classifiers give each class, and the right one, of some samples.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// Shares of the classes that scores stand for, of model a and of model b, `n * classes`.
    shares: [Vec<f64>; 2],
    /// The class of the largest score.
    answers: [Vec<usize>; 2],
    labels: Vec<usize>,
    classes: usize,
}

/// What is told of two classifiers by their outputs. All but [`Agreement::capa`] are distances: larger
/// is less alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Samples.
    pub n: usize,
    /// The share of right answers of each.
    pub accuracies: [f64; 2],
    /// The share of samples that they answer differently, 0..1.
    pub disagreement: f64,
    /// The same, from 0 for the least that models of these accuracies can disagree to 1 for the most
    /// (Klabunde and Lemmerich 2023, arXiv 2205.10070).
    pub min_max_disagreement: Value,
    /// The Jensen-Shannon divergence of their shares of the classes in bits, 0..1, the mean over samples
    /// (Lin 1991, doi 10.1109/18.61115).
    pub jsd: f64,
    /// The difference of their accuracies, 0..1.
    pub performance_difference: f64,
    /// Chance-adjusted probabilistic agreement, kappa_p: how much more they agree than models of these
    /// accuracies would by chance, at most 1 (Goel et al. 2025, arXiv 2502.04313).
    pub capa: Value,
}

impl Outputs {
    /// Of scores `[n, classes]`, row-major, before they are shares (logits), and the right class of each
    /// sample.
    ///
    /// # Errors
    /// [`MetricError::Shape`] if there are not so many scores, or a label is of no class.
    pub fn new(scores: [&[f64]; 2], labels: &[usize], classes: usize) -> Result<Self, MetricError> {
        let n = labels.len();
        let is_wrong = |scores: &&[f64]| n.checked_mul(classes) != Some(scores.len());
        let wrong = scores.iter().find(|scores| is_wrong(scores));
        if wrong.is_some() || labels.iter().any(|label| *label >= classes) {
            let values = wrong.map_or(n, |scores| scores.len());
            return Err(MetricError::Shape {
                values,
                n,
                d: classes,
            });
        }
        Ok(Self {
            shares: scores.map(|scores| scores.chunks(classes).flat_map(softmax).collect()),
            answers: scores.map(|scores| scores.chunks(classes).map(largest).collect()),
            labels: labels.to_vec(),
            classes,
        })
    }

    /// What they say of the two models.
    ///
    /// # Errors
    /// [`Undefined::TooFewSamples`] without samples, [`Undefined::NonFinite`] if a score is not finite,
    /// [`Undefined::TooFewDimensions`] if there is one class alone.
    pub fn agreement(&self) -> Result<Agreement, Undefined> {
        let n = self.labels.len();
        if n == 0 {
            return Err(Undefined::TooFewSamples { needed: 1 });
        }
        if self.classes < 2 {
            return Err(Undefined::TooFewDimensions { needed: 2 });
        }
        if self.shares.iter().flatten().any(|share| !share.is_finite()) {
            return Err(Undefined::NonFinite);
        }
        let count = n as f64;
        let accuracies = [0, 1].map(|model| {
            let right = self.answers[model].iter().zip(&self.labels);
            right.filter(|(answer, label)| answer == label).count() as f64 / count
        });
        let [a, b] = &self.answers;
        let disagreement = a.iter().zip(b).filter(|(x, y)| x != y).count() as f64 / count;
        let divergences = (self.rows(0).zip(self.rows(1))).map(|(p, q)| divergence(p, q));
        Ok(Agreement {
            n,
            accuracies,
            disagreement,
            min_max_disagreement: min_max(disagreement, accuracies, self.classes),
            jsd: divergences.sum::<f64>() / count,
            performance_difference: (accuracies[0] - accuracies[1]).abs(),
            capa: self.capa(),
        })
    }

    fn rows(&self, model: usize) -> impl Iterator<Item = &[f64]> {
        self.shares[model].chunks(self.classes)
    }

    /// The mean agreement, as if each drew its answer by its shares, less what models that are right as
    /// often and spread the rest evenly would have, over the most that can be beyond it.
    fn capa(&self) -> Value {
        let count = self.labels.len() as f64;
        let product = |(p, q): (&[f64], &[f64])| p.iter().zip(q).map(|(x, y)| x * y).sum::<f64>();
        let observed = self.rows(0).zip(self.rows(1)).map(product).sum::<f64>() / count;
        let [p, q] = [0, 1].map(|model| {
            let right = self.rows(model).zip(&self.labels);
            right.map(|(shares, label)| shares[*label]).sum::<f64>() / count
        });
        let expected = p * q + (1.0 - p) * (1.0 - q) / (self.classes - 1) as f64;
        match expected < 1.0 {
            true => Ok((observed - expected) / (1.0 - expected)),
            // Both are always right, and sure of it.
            false => Err(Undefined::NoVariance),
        }
    }
}

/// The share of samples of some scores `[n, classes]` whose largest, of equals the first, is that of the
/// right class; `None` without samples.
pub fn accuracy(scores: &[f64], labels: &[usize]) -> Option<f64> {
    let classes = scores.len().checked_div(labels.len())?;
    let rows = scores.chunks(classes.max(1)).zip(labels);
    let right = rows.filter(|(scores, label)| largest(scores) == **label);
    Some(right.count() as f64 / labels.len() as f64)
}

/// The mean cross-entropy of some scores `[n, classes]` with the right classes, in nats; `None` without
/// samples.
pub fn mean_cross_entropy(scores: &[f64], labels: &[usize]) -> Option<f64> {
    let classes = scores.len().checked_div(labels.len())?;
    let losses = scores.chunks(classes.max(1)).zip(labels);
    let loss = |(scores, label): (&[f64], &usize)| {
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - top).exp()).sum();
        Some(sum.ln() + top - scores.get(*label)?)
    };
    Some(losses.map(loss).sum::<Option<f64>>()? / labels.len() as f64)
}

/// The place of the largest score; of equals the first.
fn largest(scores: &[f64]) -> usize {
    let above = |best: usize, at: usize| if scores[at] > scores[best] { at } else { best };
    (1..scores.len()).fold(0, above)
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The Jensen-Shannon divergence of two distributions in bits.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let entropy = |x: f64, y: f64| {
        let mean = (x + y) / 2.0;
        if x > 0.0 { x * (x / mean).log2() } else { 0.0 }
    };
    let sum: f64 = (p.iter().zip(q))
        .map(|(p, q)| entropy(*p, *q) + entropy(*q, *p))
        .sum();
    (sum / 2.0).clamp(0.0, 1.0)
}

/// Where a disagreement lies between the least and the most that models of these accuracies can have.
/// Of two classes wrong answers agree, which the published bound does not know.
fn min_max(disagreement: f64, [a, b]: [f64; 2], classes: usize) -> Value {
    let (errors_a, errors_b) = (1.0 - a, 1.0 - b);
    let least = (errors_a - errors_b).abs();
    let errors = errors_a + errors_b;
    let most = match classes {
        2 => errors.min(2.0 - errors),
        _ => errors.min(1.0),
    };
    match most > least {
        true => Ok((disagreement - least) / (most - least)),
        false => Err(Undefined::NoVariance),
    }
}
