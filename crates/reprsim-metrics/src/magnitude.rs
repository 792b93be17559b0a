//! Where on the scale of numbers the samples of a layer lie, and where they are brought so that sums
//! of the fourth powers of their values are numbers.
//!
//! No measure sees a scale. Nor does any see by how much samples outweigh others that are 1e15 times
//! as small: that far apart, values are what they are at the limit, to all digits that f64 has.
//! So gaps between samples that are wider are made so wide.

use std::collections::BTreeMap;

use crate::precision::exponent;

/// Values between two to the power of minus and of plus this are taken as they are.
const PLAIN: i32 = 90;

/// So many powers of two may the largest samples lie above the middle one.
const REACH: i32 = 240;

/// What is further apart, in powers of two, is as good as infinitely far: squares of this are beyond
/// the digits of f64, and this itself beyond directions that count (1e-10).
const GAP: i32 = 50;

/// What each sample is multiplied by as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Magnitude {
    /// One.
    AsStored,
    /// All by two to the power of this.
    Times(i32),
    /// Those whose largest value has this exponent by two to the power of that.
    Each(BTreeMap<i32, i32>),
    /// Nothing: there are samples of all magnitudes, more of them than sums of products can hold.
    TooFarApart,
}

impl Magnitude {
    /// The exponent of the largest value of a row; `None` if there is none that is finite and not 0.
    pub fn of_row(row: &[f64]) -> Option<i32> {
        let finite = row.iter().filter(|v| v.is_finite());
        let largest = finite.fold(0.0f64, |most, v| most.max(v.abs()));
        (largest > 0.0).then(|| exponent(largest))
    }

    /// From the exponents of all rows that are not zero.
    pub fn of(mut exponents: Vec<i32>) -> Self {
        exponents.sort_unstable();
        let middle = exponents.get(exponents.len() / 2).copied();
        let (Some(middle), Some(top)) = (middle, exponents.last().copied()) else {
            return Self::AsStored;
        };
        if top - middle <= REACH {
            return match top.abs() <= PLAIN {
                true => Self::AsStored,
                false => Self::Times(-top),
            };
        }
        // From the middle upwards; what is below it goes with it.
        exponents.dedup();
        let mut places = BTreeMap::new();
        let (mut before, mut place) = (middle, 0);
        for own in exponents {
            if own > middle {
                place += (own - before).min(GAP);
                before = own;
            }
            let below = (own - middle).min(0);
            places.insert(own, place + below - own);
        }
        match place <= REACH {
            true => Self::Each(places),
            false => Self::TooFarApart,
        }
    }

    /// Multiplies rows of `d` values.
    pub fn place(&self, rows: &mut [f64], d: usize) {
        match self {
            Self::AsStored | Self::TooFarApart => {}
            Self::Times(power) => times(rows, *power),
            Self::Each(places) => {
                for row in rows.chunks_exact_mut(d.max(1)) {
                    let power = Self::of_row(row).and_then(|own| places.get(&own));
                    times(row, power.copied().unwrap_or_default());
                }
            }
        }
    }
}

/// Multiplies by two to the power of this, which may itself be no number.
pub(crate) fn times(values: &mut [f64], mut power: i32) {
    while power != 0 {
        let step = power.clamp(-1000, 1000);
        let factor = 2f64.powi(step);
        values.iter_mut().for_each(|v| *v *= factor);
        power -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_keeps_its_place() {
        assert_eq!(Magnitude::of(vec![]), Magnitude::AsStored);
        assert_eq!(Magnitude::of(vec![-3, 2, 0, 60]), Magnitude::AsStored);
        assert_eq!(Magnitude::of(vec![-900, 2, 0, 60]), Magnitude::AsStored);
        assert_eq!(Magnitude::of(vec![900, 901]), Magnitude::Times(-901));
        assert_eq!(Magnitude::of(vec![-900, -901]), Magnitude::Times(900));
    }

    #[test]
    fn wide_gaps_are_narrowed_and_order_is_kept() {
        let found = Magnitude::of(vec![-500, 0, 0, 1, 997, 990, 40]);
        let Magnitude::Each(places) = found else {
            panic!("{found:?}")
        };
        let placed: Vec<(i32, i32)> = places.iter().map(|(own, by)| (*own, own + by)).collect();
        assert_eq!(
            placed,
            [
                (-500, -501),
                (0, -1),
                (1, 0),
                (40, 39),
                (990, 89),
                (997, 96)
            ]
        );
        let mut rows = [1e300, 0.5, 1.0, -2.0, 0.0, 0.0, f64::from_bits(1), 0.0];
        let few = Magnitude::of(rows.chunks(2).filter_map(Magnitude::of_row).collect());
        few.place(&mut rows, 2);
        assert!(
            (2f64.powi(50)..2f64.powi(51)).contains(&rows[0]),
            "{rows:?}"
        );
        assert_eq!(rows[4..6], [0.0, 0.0]);
        assert_eq!(
            Magnitude::of((0..2000).map(|i| i - 1000).collect()),
            Magnitude::TooFarApart
        );
    }
}
