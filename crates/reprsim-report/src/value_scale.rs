//! How the values of a measure, and a trend of them, are read.

/// Which way the value of a measure goes with the overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// The value of the measure rises with overlap, p < 0.05.
    Rises,
    /// The value of the measure falls with overlap, p < 0.05.
    Falls,
    /// No slope can be told from zero.
    #[default]
    Undecided,
}

/// What must be known of a measure to draw its values and to speak of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueScale {
    /// The least and the greatest value there can be, infinite where there is none;
    /// `None` where that is not known.
    pub range: Option<(f64, f64)>,
    /// Whether a greater value means more alike, as of a similarity; a distance is
    /// the other way round.
    pub higher_is_more_alike: bool,
}

impl Default for ValueScale {
    /// A similarity of unknown range.
    fn default() -> Self {
        Self {
            range: None,
            higher_is_more_alike: true,
        }
    }
}

impl ValueScale {
    /// What a value is called in a sentence.
    pub fn noun(&self) -> &'static str {
        match self.higher_is_more_alike {
            true => "similarity",
            false => "distance",
        }
    }

    /// What models become where the value goes as the verdict says; nothing where that
    /// cannot be told.
    pub fn alike(&self, verdict: Verdict) -> Option<&'static str> {
        match (verdict, self.higher_is_more_alike) {
            (Verdict::Undecided, _) => None,
            (Verdict::Rises, true) | (Verdict::Falls, false) => Some("more alike"),
            (Verdict::Rises, false) | (Verdict::Falls, true) => Some("less alike"),
        }
    }

    /// The range that the colours of these values run over: from the value nearest to 0
    /// that there can be, or the least of them where it is lower or the range unknown, to
    /// the greatest.
    pub(crate) fn colours(&self, values: impl IntoIterator<Item = f64>) -> (f64, f64) {
        let base = match self.range {
            Some((low, high)) if low <= high => 0f64.clamp(low, high),
            _ => f64::INFINITY,
        };
        let (mut low, mut high) = (base, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|v| v.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if !low.is_finite() {
            low = 0.0;
        }
        (low, if high > low { high } else { low + 1.0 })
    }

    /// The share of the way from dark to light of a value: what is more alike is lighter.
    pub(crate) fn lightness(&self, share: f64) -> f64 {
        match self.higher_is_more_alike {
            true => share,
            false => 1.0 - share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(range: Option<(f64, f64)>) -> ValueScale {
        ValueScale {
            range,
            ..ValueScale::default()
        }
    }

    #[test]
    fn colours_begin_where_values_do() {
        let similarity = scale(Some((0.0, 1.0)));
        assert_eq!(similarity.colours([0.4, 0.7]), (0.0, 0.7));
        // Debiased CKA has no lower end.
        let debiased = scale(Some((f64::NEG_INFINITY, 1.0)));
        assert_eq!(debiased.colours([-0.25, 0.5, f64::NAN]), (-0.25, 0.5));
        assert_eq!(debiased.colours([0.2, 0.5]), (0.0, 0.5));
        // A condition number begins at 1, a negative log-likelihood ends at 0.
        let above_one = scale(Some((1.0, f64::INFINITY)));
        assert_eq!(above_one.colours([30.0, 90.0]), (1.0, 90.0));
        let below_zero = scale(Some((f64::NEG_INFINITY, 0.0)));
        assert_eq!(below_zero.colours([-7.0, -3.0]), (-7.0, -3.0));
        // Of an unknown range nothing is taken for granted.
        assert_eq!(scale(None).colours([100.0, 101.0]), (100.0, 101.0));
    }

    #[test]
    fn colours_need_no_values_and_no_differences() {
        for range in [None, Some((0.0, 1.0)), Some((f64::NAN, 1.0))] {
            assert_eq!(scale(range).colours([]), (0.0, 1.0), "{range:?}");
            assert_eq!(scale(range).colours([f64::INFINITY]), (0.0, 1.0));
        }
        assert_eq!(scale(None).colours([5.0, 5.0]), (5.0, 6.0));
        assert_eq!(scale(Some((0.0, 9.0))).colours([5.0, 5.0]), (0.0, 5.0));
    }

    #[test]
    fn a_distance_is_read_the_other_way_round() {
        let distance = ValueScale {
            higher_is_more_alike: false,
            ..ValueScale::default()
        };
        let similarity = ValueScale::default();
        assert_eq!(
            (similarity.noun(), distance.noun()),
            ("similarity", "distance")
        );
        assert_eq!(similarity.alike(Verdict::Rises), Some("more alike"));
        assert_eq!(similarity.alike(Verdict::Falls), Some("less alike"));
        assert_eq!(distance.alike(Verdict::Rises), Some("less alike"));
        assert_eq!(distance.alike(Verdict::Falls), Some("more alike"));
        assert_eq!(distance.alike(Verdict::Undecided), None);
        assert_eq!(similarity.lightness(0.25), 0.25);
        assert_eq!(distance.lightness(0.25), 0.75);
    }
}
