//! How much a score would vary with other samples.
//!
//! Drawing samples with replacement puts copies of a sample into one data set,
//! and a copy is its own nearest neighbour and a pair of perfect agreement: every
//! measure would rise. Half-samples drawn without replacement have no copies, and
//! their spread around the mean is, to first order, that of the whole sample:
//! the variance of a mean over n/2 of n, (1 - 1/2) s^2 / (n/2), is s^2 / n.
//! (McCarthy 1969; Politis, Romano, Wolf 1999, "Subsampling".)

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::measure::{Bound, Measure};
use crate::{MetricError, Permutations, Set};

/// Samples of a half below which any measure may be at its limit.
const FEWEST: usize = 4;
/// Values that are nearer to each other than that are the same.
const SAME: f64 = 1e-9;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Half-samples to draw.
#[derive(Clone, Copy, Debug)]
pub struct HalfSamples<'a> {
    /// How many.
    pub draws: usize,
    /// The same seed draws the same halves.
    pub seed: u64,
    /// The block of each row, where rows of one block depend on each other: blocks are
    /// then drawn whole. Empty: each row by itself.
    pub blocks: &'a [u32],
    /// The group of each row, where rows are exchangeable inside their group alone: of each group half
    /// of the rows are drawn. Empty: of all rows together. Not with blocks.
    pub groups: &'a [u32],
}

impl HalfSamples<'_> {
    /// The rows of each half, in the order of the whole, so that ties go the same way.
    fn halves(&self, rows: usize) -> impl Iterator<Item = Vec<u32>> {
        let mut units: Vec<Vec<u32>> = Vec::new();
        if self.blocks.is_empty() {
            units.extend((0..rows as u32).map(|row| vec![row]));
        } else {
            let mut of_block: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for (row, block) in self.blocks.iter().enumerate() {
                of_block.entry(*block).or_default().push(row as u32);
            }
            units.extend(of_block.into_values());
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut order: Vec<u32> = (0..units.len() as u32).collect();
        (0..self.draws).map(move |_| {
            order.shuffle(&mut rng);
            let half = self.half(&order);
            let mut half: Vec<u32> = (half.iter())
                .flat_map(|unit| units[*unit as usize].iter().copied())
                .collect();
            half.sort_unstable();
            half
        })
    }

    /// Half of the units, which are in random order.
    fn half(&self, order: &[u32]) -> Vec<u32> {
        let count = order.len() / 2;
        if self.groups.is_empty() {
            return order[..count].to_vec();
        }
        // Groups one after the other in a random order of their own, and of all rows in that order every
        // other one: half of each group, to a row.
        let mut of_group: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut places: BTreeMap<u32, usize> = BTreeMap::new();
        for unit in order {
            let group = self.groups[*unit as usize];
            let place = *places.entry(group).or_insert(of_group.len());
            if place == of_group.len() {
                of_group.push((group, Vec::new()));
            }
            of_group[place].1.push(*unit);
        }
        let all = of_group.into_iter().flat_map(|(_, members)| members);
        all.skip(1).step_by(2).take(count).collect()
    }
}

impl Set {
    /// 95 % intervals over samples of each measure (outer) and pair of layers
    /// (inner) around `values`; `None` where a measure has no value on half of the
    /// samples, or is saturated there: where all halves have the same.
    ///
    /// # Errors
    /// As [`Set::compare`], and [`MetricError::Blocks`] if there are blocks but not one
    /// a row. `on_draw` hears how many are done.
    pub fn intervals(
        &self,
        measures: &[&dyn Measure],
        pairs: &[(usize, usize)],
        values: &[Vec<Option<f64>>],
        halves: &HalfSamples<'_>,
        on_draw: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Option<Interval>>>, MetricError> {
        self.check(pairs)?;
        let (rows, draws) = (self.rows(), halves.draws);
        for blocks in [halves.blocks.len(), halves.groups.len()] {
            if blocks != 0 && blocks != rows {
                return Err(MetricError::Blocks { blocks, rows });
            }
        }
        // Without a value there is nothing to put an interval around.
        if values.iter().flatten().all(Option::is_none) {
            return Ok(vec![vec![None; pairs.len()]; measures.len()]);
        }
        let none = || {
            (0..pairs.len())
                .map(|_| Vec::with_capacity(draws))
                .collect()
        };
        let mut drawn: Vec<Vec<Vec<f64>>> = measures.iter().map(|_| none()).collect();
        for (draw, half) in halves.halves(rows).enumerate() {
            let scores =
                self.subset(&half)
                    .compare(measures, pairs, &Permutations::none(), &mut |_| ())?;
            for (drawn, scores) in drawn.iter_mut().zip(scores) {
                for (drawn, score) in drawn.iter_mut().zip(scores) {
                    drawn.extend(score.value.ok());
                }
            }
            on_draw(draw + 1);
        }
        Ok(measures
            .iter()
            .zip(drawn)
            .zip(values)
            .map(|((measure, drawn), values)| {
                (drawn.into_iter().zip(values))
                    .map(|(drawn, value)| {
                        let complete = drawn.len() == draws && draws > 1;
                        complete
                            .then(|| self.interval(*measure, (*value)?, drawn, rows / 2))
                            .flatten()
                    })
                    .collect()
            })
            .collect())
    }

    fn interval(
        &self,
        measure: &dyn Measure,
        value: f64,
        mut drawn: Vec<f64>,
        half: usize,
    ) -> Option<Interval> {
        drawn.sort_by(f64::total_cmp);
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        // A measure that gives all halves the same, and not what it gives the whole, is at its limit
        // on so few samples; of two or three samples it may be so of the whole, too. That says nothing
        // of how the score varies.
        let spread = drawn[drawn.len() - 1] - drawn[0];
        let size = value.abs().max(1.0);
        let is_limit = half < FEWEST || (value - mean).abs() > SAME * size;
        if spread <= SAME * size && is_limit {
            return None;
        }
        let quantile = |q: f64| {
            let at = q * (drawn.len() - 1) as f64;
            let (low, high) = (at.floor() as usize, at.ceil() as usize);
            drawn[low] + (drawn[high] - drawn[low]) * at.fract()
        };
        let (low, high) = (
            value + quantile(0.025) - mean,
            value + quantile(0.975) - mean,
        );
        let smallest = match measure.properties().range.0 {
            Bound::Number(v) => v,
            Bound::K | Bound::None => f64::NEG_INFINITY,
        };
        let largest = measure.largest(self.k());
        Some(Interval {
            low: low.clamp(smallest, largest),
            high: high.clamp(smallest, largest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_group_half_of_the_rows_are_drawn() {
        let groups: Vec<u32> = (0..90)
            .map(|row| u32::from(row >= 60) + u32::from(row >= 80))
            .collect();
        let halves = HalfSamples {
            draws: 40,
            seed: 7,
            blocks: &[],
            groups: &groups,
        };
        let mut drawn = vec![0; 90];
        for half in halves.halves(90) {
            assert_eq!(half.len(), 45);
            for (group, size) in [(0, 60), (1, 20), (2, 10)] {
                let of = half.iter().filter(|row| groups[**row as usize] == group);
                let count = of.count() as i64;
                assert!((2 * count - size).abs() <= 2, "{group}: {count}");
            }
            for row in half {
                drawn[row as usize] += 1;
            }
        }
        assert!(
            drawn.iter().all(|count| (6..36).contains(count)),
            "{drawn:?}"
        );
    }
}
