//! Numbers as people read them.

/// Three decimals, with a true minus sign; `–` for nothing.
pub(crate) fn number(value: Option<f64>) -> String {
    let value = value.filter(|v| v.is_finite());
    value.map_or("–".into(), |v| format!("{v:.3}").replace('-', "−"))
}

/// A signed slope; `–` for one that is not a number.
pub(crate) fn signed(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    format!("{value:+.3}").replace('-', "−")
}

/// A p-value, never shown as zero.
pub(crate) fn p_value(p: Option<f64>) -> String {
    match p.filter(|p| p.is_finite()) {
        None => "–".into(),
        Some(p) if p < 0.0001 => "< 0.0001".into(),
        Some(p) if p < 0.01 => format!("{p:.4}"),
        Some(p) => format!("{p:.3}"),
    }
}

/// A percentage.
pub(crate) fn percent(value: Option<f64>) -> String {
    let value = value.filter(|v| v.is_finite());
    value.map_or("–".into(), |v| {
        format!("{:.1} %", 100.0 * v).replace('-', "−")
    })
}

/// An interval of percentages.
pub(crate) fn percents(value: Option<(f64, f64)>) -> String {
    let value = value.filter(|(low, high)| low.is_finite() && high.is_finite());
    value.map_or("–".into(), |(low, high)| {
        format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high).replace('-', "−")
    })
}

/// An interval.
pub(crate) fn interval(value: Option<(f64, f64)>) -> String {
    let value = value.filter(|(low, high)| low.is_finite() && high.is_finite());
    value.map_or("–".into(), |(low, high)| {
        format!("{} to {}", number(Some(low)), number(Some(high)))
    })
}

/// With a capital letter, to begin a sentence or a heading.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_decimals_and_a_true_minus() {
        assert_eq!(number(Some(-0.12345)), "−0.123");
        assert_eq!(number(Some(12.0)), "12.000");
        assert_eq!(signed(0.0005), "+0.001");
        assert_eq!(signed(-2.0), "−2.000");
        assert_eq!(interval(Some((-0.1, 0.25))), "−0.100 to 0.250");
        assert_eq!(percent(Some(-0.0312)), "−3.1 %");
        assert_eq!(percents(Some((0.0, 0.5))), "0.0 to 50.0 %");
    }

    #[test]
    fn p_values_are_never_zero() {
        for (p, text) in [
            (0.0, "< 0.0001"),
            (0.000_099, "< 0.0001"),
            (0.0001, "0.0001"),
            (0.009_94, "0.0099"),
            (0.01, "0.010"),
            (1.0, "1.000"),
        ] {
            assert_eq!(p_value(Some(p)), text);
        }
    }

    #[test]
    fn what_is_no_number_is_a_dash() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let texts = [
                number(Some(bad)),
                signed(bad),
                p_value(Some(bad)),
                percent(Some(bad)),
                percents(Some((0.0, bad))),
                interval(Some((bad, 0.0))),
            ];
            assert!(texts.iter().all(|text| text == "–"), "{texts:?}");
        }
        assert_eq!([number(None), p_value(None), interval(None)], ["–"; 3]);
    }

    #[test]
    fn capitals_are_those_of_any_alphabet() {
        assert_eq!(capitalized("überlappung"), "Überlappung");
        assert_eq!(capitalized(""), "");
    }
}
