//! How many of many values lie near one of them.

/// Values of one bucket beyond which the bucket is searched by halves.
const CROWD: usize = 16;

/// Sorted values, with buckets of equal width, about as many as values, that say where to look.
pub(crate) struct Neighbourhood {
    sorted: Vec<f64>,
    /// The place of the first value of each bucket; one more at the end.
    first: Vec<u32>,
    per_unit: f64,
}

impl Neighbourhood {
    /// Of finite values, fewer than 2^32.
    pub(crate) fn of(sorted: Vec<f64>) -> Self {
        let buckets = sorted.len().max(1);
        let width = match (sorted.first(), sorted.last()) {
            (Some(low), Some(high)) => high - low,
            _ => 0.0,
        };
        let per_unit = buckets as f64 / width;
        let mut found = Self {
            first: vec![0; buckets + 1],
            per_unit: if per_unit.is_finite() { per_unit } else { 0.0 },
            sorted,
        };
        for place in 0..found.sorted.len() {
            let bucket = found.bucket(found.sorted[place]);
            found.first[bucket + 1] += 1;
        }
        for bucket in 0..buckets {
            found.first[bucket + 1] += found.first[bucket];
        }
        found
    }

    pub(crate) fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// How many lie within a radius of a value, the value itself among them.
    pub(crate) fn within(&self, value: f64, radius: f64) -> usize {
        let from = self.place(value - radius, |v| value - v > radius);
        let to = self.place(value + radius, |v| v - value <= radius);
        to.saturating_sub(from).max(1)
    }

    fn bucket(&self, value: f64) -> usize {
        let low = self.sorted.first().copied().unwrap_or_default();
        // Below the first bucket is 0, too.
        (((value - low) * self.per_unit) as usize).min(self.first.len() - 2)
    }

    /// The place of the first value for which `is_before`, which is about being less than `near`,
    /// is not true.
    fn place(&self, near: f64, is_before: impl Fn(f64) -> bool) -> usize {
        let bucket = self.bucket(near);
        let (mut place, end) = (self.first[bucket] as usize, self.first[bucket + 1] as usize);
        if end - place > CROWD {
            place += self.sorted[place..end].partition_point(|v| is_before(*v));
        }
        // Rounding may have taken the value for one of the next bucket.
        while place > 0 && !is_before(self.sorted[place - 1]) {
            place -= 1;
        }
        while self.sorted.get(place).is_some_and(|v| is_before(*v)) {
            place += 1;
        }
        place
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
