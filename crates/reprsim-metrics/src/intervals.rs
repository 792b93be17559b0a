//! How much a score would vary with other samples.
//!
//! Drawing samples with replacement puts copies of a sample into one data set,
//! and a copy is its own nearest neighbour and a pair of perfect agreement: every
//! measure would rise. Half-samples drawn without replacement have no copies, and
//! their spread around the mean is, to first order, that of the whole sample:
//! the variance of a mean over n/2 of n, (1 - 1/2) s^2 / (n/2), is s^2 / n.
//! (McCarthy 1969; Politis, Romano, Wolf 1999, "Subsampling".)

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::measure::{Bound, Measure};
use crate::{MetricError, Permutations, Set};

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Set {
    /// 95 % intervals over samples of each measure (outer) and pair of layers
    /// (inner) around `values`, from `draws` half-samples; `None` where a measure
    /// has no value on half of the samples.
    ///
    /// # Errors
    /// As [`Set::compare`]. `on_draw` hears how many are done.
    pub fn intervals(
        &self,
        measures: &[&dyn Measure],
        pairs: &[(usize, usize)],
        values: &[Vec<Option<f64>>],
        draws: usize,
        seed: u64,
        on_draw: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Option<Interval>>>, MetricError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<u32> = (0..self.rows() as u32).collect();
        let mut drawn = vec![vec![Vec::with_capacity(draws); pairs.len()]; measures.len()];
        for draw in 0..draws {
            order.shuffle(&mut rng);
            // In the order of the whole, so that ties go the same way.
            let mut half = order[..order.len() / 2].to_vec();
            half.sort_unstable();
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
                            .then(|| self.interval(*measure, (*value)?, drawn))
                            .flatten()
                    })
                    .collect()
            })
            .collect())
    }

    fn interval(&self, measure: &dyn Measure, value: f64, mut drawn: Vec<f64>) -> Option<Interval> {
        drawn.sort_by(f64::total_cmp);
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
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
