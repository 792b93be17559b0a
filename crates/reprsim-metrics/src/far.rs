//! Samples that are so far from all others that in f32 no digit of the others' products is left
//! beside theirs: one activation in a thousand that is a thousand times as large, as language
//! models have them.
//!
//! They are kept apart. Rows on the device are zeros in their place, so that every product taken
//! there, in whichever space, under whichever permutation, is one of the near samples alone; what
//! the far ones add is taken entry by entry ([`crate::far_products`]), the diagonal left out, and nothing
//! cancels. Means and scale are those of the near samples, too.

/// A sample is far if its squared distance from the median, or that of a nearer one, is more than so
/// many times the mean of that of all that are nearer still: then f32 sums of the near ones keep six digits.
const FAR: f64 = 64.0;

/// Far samples at most; less than half of all, too, or the median is not that of the near.
const MOST: usize = 256;

/// Samples that are far, in order, from the squared distance of each from the median.
pub(crate) fn select(squares: &[f64]) -> Vec<u32> {
    let n = squares.len();
    let mut order: Vec<u32> = (0..n as u32).collect();
    let square = |i: &u32| squares[*i as usize];
    order.sort_by(|i, j| square(j).total_cmp(&square(i)).then(i.cmp(j)));
    // Of each, the sum over those that are nearer, from the nearest: small before large.
    let mut nearer = vec![0.0; n];
    for at in (1..n).rev() {
        nearer[at - 1] = nearer[at] + square(&order[at]);
    }
    let most = MOST.min(n.saturating_sub(1) / 2);
    let is_far = |at: &usize| {
        square(&order[*at]) * (n - at - 1) as f64 > FAR * nearer[*at] && nearer[*at] > 0.0
    };
    // The last that is: of several that are equally far only the nearest outweighs those behind it.
    let count = (0..most).rev().find(is_far).map_or(0, |at| at + 1);
    let mut far = order[..count].to_vec();
    far.sort_unstable();
    far
}

/// The far samples of a view.
#[derive(Debug, Default)]
pub(crate) struct Far {
    /// Which they are, in order.
    pub samples: Vec<u32>,
    /// Their rows as the view has them, row-major, in f64.
    pub rows: Vec<f64>,
}

impl Far {
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Each sample with its row of `d` values.
    pub fn iter(&self, d: usize) -> impl Iterator<Item = (usize, &[f64])> + Clone {
        let samples = self.samples.iter().map(|sample| *sample as usize);
        samples.zip(self.rows.chunks_exact(d.max(1)))
    }

    /// Zeros in place of the far samples among rows from `start`.
    pub fn clear(&self, rows: &mut [f64], d: usize, start: usize) {
        let count = rows.len() / d.max(1);
        let place = |sample: &u32| (*sample as usize).checked_sub(start);
        for at in self.samples.iter().filter_map(place) {
            if at < count {
                rows[at * d..(at + 1) * d].fill(0.0);
            }
        }
    }

    /// The sum of their rows.
    pub fn sum(&self, d: usize) -> Vec<f64> {
        let mut sum = vec![0.0; d];
        for (_, row) in self.iter(d) {
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
        sum
    }

    /// The products of far sample `i` with all other samples, added up: the near ones add up to
    /// zero.
    pub fn off(&self, i: usize, row: &[f64]) -> f64 {
        let others = self.iter(row.len()).filter(|(j, _)| *j != i);
        let product = |other: &[f64]| row.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
        others.map(|(_, other)| product(other)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_is_what_outweighs_the_nearer() {
        let mut squares = vec![1.0; 100];
        assert!(select(&squares).is_empty());
        (squares[3], squares[50]) = (1e12, 63.0);
        assert_eq!(select(&squares), [3]);
        (squares[50], squares[7]) = (1e6, 1e3);
        assert_eq!(select(&squares), [3, 7, 50]);
        // Two that are equally far of 60, and seventeen of 1000.
        for (n, k) in [(60, 2), (1000, 17)] {
            let mut squares = vec![1.0; n];
            squares[..k].fill(1e9);
            assert_eq!(
                select(&squares),
                (0..k as u32).collect::<Vec<_>>(),
                "{k} of {n}"
            );
        }
        // What is beyond the cap stays, and of equals none is far.
        assert!(select(&[5.0; 4]).is_empty());
        assert!(select(&[0.0, 0.0, 0.0, 0.0, 9.0]).is_empty());
        assert_eq!(select(&[1.0, 2.0, 1.0, 1e9]), [3]);
        let steps: Vec<f64> = (0..20).map(|i| 1e3f64.powi(i)).collect();
        assert_eq!(select(&steps).len(), 9);
    }
}
