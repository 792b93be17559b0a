//! How precisely the values of a layer are known, by the values themselves: what a model computed in
//! 16 bits is often stored in 32.
//!
//! Rounding to a significand of p bits leaves its last bit set in half of the values, of whatever
//! size they are. Values on a grid (whole numbers, one-hot codes, fractions of a power of two) are
//! exact, and have fewer bits the smaller they are: only in one binade, that of the largest, can they
//! need as many as the longest of them. So the precision of values is p bits where none needs more
//! and where, below the largest binade of a column in which any needs them, many do.

/// What fewer bits hold is a code: no format of activations is coarser than bfloat16, of 8 bits.
const FEWEST: u32 = 8;

/// So many values, at least, must speak for it.
const WITNESSES: u64 = 64;

/// The share of them that rounding gives is a half; half of that leaves room for columns which are
/// exact.
const SHARE: f64 = 0.25;

/// Binades that are told apart, from that of the layer's largest value.
const BINADES: usize = 64;

/// The power of two of a number's leading bit; its magnitude has to be finite and not 0.
pub(crate) fn exponent(value: f64) -> i32 {
    const SUBNORMAL: i32 = 64;
    let of = |value: f64| (value.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    match value.is_normal() {
        true => of(value),
        // Exact: what is subnormal has room above.
        false => of(value * 2f64.powi(SUBNORMAL)) - SUBNORMAL,
    }
}

/// Bits of the significand that a number needs, the leading one included; its magnitude has to be
/// finite and not 0.
fn bits(value: f64) -> u32 {
    let fraction = value.to_bits() & ((1 << 52) - 1);
    match (fraction, value.is_normal()) {
        (0, _) => 1,
        (fraction, true) => 53 - fraction.trailing_zeros(),
        (fraction, false) => 64 - fraction.leading_zeros() - fraction.trailing_zeros(),
    }
}

/// The most bits that any value needs, and the exponent of the largest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Longest {
    pub bits: u32,
    pub exponent: Option<i32>,
}

impl Longest {
    /// Looks at further values.
    pub fn add(&mut self, values: &[f64]) {
        for value in values.iter().filter(|v| **v != 0.0 && v.is_finite()) {
            self.bits = self.bits.max(bits(*value));
            self.exponent = self.exponent.max(Some(exponent(*value)));
        }
    }

    /// Whether this may be the precision of rounded values.
    pub fn may_be_rounded(self) -> bool {
        self.bits >= FEWEST
    }
}

/// Counts by which rounding is told from a grid.
pub(crate) struct Witnesses {
    longest: Longest,
    /// For each column and binade, from the largest: values, and those that need every bit.
    counts: Vec<[(u32, u32); BINADES]>,
}

impl Witnesses {
    /// None yet of a layer of `d` columns of which this was found before.
    pub fn new(longest: Longest, d: usize) -> Self {
        Self {
            longest,
            counts: vec![[(0, 0); BINADES]; d],
        }
    }

    /// Looks at further rows.
    pub fn add(&mut self, rows: &[f64]) {
        let largest = self.longest.exponent.unwrap_or_default();
        for row in rows.chunks_exact(self.counts.len().max(1)) {
            for (value, counts) in row.iter().zip(&mut self.counts) {
                if *value == 0.0 || !value.is_finite() {
                    continue;
                }
                let binade = (largest - exponent(*value)).max(0) as usize;
                let (all, full) = &mut counts[binade.min(BINADES - 1)];
                *all += 1;
                *full += u32::from(bits(*value) == self.longest.bits);
            }
        }
    }

