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
    let pad = ((high - low) * 0.05).max(1e-3);
    (low - pad, high + pad)
}

/// The finite ones of `values`, sorted, each once.
pub(crate) fn distinct(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut out: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    out.sort_by(f64::total_cmp);
    out.dedup();
    out
}

/// About `count` round values within `range`.
pub(crate) fn ticks(range: (f64, f64), count: usize) -> Vec<f64> {
    let span = range.1 - range.0;
    let raw = span / count.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .iter()
        .map(|m| m * power)
        .find(|s| *s >= raw)
        .unwrap_or(10.0 * power);
    let first = (range.0 / step).ceil() as i64;
    let last = (range.1 / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A tick's text, with no more decimals than needed; `–` for what is no number.
pub(crate) fn tick_text(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".into()
    } else {
        text.replace('-', "−")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks((0.0, 1.0), 5).len(), 6);
        for t in ticks((0.123, 0.987), 5) {
            assert!((0.123..=0.987).contains(&t));
        }
        assert_eq!(tick_text(0.1 + 0.2), "0.3");
        assert_eq!(tick_text(-0.0), "0");
    }

    #[test]
    fn ranges_survive_no_values_and_one_value() {
        assert_eq!(padded_range([]), (0.0, 1.0));
        let (low, high) = padded_range([0.5]);
        assert!(low < 0.5 && high > 0.5);
    }
}
