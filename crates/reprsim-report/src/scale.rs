//! Maps values to pixels and picks round ticks.

/// A linear scale from values to pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    pub fn new(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to }
    }

    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        // A range of one value has no other place; and no drawing runs off to infinity.
        let share = if share.is_finite() {
            share.clamp(-9.0, 9.0)
        } else {
            0.5
        };
        // Whole tenths of a pixel keep the page small.
        (10.0 * (self.to.0 + share * (self.to.1 - self.to.0))).round() / 10.0
    }
}

/// The range of `values`, widened by a twentieth on both sides.
pub(crate) fn padded_range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for v in values.into_iter().filter(|v| v.is_finite()) {
        low = low.min(v);
        high = high.max(v);
    }
    if low > high {
        return (0.0, 1.0);
    }
    let pad = ((high - low) * 0.05).max(least_pad(low.abs().max(high.abs())));
    (low - pad, high + pad)
}

/// The least widening about values of this size: a thousandth, which is little of a
/// share, but not more than a tenth of small values nor lost beside great ones.
fn least_pad(size: f64) -> f64 {
    match size {
        0.0 => 1e-3,
        _ => 1e-3f64.min(0.1 * size).max(1e-9 * size),
    }
}

/// The finite ones of `values`, sorted, each once.
pub(crate) fn distinct(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut out: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    out.sort_by(f64::total_cmp);
    out.dedup();
    out
}

/// About `count` round values within `range`; its one value where it has but one, none
/// where it is no range.
pub(crate) fn ticks(range: (f64, f64), count: usize) -> Vec<f64> {
    let span = range.1 - range.0;
    if span == 0.0 && range.0.is_finite() {
        return vec![range.0];
    }
    let raw = span / count.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    if !raw.is_finite() || raw <= 0.0 || power <= 0.0 {
        return vec![];
    }
    let step = [1.0, 2.0, 5.0, 10.0]
        .iter()
        .map(|m| m * power)
        .find(|s| *s >= raw)
        .unwrap_or(10.0 * power);
    let first = (range.0 / step).ceil() as i64;
    let last = (range.1 / step).floor() as i64;
    // Never more than there is room for, whatever rounding does to a far and narrow range.
    (first..=last)
        .take(2 * count.max(1) + 1)
        .map(|i| i as f64 * step)
        .collect()
}

/// A tick's text, with no more decimals than needed; `–` for what is no number.
pub(crate) fn tick_text(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let four = format!("{value:.4}");
    // Four decimals say all of a share, and too little or too much of other numbers.
    let lost = four
        .parse()
        .is_ok_and(|v: f64| (v - value).abs() > 0.01 * value.abs());
    let text = match lost && value.abs() > 1e-12 || value.abs() >= 1e7 {
        true => format!("{value:.2e}"),
        false => four,
    };
    let (digits, power) = text
        .split_once('e')
        .map_or((text.as_str(), None), |(d, p)| (d, Some(p)));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    match (digits, power) {
        ("-0", _) => "0".into(),
        (_, Some(power)) => format!("{digits}e{power}").replace('-', "−"),
        (_, None) => digits.replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_maps_its_ends_and_what_lies_between() {
        let x = Scale::new((0.0, 2.0), (10.0, 110.0));
        assert_eq!([0.0, 1.0, 2.0].map(|v| x.at(v)), [10.0, 60.0, 110.0]);
        // Heights run down.
        let y = Scale::new((-1.0, 1.0), (200.0, 0.0));
        assert_eq!([-1.0, 0.5].map(|v| y.at(v)), [200.0, 50.0]);
        // To tenths.
        assert_eq!(Scale::new((0.0, 3.0), (0.0, 1.0)).at(1.0), 0.3);
    }

    #[test]
    fn a_scale_has_a_place_for_everything() {
        let x = Scale::new((0.0, 1.0), (0.0, 100.0));
        assert_eq!([1e300, -1e300].map(|v| x.at(v)), [900.0, -900.0]);
        assert_eq!(x.at(f64::NAN), 50.0);
        assert_eq!(Scale::new((3.0, 3.0), (0.0, 100.0)).at(3.0), 50.0);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let close = |ticks: Vec<f64>, expected: &[f64]| {
            assert_eq!(ticks.len(), expected.len(), "{ticks:?}");
            for (t, e) in ticks.iter().zip(expected) {
                assert!((t - e).abs() <= 1e-12 * e.abs(), "{ticks:?}");
            }
        };
        close(ticks((0.0, 1.0), 5), &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        close(ticks((0.123, 0.987), 5), &[0.2, 0.4, 0.6, 0.8]);
        close(ticks((-7.0, 11.0), 5), &[-5.0, 0.0, 5.0, 10.0]);
        close(ticks((130.0, 1900.0), 4), &[500.0, 1000.0, 1500.0]);
        close(ticks((1e-5, 9e-5), 4), &[2e-5, 4e-5, 6e-5, 8e-5]);
    }

    /// One epoch is a range of one value: its tick is that epoch, not 0.
    #[test]
    fn ranges_without_a_span_have_no_ticks_elsewhere() {
        assert_eq!(ticks((1.0, 1.0), 6), [1.0]);
        assert_eq!(ticks((0.0, 0.0), 6), [0.0]);
        for range in [
            (f64::NAN, 1.0),
            (f64::NEG_INFINITY, f64::INFINITY),
            (f64::MIN, f64::MAX),
            (2.0, 1.0),
            (0.0, f64::MIN_POSITIVE * f64::EPSILON),
        ] {
            assert!(ticks(range, 5).is_empty(), "{range:?}");
        }
        for range in [(1e300, 1.1e300), (1e16, 1e16 + 4.0)] {
            let ticks = ticks(range, 5);
            assert!(ticks.len() <= 11, "{range:?}: {ticks:?}");
            assert!(ticks.iter().all(|t| t.is_finite()), "{range:?}: {ticks:?}");
        }
    }

    #[test]
    fn texts_of_ticks_are_short_and_tell_them_apart() {
        for (value, text) in [
            (0.1 + 0.2, "0.3"),
            (-0.0, "0"),
            (-0.25, "−0.25"),
            (1.0 / 3.0, "0.3333"),
            (64.0, "64"),
            (12_345.5, "12345.5"),
            (0.000_15, "1.5e−4"),
            (-2e-5, "−2e−5"),
            (3e8, "3e8"),
            (4e-17, "0"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(tick_text(value), text);
        }
    }

    #[test]
    fn ranges_survive_no_values_and_one_value() {
        assert_eq!(padded_range([]), (0.0, 1.0));
        assert_eq!(padded_range([f64::NAN, f64::INFINITY]), (0.0, 1.0));
        assert_eq!(padded_range([0.5]), (0.499, 0.501));
        assert_eq!(padded_range([0.0]), (-1e-3, 1e-3));
        let (low, high) = padded_range([1e300]);
        assert!(low < 1e300 && high > 1e300);
    }

    /// Values as small as those of a normalised distance fill the figure too.
    #[test]
    fn ranges_know_no_units() {
        let (low, high) = padded_range([0.0, 10.0]);
        assert_eq!((low, high), (-0.5, 10.5));
        for size in [1e-9, 1e-4, 1e6] {
            let (small, large) = padded_range([0.0, size]);
            assert!(small < 0.0 && small >= -0.11 * size, "{size}: {small}");
            assert!(large > size && large <= 1.11 * size, "{size}: {large}");
        }
    }

    #[test]
    fn distinct_values_are_finite_and_sorted() {
        assert_eq!(distinct([1.0, f64::NAN, 0.5, 1.0]), [0.5, 1.0]);
    }
}