    /// How far a number is from the next one that it could have been rounded to, as a share of it;
    /// `None` if the values are exact as far as can be told.
    pub fn epsilon(&self) -> Option<f64> {
        let (mut all, mut full) = (0u64, 0u64);
        for column in &self.counts {
            let largest = column.iter().position(|(_, full)| *full > 0);
            for (of, needing) in column.iter().skip(largest.map_or(BINADES, |at| at + 1)) {
                all += u64::from(*of);
                full += u64::from(*needing);
            }
        }
        let rounded = all >= WITNESSES && full as f64 >= SHARE * all as f64;
        (rounded && self.longest.may_be_rounded()).then(|| 2f64.powi(1 - self.longest.bits as i32))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn epsilon(values: &[f64], d: usize) -> Option<f64> {
        let mut longest = Longest::default();
        longest.add(values);
        let mut witnesses = Witnesses::new(longest, d);
        witnesses.add(values);
        witnesses.epsilon()
    }

    /// The nearest number of so many bits.
    fn rounded(value: f64, bits: u32) -> f64 {
        if value == 0.0 {
            return value;
        }
        let unit = 2f64.powi(exponent(value) + 1 - bits as i32);
        (value / unit).round_ties_even() * unit
    }

    #[test]
    fn numbers_have_the_bits_that_they_need() {
        for (value, expected) in [
            (1.0, 1),
            (-3.0, 2),
            (255.0, 8),
            (256.0, 1),
            (0.1, 52),
            (f64::from(0.1f32), 24),
            (f64::from_bits(1), 1),
            (f64::from_bits(5), 3),
            (f64::MAX, 53),
        ] {
            assert_eq!(bits(value), expected, "{value}");
        }
        for (value, expected) in [
            (1.0, 0),
            (-0.75, -1),
            (1e300, 996),
            (f64::from_bits(1), -1074),
        ] {
            assert_eq!(exponent(value), expected, "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Of whatever format, scale and offset, with or without zeros.
        #[test]
        fn rounding_is_seen(
            seed: u64,
            bits in 8u32..=40,
            power in -60i32..60,
            offset in prop_oneof![Just(0.0), -3.0..3.0],
            relu: bool,
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let values: Vec<f64> = (0..100 * 8)
                .map(|_| {
                    let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0 + offset;
                    let value = rounded(normal * 2f64.powi(power), bits);
                    if relu { value.max(0.0) } else { value }
                })
                .collect();
            // Nearly everything may be cut off.
            prop_assume!(values.iter().filter(|v| **v != 0.0).count() > 200);
            prop_assert_eq!(epsilon(&values, 8), Some(2f64.powi(1 - bits as i32)));
        }

        /// Grids of any step for each column, however many bits their numbers have.
        #[test]
        fn what_is_exact_is_not_rounded(
            seed: u64,
            largest in 1i64..1 << 30,
            steps in prop::collection::vec(-20i32..20, 5),
            one_sided: bool,
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let values: Vec<f64> = (0..400)
                .flat_map(|_| steps.clone())
                .map(|step| {
                    let least = if one_sided { 0 } else { -largest };
                    rng.random_range(least..=largest) as f64 * 2f64.powi(step)
                })
                .collect();
            prop_assert_eq!(epsilon(&values, steps.len()), None);
        }
    }

    #[test]
    fn codes_are_exact() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for levels in [
            vec![0.0, 1.0],
            vec![1.0, 2.0, 4.0, 8.0],
            vec![0.0, 0.25, 0.5, 0.75, 1.0],
            vec![1.0, 1.5, 2.0, 3.0, 4.0, 6.0],
        ] {
            let values: Vec<f64> = (0..4000)
                .map(|_| levels[rng.random_range(0..levels.len())])
                .collect();
            assert_eq!(epsilon(&values, 8), None, "{levels:?}");
        }
        // Pictures: 256 levels.
        let values: Vec<f64> = (0..4000)
            .map(|_| f64::from(rng.random_range(0..=255u8)))
            .collect();
        assert_eq!(epsilon(&values, 8), None);
        let scaled: Vec<f64> = values.iter().map(|v| (v + 1.0) / 256.0).collect();
        assert_eq!(epsilon(&scaled, 8), None);
        assert_eq!(epsilon(&[], 3), None);
    }
}
