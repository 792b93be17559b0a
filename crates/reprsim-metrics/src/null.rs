//! Scores of a family's measures as they are found, and when their permutations suffice.

use crate::permutations::{Exceedances, Permutations};
use crate::score::Score;
use crate::{Undefined, Value};

/// What a family of measures finds of pairs of layers.
pub(crate) enum Part<'a, T> {
    /// Of each pair its terms, or why there are none.
    Observed(&'a [Result<T, Undefined>]),
    /// Of each pair its terms under some more permutations; none where there are none.
    Permuted(&'a [Vec<T>]),
}

/// Scores that are being found.
pub(crate) struct Null<'a> {
    members: &'a [usize],
    scores: &'a mut [Vec<Score>],
    /// How many values as large as a score suffice; `None`: all permutations are looked at.
    wanted: Option<usize>,
    /// Of each member and pair.
    exceedances: Vec<Vec<Exceedances>>,
    looked_at: usize,
}

impl<'a> Null<'a> {
    /// The scores of `members` among `scores`.
    pub fn new(
        members: &'a [usize],
        scores: &'a mut [Vec<Score>],
        permutations: &Permutations,
    ) -> Self {
        Self {
            members,
            scores,
            wanted: permutations.exceedances(),
            exceedances: vec![],
            looked_at: 0,
        }
    }

    /// Puts what was found where it belongs, `values` of the terms of a pair, one a member; whether
    /// more permutations are needed.
    pub fn take<T>(&mut self, found: &Part<'_, T>, values: impl Fn(&T) -> Vec<Value>) -> bool {
        match found {
            Part::Observed(pairs) => {
                self.exceedances =
                    vec![vec![Exceedances::default(); pairs.len()]; self.members.len()];
                for (pair, terms) in pairs.iter().enumerate() {
                    let values = match terms {
                        Ok(terms) => values(terms),
                        Err(reason) => vec![Err(*reason); self.members.len()],
                    };
                    for (member, value) in self.members.iter().zip(values) {
                        self.scores[*member][pair].value = value;
                    }
                }
            }
            Part::Permuted(pairs) => {
                self.looked_at += pairs.iter().map(Vec::len).max().unwrap_or(0);
                for (pair, terms) in pairs.iter().enumerate() {
                    for values in terms.iter().map(&values) {
                        for (at, value) in values.into_iter().enumerate() {
                            self.push(at, pair, value);
                        }
                    }
                }
            }
        }
        self.needs_more()
    }

    /// The exact mean over all permutations of each pair of a member.
    pub fn means(&mut self, at: usize, means: impl Iterator<Item = Option<f64>>) {
        for (score, mean) in self.scores[self.members[at]].iter_mut().zip(means) {
            score.null_mean = mean.filter(|_| score.value.is_ok());
        }
    }

    /// What is left to say once all was found.
    pub fn finish(self) {
        for member in self.members {
            for score in &mut self.scores[*member] {
                // A null of which a part has no value is none.
                if score.permuted.len() < self.looked_at {
                    score.permuted.clear();
                }
                score.exceedances = self.wanted;
            }
        }
    }

    fn push(&mut self, at: usize, pair: usize, value: Value) {
        let score = &mut self.scores[self.members[at]][pair];
        if let (Ok(value), Ok(observed)) = (value, score.value)
            && value.is_finite()
        {
            score.permuted.push(value);
            self.exceedances[at][pair].add(observed, value);
        }
    }

    fn needs_more(&self) -> bool {
        let Some(wanted) = self.wanted else {
            return true;
        };
        (self.members.iter().zip(&self.exceedances)).any(|(member, exceedances)| {
            let mut scores = self.scores[*member].iter().zip(exceedances);
            scores.any(|(score, found)| {
                // What has no value, or none under a permutation, has no null to wait for.
                let has_null =
                    score.value.is_ok_and(f64::is_finite) && score.permuted.len() == self.looked_at;
                has_null && found.count < wanted
            })
        })
    }
}
