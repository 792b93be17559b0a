//! How many of many values lie near one of them.

/// Values that are looked at together, without a question between them.
const TOGETHER: usize = 8;

/// Sorted values, with buckets of equal width, twice as many as values, that say where to look.
pub(crate) struct Neighbourhood {
    /// With one at the beginning and a few at the end that are beyond all.
    padded: Vec<f64>,
    /// How many values stand before each bucket.
    first: Vec<u32>,
    low: f64,
    per_unit: f64,
}

impl Neighbourhood {
    /// Of finite values, fewer than 2^32.
    pub(crate) fn of(mut sorted: Vec<f64>) -> Self {
        let buckets = (2 * sorted.len()).max(1);
        let low = sorted.first().copied().unwrap_or_default();
        let width = sorted.last().map_or(0.0, |high| high - low);
        let per_unit = buckets as f64 / width;
        sorted.insert(0, f64::NEG_INFINITY);
        sorted.extend([f64::INFINITY; TOGETHER]);
        let mut found = Self {
            first: vec![0; buckets + 1],
            low,
            per_unit: if per_unit.is_finite() { per_unit } else { 0.0 },
            padded: sorted,
        };
        for place in 0..found.sorted().len() {
            let bucket = found.bucket(found.sorted()[place]);
            found.first[bucket + 1] += 1;
        }
        for bucket in 0..buckets {
            found.first[bucket + 1] += found.first[bucket];
        }
        found
    }

    pub(crate) fn sorted(&self) -> &[f64] {
        &self.padded[1..self.padded.len() - TOGETHER]
    }

    /// How many lie within a radius of a value, the value itself among them.
    #[inline(always)]
    pub(crate) fn within(&self, value: f64, radius: f64) -> usize {
        let from = self.place(value - radius, |v| value - v > radius);
        let to = self.place(value + radius, |v| v - value <= radius);
        to.saturating_sub(from).max(1)
    }

    /// Of the values from a padded place on that are looked at together, those before an end.
    #[inline(always)]
    fn count(&self, from: usize, is_before: impl Fn(f64) -> bool) -> usize {
        let Some(values) = self.padded[from..].first_chunk::<TOGETHER>() else {
            return TOGETHER;
        };
        // By halves, without a question that a processor could guess wrongly.
        let mut count = 4 * usize::from(is_before(values[3]));
        count += 2 * usize::from(is_before(values[count + 1]));
        count += usize::from(is_before(values[count]));
        count + usize::from(is_before(values[count]))
    }

    #[inline(always)]
    fn bucket(&self, value: f64) -> usize {
        // Below the first bucket is 0, too.
        (((value - self.low) * self.per_unit) as usize).min(self.first.len() - 2)
    }

    /// The padded place of the first value for which `is_before`, which is about being less than
    /// `near`, is not true.
    #[inline(always)]
    fn place(&self, near: f64, is_before: impl Fn(f64) -> bool) -> usize {
        // From the last value before the bucket on.
        let from = self.first[self.bucket(near)] as usize;
        match self.count(from, &is_before) {
            // Rounding took the value for one of the next bucket, or many share this one.
            0 | TOGETHER => self.padded.partition_point(|v| is_before(*v)),
            before => from + before,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value = prop_oneof![
            -1.0f64..1.0,
            (0u8..4).prop_map(f64::from),
            // Most lie in one bucket.
            Just(1e9),
            1e-12f64..2e-12,
        ];
        prop::collection::vec(value, 1..80)
    }

    proptest! {
        #[test]
        fn neighbours_are_counted_as_one_by_one(
            mut sorted in values(),
            at in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
            radius in 0.0f64..2.0,
        ) {
            sorted.sort_by(f64::total_cmp);
            let value = *at.get(&sorted);
            // Radii that end exactly at another value, and those that do not.
            for radius in [radius, (other.get(&sorted) - value).abs()] {
                let counted = sorted.iter().filter(|v| (*v - value).abs() <= radius).count();
                let found = Neighbourhood::of(sorted.clone());
                prop_assert_eq!(found.within(value, radius), counted);
                let nearly = radius.next_down().max(0.0);
                let counted = sorted.iter().filter(|v| (*v - value).abs() <= nearly).count();
                prop_assert_eq!(found.within(value, nearly), counted);
            }
        }
    }
}
