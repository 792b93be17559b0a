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
